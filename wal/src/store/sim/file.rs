//! A file: what readers see of it, and what the disk has.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::Random;
use super::cut::Fate;
use super::lease::Lease;

/// What a disk writes whole or not at all.
pub const SECTOR: usize = 512;

/// The bytes of a file in the page cache and on the disk.
///
/// A sector of the cache is dirty (it waits to be written) or clean. Clean ones are as on the disk, but where a sync
/// failed: the kernel calls those clean too, shows them to every reader, and never writes them.
///
/// The length is metadata, which the file system keeps in a journal: a failed sync leaves it waiting.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    cache: Vec<u8>,
    disk: Vec<u8>,
    /// The dirty sectors, each with the number of the write that touched it last.
    dirty: BTreeMap<usize, u64>,
    /// The length changed and was not synced since.
    resized: Option<Resized>,
    /// A sync failed, and the cache was not dropped since.
    lies: bool,
    /// Syncs that failed so far.
    pub(super) failures: u64,
    /// Sectors that the disk cannot read.
    unreadable: BTreeSet<usize>,
    /// Under which it is being written, on a medium of leases; none once it is closed.
    pub(super) lease: Option<Lease>,
}

#[derive(Clone, Copy, Debug)]
struct Resized {
    /// The least length since: behind it the disk shows zeros once the length is durable.
    least: usize,
    number: u64,
}

/// What became of a file's sectors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) kept: u64,
    pub(super) lost: u64,
    pub(super) lengths: u64,
}

fn sectors(range: &Range<usize>) -> Range<usize> {
    if range.is_empty() { 0..0 } else { range.start / SECTOR..range.end.div_ceil(SECTOR) }
}

impl File {
    /// A file whose bytes are on the disk.
    pub(super) fn synced(bytes: Vec<u8>) -> Self {
        File { disk: bytes.clone(), cache: bytes, ..File::default() }
    }

    /// A file of which the disk has nothing yet.
    pub(super) fn unsynced(bytes: &[u8], number: u64, random: &mut Random) -> Self {
        let mut file = File::default();
        file.write(0, bytes, number, random);
        file
    }

    /// An object: it is as it was put, and no cache comes into it.
    pub(super) fn object(bytes: &[u8]) -> Self {
        File { cache: bytes.to_vec(), ..File::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.cache.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.cache
    }

    /// What a power cut that keeps nothing would leave.
    pub(super) fn disk(&self) -> &[u8] {
        &self.disk
    }

    /// The part of `range` that there is, or none if the disk cannot read it.
    pub(super) fn read(&self, range: Range<u64>) -> Option<&[u8]> {
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.readable());
        let range = within(range.start)..within(range.end.max(range.start));
        let bad = !self.unreadable.is_empty() && self.unreadable.range(sectors(&range)).next().is_some();
        (!bad).then(|| &self.cache[range])
    }

