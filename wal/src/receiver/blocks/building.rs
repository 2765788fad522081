//! A block that grows.

use std::collections::HashMap;

use super::{
    AT_EPOCH, AT_FORM, AT_NUMBER, AT_RANGES, AT_RECEIVER, AT_RECORDS, AT_RECORDS_BYTES, AT_SETTLED,
    AT_STREAM, HEADER_BYTES, Header, Place, RANGES_MAX, SourceRange, VERSION,
};

/// A block that takes records in. Its bytes are written as they will lie in the log, but for the header, which is filled
/// in when it is cut: a record is copied once.
#[derive(Debug)]
pub(in crate::receiver) struct Building {
    bytes: Vec<u8>,
    records: u32,
    ranges: Vec<SourceRange>,
    /// Which of the ranges is a partition's; and the one of the last record, for records of a partition come together.
    of: HashMap<u32, usize>,
    last: usize,
}

impl Building {
    /// With room for so many bytes at first.
    pub(in crate::receiver) fn new(len: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + len);
        bytes.resize(HEADER_BYTES, 0);
        Building { bytes, records: 0, ranges: Vec::new(), of: HashMap::new(), last: 0 }
    }

    pub(in crate::receiver) fn is_empty(&self) -> bool {
        self.records == 0
    }

    pub(in crate::receiver) fn records(&self) -> u32 {
        self.records
    }

    /// How many bytes its records take.
    pub(in crate::receiver) fn len(&self) -> usize {
        self.bytes.len() - HEADER_BYTES
    }

    pub(in crate::receiver) fn ranges(&self) -> &[SourceRange] {
        &self.ranges
    }

    /// Whether it may have a record of this partition.
    pub(in crate::receiver) fn has_range(&self, partition: u32) -> bool {
        self.ranges.len() < RANGES_MAX || self.of.contains_key(&partition)
    }

    /// Whether it has no record of this partition yet.
    pub(in crate::receiver) fn is_new(&self, partition: u32) -> bool {
        self.ranges.get(self.last).is_none_or(|range| range.partition != partition)
            && !self.of.contains_key(&partition)
    }

    /// Takes in a record of a source that numbers them. `from` is the position behind the one before it: where its
    /// range begins, if it is the first one of its partition here.
    pub(in crate::receiver) fn push_numbered(&mut self, place: Place, from: u64, record: &[u8]) {
        let Place { partition, position } = place;
        if self.ranges.get(self.last).is_none_or(|range| range.partition != partition) {
            self.last = *self.of.entry(partition).or_insert_with(|| {
                self.ranges.push(SourceRange { partition, from, to: from });
                self.ranges.len() - 1
            });
        }
        let at = self.last;
        let range = &mut self.ranges[at];
        assert!(position >= range.to, "records of a partition go up");
        let hole = position - range.to;
        range.to = position + 1;
        put_varint(&mut self.bytes, at as u64);
        put_varint(&mut self.bytes, hole);
        self.push(record);
    }

    /// Takes in a record of a source that does not number them.
    pub(in crate::receiver) fn push(&mut self, record: &[u8]) {
        put_varint(&mut self.bytes, record.len() as u64);
        self.bytes.extend_from_slice(record);
        self.records += 1;
    }

    /// The block's bytes. Count and ranges of the header are the block's own.
    pub(in crate::receiver) fn finish(self, header: &Header) -> Vec<u8> {
        let Building { mut bytes, records, ranges, .. } = self;
        let records_bytes = (bytes.len() - HEADER_BYTES) as u32;
        let settled = header.settled.map_or(u64::MAX, |settled| settled.0);
        bytes[0] = VERSION;
        bytes[AT_FORM] = u8::from(!ranges.is_empty());
        bytes[AT_RANGES..][..2].copy_from_slice(&(ranges.len() as u16).to_le_bytes());
        bytes[AT_STREAM..][..4].copy_from_slice(&header.stream.to_le_bytes());
        bytes[AT_RECEIVER..][..4].copy_from_slice(&header.receiver.to_le_bytes());
        bytes[AT_RECORDS..][..4].copy_from_slice(&records.to_le_bytes());
        bytes[AT_EPOCH..][..8].copy_from_slice(&header.epoch.to_le_bytes());
        bytes[AT_NUMBER..][..8].copy_from_slice(&header.number.to_le_bytes());
        bytes[AT_SETTLED..][..8].copy_from_slice(&settled.to_le_bytes());
        bytes[AT_RECORDS_BYTES..][..4].copy_from_slice(&records_bytes.to_le_bytes());
        for range in &ranges {
            bytes.extend_from_slice(&range.partition.to_le_bytes());
            bytes.extend_from_slice(&range.from.to_le_bytes());
            bytes.extend_from_slice(&range.to.to_le_bytes());
        }
        bytes
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7F {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
