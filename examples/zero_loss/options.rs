//! What can be chosen of a run, and what a run of such choices promises.

use std::path::PathBuf;
use std::str::FromStr;

use crate::Result;
use crate::children::{DRIVER, Who};
use crate::run::PARTITIONS;

pub(crate) const USAGE: &str = "\
Shows that nothing is lost, by killing: a source, two receivers, a driver, and a database that words are counted into.

usage: zero_loss [OPTION VALUE]...

  --seconds N         how long receivers and driver are killed (30)
  --seed N            which kills, and when (a new one each time)
  --kill WHOM         worker: receivers; driver; both; none; copy: who only keeps copies; stop: receivers are asked to
                      stop, and stop in order (both)
  --source KIND       reliable: it resends what it was not told to be safe; unreliable; direct: batches read its ranges
                      by themselves; files: batches read files (reliable)
  --wal on|off        off: blocks and journal are in memory only, as without a write-ahead log (on)
  --log-at WHERE      shared; own: on the worker's own disk, which dies with it (shared)
  --replicas N        in how many processes' memory blocks are, besides a log (1)
  --sink KIND         keyed: a database, in which each output is once, under its name; plain: each attempt counts;
                      files: each output is a file, put under a name that was free (keyed)
  --rate N            records a second, of each of two partitions (2000)
  --batch N           milliseconds from batch to batch (100)
  --dir DIR           works in DIR, a new directory, and keeps it
  --store URL         keeps log, journal and checkpoints there (s3://BUCKET/PREFIX, gs:, az:, file:), and results if they
                      are files, in a folder of its own, which is removed at the end unless there is a --dir
  --table             runs the whole table of guarantees, one row after another: expected and observed; with --store
                      those rows that have a log

The exit status is 0 only if what was observed is what such a run promises.";

/// What is done to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    Worker,
    Driver,
    Both,
    Copy,
    /// Receivers are stopped in order.
    Stop,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceKind {
    Reliable,
    Unreliable,
    Direct,
    Files,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SinkKind {
    Keyed,
    /// Outputs have no names.
    Plain,
    Files,
}

/// One thing that goes wrong on purpose, in runs of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// A receiver dies when a block is durable and reported, and its source is not told.
    BeforeAcknowledging,
    /// The driver dies when an output is published, and that is not on record.
    BeforeCommitting,
    /// Some batches fail, and stay pending until the driver is started again.
    SomeBatches,
    /// No checkpoint can be written.
    Checkpoints,
    /// The newest checkpoint rots while the driver is dead.
    NewestRots,
}

macro_rules! words {
    ($type:ty: $($word:literal = $value:ident),*) => {
        impl FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> std::result::Result<Self, String> {
                match text {
                    $($word => Ok(<$type>::$value),)*
                    _ => Err(format!("{text:?} is none of: {}", [$($word),*].join(", "))),
                }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(<$type>::$value => $word),* })
            }
        }
    };
}

words!(Kill: "worker" = Worker, "driver" = Driver, "both" = Both, "copy" = Copy, "stop" = Stop, "none" = None);
words!(SourceKind: "reliable" = Reliable, "unreliable" = Unreliable, "direct" = Direct, "files" = Files);
words!(SinkKind: "keyed" = Keyed, "plain" = Plain, "files" = Files);
words!(Fault: "none" = None, "before-acknowledging" = BeforeAcknowledging, "before-committing" = BeforeCommitting,
    "some-batches" = SomeBatches, "checkpoints" = Checkpoints, "newest-rots" = NewestRots);

