//! Whether the database has exactly what the stream has.

use std::collections::BTreeMap;

use crate::counts::Counts;
use crate::stream::Message;

/// What a run has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How often each message was counted, by its number in the stream.
    pub(crate) times: BTreeMap<u64, u64>,
    /// The sums of what was published.
    pub(crate) published: Counts,
    /// What the driver's own state said last of each word.
    pub(crate) state: Counts,
    /// Up to where each partition was acknowledged.
    pub(crate) acknowledged: Vec<u64>,
}

/// Of each kind of problem so many are told in full.
const SHOWN: usize = 3;

/// What is wrong, in words; nothing if all is well. `sent` messages were taken by the server, numbered from 1.
pub(crate) fn problems(stream: &[Message], sent: u64, outcome: &Outcome) -> Vec<String> {
    let mut problems = Vec::new();
    let mut tell = |what: &str, all: Vec<String>| {
        if !all.is_empty() {
            let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            problems.push(format!("{what}: {} in all: {shown}", all.len()));
        }
    };

    let mut sent_times: BTreeMap<u64, u64> = (1..=sent).map(|number| (number, 0)).collect();
    for message in stream {
        let number = message.text.split(' ').next().and_then(|number| number.parse().ok());
        *sent_times.entry(number.unwrap_or(0)).or_default() += 1;
    }
    let wrong = sent_times.iter().filter(|(_, times)| **times != 1);
    let shown = wrong.map(|(number, times)| format!("number {number} {times} times")).collect();
    tell("the stream itself does not have each message that it took once", shown);

    let times = |message: &Message| outcome.times.get(&message.sequence).copied().unwrap_or(0);
    let place =
        |message: &Message| format!("sequence {} of partition {}", message.sequence, message.partition);
    let lost = stream.iter().filter(|message| times(message) == 0);
    tell("messages that were not counted", lost.map(place).collect());
    let twice = stream.iter().filter(|message| times(message) > 1);
    let shown = twice.map(|message| format!("{}, {} times", place(message), times(message))).collect();
    tell("messages that were counted more than once", shown);
    let mut unknown = outcome.times.clone();
    for message in stream {
        unknown.remove(&message.sequence);
    }
    tell("counted, and not in the stream", unknown.keys().map(|at| format!("sequence {at}")).collect());

    let mut truth = Counts::default();
    stream.iter().for_each(|message| truth.take(&message.text));
    tell("words whose published sum is wrong", differences(&truth, &outcome.published));
    tell("words of which the driver's state was wrong", differences(&truth, &outcome.state));

    let newest: BTreeMap<u32, u64> =
        stream.iter().map(|message| (message.partition, message.sequence)).collect();
    let told = |partition: u32| outcome.acknowledged.get(partition as usize).copied().unwrap_or(0);
    let short = newest.iter().filter(|(partition, newest)| told(**partition) < **newest);
    let shown = short.map(|(of, newest)| format!("partition {of} up to {} of {newest}", told(*of))).collect();
    tell("partitions that were not acknowledged to their end", shown);
    problems
}

fn differences(truth: &Counts, found: &Counts) -> Vec<String> {
    let words: std::collections::BTreeSet<_> = truth.0.keys().chain(found.0.keys()).collect();
    let of = |counts: &Counts, word: &str| counts.0.get(word).copied().unwrap_or(0);
    let wrong = words.into_iter().filter(|word| of(truth, word) != of(found, word));
    wrong.map(|word| format!("{word} is {} and not {}", of(found, word), of(truth, word))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<Message> {
        let message = |(sequence, partition, text): (u64, u32, &str)| Message {
            sequence,
            partition,
            text: text.into(),
        };
        [(1, 0, "1 reed"), (2, 1, "2 heron reed"), (3, 0, "3 trout")].into_iter().map(message).collect()
    }

    fn good() -> Outcome {
        let mut counts = Counts::default();
        stream().iter().for_each(|message| counts.take(&message.text));
        let times = (1..=3).map(|sequence| (sequence, 1)).collect();
        Outcome { times, published: counts.clone(), state: counts, acknowledged: vec![3, 2] }
    }

    #[test]
    fn what_is_right_has_no_problem() {
        assert_eq!(problems(&stream(), 3, &good()), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_can_be_wrong_is_told() {
        type Spoil = fn(&mut Outcome);
        let cases: [(&str, Spoil); 6] = [
            ("not counted: 1 in all: sequence 2 of partition 1", |bad| bad.times.retain(|at, _| *at != 2)),
            ("more than once: 1 in all: sequence 3 of partition 0, 2 times", |bad| {
                bad.times.extend([(3, 2)])
            }),
            ("not in the stream: 1 in all: sequence 9", |bad| bad.times.extend([(9, 1)])),
            ("published sum is wrong: 1 in all: reed is 3 and not 2", |bad| bad.published.take("1 reed")),
            ("state was wrong: 1 in all: heron is 2 and not 1", |bad| bad.state.take("1 heron")),
            ("to their end: 1 in all: partition 1 up to 0 of 2", |bad| bad.acknowledged[1] = 0),
        ];
        for (expected, spoil) in cases {
            let mut outcome = good();
            spoil(&mut outcome);
            let told = problems(&stream(), 3, &outcome);
            assert!(told.len() == 1 && told[0].ends_with(expected), "{told:?}");
        }
        let told = problems(&stream(), 4, &good());
        assert!(told.len() == 1 && told[0].ends_with("took once: 1 in all: number 4 0 times"), "{told:?}");
    }
}
