//! Long lives by seed: sources that resend with other block boundaries, receivers that are replaced and come late,
//! batches that fail and run again, speculative attempts, drivers that die at any operation of the device or are
//! replaced while they live; and what everybody was told must be so at the end: nothing lost, nothing twice.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use headwater_checkpoint::journal::{
    Added, Allotted, BatchId, Block, Ended, Journal, Missed, Moved, OutputId, Refusal, Retiring, SourceRange,
    Standing, State, Wanted,
};
use headwater_wal::store::sim::{Fault, Op, Random, Sim, When};
use headwater_wal::{Kind, Position, Result};

use super::driver::{Driver, Receiver, direct, image, range};
use super::model::Model;

const NUMBERED: u32 = 0; // a stream whose source has positions
const PLAIN: u32 = 1; // one whose source has none
const DIRECT: u32 = 2; // one without receivers
const PARTITIONS: u32 = 3;

/// A receiver, its log, and where in its sources it is.
struct Intake {
    receiver: Receiver,
    blocks: Vec<Block>,
    /// How many of them were settled, as far as it was told.
    settled: usize,
    cursors: BTreeMap<u32, u64>,
}

struct Life {
    random: Random,
    driver: Driver,
    model: Model,
    intakes: Vec<Intake>,
    /// Checkpoints that are kept: a saved state, its position, and how many events made it.
    kept: Vec<(Vec<u8>, Position, u64)>,
    attempts: u64,
    /// A loss of which it is not known whether it is on record.
    doubtful: Option<SourceRange>,
    growing: bool,
}

/// What went wrong with the journal: it has to be started again.
type Step = Result<()>;

impl Life {
    fn new(seed: u64) -> Life {
        let mut random = Random::new(seed);
        let growing = random.coin();
        Life::on(if growing { Sim::growing(seed) } else { Sim::objects(seed) }, growing, random)
    }

    fn on(sim: Sim, growing: bool, random: Random) -> Life {
        let driver = Driver::on_sim(sim);
        driver.sim().keep_history();
        let intakes = [(NUMBERED, 0), (NUMBERED, 1), (NUMBERED, 2), (PLAIN, 0)];
        let intake = |(stream, receiver)| Intake {
            receiver: Receiver::new(stream, receiver),
            blocks: Vec::new(),
            settled: 0,
            cursors: BTreeMap::new(),
        };
        let intakes = intakes.into_iter().map(intake).collect();
        Life {
            random,
            driver,
            model: Model::default(),
            intakes,
            kept: Vec::new(),
            attempts: 0,
            doubtful: None,
            growing,
        }
    }

    fn live(&mut self) {
        for _ in 0..20 + self.random.below(80) {
            let fault = self.random.one_in(8);
            if fault {
                self.plan_a_fault();
            }
            let done = self.step();
            if fault && done.is_ok() && self.random.coin() {
                self.driver.sim().calm();
            }
            match done {
                Ok(()) if self.random.one_in(25) => self.come_back(),
                Ok(()) => {}
                Err(error) => {
                    let explained =
                        matches!(error.kind(), Kind::Unknown | Kind::Unavailable | Kind::Full | Kind::Closed);
                    assert!(explained, "no crash and no fault looks like this: {error:?}");
                    self.model.count("journals that failed");
                    self.come_back();
                }
            }
        }
        self.driver.sim().calm();
        self.come_back();
        self.settle_everything().expect("a calm device");
        self.model.nothing_lost_and_nothing_twice();
    }

    fn step(&mut self) -> Step {
        match self.random.below(24) {
            0..4 => self.cut(),
            4..9 => self.report()?,
            9 => self.report_out_of_turn()?,
            10 => self.restart_a_receiver(),
            11..14 => self.allot()?,
            14..17 => self.run()?,
            17 | 18 => self.end_a_batch()?,
            19 => self.checkpoint()?,
            20 => self.clean()?,
            21 => self.retention_passes()?,
            22 if !self.growing => self.be_replaced(),
            _ => self.look_again()?,
        }
        Ok(())
    }