    /// Writes into the cache. `number` is the write's.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8], number: u64, random: &mut Random) {
        let end = offset + bytes.len();
        let touched = sectors(&(offset..end));
        for sector in touched.clone() {
            if self.dirty.contains_key(&sector) && random.one_in(4) {
                // The kernel writes back when it likes: it may have taken the sector as it was between two writes.
                self.land(sector);
            }
        }
        if end > self.cache.len() {
            self.resize(end, number);
        }
        self.cache[offset..end].copy_from_slice(bytes);
        for sector in touched {
            self.dirty.insert(sector, number);
            self.unreadable.remove(&sector);
        }
    }

    /// As [`write`](Self::write), but the cache calls the sectors clean at once.
    pub(super) fn write_in_vain(&mut self, offset: usize, bytes: &[u8], number: u64, random: &mut Random) {
        self.write(offset, bytes, number, random);
        for sector in sectors(&(offset..offset + bytes.len())) {
            self.dirty.remove(&sector);
        }
        self.lies = true;
    }

    pub(super) fn trim(&mut self, len: usize, number: u64) {
        if len < self.cache.len() {
            self.resize(len, number);
            self.dirty.split_off(&len.div_ceil(SECTOR));
        }
    }

    /// Makes the file durable as the cache believes it to be: clean sectors that the disk never got stay away.
    pub(super) fn sync(&mut self) {
        if let Some(Resized { least, .. }) = self.resized.take() {
            self.disk.truncate(least);
            self.disk.resize(self.cache.len(), 0);
        }
        for (sector, _) in std::mem::take(&mut self.dirty) {
            self.land(sector);
        }
    }

    /// Makes the sectors of a range durable, and no others; the length too, if it has changed.
    pub(super) fn sync_range(&mut self, range: Range<usize>) {
        if self.resized.is_some() {
            return self.sync();
        }
        for sector in sectors(&range) {
            if self.dirty.remove(&sector).is_some() {
                self.land(sector);
            }
        }
    }

    /// Calls every dirty sector clean; by `partly`, some of them reach the disk.
    pub(super) fn fail_sync(&mut self, mut partly: Option<&mut Random>) {
        for (sector, _) in std::mem::take(&mut self.dirty) {
            if partly.as_mut().is_some_and(|random| random.coin()) {
                self.land(sector);
            }
        }
        self.lies = true;
        self.failures += 1;
    }

    /// Forgets clean sectors, by choice; answers how many showed something else then.
    pub(super) fn drop_cache(&mut self, mut chosen: impl FnMut() -> bool) -> u64 {
        if !self.lies {
            return 0;
        }
        let (mut shown, mut left) = (0, false);
        let disk_len = self.resized.map_or(self.disk.len(), |resized| resized.least.min(self.disk.len()));
        for sector in sectors(&(0..self.cache.len())) {
            let here = sector * SECTOR..((sector + 1) * SECTOR).min(self.cache.len());
            let on_disk = here.start.min(disk_len)..here.end.min(disk_len);
            let (cached, disk) = (&mut self.cache[here], &self.disk[on_disk]);
            let (data, hole) = cached.split_at_mut(disk.len());
            if self.dirty.contains_key(&sector) || (data == disk && hole.iter().all(|byte| *byte == 0)) {
                continue;
            }
            if chosen() {
                data.copy_from_slice(disk);
                hole.fill(0);
                shown += 1;
            } else {
                left = true;
            }
        }
        self.lies = left;
        shown
    }

    /// The least number of an unsynced write.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.dirty.values().copied().chain(self.resized.map(|resized| resized.number)).min()
    }

    /// The power goes: of what is dirty, and of the length, `fate` chooses what is kept.
    pub(super) fn power_cut(&mut self, fate: &mut Fate) -> Tally {
        let mut tally = Tally::default();
        if self.dirty.is_empty() && self.resized.is_none() && !self.lies {
            return tally;
        }
        if let Some(Resized { least, number }) = self.resized.take() {
            let (before, now) = (self.disk.len(), self.cache.len());
            let len = fate.length(number, before, now);
            if len != before {
                self.disk.truncate(least);
                self.disk.resize(len, 0);
            }
            tally.lengths += u64::from(len != now);
        }
        for (sector, number) in std::mem::take(&mut self.dirty) {
            if fate.keeps(number) {
                self.land(sector);
                tally.kept += 1;
            } else {
                tally.lost += 1;
            }
        }
        self.lies = false;
        self.cache.clear();
        self.cache.extend_from_slice(&self.disk);
        tally
    }

    /// Rot: changes the bytes everywhere, behind everybody's back.
    pub(super) fn rot(&mut self, change: impl Fn(&mut Vec<u8>)) {
        change(&mut self.cache);
        change(&mut self.disk);
        self.dirty.split_off(&self.cache.len().div_ceil(SECTOR));
    }

    pub(super) fn make_unreadable(&mut self, range: Range<usize>) {
        self.unreadable.extend(sectors(&range));
    }

    fn resize(&mut self, len: usize, number: u64) {
        let least = self.resized.map_or(self.cache.len(), |resized| resized.least).min(len);
        self.resized = Some(Resized { least, number });
        self.cache.resize(len, 0);
    }

    /// Copies a sector from the cache to the disk, as far as the file reaches on both.
    fn land(&mut self, sector: usize) {
        let end = ((sector + 1) * SECTOR).min(self.cache.len()).min(self.disk.len());
        if let Some(len) = end.checked_sub(sector * SECTOR) {
            let here = sector * SECTOR..sector * SECTOR + len;
            self.disk[here.clone()].copy_from_slice(&self.cache[here]);
        }
    }
}
