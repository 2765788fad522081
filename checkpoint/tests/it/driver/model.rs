//! What must be so, from what sources sent and callers were told, and from nothing else.

use std::collections::{BTreeMap, BTreeSet};

use headwater_checkpoint::Id;
use headwater_checkpoint::journal::{
    Allotment, BatchId, Block, DirectRange, OutputId, ReceiverLog, Standing, State, Tracker,
};
use headwater_wal::Position;

use super::source::{DIRECT, Item, NUMBERED, PARTITIONS, STREAMS, Sources, exists};

/// How many outputs a batch has.
pub(crate) const OUTPUTS: u32 = 2;

/// What callers know, over all lives of the driver and of the receivers.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) sources: Sources,
    pub(crate) batches: BTreeMap<u64, Known>,
    /// What the sink holds, by the names of outputs.
    sink: BTreeMap<(u64, u32), Vec<Item>>,
    /// Every checkpoint that anybody tried to write, and what was in it.
    pub(crate) checkpoints: BTreeMap<Id, Saved>,
    /// The newest one that somebody was told of.
    pub(crate) told: Option<Id>,
    /// The epoch of the newest driver that has come back.
    pub(crate) epoch: u64,
    /// Those that the test has damaged.
    pub(crate) spoiled: BTreeSet<Id>,
    /// Up to where blocks of receivers' logs are settled, as somebody was told.
    settled: BTreeMap<ReceiverLog, Position>,
    /// Up to where each numbered partition has arrived, as some driver has answered.
    arrived: BTreeMap<u32, u64>,
    /// Up to where something was acknowledged in each receiver's log, whoever wrote it.
    pub(crate) logged: BTreeMap<usize, Position>,
    /// What receivers may remove, as somebody was told.
    pub(crate) released: Vec<(ReceiverLog, Position)>,
}

/// A batch that somebody was told of.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) input: Input,
    /// What its blocks were found to hold.
    pub(crate) items: Option<Vec<Item>>,
    pub(crate) ended: Option<Standing>,
    /// What somebody has asked for, whatever came of it.
    pub(crate) tried: BTreeSet<Tried>,
    pub(crate) recorded: BTreeMap<u32, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tried {
    Finish,
    GiveUp,
}

/// What a batch has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    since: BatchId,
    pub(crate) blocks: Vec<Block>,
    pub(crate) direct: Vec<DirectRange>,
}

impl Input {
    pub(crate) fn of(allotment: &Allotment) -> Input {
        Input {
            since: allotment.since(),
            blocks: allotment.blocks().collect(),
            direct: allotment.direct().to_vec(),
        }
    }
}

/// The application's state: how many records of each partition, and their sum, by stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct App {
    pub(crate) streams: [Totals; STREAMS as usize],
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) revision: u64,
    pub(crate) of: BTreeMap<u32, (u64, u64)>,
}

impl App {
    pub(crate) fn add(&mut self, items: &[Item]) {
        let mut touched = BTreeSet::new();
        for item in items {
            let (count, sum) = self.streams[item.stream as usize].of.entry(item.partition).or_default();
            *count += 1;
            *sum += item.value();
            touched.insert(item.stream);
        }
        touched.into_iter().for_each(|stream| self.streams[stream as usize].revision += 1);
    }

    fn totals(&self) -> Vec<&BTreeMap<u32, (u64, u64)>> {
        self.streams.iter().map(|totals| &totals.of).collect()
    }
}

impl Totals {
    pub(crate) fn text(&self) -> String {
        let one = |(partition, (count, sum)): (&u32, &(u64, u64))| format!("{partition}:{count}:{sum}");
        let of: Vec<_> = self.of.iter().map(one).collect();
        format!("{} {}", self.revision, of.join(","))
    }

    pub(crate) fn parse(text: &str) -> Totals {
        let (revision, of) = text.split_once(' ').expect("a revision, and totals");
        let one = |text: &str| {
            let numbers: Vec<u64> = text.split(':').map(|number| number.parse().expect("a number")).collect();
            (numbers[0] as u32, (numbers[1], numbers[2]))
        };
        let of = of.split(',').filter(|text| !text.is_empty()).map(one).collect();
        Totals { revision: revision.parse().expect("a number"), of }
    }
}

