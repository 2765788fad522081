//! What a driver was told, and what must follow from it. It is made of answers alone, and shares nothing with the states
//! that it is held against.

use std::collections::{BTreeMap, BTreeSet};

use headwater_checkpoint::journal::{
    Added, Allotment, BatchId, Block, Committed, DirectRange, Ended, OutputId, SourceRange, Standing,
};

/// A record of a source with positions: stream, partition and position.
type Place = (u32, u32);

/// Where a block lies: its log's identity and its position there.
type Lies = (u64, u64);

#[derive(Debug, Default)]
pub(crate) struct Model {
    /// How far each source was told that its records are safe.
    pub(crate) safe: BTreeMap<Place, u64>,
    /// What was declared lost on purpose.
    lost: BTreeMap<Place, Vec<(u64, u64)>>,
    /// Every block that the journal said it has.
    added: BTreeMap<Lies, Block>,
    /// What each batch was seen to have.
    inputs: BTreeMap<BatchId, (Vec<Block>, Vec<DirectRange>)>,
    /// Which batch has a block.
    owners: BTreeMap<Lies, BatchId>,
    /// The recorded attempts.
    outputs: BTreeMap<OutputId, u64>,
    /// The batches that ended, and how.
    pub(crate) ended: BTreeMap<BatchId, Standing>,
    /// What has happened at all.
    pub(crate) tally: BTreeMap<&'static str, u64>,
}

fn lies(block: &Block) -> Lies {
    (block.handle.identity(), block.position().0)
}

impl Model {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// The answer to a reported block.
    pub(crate) fn told_of(&mut self, block: &Block, added: &Added) {
        match added {
            Added::Now => {
                self.count("added");
                if let Some(before) = self.added.insert(lies(block), block.clone()) {
                    panic!("a block was added twice: {before:?}");
                }
            }
            Added::Already => self.count("already added"),
            Added::Refused(_) => return self.count("refused"),
        }
        for range in &block.ranges {
            let safe = self.safe.entry((block.stream, range.partition)).or_default();
            *safe = range.to.max(*safe);
        }
    }

    pub(crate) fn told_lost(&mut self, stream: u32, lost: SourceRange) {
        self.count("ends moved");
        self.lost.entry((stream, lost.partition)).or_default().push((lost.from, lost.to));
    }

    /// A batch was seen with its input: it is the same as ever.
    pub(crate) fn told_input(&mut self, allotment: &Allotment) {
        let batch = allotment.batch();
        let input = (allotment.blocks().collect::<Vec<_>>(), allotment.direct().to_vec());
        assert!(!self.ended.contains_key(&batch), "a batch that ended is back: {batch}");
        if let Some(before) = self.inputs.get(&batch) {
            assert_eq!(*before, input, "a batch has another input than before: {batch}");
            return self.count("allotted again");
        }
        self.count("allotted");
        for block in &input.0 {
            let other = self.owners.insert(lies(block), batch);
            assert!(other.is_none(), "two batches have one block: {other:?} and {batch}: {block:?}");
            if let Some(added) = self.added.get(&lies(block)) {
                assert_eq!(added, block, "a block came back changed");
            }
        }
        self.inputs.insert(batch, input);
    }

    pub(crate) fn told_commit(&mut self, output: OutputId, attempt: u64, committed: Committed) {
        let recorded = match committed {
            Committed::Recorded => attempt,
            Committed::Other { attempt } => attempt,
            Committed::Refused(standing) => {
                self.count("commits refused");
                let known = self.outputs.get(&output);
                let right = known.is_none() || standing == Standing::Forgotten;
                assert!(right, "an output that was recorded is refused: {output:?} {standing:?}");
                return;
            }
        };
        self.count(if recorded == attempt { "recorded" } else { "told of another attempt" });
        let before = *self.outputs.entry(output).or_insert(recorded);
        assert_eq!(before, recorded, "another attempt is recorded than before: {output:?}");
    }

    pub(crate) fn told_ended(&mut self, batch: BatchId, how: Standing, ended: Ended) {
        match ended {
            Ended::Now | Ended::Already => {
                self.count(if how == Standing::Finished { "finished" } else { "given up" });
                assert!(self.inputs.contains_key(&batch), "a batch ended that had no input: {batch}");
                let before = *self.ended.entry(batch).or_insert(how);
                assert_eq!(before, how, "a batch ended in two ways: {batch}");
                assert!(ended == Ended::Already || before == how);
            }
            Ended::Refused(_) => self.count("ends refused"),
        }
    }

    /// The batches whose input was seen and of whose end nothing is known.
    pub(crate) fn open(&self) -> Vec<BatchId> {
        self.inputs.keys().copied().filter(|batch| !self.ended.contains_key(batch)).collect()
    }

    pub(crate) fn newest(&self) -> u64 {
        self.inputs.keys().next_back().map_or(0, |batch| batch.0)
    }

    /// Every batch has ended: each record that a source was told of is in one batch, once, and nothing was passed by but
    /// what was lost on purpose.
    pub(crate) fn nothing_lost_and_nothing_twice(&self) {
        let taken: BTreeSet<Lies> = self.owners.keys().copied().collect();
        let left = self.added.keys().find(|lies| !taken.contains(lies));
        assert!(left.is_none(), "a block that was added is in no batch: {left:?}");
        let mut ranges: BTreeMap<Place, Vec<(u64, u64)>> = self.lost.clone();
        for (blocks, direct) in self.inputs.values() {
            for block in blocks {
                for range in &block.ranges {
                    ranges.entry((block.stream, range.partition)).or_default().push((range.from, range.to));
                }
            }
            for DirectRange { stream, range } in direct {
                ranges.entry((*stream, range.partition)).or_default().push((range.from, range.to));
            }
        }
        let missing = self.safe.iter().find(|(place, safe)| **safe > 0 && !ranges.contains_key(place));
        assert!(missing.is_none(), "a source was told, and nothing of it is there: {missing:?}");
        for (place, mut ranges) in ranges {
            ranges.sort_unstable();
            for pair in ranges.windows(2) {
                assert!(pair[0].1 >= pair[1].0, "records were lost: {place:?} {pair:?}");
                assert!(pair[0].1 <= pair[1].0, "records are there twice: {place:?} {pair:?}");
            }
            let safe = self.safe.get(&place).copied().unwrap_or(0);
            let (from, to) = (ranges[0].0, ranges[ranges.len() - 1].1);
            assert!(
                from == 0 && safe <= to,
                "a source was told too much: {place:?} safe={safe} {from}..{to}"
            );
        }
    }
}