    /// A receiver cuts a block of what its sources send, from where it is.
    fn cut(&mut self) {
        let at = self.random.below(self.intakes.len() as u64) as usize;
        let Life { random, intakes, model, .. } = self;
        let intake = &mut intakes[at];
        let mut ranges: Vec<SourceRange> = Vec::new();
        if intake.receiver.log.stream == NUMBERED {
            for partition in 0..PARTITIONS {
                if random.coin() {
                    let safe = model.safe.get(&(NUMBERED, partition)).copied().unwrap_or(0);
                    let from = *intake.cursors.entry(partition).or_insert(safe);
                    let to = from + 1 + random.below(9);
                    intake.cursors.insert(partition, to);
                    ranges.push(range(partition, from, to));
                }
            }
            if ranges.is_empty() {
                return;
            }
        }
        let block = intake.receiver.cut(&ranges);
        intake.blocks.push(block);
    }

    /// Reports blocks in their order, several at once, and hears of some.
    fn report(&mut self) -> Step {
        let at = self.random.below(self.intakes.len() as u64) as usize;
        let intake = &self.intakes[at];
        let count = 1 + self.random.below(4) as usize;
        let blocks: Vec<_> = intake.blocks[intake.settled..].iter().take(count).cloned().collect();
        let deaf = self.random.one_in(6);
        let mut answers = Vec::new();
        {
            let journal = self.driver.journal();
            let mut pending = Vec::new();
            for block in &blocks {
                pending.push(journal.add_later(block.clone())?);
            }
            if deaf {
                self.model.count("answers lost");
                return Ok(());
            }
            for answer in pending {
                answers.push(answer.wait()?);
            }
        }
        for (block, answer) in blocks.iter().zip(answers) {
            self.model.told_of(block, &answer);
            let intake = &mut self.intakes[at];
            match answer {
                Added::Now | Added::Already => intake.settled += 1,
                Added::Refused(Refusal::Ends(ends)) => {
                    // Cut anew from the ends; what this log has behind was cut from too far or too near.
                    for (end, range) in ends.iter().zip(&block.ranges) {
                        intake.cursors.insert(end.partition, end.end.unwrap_or(range.from));
                    }
                    let _ = self.driver.journal().pass_over(block)?;
                    intake.settled += 1;
                    self.model.count("passed over");
                    break;
                }
                Added::Refused(other) => panic!("reported in order, and refused: {other:?}"),
            }
        }
        Ok(())
    }

    /// A report overtakes those before it, or comes once more.
    fn report_out_of_turn(&mut self) -> Step {
        let at = self.random.below(self.intakes.len() as u64) as usize;
        let intake = &self.intakes[at];
        if intake.blocks.is_empty() {
            return Ok(());
        }
        let nth = self.random.below(intake.blocks.len() as u64) as usize;
        let block = intake.blocks[nth].clone();
        let answer = self.driver.journal().add(block.clone())?;
        if nth < intake.settled {
            // Whoever is told that it is safe may tell its source.
            assert!(
                matches!(answer, Added::Already | Added::Refused(Refusal::Ends(_))),
                "{answer:?} {block:?}"
            );
            self.model.told_of(&block, &answer);
            self.model.count("reported again");
        } else if let Added::Refused(Refusal::Early { settled }) = answer {
            assert!(settled < block.previous, "{block:?}");
            self.model.count("reported early");
        } else if answer == Added::Already && nth > intake.settled {
            // It was added by a report of whose answer nobody heard.
        } else {
            self.model.told_of(&block, &answer);
            self.intakes[at].settled += usize::from(!matches!(answer, Added::Refused(_)));
        }
        Ok(())
    }

    /// Another process has the receiver now: its sources begin where they were told that all is safe, or where the
    /// journal says.
    fn restart_a_receiver(&mut self) {
        let at = self.random.below(self.intakes.len() as u64) as usize;
        self.intakes[at].cursors.clear();
    }

