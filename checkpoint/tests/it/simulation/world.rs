//! One simulated medium, everyone who uses it, and what they recorded.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};

use headwater_checkpoint::{Checkpoint, Checkpoints, Content, Held, Id, Options, Owner, Writer};
use headwater_wal::store::sim::{Cut, Op, Process, Sim, SimClock};
use headwater_wal::{Error, Kind, Position, Result};

use super::life::Life;
use super::model::{Model, Outcome, Start};
use super::tally::Tally;
use super::{files, number};
use crate::fixture::IDENTITY;

pub(crate) const PART_BYTES: usize = 64;
pub(crate) const INSIDE_BYTES_MAX: usize = 16;
pub(crate) const KEEP_LAST: usize = 3;

/// How lives end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The power goes.
    Power(Cut),
    /// Every process is killed; the cache stays, but for what the kernel may forget.
    Kill,
}

pub(crate) const ENDS: [End; 5] = [
    End::Kill,
    End::Power(Cut::LoseAll),
    End::Power(Cut::KeepAll),
    End::Power(Cut::Sectors),
    End::Power(Cut::InOrder),
];

/// A medium and its checkpoints. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) tally: Tally,
    pub(crate) growing: bool,
    /// Whether writers that were replaced go on beside their heirs.
    pub(crate) crowd: bool,
    model: Arc<Mutex<Model>>,
    /// What went wrong inside of an operation.
    violation: Arc<Mutex<Option<String>>>,
}

pub(crate) fn options() -> Options {
    Options::default()
        .content(Content::new("simulated", 7))
        .part_bytes(PART_BYTES as u32)
        .inside_bytes_max(INSIDE_BYTES_MAX as u32)
        .uploads(0)
        .keep_last(KEEP_LAST)
}

impl World {
    pub(crate) fn new(growing: bool, seed: u64, tally: &Tally) -> World {
        let sim = if growing { Sim::growing(seed) } else { Sim::objects(seed) };
        World::of(sim, growing, seed, Model::default(), tally)
    }

    /// Where files have leases.
    pub(crate) fn under_leases(seed: u64, tally: &Tally) -> World {
        World::of(Sim::leases(seed), false, seed, Model::default(), tally)
    }

    fn of(sim: Sim, growing: bool, seed: u64, model: Model, tally: &Tally) -> World {
        sim.keep_history();
        let clock = Arc::new(SimClock::new(seed));
        let model = Arc::new(Mutex::new(model));
        let (tally, violation) = (tally.clone(), Arc::default());
        World { sim, clock, tally, growing, crowd: false, model, violation }
    }

    /// The same past with another future.
    pub(crate) fn fork(&self, seed: u64) -> World {
        let model = self.model().clone();
        World::of(self.sim.fork(seed), self.growing, seed, model, &self.tally)
    }

    /// Never held while the device is used: others may have their turn then.
    pub(crate) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn end(&self, end: End) {
        match end {
            End::Power(cut) => self.sim.power_cut_as(cut),
            End::Kill => self.sim.process_crash(),
        }
    }

    /// An epoch above all others, as a started journal has it.
    pub(crate) fn next_epoch(&self) -> u64 {
        let mut model = self.model();
        let epoch = model.epochs.last().map_or(1, |newest| newest + 1);
        model.epochs.insert(epoch);
        epoch
    }

    /// The epoch of a writer that has no log; another one may be given the same.
    pub(crate) fn epoch_alone(&self, process: &Process) -> Option<u64> {
        let owner = Owner::alone(&Checkpoints::open(process.store()));
        let epoch = owner.inspect_err(|error| self.explained(error)).ok()?.epoch;
        self.tally.count("writers without a log");
        self.model().epochs.insert(epoch);
        Some(epoch)
    }

    /// A crash, a fault or another writer explains this error; damage it never explains (P4), and a call that was right
    /// is never `Invalid`.
    pub(crate) fn explained(&self, error: &Error) {
        let wrong = matches!(error.kind(), Kind::Damaged | Kind::Invalid | Kind::Unsupported);
        assert!(!wrong, "no crash or fault may look like this (P4): {error:?}");
    }

