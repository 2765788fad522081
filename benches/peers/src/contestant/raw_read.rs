//! The bare loops that read: a mebibyte at a time, or a record by `pread`, each record's CRC-32C compared. Checksums and
//! lengths are known beforehand, so that there is nothing to parse.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::{Reads, Replays, Seen, Setup, Visit};
use crate::Result;
use crate::payload::Payloads;

const BUFFER_BYTES: usize = 1024 * 1024;

/// Records end to end.
pub(super) fn fill(setup: &Setup, records: u64) -> Result<()> {
    let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create_new(setup.dir.join("records"))?);
    (0..records).try_for_each(|number| file.write_all(setup.payloads.of(number)))?;
    Ok(file.into_inner().map_err(|error| error.into_error())?.sync_all()?)
}

/// A file of records.
#[derive(Debug)]
pub(super) struct RawRead {
    file: File,
    payloads: Arc<Payloads>,
    buffer: Vec<u8>,
    record_bytes: usize,
}

impl RawRead {
    pub(super) fn open(setup: &Setup) -> Result<RawRead> {
        let file = File::open(setup.dir.join("records"))?;
        let record_bytes = setup.record_bytes;
        let buffer = vec![0; BUFFER_BYTES / record_bytes * record_bytes];
        Ok(RawRead { file, payloads: Arc::clone(&setup.payloads), buffer, record_bytes })
    }

    fn verify(&self, number: u64, record: &[u8]) -> Result<()> {
        let same = crc32c::crc32c(record) == self.payloads.checksum_of(number);
        same.then_some(()).ok_or_else(|| format!("record {number} does not verify").into())
    }
}

impl Replays for RawRead {
    fn replay(&mut self, mut seen: Seen) -> Result<Seen> {
        self.file.seek(SeekFrom::Start(0))?;
        loop {
            let mut len = 0;
            while len < self.buffer.len() {
                match self.file.read(&mut self.buffer[len..])? {
                    0 => break,
                    more => len += more,
                }
            }
            for record in self.buffer[..len].chunks(self.record_bytes) {
                self.verify(seen.records, record)?;
                seen.see(record)?;
            }
            if len < self.buffer.len() {
                return Ok(seen);
            }
        }
    }
}

impl Reads for RawRead {
    fn read(&mut self, numbers: &[u64], visit: Visit<'_>) -> Result<()> {
        for number in numbers {
            let at = number * self.record_bytes as u64;
            self.file.read_exact_at(&mut self.buffer[..self.record_bytes], at)?;
            let record = &self.buffer[..self.record_bytes];
            self.verify(*number, record)?;
            visit(record)?;
        }
        Ok(())
    }
}
