//! The payloads that every contestant gets: random bytes, which nothing compresses.

use bytes::Bytes;

use headwater_benches::measure::random::Random;

/// What an address must be a multiple of to go to a device without a copy.
pub(crate) const ALIGNMENT: usize = 4096;

/// Some different payloads, used over and over. Each begins with its own number, by which a reader knows that it got the
/// right record: record `n` of a log is payload `n % len`.
#[derive(Debug)]
pub(crate) struct Payloads {
    all: Vec<Bytes>,
    checksums: Vec<u32>,
}

impl Payloads {
    /// About a mebibyte of small ones, or sixteen large ones.
    pub(crate) fn new(record_bytes: usize) -> Payloads {
        let count = (1024 * 1024 / record_bytes).clamp(16, 1024);
        let stride = record_bytes.next_multiple_of(ALIGNMENT);
        let mut random = Random::new(0x4845_4144);
        let mut bytes = vec![0; count * stride + ALIGNMENT];
        let first = bytes.as_ptr().align_offset(ALIGNMENT);
        for (number, payload) in bytes[first..].chunks_exact_mut(stride).take(count).enumerate() {
            let payload = &mut payload[..record_bytes];
            payload
                .chunks_mut(8)
                .for_each(|chunk| chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]));
            payload[..8].copy_from_slice(&(number as u64).to_le_bytes());
        }
        let bytes = Bytes::from(bytes);
        let at = |number| first + number * stride;
        let all: Vec<Bytes> =
            (0..count).map(|number| bytes.slice(at(number)..at(number) + record_bytes)).collect();
        let checksums = all.iter().map(|payload| crc32c::crc32c(payload)).collect();
        Payloads { all, checksums }
    }

    /// The payload of a log's record.
    pub(crate) fn of(&self, record: u64) -> &Bytes {
        &self.all[record as usize % self.all.len()]
    }

    /// Its CRC-32C.
    pub(crate) fn checksum_of(&self, record: u64) -> u32 {
        self.checksums[record as usize % self.all.len()]
    }

    /// Whether these are the bytes of a log's record, by length and number: checksums are the contestants' work.
    pub(crate) fn is(&self, record: u64, bytes: &[u8]) -> bool {
        let payload = self.of(record);
        bytes.len() == payload.len() && bytes[..8] == payload[..8]
    }
}