/// The choices of a run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) seconds: f64,
    pub(crate) seed: u64,
    pub(crate) kill: Kill,
    pub(crate) source: SourceKind,
    pub(crate) wal: bool,
    /// A receiver's log dies with it.
    pub(crate) own_disk: bool,
    pub(crate) replicas: usize,
    pub(crate) sink: SinkKind,
    pub(crate) rate: u64,
    /// How long it is from batch to batch.
    pub(crate) batch_millis: u64,
    pub(crate) fault: Fault,
    pub(crate) dir: Option<PathBuf>,
    /// Where log, journal and checkpoints lie, if not in the directory. Of a run, its own folder there.
    pub(crate) store: Option<String>,
    pub(crate) table: bool,
    /// Which process this is, and of which number.
    pub(crate) role: Option<(String, u32)>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            seconds: 30.0,
            seed: u64::from(std::process::id())
                ^ headwater::Clock::wall(&headwater::SystemClock::default()).0,
            kill: Kill::Both,
            source: SourceKind::Reliable,
            wal: true,
            own_disk: false,
            replicas: 1,
            sink: SinkKind::Keyed,
            rate: 2000,
            batch_millis: 100,
            fault: Fault::None,
            dir: None,
            store: None,
            table: false,
            role: None,
        }
    }
}

impl Fault {
    /// Somebody dies of it who was not killed.
    pub(crate) fn is_deadly(self) -> bool {
        matches!(self, Fault::BeforeAcknowledging | Fault::BeforeCommitting)
    }
}

/// What is promised of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promised {
    Nothing,
    /// It happens: that is what the choice costs.
    Some,
    /// It may happen.
    Any,
}

impl Options {
    pub(crate) fn read(args: impl Iterator<Item = String>) -> Result<Options> {
        let mut options = Options::default();
        let mut args = args.peekable();
        while let Some(name) = args.next() {
            if name == "--table" {
                options.table = true;
                continue;
            }
            let value =
                args.next().ok_or_else(|| format!("{name} needs a value, or is no option: see --help"))?;
            options.set(&name, &value).map_err(|wrong| format!("{name} {value}: {wrong}"))?;
        }
        options.check()?;
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "--seconds" => self.seconds = value.parse()?,
            "--seed" => self.seed = value.parse()?,
            "--kill" => self.kill = value.parse()?,
            "--source" => self.source = value.parse()?,
            "--wal" => self.wal = one_of(value, "on", "off")?,
            "--log-at" => self.own_disk = one_of(value, "own", "shared")?,
            "--replicas" => self.replicas = value.parse()?,
            "--sink" => self.sink = value.parse()?,
            "--rate" => self.rate = value.parse()?,
            "--dir" => self.dir = Some(value.into()),
            "--store" => self.store = Some(value.to_owned()),
            "--batch" => self.batch_millis = value.parse()?,
            "--fault" => self.fault = value.parse()?,
            "--role" => {
                let (role, number) = value.split_once('/').ok_or("a role has a number")?;
                self.role = Some((role.to_owned(), number.parse()?));
            }
            _ => return Err("there is no such option".into()),
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if !(0.0..=86_400.0).contains(&self.seconds) {
            return Err("--seconds is 0 to 86400, a day".into());
        }
        if !(1..=4).contains(&self.replicas) {
            return Err("--replicas is 1 to 4".into());
        }
        if !(1..=60_000).contains(&self.batch_millis) {
            return Err("--batch is 1 to 60000".into());
        }
        if !(1..=200_000).contains(&self.rate) {
            return Err("--rate is 1 to 200000".into());
        }
        if self.kill == Kill::Copy && (self.replicas == 1 || !self.has_receivers()) {
            return Err("with one replica nobody else keeps copies".into());
        }
        let in_memory = |url: &String| url.to_ascii_lowercase().starts_with("memory:");
        if self.store.as_ref().is_some_and(in_memory) {
            return Err("memory: is in the memory of one process, and a run has several".into());
        }
        if self.store.is_some() && (self.own_disk || !self.wal) {
            return Err(
                "--store is where the log lies: --wal off and --log-at own leave nothing for it".into()
            );
        }
        if !self.has_receivers() && (!self.wal || self.replicas > 1 || self.own_disk) {
            return Err("without receivers there are no blocks to copy, and the journal is on disk".into());
        }
        Ok(())
    }