    fn allot(&mut self) -> Step {
        let newest = self.model.newest();
        let mut wanted = match self.random.below(5) {
            // Asked for once more, or too late.
            0 => Wanted::all(BatchId(self.random.below(newest + 1))),
            1 => {
                let due: Vec<_> = Missed::AsOne.due(BatchId(newest), BatchId(newest + 3), 1).collect();
                assert_eq!(due.len(), 1);
                due.into_iter().next().unwrap()
            }
            _ => Wanted::all(BatchId(newest + 1)),
        };
        match self.random.below(4) {
            0 => wanted.blocks_max = 1 + self.random.below(2),
            1 => wanted.streams = Some(vec![NUMBERED]),
            2 => {
                let state = self.driver.journal().view()?;
                let from = state.tracker().end(DIRECT, 0).end.unwrap_or(0);
                wanted.direct = vec![direct(DIRECT, 0, from, from + 1 + self.random.below(9))];
            }
            _ => {}
        }
        match self.driver.journal().allot(wanted.clone())? {
            Allotted::Has(allotment) => self.model.told_input(&allotment),
            Allotted::Over(_) => self.model.count("batches that were over"),
            Allotted::Elsewhere(end) => panic!("it was asked for from the end: {end:?} {wanted:?}"),
        }
        Ok(())
    }

