//! Where records come from, and how a block of them is written down.
//!
//! A source keeps what was not acknowledged and sends it again to whoever asks. One with numbered positions is
//! acknowledged up to a position; one without them record by record.

use std::collections::BTreeSet;

use headwater_checkpoint::journal::SourceRange;

/// The stream whose records have numbered positions and come by receivers.
pub(crate) const NUMBERED: u32 = 0;
/// The stream whose records have none.
pub(crate) const PLAIN: u32 = 1;
/// The stream that batches read by themselves.
pub(crate) const DIRECT: u32 = 2;
pub(crate) const STREAMS: u32 = 3;

/// How many partitions the numbered stream has.
pub(crate) const PARTITIONS: u32 = 3;

/// A record: every one there is has another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) stream: u32,
    pub(crate) partition: u32,
    pub(crate) number: u64,
}

impl Item {
    /// What it is worth in a sum.
    pub(crate) fn value(self) -> u64 {
        self.number * 7 + u64::from(self.partition) * 3 + 1
    }
}

/// What sources have sent and were told.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Of each numbered partition: how many records there are, and up to where they are acknowledged.
    pub(crate) numbered: [(u64, u64); PARTITIONS as usize],
    pub(crate) plain: u64,
    pub(crate) plain_acked: BTreeSet<u64>,
    pub(crate) direct: u64,
}

impl Sources {
    /// What the plain source sends again: the oldest that it was not told of, so many at most, from a number on.
    pub(crate) fn plain_from(&self, from: u64, count: usize) -> Vec<u64> {
        (from..self.plain).filter(|number| !self.plain_acked.contains(number)).take(count).collect()
    }

    /// Somebody was told that a block is safe.
    pub(crate) fn acknowledge(&mut self, content: &Content) {
        match content {
            Content::Numbered(ranges) => {
                for range in ranges {
                    let (_, acked) = &mut self.numbered[range.partition as usize];
                    *acked = range.to.max(*acked);
                }
            }
            Content::Plain(numbers) => self.plain_acked.extend(numbers),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.numbered.iter().all(|(produced, acked)| produced == acked)
            && self.plain_acked.len() as u64 == self.plain
    }
}

/// What a block holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Numbered(Vec<SourceRange>),
    Plain(Vec<u64>),
}

impl Content {
    /// As its receiver logs it, and so much beside it.
    pub(crate) fn payload(&self, padding: usize) -> String {
        let body = match self {
            Content::Numbered(ranges) => {
                let range = |range: &SourceRange| format!("{}:{}:{}", range.partition, range.from, range.to);
                format!("n {}", ranges.iter().map(range).collect::<Vec<_>>().join(","))
            }
            Content::Plain(numbers) => {
                format!("p {}", numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(","))
            }
        };
        format!("{body} {}", "x".repeat(padding))
    }

    pub(crate) fn parse(payload: &[u8]) -> Content {
        let text = std::str::from_utf8(payload).expect("a payload is text");
        let mut words = text.split(' ');
        let kind = words.next();
        let parts = words.next().expect("it has a body").split(',');
        if kind == Some("p") {
            return Content::Plain(parts.map(|number| number.parse().expect("a number")).collect());
        }
        let range = |part: &str| {
            let numbers: Vec<u64> = part.split(':').map(|number| number.parse().expect("a number")).collect();
            SourceRange { partition: numbers[0] as u32, from: numbers[1], to: numbers[2] }
        };
        Content::Numbered(parts.map(range).collect())
    }

    pub(crate) fn ranges(&self) -> Vec<SourceRange> {
        match self {
            Content::Numbered(ranges) => ranges.clone(),
            Content::Plain(_) => Vec::new(),
        }
    }

    pub(crate) fn items(&self) -> Vec<Item> {
        match self {
            Content::Numbered(ranges) => ranges.iter().flat_map(|range| items(NUMBERED, *range)).collect(),
            Content::Plain(numbers) => {
                numbers.iter().map(|&number| Item { stream: PLAIN, partition: 0, number }).collect()
            }
        }
    }
}

/// The records of a range.
pub(crate) fn items(stream: u32, range: SourceRange) -> impl Iterator<Item = Item> {
    (range.from..range.to).map(move |number| Item { stream, partition: range.partition, number })
}
