//! The records of a block, one after the other.

use super::{AT_FORM, AT_RECORDS_BYTES, HEADER_BYTES, Header, damaged, header, u32_at};
use crate::error::Result;

/// Where a record lies in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The partition.
    pub partition: u32,
    /// The source's own position there.
    pub position: u64,
}

/// A record of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// Where it lies in its source; nothing if the source does not number its records.
    pub place: Option<Place>,
    /// What it is.
    pub bytes: &'a [u8],
}

/// Reads the records of a block, for a worker that has fetched it by its handle.
///
/// Nothing is copied. An error ends it: what came before is what stands there.
pub fn records(payload: &[u8]) -> Result<Records<'_>> {
    let header = header(payload)?;
    let end = HEADER_BYTES + u32_at(payload, AT_RECORDS_BYTES) as usize;
    let next = header.ranges.iter().map(|range| range.from).collect();
    let numbered = payload[AT_FORM] == 1;
    Ok(Records {
        rest: &payload[HEADER_BYTES..end],
        left: header.records,
        header,
        next,
        numbered,
        over: false,
    })
}

/// The records of a block; see [`records`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    header: Header,
    numbered: bool,
    rest: &'a [u8],
    left: u32,
    /// The position behind the last record of each range.
    next: Vec<u64>,
    over: bool,
}

impl<'a> Records<'a> {
    /// What the block says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    fn take(&mut self) -> Option<Received<'a>> {
        let place = if self.numbered { Some(self.place()?) } else { None };
        let len = usize::try_from(varint(&mut self.rest)?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(Received { place, bytes })
    }

    fn place(&mut self) -> Option<Place> {
        let at = usize::try_from(varint(&mut self.rest)?).ok()?;
        let hole = varint(&mut self.rest)?;
        let (range, next) = (self.header.ranges.get(at)?, &mut self.next[at]);
        let position = next.checked_add(hole).filter(|&position| position < range.to)?;
        *next = position + 1;
        Some(Place { partition: range.partition, position })
    }

    /// Condition B6.
    fn ends_well(&self) -> bool {
        let ends = self.header.ranges.iter().zip(&self.next);
        self.rest.is_empty() && ends.into_iter().all(|(range, next)| range.to == *next)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Received<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        if self.left == 0 {
            self.over = true;
            return (!self.ends_well()).then(|| Err(damaged("its records do not end where they should"))); // B6
        }
        self.left -= 1;
        let record = self.take();
        self.over = record.is_none();
        Some(record.ok_or_else(|| damaged("a record of it cannot be read"))) // B5
    }
}

/// Takes a varint off the front.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for (at, &byte) in bytes.iter().enumerate().take(10) {
        if at == 9 && byte > 1 {
            return None; // beyond 64 bits
        }
        number |= u64::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Some(number);
        }
    }
    None
}