    /// The same run, for another process of it.
    pub(crate) fn args(&self, role: &str, number: u32) -> Vec<String> {
        let pick = |first, yes: &str, no: &str| if first { yes.to_owned() } else { no.to_owned() };
        let dir = self.dir.as_ref().map_or_else(String::new, |dir| dir.display().to_string());
        [
            ("--role", format!("{role}/{number}")),
            ("--dir", dir),
            ("--seed", self.seed.to_string()),
            ("--kill", self.kill.to_string()),
            ("--source", self.source.to_string()),
            ("--wal", pick(self.wal, "on", "off")),
            ("--log-at", pick(self.own_disk, "own", "shared")),
            ("--replicas", self.replicas.to_string()),
            ("--sink", self.sink.to_string()),
            ("--batch", self.batch_millis.to_string()),
            ("--fault", self.fault.to_string()),
        ]
        .into_iter()
        .chain(self.store.clone().map(|url| ("--store", url)))
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }

    pub(crate) fn has_receivers(&self) -> bool {
        matches!(self.source, SourceKind::Reliable | SourceKind::Unreliable)
    }

    /// Which processes there are, whoever others need first.
    pub(crate) fn processes(&self) -> Vec<Who> {
        let copies = if self.keeps_copies() { self.replicas as u32 - 1 } else { 0 };
        let receivers = if self.has_receivers() { PARTITIONS } else { 0 };
        let copies = (0..copies).map(|number| Who("copy", number));
        copies.chain([DRIVER]).chain((0..receivers).map(|number| Who("receiver", number))).collect()
    }

    /// Who has blocks in memory: receivers their own, and the others copies of them.
    pub(crate) fn holders(&self) -> Vec<String> {
        let has = |who: &Who| self.keeps_copies() && *who != DRIVER;
        self.processes().iter().filter(|who| has(who)).map(Who::to_string).collect()
    }

    /// Whether a block may be gone for good.
    pub(crate) fn may_lose_blocks(&self) -> bool {
        !self.wal || self.own_disk
    }

    /// Whether blocks are in memory, too or only.
    pub(crate) fn keeps_copies(&self) -> bool {
        self.has_receivers() && (!self.wal || self.replicas > 1)
    }

    /// Without a log, a driver takes all with it that runs under it.
    pub(crate) fn driver_takes_all(&self) -> bool {
        !self.wal
    }

    /// How many records may come out in no result, as it was chosen.
    pub(crate) fn loses(&self) -> Promised {
        let is_stopped = matches!(self.kill, Kill::None | Kill::Copy | Kill::Stop);
        if is_stopped || !self.has_receivers() {
            return Promised::Nothing;
        }
        if !self.wal && self.kill != Kill::Worker {
            return Promised::Some;
        }
        let workers_die = self.kill != Kill::Driver;
        if self.source == SourceKind::Unreliable {
            // What waits for its block is nowhere else.
            return if workers_die { Promised::Some } else { Promised::Nothing };
        }
        let only_copy_dies = workers_die && self.replicas == 1 && (!self.wal || self.own_disk);
        if only_copy_dies { Promised::Some } else { Promised::Nothing }
    }

    /// How many may come out twice.
    pub(crate) fn doubles(&self) -> Promised {
        let driver_dies = matches!(self.kill, Kill::Driver | Kill::Both);
        match (driver_dies, self.wal, self.sink != SinkKind::Plain) {
            (true, false, _) | (true, true, false) if self.fault != Fault::BeforeCommitting => Promised::Any,
            (_, _, false) if self.fault == Fault::BeforeCommitting => Promised::Some,
            _ => Promised::Nothing,
        }
    }
}

impl Promised {
    pub(crate) fn allows(self, count: u64) -> bool {
        match self {
            Promised::Nothing => count == 0,
            Promised::Some => count > 0,
            Promised::Any => true,
        }
    }
}

fn one_of(value: &str, yes: &str, no: &str) -> Result<bool> {
    match value {
        _ if value == yes => Ok(true),
        _ if value == no => Ok(false),
        _ => Err(format!("it is {yes} or {no}").into()),
    }
}