    /// Attempts of some outputs of a batch, of which some run twice.
    fn run(&mut self) -> Step {
        let mut open = self.model.open();
        if self.random.one_in(6) {
            // An attempt that comes after its batch has ended.
            open.extend(self.model.ended.keys());
        }
        if open.is_empty() {
            return Ok(());
        }
        let batch = open[self.random.below(open.len() as u64) as usize];
        let mut told = Vec::new();
        let mut pending = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            let output = OutputId { batch, partition: self.random.below(3) as u32 };
            self.attempts += 1;
            let attempt = self.attempts;
            pending.push((output, attempt, self.driver.journal().commit_later(output, attempt)?));
        }
        for (output, attempt, answer) in pending {
            told.push((output, attempt, answer.wait()?));
        }
        told.into_iter().for_each(|(output, attempt, told)| self.model.told_commit(output, attempt, told));
        Ok(())
    }

    fn end_a_batch(&mut self) -> Step {
        let open = self.model.open();
        if open.is_empty() {
            return Ok(());
        }
        let batch = open[self.random.below(open.len() as u64) as usize];
        // An end whose answer was lost may have been the other one.
        let give_up = self.random.one_in(6);
        let journal = self.driver.journal();
        let ended = if give_up { journal.give_up(batch, "by chance")? } else { journal.finish(batch)? };
        let how = match ended {
            Ended::Refused(other) => other,
            _ if give_up => Standing::GivenUp,
            _ => Standing::Finished,
        };
        if matches!(how, Standing::Finished | Standing::GivenUp) {
            self.model.told_ended(batch, how, Ended::Already);
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Step {
        let snapshot = self.driver.journal().snapshot()?;
        let bytes = image(&snapshot.state);
        let restored = State::restore(&mut &bytes[..]).expect("it was just saved");
        assert_eq!(image(&restored), bytes);
        self.kept.push((bytes, snapshot.position, snapshot.state.events()));
        if self.kept.len() > 3 {
            self.kept.remove(0);
        }
        self.model.count("checkpoints");
        Ok(())
    }

    /// Forgets and retires as far as the kept checkpoints let it.
    fn clean(&mut self) -> Step {
        let Some((oldest, _, floor)) = self.kept.first() else { return Ok(()) };
        let journal = self.driver.journal();
        if journal.forget(BatchId(u64::MAX), *floor)? > 0 {
            self.model.count("forgotten");
        }
        let need = State::outline(&mut &oldest[..]).expect("it was saved").1;
        for (log, from) in need.logs() {
            assert_eq!(journal.retire(Some(log), from)?, Retiring::Intended, "needs only go up");
        }
        Ok(())
    }

    /// A source no longer has what it was not told of: the end is moved, and the loss is on record.
    fn retention_passes(&mut self) -> Step {
        let partition = self.random.below(u64::from(PARTITIONS)) as u32;
        let Some(end) = self.driver.journal().view()?.tracker().end(NUMBERED, partition).end else {
            return Ok(());
        };
        let lost = range(partition, end, end + 1 + self.random.below(5));
        if self.random.one_in(3) {
            self.doubtful = Some(lost);
            let journal = self.driver.journal();
            assert_eq!(journal.move_end(NUMBERED, lost)?, Moved::Now);
            self.doubtful = None;
            self.model.told_lost(NUMBERED, lost);
            assert_eq!(journal.move_end(NUMBERED, lost)?, Moved::Already);
            for intake in &mut self.intakes {
                intake.cursors.insert(partition, lost.to);
            }
        }
        Ok(())
    }

    /// Another driver takes over; this one is told sooner or later, and until then says nothing that is not so.
    fn be_replaced(&mut self) {
        self.driver.sim().calm();
        let old = self.driver.replaced();
        self.model.count("replaced drivers");
        self.learn();
        let batch = BatchId(self.model.newest() + 1);
        let said = old.allot(Wanted::all(batch));
        assert!(said.is_err(), "a replaced driver has allotted a batch");
        for intake in &self.intakes {
            if let Some(block) = intake.blocks.get(intake.settled) {
                let said = old.add(block.clone());
                assert!(!matches!(said, Ok(Added::Now)), "a replaced driver has added a block");
            }
        }
    }

    fn look_again(&mut self) -> Step {
        let state = self.driver.journal().view()?;
        state.tracker().unfinished().for_each(|allotment| self.model.told_input(&allotment));
        Ok(())
    }

    fn plan_a_fault(&mut self) {
        let process = self.driver.process.as_ref().expect("a simulated device");
        let disk = [Fault::Error, Fault::Partly, Fault::Crash, Fault::Full];
        let bucket =
            [Fault::Error, Fault::AnswerLost, Fault::RequestLost, Fault::Late, Fault::Held, Fault::Crash];
        let faults = if self.growing { &disk[..] } else { &bucket[..] };
        let fault = faults[self.random.below(faults.len() as u64) as usize];
        let n = 1 + self.random.below(4);
        let when = if self.random.coin() { When::nth(n) } else { When::from(n) };
        self.driver.sim().plan(when.of(Op::Write).of(Op::Sync).of(Op::Put).of(Op::Link).by(process), fault);
    }

    /// The driver dies, one way or the other, and comes back from its journal: from the beginning, or from a checkpoint.
    fn come_back(&mut self) {
        self.model.count("restarts");
        match self.random.below(4) {
            0 | 1 => self.driver.die(),
            2 => self.driver.leave(true),
            _ => self.driver.leave(false),
        }
        self.driver.sim().calm();
        if self.random.one_in(4) {
            self.driver.sim().land_all();
        }
        let from_kept = self.random.below(self.kept.len() as u64 + 1) as usize;
        let (state, position) = match self.kept.get(from_kept) {
            Some((bytes, position, _)) => (State::restore(&mut &bytes[..]).unwrap(), *position),
            None => (State::default(), Position::START),
        };
        self.driver.restart_from(state, position).expect("a calm device");
        if self.random.one_in(3) {
            // Wherever the replay begins, it makes the same.
            let there = self.driver.image();
            self.driver.restart();
            assert_eq!(self.driver.image(), there, "a checkpoint and its replay make another state");
        }
        self.learn();
    }

    /// What a driver that came back learns from its journal, and tells its receivers.
    fn learn(&mut self) {
        let state = self.driver.view();
        let unfinished: Vec<_> = state.tracker().unfinished().collect();
        unfinished.iter().for_each(|allotment| self.model.told_input(allotment));
        let left: Vec<_> = unfinished.iter().map(|allotment| allotment.batch()).collect();
        for batch in self.model.open() {
            if !left.contains(&batch) {
                // Its end was logged, and nobody heard.
                let how = state.ledger().standing(batch);
                assert!(matches!(how, Standing::Finished | Standing::GivenUp), "{batch}: {how:?}");
                self.model.told_ended(batch, how, Ended::Already);
            }
        }
        if let Some(lost) = self.doubtful.take() {
            let end = state.tracker().end(NUMBERED, lost.partition).end;
            assert!(end == Some(lost.from) || end == Some(lost.to), "{lost:?} {end:?}");
            if end == Some(lost.to) {
                self.model.told_lost(NUMBERED, lost);
            }
        }
        for intake in &mut self.intakes {
            let settled = state.tracker().settled(intake.receiver.log);
            let count = intake.blocks.iter().filter(|block| Some(block.position()) <= settled).count();
            assert!(count >= intake.settled, "a block that was settled is not: {settled:?}");
            intake.settled = count;
            intake.cursors.clear();
        }
    }

    /// Everything that lies in a receiver's log is reported, every batch that is pending ends.
    fn settle_everything(&mut self) -> Step {
        for at in 0..self.intakes.len() {
            while let Some(block) = self.intakes[at].blocks.get(self.intakes[at].settled).cloned() {
                let journal: &Journal = self.driver.journal();
                let answer = journal.add(block.clone())?;
                if let Added::Refused(_) = answer {
                    let _ = journal.pass_over(&block)?;
                }
                self.model.told_of(&block, &answer);
                self.intakes[at].settled += 1;
            }
        }
        let wanted = Wanted::all(BatchId(self.model.newest() + 1));
        let allotment = self.driver.journal().allot(wanted)?.has().expect("it is new");
        self.model.told_input(&allotment);
        for batch in self.model.open() {
            let ended = self.driver.journal().finish(batch)?;
            self.model.told_ended(batch, Standing::Finished, ended);
        }
        let state = self.driver.view();
        assert_eq!((state.tracker().waiting(), state.tracker().pending_bytes()), (0, 0));
        for end in state.tracker().ends() {
            let safe = self.model.safe.get(&(end.stream, end.partition)).copied().unwrap_or(0);
            assert!(end.end >= Some(safe), "an end lies below what its source was told: {end:?} safe={safe}");
        }
        Ok(())
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn nothing_is_lost_and_nothing_is_there_twice_whatever_happens() {
    every_life(1000, Life::new);
}

#[test]
fn nothing_is_lost_and_nothing_is_there_twice_under_leases() {
    every_life(300, |seed| Life::on(Sim::leases(seed), false, Random::new(seed)));
}

fn every_life(usual: u64, new: impl Fn(u64) -> Life) {
    let only = std::env::var("HEADWATER_SEED").ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => 0..number("HEADWATER_JOURNAL_SEEDS", usual),
    };
    let mut tally: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in seeds.clone() {
        let mut life = new(seed);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| life.live())) {
            eprintln!("failed: HEADWATER_SEED={seed}");
            if only.is_some() {
                life.driver
                    .sim()
                    .history()
                    .iter()
                    .rev()
                    .take(60)
                    .rev()
                    .for_each(|line| eprintln!("  {line}"));
            }
            std::panic::resume_unwind(panic);
        }
        life.model.tally.into_iter().for_each(|(what, count)| *tally.entry(what).or_default() += count);
    }
    eprintln!("{} lives: {tally:?}", seeds.end - seeds.start);
    for what in [
        "added",
        "already added",
        "allotted again",
        "answers lost",
        "batches that were over",
        "checkpoints",
        "commits refused",
        "ends moved",
        "finished",
        "forgotten",
        "given up",
        "journals that failed",
        "passed over",
        "recorded",
        "replaced drivers",
        "reported again",
        "reported early",
        "restarts",
        "told of another attempt",
    ] {
        assert!(only.is_some() || tally.contains_key(what), "it never happened: {what}");
    }
}