    /// Starts a writer in this process, and holds what it is given against the record.
    pub(crate) fn start_in(&self, process: &Process, epoch: u64) -> Result<Life> {
        let acked = {
            let model = self.model();
            let older = |(id, attempt): (&Id, &super::model::Attempt)| {
                (attempt.outcome == Outcome::Acked && id.epoch < epoch).then_some(*id)
            };
            model.attempts.iter().rev().find_map(older)
        };
        let checkpoints = Checkpoints::open(process.store());
        let owner = Owner { identity: IDENTITY, epoch };
        let (writer, latest) =
            Writer::start_with(checkpoints, owner, options(), &Held::nothing(), self.clock.clone())
                .inspect_err(|error| self.explained(error))?;
        let base = latest.checkpoint.as_ref().map(Checkpoint::id);
        let mut model = self.model();
        // One that is being replaced while it starts may find that what it listed is swept; it never publishes.
        let replaced = model.is_replaced(epoch);
        if !replaced {
            let passed_over = &latest.passed_over;
            assert!(passed_over.is_empty(), "nothing had rotted: {passed_over:?}");
            assert!(base >= acked, "an acknowledged checkpoint is gone (P1): {acked:?} {base:?}");
            let chain = base.iter().flat_map(|base| &model.attempts[base].chain);
            let kept: Vec<Id> = base.iter().chain(chain).copied().collect();
            assert_eq!(writer.kept().collect::<Vec<_>>(), kept, "what was kept is kept");
            model.starts.push(Start { epoch, base });
        }
        drop(model);
        let life = Life::new(self.clone(), process.clone(), writer, epoch, &latest);
        if let Some(base) = &latest.checkpoint {
            self.is_whole(process, base, replaced)?;
        }
        Ok(life)
    }

    /// Starts the next writer on a device that does its duty, which must succeed whatever came before.
    pub(crate) fn recover(&self) -> Life {
        let started = self.start_in(&self.sim.process(), self.next_epoch());
        started.unwrap_or_else(|error| panic!("a calm device, and no writer starts: {error:?}"))
    }

