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
        if proof.sent == 0 {
            proof.wrong.push("nothing was sent, and so nothing is shown".into());
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

#[cfg(test)]
mod tests {
    use headwater::checkpoint::journal::{BatchId, OutputId};

    use super::*;
    use crate::options::SinkKind;
    use crate::place::Place;
    use crate::sink::Output;

    /// What is proven of two partitions of 10 records each, when these are in the result.
    fn proof(kind: SinkKind, batches: &[&[(u32, u64)]], totals: Option<&Counts>) -> Proof {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = Sink::open(kind, &Place::new(dir.path(), None)).unwrap();
        for (batch, records) in (1..).zip(batches) {
            let mut output = Output::default();
            for (partition, number) in *records {
                let record = text::record(*partition, *number);
                let (partition, number, words) = text::read(record.as_bytes()).unwrap();
                output.take(partition, number, words);
            }
            let id = OutputId { batch: BatchId(batch), partition: 0 };
            let _ = sink.publish(id, 7, &output).unwrap();
        }
        Proof::of(&sink, &[10, 10], totals).unwrap()
    }

    fn all() -> Vec<(u32, u64)> {
        (0..2).flat_map(|partition| (0..10).map(move |number| (partition, number))).collect()
    }

    fn truth(records: &[(u32, u64)]) -> Counts {
        let mut truth = Counts::new();
        records.iter().for_each(|(partition, number)| text::count(&mut truth, *partition, *number));
        truth
    }

    #[test]
    fn all_records_each_once_in_whatever_batches_are_exact() {
        let all = all();
        for kind in [SinkKind::Keyed, SinkKind::Plain, SinkKind::Files] {
            for cut in 0..20 {
                let proof = proof(kind, &[&all[..cut], &all[cut..]], Some(&truth(&all)));
                assert_eq!((proof.sent, proof.lost, proof.doubled), (20, 0, 0));
                assert_eq!(proof.wrong, [""; 0]);
                assert_eq!(proof.words, truth(&all).values().sum::<u64>());
            }
        }
    }

    #[test]
    fn every_record_that_is_missing_is_lost_and_every_other_one_counts() {
        let all = all();
        for missing in 0..20 {
            let (before, behind) = (&all[..missing], &all[missing + 1..]);
            let proof = proof(SinkKind::Keyed, &[before, behind], None);
            assert_eq!((proof.lost, proof.doubled, proof.wrong.len()), (1, 0, 0), "missing={missing}");
        }
        assert_eq!(proof(SinkKind::Keyed, &[], None).lost, 20);
    }

    #[test]
    fn every_record_that_comes_again_is_doubled() {
        let all = all();
        for again in 0..20 {
            for kind in [SinkKind::Keyed, SinkKind::Files] {
                let proof = proof(kind, &[&all, &all[again..=again]], None);
                assert_eq!((proof.lost, proof.doubled, proof.wrong.len()), (0, 1, 0), "again={again}");
            }
        }
        assert_eq!(proof(SinkKind::Plain, &[&all, &all, &all], None).doubled, 40);
    }

    #[test]
    fn what_was_never_sent_is_wrong_and_so_is_a_driver_that_counted_otherwise() {
        let all = all();
        assert_eq!(proof(SinkKind::Keyed, &[&all, &[(0, 10)]], None).wrong.len(), 1);
        assert_eq!(proof(SinkKind::Keyed, &[&all, &[(2, 0)]], None).wrong.len(), 2);
        assert_eq!(proof(SinkKind::Keyed, &[&all], Some(&truth(&all[1..]))).wrong.len(), 1);
    }

    #[test]
    fn an_output_is_published_once_under_its_name() {
        let dir = tempfile::tempdir().unwrap();
        for kind in [SinkKind::Keyed, SinkKind::Files] {
            let mut sink = Sink::open(kind, &Place::new(dir.path(), None)).unwrap();
            let id = OutputId { batch: BatchId(1), partition: 0 };
            let mut one = Output::default();
            one.take(0, 0, ["river"].into_iter());
            let crate::sink::Published::Now { attempt } = sink.publish(id, 7, &one).unwrap() else {
                panic!()
            };
            let before = |same_input| crate::sink::Published::Before { attempt, same_input };
            assert_eq!(sink.publish(id, 8, &one).unwrap(), before(true));
            one.take(0, 1, ["river"].into_iter());
            assert_eq!(sink.publish(id, 9, &one).unwrap(), before(false));
            assert_eq!(sink.all().unwrap().1, [(0, 0, 1)]);
        }
    }
}