/// What was in a checkpoint: the application's state, and the batches that made it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saved {
    pub(crate) app: App,
    pub(crate) applied: BTreeSet<u64>,
}

impl Model {
    /// Somebody was told what a batch has; it was never told anything else.
    pub(crate) fn allotted(&mut self, allotment: &Allotment) {
        let input = Input::of(allotment);
        let batch = allotment.batch().0;
        match self.batches.get(&batch) {
            Some(known) => {
                assert_eq!(known.input, input, "a batch has other input than before: batch={batch}")
            }
            None => {
                let (tried, recorded) = (BTreeSet::new(), BTreeMap::new());
                self.batches.insert(batch, Known { input, items: None, ended: None, tried, recorded });
            }
        }
    }

    pub(crate) fn known(&mut self, batch: u64) -> &mut Known {
        self.batches.get_mut(&batch).expect("somebody was told of the batch")
    }

    /// A batch's input was read.
    pub(crate) fn read(&mut self, batch: u64, items: &[Item]) {
        let before = self.known(batch).items.get_or_insert_with(|| items.to_vec());
        assert_eq!(before, items, "a batch reads other records than before: batch={batch}");
    }

    /// An attempt publishes: the sink takes one thing under one name.
    pub(crate) fn publish(&mut self, batch: u64, output: u32, items: Vec<Item>) {
        let before = self.sink.entry((batch, output)).or_insert_with(|| items.clone());
        assert_eq!(*before, items, "two attempts differ: batch={batch} output={output}");
    }

    /// Somebody was told which attempt is recorded.
    pub(crate) fn recorded(&mut self, output: OutputId, attempt: u64) {
        let before = *self.known(output.batch.0).recorded.entry(output.partition).or_insert(attempt);
        assert_eq!(before, attempt, "two attempts were recorded: {output:?}");
    }

    /// Somebody was told that a batch has ended.
    pub(crate) fn ended(&mut self, batch: u64, how: Standing) {
        let before = *self.known(batch).ended.get_or_insert(how);
        assert_eq!(before, how, "a batch has ended in two ways: batch={batch}");
    }

    /// A driver has said that a log is settled up to here.
    pub(crate) fn settled(&mut self, log: ReceiverLog, position: Position) {
        let settled = self.settled.entry(log).or_insert(position);
        *settled = position.max(*settled);
    }

    /// A driver has these logs settled, whoever was told.
    pub(crate) fn knows(&mut self, tracker: &Tracker) {
        for log in tracker.logs() {
            tracker.settled(log).into_iter().for_each(|settled| self.settled(log, settled));
        }
    }

    /// A driver has said that it has a partition up to here.
    pub(crate) fn arrived(&mut self, partition: u32, end: u64) {
        let arrived = self.arrived.entry(partition).or_default();
        *arrived = end.max(*arrived);
    }

    /// A receiver tells its source what is safe: nothing is that no driver has answered for.
    pub(crate) fn acknowledged(&mut self, partition: u32, end: u64) {
        let arrived = self.arrived.get(&partition).copied().unwrap_or(0);
        assert!(
            end <= arrived,
            "acknowledged and not reported: partition={partition} end={end} arrived={arrived}"
        );
        let (_, acked) = &mut self.sources.numbered[partition as usize];
        *acked = end.max(*acked);
    }

    /// A receiver's log begins here now: nothing that is needed lies before.
    pub(crate) fn removed(&self, log: ReceiverLog, start: Position) {
        let settled = self.settled.get(&log).map_or(Position::START, |settled| settled.plus(1));
        assert!(start <= settled, "removed before it was reported: {log} start={start} settled={settled}");
        let pending =
            self.batches.iter().filter(|(_, known)| known.ended.is_none() && known.tried.is_empty());
        for (batch, known) in pending {
            let mut blocks = known.input.blocks.iter().filter(|block| block.log() == log);
            let gone = blocks.find(|block| block.position() < start);
            assert!(
                gone.is_none(),
                "removed and needed by an unfinished batch: batch={batch} {gone:?} start={start}"
            );
        }
    }

