//! The device beneath all processes: its files, its names, its faults, its counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::bucket::{Bucket, Late};
use super::cut::{Cut, Fate};
use super::file::File;
use super::names::Names;
use super::plan::{Fault, Op, Plan, When};
use super::{Random, Shape};
use crate::error::{Error, Kind, Result};

pub(super) struct Device {
    pub(super) shape: Shape,
    pub(super) seed: u64,
    pub(super) random: Random,
    /// By number, which names and open files hold; never forgotten, but emptied when nothing can reach them.
    pub(super) files: Vec<File>,
    pub(super) names: Names,
    /// Files that lost a name, until no power cut can bring it back.
    unlinked: Vec<usize>,
    /// Files that are open for reading, as often as they are.
    open: BTreeMap<usize, u64>,
    /// Removed files whose room may be another's by now, so that who has them open finds whatever it may be.
    pub(super) recycled: BTreeSet<usize>,
    pub(super) reserve: Reserve,
    /// The length of the file that a process has made ahead.
    pub(super) spare: Option<(usize, usize)>,
    pub(super) capacity: Option<u64>,
    pub(super) page: usize,
    pub(super) late: Vec<Late>,
    pub(super) bucket: Bucket,
    pub(super) processes: Vec<Life>,
    /// Visits to processes that died first. They may own what needs the device to be dropped.
    pub(super) in_vain: Vec<Visit>,
    pub(super) lock: Option<Lock>,
    pub(super) locks: u64,
    pub(super) plans: Vec<Plan>,
    /// Writes and changes of names so far; each has its number.
    numbers: u64,
    pub(super) operations: u64,
    pub(super) by_op: [u64; Op::ALL.len()],
    pub(super) events: BTreeMap<String, u64>,
    pub(super) history: Option<Vec<String>>,
}

/// The room kept back for the day when the device is full.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reserve {
    pub(super) held: u64,
    pub(super) on_disk: u64,
    pub(super) number: u64,
}

/// Who holds the place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lock {
    pub(super) process: usize,
    pub(super) serial: u64,
}

/// A process, as the device knows it.
#[derive(Default)]
pub(super) struct Life {
    /// Why its calls fail now.
    pub(super) dead: Option<&'static str>,
    pub(super) operations: u64,
    /// Guards of the place's lock that it has not dropped, whether the lock holds or not.
    pub(super) guards: u64,
    /// What to run before which of its operations.
    pub(super) visits: Vec<(When, Visit)>,
    /// What to run before which of its puts is answered.
    pub(super) answers: Vec<(When, Visit)>,
}

/// What a test runs before an operation.
pub(super) type Visit = Box<dyn FnOnce() + Send>;

impl Device {
    pub(super) fn new(shape: Shape, seed: u64) -> Self {
        Device {
            shape,
            seed,
            random: Random::new(seed),
            files: Vec::new(),
            names: Names::default(),
            unlinked: Vec::new(),
            open: BTreeMap::new(),
            recycled: BTreeSet::new(),
            reserve: Reserve::default(),
            spare: None,
            capacity: None,
            page: 3,
            late: Vec::new(),
            bucket: Bucket::default(),
            processes: Vec::new(),
            in_vain: Vec::new(),
            lock: None,
            locks: 0,
            plans: Vec::new(),
            numbers: 0,
            operations: 0,
            by_op: [0; Op::ALL.len()],
            events: BTreeMap::new(),
            history: None,
        }
    }

    /// The same medium with another future: files, names and requests under way, but no process and no plan.
    pub(super) fn fork(&self, seed: u64) -> Self {
        Device {
            files: self.files.clone(),
            names: self.names.clone(),
            unlinked: self.unlinked.clone(),
            reserve: self.reserve,
            capacity: self.capacity,
            page: self.page,
            late: self.late.clone(),
            bucket: self.bucket.fork(),
            numbers: self.numbers,
            locks: self.locks,
            operations: self.operations,
            ..Device::new(self.shape, seed)
        }
    }

    /// Counts an operation, lets late requests arrive before it, and answers which fault befalls it.
    pub(super) fn begin(
        &mut self,
        op: Op,
        process: usize,
        name: &str,
        detail: fmt::Arguments<'_>,
    ) -> Option<Fault> {
        self.operations += 1;
        self.by_op[op as usize] += 1;
        self.what_is_due();
        let mut fault = None;
        for plan in &mut self.plans {
            if plan.hits(op, name, process, self.shape, &mut self.random) && fault.is_none() {
                fault = Some(plan.fault);
            }
        }
        match fault {
            Some(Fault::Throttled) => self.bucket.throttle(self.operations, &mut self.random),
            None if self.bucket.is_throttled(self.operations) => fault = Some(Fault::Throttled),
            _ => {}
        }
        if let Some(fault) = fault {
            self.count(format!("{op}: {}", fault.name()));
        }
        if let Some(history) = &mut self.history {
            let fault = fault.map_or(String::new(), |fault| format!(": {}", fault.name()));
            history.push(format!("op {} process {process} {op} {name}{detail}{fault}", self.operations));
        }
        fault
    }

    pub(super) fn count(&mut self, event: impl Into<String>) {
        self.count_many(event, 1);
    }

    pub(super) fn count_many(&mut self, event: impl Into<String>, times: u64) {
        if times > 0 {
            *self.events.entry(event.into()).or_default() += times;
        }
    }

