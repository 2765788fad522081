//! Where records come from, and what they look like.
//!
//! A numbered source keeps what was not acknowledged and sends it again to whoever asks. A plain one has no numbers that
//! anybody is told, and sends each record once.

use std::collections::BTreeSet;

use headwater_checkpoint::journal::SourceRange;
use headwater_wal::receiver::blocks;

/// The stream whose records have numbered positions and come by receivers.
pub(crate) const NUMBERED: u32 = 0;
/// The stream whose records have none.
pub(crate) const PLAIN: u32 = 1;
/// The stream that batches read by themselves.
pub(crate) const DIRECT: u32 = 2;
pub(crate) const STREAMS: u32 = 3;

/// How many partitions the numbered stream has.
pub(crate) const PARTITIONS: u32 = 6;

/// A record: every one there is has another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) stream: u32,
    pub(crate) partition: u32,
    pub(crate) number: u64,
}

impl Item {
    pub(crate) fn numbered(partition: u32, number: u64) -> Item {
        Item { stream: NUMBERED, partition, number }
    }

    pub(crate) fn plain(number: u64) -> Item {
        Item { stream: PLAIN, partition: 0, number }
    }

    /// What it is worth in a sum.
    pub(crate) fn value(self) -> u64 {
        self.number * 7 + u64::from(self.partition) * 3 + 1
    }

    /// The record as it is handed in: its name, and by it so much more.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let Item { stream, partition, number } = self;
        let more = "-".repeat(((number * 7 + u64::from(partition)) % 40) as usize);
        format!("{stream}/{partition}/{number}/{more}").into_bytes()
    }

    fn parse(bytes: &[u8]) -> Item {
        let text = std::str::from_utf8(bytes).expect("a record is text");
        let mut numbers = text.split('/').map(|part| part.parse().unwrap_or(u64::MAX));
        let mut next = || numbers.next().expect("a record names itself");
        let item = Item { stream: next() as u32, partition: next() as u32, number: next() };
        assert_eq!(item.bytes(), bytes, "a record reads otherwise than it was sent");
        item
    }
}

/// What sources have sent and were told.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Of each numbered partition: where the records end that there are, and up to where they are acknowledged.
    pub(crate) numbered: [(u64, u64); PARTITIONS as usize],
    pub(crate) plain: u64,
    /// Those of the plain source that were durable in a log, or handed to a receiver that stopped in order.
    pub(crate) plain_safe: BTreeSet<u64>,
    pub(crate) direct: u64,
}

impl Sources {
    /// A numbered source has so many records more.
    pub(crate) fn produce(&mut self, partition: u32, count: u64) {
        let (end, _) = &mut self.numbered[partition as usize];
        *end += count;
        while !exists(partition, *end - 1) {
            *end += 1;
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.numbered.iter().all(|(produced, acked)| produced == acked)
    }
}

/// Whether a numbered source has a record of this number: one partition's numbers have holes.
pub(crate) fn exists(partition: u32, number: u64) -> bool {
    partition != 2 || number % 5 < 3
}

/// The records of a range of the direct stream.
pub(crate) fn direct(range: SourceRange) -> impl Iterator<Item = Item> {
    (range.from..range.to).map(move |number| Item { stream: DIRECT, partition: range.partition, number })
}

/// What a block of a receiver holds, in its order.
pub(crate) fn items(payload: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    for record in blocks::records(payload).expect("a receiver's block") {
        let record = record.expect("a record of it");
        let item = Item::parse(record.bytes);
        let place = record.place.map(|place| Item::numbered(place.partition, place.position));
        assert_eq!(place.unwrap_or(Item::plain(item.number)), item, "a record lies in another one's place");
        items.push(item);
    }
    items
}