    /// A driver's states know everything that anybody was told, and nothing else.
    pub(crate) fn check(&mut self, state: &State) {
        let (tracker, ledger) = (state.tracker(), state.ledger());
        for (batch, standing) in ledger.batches() {
            if !self.batches.contains_key(&batch.0) {
                assert_eq!(standing, Standing::Pending, "a batch ended of which nobody was told: {batch}");
                self.allotted(&tracker.allotment(batch).expect("it is pending"));
            }
        }
        for (&batch, known) in &mut self.batches {
            let id = BatchId(batch);
            let standing = ledger.standing(id);
            let tried = |tried| known.tried.contains(&tried);
            match (known.ended, standing) {
                (Some(told), found) if told == found => {}
                (Some(_), Standing::Forgotten) => {}
                (None, Standing::Pending) => {}
                (None, Standing::Finished) if tried(Tried::Finish) => known.ended = Some(standing),
                (None, Standing::GivenUp) if tried(Tried::GiveUp) => known.ended = Some(standing),
                (told, found) => panic!("batch={batch} stands otherwise: told={told:?} found={found:?}"),
            }
            if standing == Standing::Pending {
                let found = tracker.allotment(id).expect("a pending batch has its input");
                assert_eq!(Input::of(&found), known.input, "the input has changed: batch={batch}");
            }
            if standing != Standing::Forgotten {
                for (&partition, &attempt) in &known.recorded {
                    let found = ledger.recorded(OutputId { batch: id, partition });
                    assert_eq!(found, Some(attempt), "an output was forgotten: batch={batch}");
                }
            }
        }
        for (log, position) in &self.settled {
            assert!(tracker.settled(*log) >= Some(*position), "a settled block is not: {log} {position}");
        }
        self.knows(tracker);
        for partition in 0..PARTITIONS {
            let end = tracker.end(NUMBERED, partition).end.unwrap_or(0);
            let acked = self.sources.numbered[partition as usize].1;
            assert!(
                end >= acked,
                "acknowledged and not there: partition={partition} end={end} acked={acked}"
            );
        }
    }

    /// At the end of everything: what the sinks hold, and the application.
    pub(crate) fn check_all(&self, app: &App) {
        let (mut taken, mut out) = (BTreeMap::<Item, u64>::new(), BTreeMap::<Item, u64>::new());
        let (mut given_up, mut expected) = (BTreeSet::new(), App::default());
        for (batch, known) in &self.batches {
            let items = known.items.clone().unwrap_or_default();
            items.iter().for_each(|item| *taken.entry(*item).or_default() += 1);
            match known.ended {
                Some(Standing::Finished) => expected.add(&items),
                Some(Standing::GivenUp) => given_up.extend(items),
                other => panic!("a batch has not ended: batch={batch} {other:?}"),
            }
        }
        assert_eq!(app.totals(), expected.totals(), "the application's state is not the sum of its batches");
        self.sink.values().flatten().for_each(|item| *out.entry(*item).or_default() += 1);
        let mut once = Vec::new();
        for partition in 0..PARTITIONS {
            once.push((NUMBERED, partition, self.sources.numbered[partition as usize].0));
        }
        once.push((DIRECT, 0, self.sources.direct));
        for (stream, partition, produced) in once {
            for number in (0..produced).filter(|number| stream != NUMBERED || exists(partition, *number)) {
                let item = Item { stream, partition, number };
                let (taken, out) = (taken.get(&item).copied(), out.get(&item).copied());
                assert_eq!(taken, Some(1), "not in exactly one batch: {item:?}");
                let lost_on_purpose = given_up.contains(&item) && out.is_none();
                assert!(out == Some(1) || lost_on_purpose, "not exactly once in the sinks: {item:?} {out:?}");
            }
        }
        for &number in &self.sources.plain_safe {
            let item = Item::plain(number);
            assert!(taken.contains_key(&item), "it was durable, and is in no batch: {item:?}");
            assert!(out.contains_key(&item) || given_up.contains(&item), "in no sink: {item:?}");
        }
        self.check_order();
    }

    /// Batches have the records of a partition in their order, of each receiver's log.
    fn check_order(&self) {
        let mut last: BTreeMap<(ReceiverLog, u32), u64> = BTreeMap::new();
        for (batch, known) in &self.batches {
            for block in &known.input.blocks {
                for range in &block.ranges {
                    let before = last.insert((block.log(), range.partition), range.to).unwrap_or(0);
                    assert!(before <= range.from, "out of order: batch={batch} {block:?} before={before}");
                }
            }
        }
    }
}