    /// Every section is there as it was handed in, and no other. `Err`: the device failed, or, where that is excused,
    /// the checkpoint was pruned meanwhile.
    pub(crate) fn is_whole(&self, process: &Process, found: &Checkpoint, excused: bool) -> Result<()> {
        let id = found.id();
        let attempt = self.model().attempts.get(&id).cloned();
        let attempt = attempt.unwrap_or_else(|| panic!("nobody published this: {found:?}"));
        assert!(attempt.outcome != Outcome::Denied, "its writer was told that it is not there: {id}");
        assert_eq!(found.positions(), [("journal".to_owned(), Position(attempt.position))], "{id}");
        assert_eq!((found.kept(), found.identity()), (&attempt.chain[..], IDENTITY), "{id}");
        assert_eq!(found.content(), &Content::new("simulated", 7));
        let names: Vec<_> = found.sections().iter().map(|section| section.name()).collect();
        let handed_in: Vec<_> = attempt.sections.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, handed_in, "{id}");
        let look = Checkpoints::open(process.store());
        for (name, section) in &attempt.sections {
            assert_eq!(found.section(name).unwrap().revision(), section.revision, "{id} {name}");
            let read = look.read_section(found, name).and_then(|reader| reader.read_all(1 << 20));
            match read {
                Ok(bytes) => assert_eq!(bytes, section.bytes, "other bytes (P3): {id} {name}"),
                Err(error) => {
                    let pruned = error.kind() == Kind::Retired;
                    let newer = excused || self.model().newest_possible() > Some(id);
                    assert!(!pruned || newer, "a part is gone: {id} {name}: {error:?}");
                    self.explained(&error);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Looks at everything from a process of its own on a calm device: the newest acknowledged checkpoint is there and
    /// whole, and so are all that are kept with it; and nothing changed by that (P7).
    pub(crate) fn look_around(&self) {
        let changes =
            [Op::Own, Op::Create, Op::Link, Op::Rename, Op::Sync, Op::SyncNames, Op::Put, Op::Remove];
        let count = || changes.map(|op| self.sim.operations_of(op));
        let before = count();
        let process = self.sim.process();
        let acked = self.model().newest_acked();
        let look = Checkpoints::open(process.store());
        let latest = look.latest(&Held::nothing()).unwrap_or_else(|error| panic!("a calm device: {error:?}"));
        assert!(latest.passed_over.is_empty(), "nothing had rotted: {:?}", latest.passed_over);
        let newest = latest.checkpoint.as_ref().map(Checkpoint::id);
        assert!(newest >= acked, "an acknowledged checkpoint is gone (P1): {acked:?} {newest:?}");
        if let Some(found) = &latest.checkpoint {
            let ids: Vec<Id> = std::iter::once(found.id()).chain(found.kept().iter().copied()).collect();
            for (id, errors) in look.verify(&ids).unwrap() {
                assert!(errors.is_empty(), "a kept checkpoint is not whole: {id} {errors:?}");
            }
            for id in ids {
                self.is_whole(&process, &look.get(id).unwrap(), false).unwrap();
            }
        }
        let denied = |id: &Id| self.model().attempts.get(id).is_none_or(|it| it.outcome == Outcome::Denied);
        let wrong: Vec<Id> = look.list().unwrap().into_iter().filter(denied).collect();
        assert!(wrong.is_empty(), "their writer was told that they are not there: {wrong:?}");
        assert_eq!(before, count(), "looking changed the medium (P7)");
        self.model().no_success_went_unseen();
    }

    /// Reads the newest checkpoint beside whoever writes: it is whole, unless a newer one was put meanwhile and it was
    /// pruned.
    pub(crate) fn read_beside(&self, process: &Process) {
        let acked = self.model().newest_acked();
        let latest = Checkpoints::open(process.store()).latest(&Held::nothing()).expect("a calm device");
        assert!(latest.passed_over.is_empty(), "nothing had rotted: {:?}", latest.passed_over);
        let newest = latest.checkpoint.as_ref().map(Checkpoint::id);
        assert!(newest >= acked, "an acknowledged checkpoint is gone (P1): {acked:?} {newest:?}");
        match latest.checkpoint.map(|found| self.is_whole(process, &found, false)) {
            None => {}
            Some(Ok(())) => self.tally.count("reads beside writers: whole"),
            Some(Err(error)) => self.tally.count(format!("reads beside writers: {}", error.kind())),
        }
    }

    /// The names of the late requests that have arrived.
    pub(crate) fn landed(&self) -> BTreeSet<String> {
        let history = self.sim.history();
        let landed = history.iter().filter_map(|line| line.strip_prefix("late put: landed: "));
        landed.map(str::to_owned).collect()
    }

    /// What is there beside that which these checkpoints and the claim of this epoch consist of; all of that must be
    /// there.
    pub(crate) fn litter_beside(&self, kept: &[Id], epoch: u64) -> BTreeSet<String> {
        let there: BTreeSet<String> = self.sim.names().into_iter().collect();
        let mut wanted = self.model().files(kept);
        wanted.insert(files::claim(epoch));
        let missing: Vec<_> = wanted.difference(&there).collect();
        assert!(missing.is_empty(), "kept and not there: {missing:?}");
        there.difference(&wanted).cloned().collect()
    }

    /// Whether a planned fault has befallen an operation.
    pub(crate) fn was_hit(&self) -> bool {
        let chances = ["late", "power cut", "process crash", "cache"];
        self.sim.events().keys().any(|event| !chances.iter().any(|chance| event.starts_with(chance)))
    }

    /// Runs checks inside of an operation; [`honest`](World::honest) tells of what they find.
    pub(crate) fn guarded(&self, visit: impl FnOnce(&World)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| visit(self))) {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
            self.violation.lock().unwrap().get_or_insert(said.unwrap_or_default());
        }
    }

    pub(crate) fn honest(&self) {
        let violation = self.violation.lock().unwrap().clone();
        assert!(violation.is_none(), "{}", violation.unwrap_or_default());
    }

    /// Tells what to run again if it fails, and what happened on the device.
    pub(crate) fn replayable(&self, told: &str, run: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            eprintln!("failed: {told}");
            let history = self.sim.history();
            let from = history.len().saturating_sub(number("HEADWATER_HISTORY", 60) as usize);
            history[from..].iter().for_each(|line| eprintln!("  {line}"));
            std::panic::resume_unwind(panic)
        }
    }
}