    pub(super) fn tell(&mut self, line: fmt::Arguments<'_>) {
        if let Some(history) = &mut self.history {
            history.push(line.to_string());
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn alive(&self, process: usize) -> Result<()> {
        match self.processes[process].dead {
            None => Ok(()),
            Some(why) => Err(Error::new(Kind::Unavailable, format!("{why}: process={process}"))),
        }
    }

    pub(super) fn kill(&mut self, process: usize, why: &'static str) {
        if self.processes[process].dead.is_none() {
            self.spare = self.spare.filter(|&(owner, _)| owner != process);
            let life = &mut self.processes[process];
            life.dead = Some(why);
            let visits = life.visits.drain(..).chain(life.answers.drain(..));
            self.in_vain.extend(visits.map(|(_, visit)| visit));
            if self.lock.is_some_and(|lock| lock.process == process) {
                self.lock = None;
            }
            self.tell(format_args!("process {process} dies: {why}"));
        }
    }

    pub(super) fn kill_all(&mut self, why: &'static str) {
        for process in 0..self.processes.len() {
            self.kill(process, why);
        }
    }

    /// How many bytes more there is room for. A file takes as many as it is long, one without a name none unless it
    /// was made ahead.
    pub(super) fn room(&self) -> u64 {
        let Some(capacity) = self.capacity else { return u64::MAX };
        let files: u64 = self.names.files().map(|file| self.files[file].len() as u64).sum();
        let spare = self.spare.map_or(0, |(_, len)| len as u64);
        capacity.saturating_sub(files + self.reserve.held + spare)
    }

    pub(super) fn has_room(&self, more: u64) -> bool {
        more <= self.room()
    }

    pub(super) fn add(&mut self, file: File) -> usize {
        self.files.push(file);
        self.files.len() - 1
    }

    /// A file was opened for reading: its bytes stay, whatever becomes of its name.
    pub(super) fn opened(&mut self, file: usize) {
        *self.open.entry(file).or_default() += 1;
    }

    pub(super) fn closed(&mut self, file: usize) {
        if let Some(count) = self.open.get_mut(&file) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&file);
                self.forget();
            }
        }
    }

    pub(super) fn unlink(&mut self, name: &str) {
        if let Some(file) = self.names.find(name) {
            let number = self.number();
            self.names.unlink(name, number);
            self.unlinked.push(file);
            if self.shape != Shape::Growing {
                self.changed(name, file, false);
                self.sync_names(None);
            }
        }
    }

    /// Makes the changes in these folders durable, or all.
    pub(super) fn sync_names(&mut self, folders: Option<&[&str]>) {
        match folders {
            Some(folders) => self.names.sync(folders),
            None => {
                self.names.sync_all();
                self.reserve.on_disk = self.reserve.held;
            }
        }
        self.forget();
    }

    fn forget(&mut self) {
        let (files, names, open) = (&mut self.files, &self.names, &self.open);
        self.unlinked.retain(|file| {
            let reached = names.reach(*file) || open.contains_key(file);
            if !reached {
                files[*file] = File::default();
            }
            reached
        });
    }

    pub(super) fn power_cut(&mut self, cut: Cut) {
        self.kill_all("the power was cut");
        self.count("power cut");
        self.tell(format_args!("the power is cut"));
        // A name that comes back has its bytes.
        self.recycled.clear();
        self.lose_unsynced(cut);
    }

    /// The machines that hold the bytes lose their power; those of the processes are others, and go on.
    pub(super) fn nodes_power_cut(&mut self, cut: Cut) {
        self.count("power cut of the nodes");
        self.tell(format_args!("the nodes lose their power"));
        self.files.iter_mut().for_each(File::break_pipeline);
        self.lose_unsynced(cut);
    }

    fn lose_unsynced(&mut self, cut: Cut) {
        if self.shape == Shape::Objects {
            return;
        }
        let reserve = (self.reserve.held != self.reserve.on_disk).then_some(self.reserve.number);
        let unsynced = self.files.iter().filter_map(File::oldest).chain(self.names.oldest()).chain(reserve);
        let first = unsynced.min().unwrap_or(self.numbers);
        let mut fate = Fate::new(cut, &mut self.random, first, self.numbers + 1);
        let (lost, undone) = self.names.power_cut(&mut fate);
        self.count_many("power cut: name lost", lost);
        self.count_many("power cut: removal undone", undone);
        let (mut kept, mut lost, mut lengths, mut torn) = (0, 0, 0, 0);
        for file in &mut self.files {
            let tally = file.power_cut(&mut fate);
            kept += tally.kept;
            lost += tally.lost;
            lengths += tally.lengths;
            torn += u64::from(tally.kept > 0 && tally.lost > 0);
        }
        self.count_many("power cut: unsynced sector kept", kept);
        self.count_many("power cut: unsynced sector lost", lost);
        self.count_many("power cut: length lost", lengths);
        self.count_many("power cut: file torn", torn);
        if let Some(number) = reserve {
            if fate.keeps(number) {
                self.reserve.on_disk = self.reserve.held;
            } else {
                self.reserve.held = self.reserve.on_disk;
            }
        }
        self.forget();
        self.tell(format_args!("unsynced sectors kept={kept} lost={lost}, lengths lost={lengths}"));
    }

    pub(super) fn process_crash(&mut self) {
        self.kill_all("the process was killed");
        self.count("process crash");
        self.tell(format_args!("every process is killed"));
        if self.shape == Shape::Growing && self.random.one_in(4) {
            let all = self.random.coin();
            self.drop_caches(all);
        }
    }

    /// Forgets all clean sectors, or any of them.
    pub(super) fn drop_caches(&mut self, all: bool) {
        let random = &mut self.random;
        let shown: u64 = self.files.iter_mut().map(|file| file.drop_cache(|| all || random.coin())).sum();
        self.count_many("cache dropped: sector older than it looked", shown);
        self.tell(format_args!("the cache is dropped, sectors that changed={shown}"));
    }
}
