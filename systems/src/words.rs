//! The messages: a number, and a few words to be counted.

use crate::numbers::Numbers;

const WORDS: [&str; 32] = [
    "water", "stream", "river", "spring", "source", "bank", "flood", "lake", "ford", "rapid", "mouth",
    "delta", "brook", "creek", "rain", "snow", "ice", "mist", "dew", "well", "fall", "pool", "marsh", "reed",
    "stone", "sand", "silt", "otter", "heron", "trout", "wheel", "bridge",
];

/// The text of a message, and the partition that it goes to: the same for the same seed and number.
pub(crate) fn message(seed: u64, number: u64, partitions: u32) -> (u32, String) {
    let mut numbers = Numbers::of(seed ^ number.wrapping_mul(0xA076_1D64_78BD_642F));
    let partition = numbers.below(partitions.into()) as u32;
    let mut text = number.to_string();
    for _ in 0..3 + numbers.below(9) {
        // Some words come more often than others, as words do.
        let at = numbers.below(WORDS.len() as u64).min(numbers.below(WORDS.len() as u64));
        text.push(' ');
        text.push_str(WORDS[at as usize]);
    }
    (partition, text)
}

/// The words of a message; its number is none.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_again_with_its_seed_and_has_words_behind_its_number() {
        let (partition, text) = message(7, 41, 2);
        assert_eq!(message(7, 41, 2), (partition, text.clone()));
        assert_ne!(message(8, 41, 2).1, text);
        assert!(text.starts_with("41 ") && (3..12).contains(&words(&text).count()));
        assert!((0..100).any(|number| message(7, number, 2).0 != partition), "there are two partitions");
    }
}
