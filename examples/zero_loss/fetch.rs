//! How the driver reads blocks: by their handles from the receivers' logs, or from whoever keeps a copy in memory.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater::checkpoint::journal::{Allotment, Block, Run};
use headwater::checkpoint::resume::Root;
use headwater::{Handle, Kind, Reader, receiver::blocks};
use headwater_benches::replica;

use crate::direct::Direct;
use crate::options::Options;
use crate::place::Place;
use crate::sink::Output;
use crate::{Result, text};

/// So long a block is waited for whose segment is being written.
const SEALED_WITHIN: Duration = Duration::from_secs(20);

pub(crate) struct Fetch {
    root: Root,
    place: Place,
    /// Who may have copies in memory.
    holders: Vec<String>,
    /// Receivers' logs can be read.
    logs: bool,
    /// A block that cannot be read is gone for good, and the stream goes on without it.
    may_lose: bool,
    pub(crate) direct: Option<Direct>,
}

impl Fetch {
    pub(crate) fn new(options: &Options, place: &Place, root: Root) -> Fetch {
        Fetch {
            root,
            place: place.clone(),
            holders: options.holders(),
            logs: options.wal,
            may_lose: options.may_lose_blocks(),
            direct: Direct::new(options.source, place),
        }
    }

    /// Reads all records of a batch.
    pub(crate) fn read(&self, batch: &Allotment) -> Result<Output> {
        let mut output = Output::default();
        for run in batch.runs() {
            let blocks: Vec<Block> = batch.blocks_of(run.log).collect();
            let mut found = if self.logs { self.logged(run, &blocks)? } else { BTreeMap::new() };
            if found.len() < blocks.len() {
                found.append(&mut self.kept(run));
            }
            for block in &blocks {
                match found.get(&block.handle.position().0) {
                    Some(payload) => take(&mut output, payload)?,
                    None if self.may_lose => output.lost_blocks += 1,
                    None => return Err(format!("nobody has a block any more: {}", block.handle).into()),
                }
            }
        }
        for (direct, range) in
            self.direct.iter().flat_map(|direct| batch.direct().iter().map(move |of| (direct, of.range)))
        {
            direct.read(&range)?.iter().try_for_each(|record| take_record(&mut output, record.as_bytes()))?;
        }
        Ok(output)
    }

    fn logged(&self, run: &Run, blocks: &[Block]) -> Result<BTreeMap<u64, Bytes>> {
        let began = Instant::now();
        loop {
            match self.logged_now(run, blocks) {
                // On HDFS what is being written is read when it is sealed: soon, or when the heir of a killed receiver starts.
                Err(error) if error.kind() == Kind::Unavailable && began.elapsed() < SEALED_WITHIN => {
                    thread::sleep(Duration::from_millis(20));
                }
                found => return Ok(found?),
            }
        }
    }

    fn logged_now(&self, run: &Run, blocks: &[Block]) -> headwater::Result<BTreeMap<u64, Bytes>> {
        let reader = Reader::open(self.root.received_by(run.log)?)?;
        let handles: Vec<Handle> = blocks.iter().map(|block| block.handle).collect();
        let mut found = BTreeMap::new();
        for (handle, record) in handles.iter().zip(reader.read_many(&handles)) {
            match record {
                Ok(record) => drop(found.insert(handle.position().0, record.payload)),
                Err(error) if self.may_lose && error.kind() != Kind::Unavailable => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// What anybody has of this log's blocks. One who does not answer has nothing.
    fn kept(&self, run: &Run) -> BTreeMap<u64, Bytes> {
        let mut found = BTreeMap::new();
        for holder in &self.holders {
            let Ok(address) = self.place.find(holder) else { continue };
            let Ok(all) = replica::read(address, run.log.identity) else { continue };
            found.extend(all.map_while(|block| block.ok()));
        }
        found
    }

    /// Nobody needs the copies of these blocks any more.
    pub(crate) fn forget(&self, batch: &Allotment) {
        for (holder, run) in self.holders.iter().flat_map(|holder| batch.runs().map(move |run| (holder, run)))
        {
            if let Ok(address) = self.place.find(holder) {
                // One that is gone has nothing left.
                let _ = replica::forget(address, run.log.identity, run.last.0 + 1);
            }
        }
    }
}

fn take(output: &mut Output, payload: &[u8]) -> Result<()> {
    for record in blocks::records(payload)? {
        take_record(output, record?.bytes)?;
    }
    Ok(())
}

fn take_record(output: &mut Output, record: &[u8]) -> Result<()> {
    let (partition, number, words) = text::read(record).ok_or("a record that the source never sent")?;
    output.take(partition, number, words);
    Ok(())
}
