//! The input: sentences that say which ones they are, the same ones whoever asks.

use std::collections::BTreeMap;

/// How often each word came.
pub(crate) type Counts = BTreeMap<String, u64>;

const WORDS: [&str; 48] = [
    "river",
    "stone",
    "rain",
    "delta",
    "moss",
    "spring",
    "ice",
    "heron",
    "reed",
    "flood",
    "silt",
    "trout",
    "bridge",
    "cloud",
    "bank",
    "otter",
    "ford",
    "lake",
    "willow",
    "fog",
    "current",
    "island",
    "mill",
    "dew",
    "brook",
    "gravel",
    "salmon",
    "mist",
    "rapids",
    "pool",
    "estuary",
    "snow",
    "canyon",
    "weir",
    "ferry",
    "tide",
    "alder",
    "well",
    "harbour",
    "basin",
    "meander",
    "marsh",
    "source",
    "glacier",
    "confluence",
    "eddy",
    "headwater",
    "sea",
];

/// The words of a record. The first ones of the list come more often than the last.
fn words(partition: u32, number: u64) -> impl Iterator<Item = &'static str> {
    let mut state = (u64::from(partition) << 56) ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 33) as usize
    };
    let many = 3 + next() % 6;
    (0..many).map(move |_| WORDS[(next() % WORDS.len()).min(next() % WORDS.len())])
}

/// A record: its partition, its number, and its words.
pub(crate) fn record(partition: u32, number: u64) -> String {
    let mut text = format!("{partition} {number}");
    for word in words(partition, number) {
        text.push(' ');
        text.push_str(word);
    }
    text
}

/// Which record it is, and its words; none if it is not one of ours, to the letter.
pub(crate) fn read(text: &[u8]) -> Option<(u32, u64, impl Iterator<Item = &str>)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split(' ');
    let (partition, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (text == record(partition, number)).then_some((partition, number, parts))
}

/// Counts the words of a record.
pub(crate) fn count(counts: &mut Counts, partition: u32, number: u64) {
    for word in words(partition, number) {
        add(counts, word, 1);
    }
}

/// Adds to a word.
pub(crate) fn add(counts: &mut Counts, word: &str, by: u64) {
    match counts.get_mut(word) {
        Some(count) => *count += by,
        None => drop(counts.insert(word.to_owned(), by)),
    }
}
