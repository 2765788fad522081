//! What came out, held against what went in: record by record, and word by word.

use crate::Result;
use crate::sink::Sink;
use crate::text::{self, Counts};

/// What is known at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proof {
    /// Records that the source has sent, each once.
    pub(crate) sent: u64,
    /// Those that are in no result.
    pub(crate) lost: u64,
    /// How often records are in a result beyond the first time.
    pub(crate) doubled: u64,
    /// Words that were counted.
    pub(crate) words: u64,
    /// The words that came most often.
    pub(crate) most: Vec<(String, u64)>,
    /// What cannot be, whatever was chosen.
    pub(crate) wrong: Vec<String>,
}

impl Proof {
    /// `sent` has the number of records of each partition, `totals` the driver's own state at its end.
    pub(crate) fn of(sink: &Sink, sent: &[u64], totals: Option<&Counts>) -> Result<Proof> {
        let (words, runs) = sink.all()?;
        let mut proof = Proof { sent: sent.iter().sum(), ..Proof::default() };
        let mut truth = Counts::new();
        for (partition, sent) in (0..).zip(sent) {
            let mut next = 0;
            for (_, first, behind) in runs.iter().filter(|(of, ..)| *of == partition) {
                proof.lost += first.saturating_sub(next);
                proof.doubled += next.min(*behind).saturating_sub(*first);
                next = next.max(*behind);
                (*first..*behind).for_each(|number| text::count(&mut truth, partition, number));
            }
            proof.lost += sent.saturating_sub(next);
            if next > *sent {
                proof
                    .wrong
                    .push(format!("partition {partition} has a record {}, which was never sent", next - 1));
            }
        }
        if runs.iter().any(|(partition, ..)| *partition as usize >= sent.len()) {
            proof.wrong.push("there is a partition that the source does not have".into());
        }
        if words != truth {
            proof.wrong.push("the words in the results are not those of the records in them".into());
        }
        // Where nothing is lost and nothing doubled, that is also what the driver has come to by itself.
        let is_exact = proof.lost == 0 && proof.doubled == 0;
        if let Some(totals) = totals.filter(|totals| is_exact && **totals != words) {
            let counted: u64 = totals.values().sum();
            proof.wrong.push(format!("the driver's own state has counted {counted} words, and not these"));
        }
        proof.words = words.values().sum();
        let mut most: Vec<_> = words.into_iter().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        most.truncate(5);
        proof.most = most;
        Ok(proof)
    }
}
