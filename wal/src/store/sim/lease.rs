//! The lease under which a file is written, and what it keeps from readers.

use super::Random;
use super::file::File;

/// Readers see what is synced of a file that is open as far as it fills blocks of so many bytes.
const BLOCK: usize = 4096;

/// Who may write into an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lease {
    /// Whoever made it.
    Held(u64),
    /// Nobody any more: it has no end yet.
    Ended,
}

impl File {
    /// A new file, which is open: its bytes are on the disk.
    pub(super) fn leased(head: &[u8], serial: u64) -> Self {
        let mut file = File::synced(head.to_vec());
        file.lease = Some(Lease::Held(serial));
        file
    }

    pub(super) fn is_open(&self) -> bool {
        self.lease.is_some()
    }

    pub(super) fn is_held(&self, serial: u64) -> bool {
        self.lease == Some(Lease::Held(serial))
    }

    /// Its writer is stopped, if it is open.
    pub(super) fn end_lease(&mut self) {
        self.lease = self.lease.map(|_| Lease::Ended);
    }

    /// A write to it failed, or the machines that hold it went down: its writer gets no further.
    pub(super) fn break_pipeline(&mut self) {
        self.end_lease();
    }

    /// Closes it, if it is open: it ends anywhere from what was synced to what was written.
    pub(super) fn close_anywhere(&mut self, number: u64, random: &mut Random) {
        if self.lease.take().is_some() {
            let synced = self.disk().len().min(self.len());
            let more = (self.len() - synced) as u64;
            let more = match random.below(3) {
                0 => 0,
                1 => more,
                _ => random.below(more + 1),
            };
            self.trim(synced + more as usize, number);
        }
    }

    /// Closes it where it ends.
    pub(super) fn close(&mut self) {
        self.lease = None;
    }

    /// How much of it a reader sees.
    pub(super) fn readable(&self) -> usize {
        if self.is_open() { self.disk().len().min(self.len()) / BLOCK * BLOCK } else { self.len() }
    }

    /// Its length in a listing: of an open file anything from what can be read to what was written.
    pub(super) fn listed_len(&self, salt: u64) -> usize {
        let readable = self.readable();
        let more = (self.len() - readable) as u64;
        if more == 0 { readable } else { readable + Random::new(salt ^ more).below(more + 1) as usize }
    }
}
