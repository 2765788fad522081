//! A run: everything is started, something is killed again and again, all is drained, and the proof is made.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::children::{Children, DRIVER, Who};
use crate::options::{Fault, Kill, Options};
use crate::place::Place;
use crate::proof::Proof;
use crate::show::{self, Progress};
use crate::sink::Sink;
use crate::source::Source;
use crate::text::Counts;
use crate::{Result, damage, store};

pub(crate) const PARTITIONS: u32 = 2;

const TICK: Duration = Duration::from_millis(10);
/// How long everything may take that is left when the killing is over.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);
/// How long a process is waited for that is to stop, when not everything was safe in time.
const STOP_WITHIN: Duration = Duration::from_secs(3);
/// A process that ends by itself so often, in a row and unasked, is not only unlucky.
const ENDS_MAX: u32 = 100;

/// What a run has shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) took: Duration,
    /// Of whom how many were killed, or stopped.
    pub(crate) kills: BTreeMap<&'static str, u32>,
    pub(crate) recoveries: BTreeMap<&'static str, Vec<Duration>>,
    pub(crate) resent: u64,
    /// What processes told, by the first word of it: how often, and the sum of the number behind it.
    pub(crate) told: BTreeMap<String, (u64, u64)>,
    pub(crate) proof: Proof,
    /// What a process died of that nobody had killed.
    pub(crate) failures: Vec<String>,
}

impl Outcome {
    /// How often something was told.
    pub(crate) fn times(&self, what: &str) -> u64 {
        self.told.get(what).map_or(0, |(times, _)| *times)
    }

    /// The sum of what was told with it.
    pub(crate) fn sum(&self, what: &str) -> u64 {
        self.told.get(what).map_or(0, |(_, sum)| *sum)
    }

    /// Whether it is what such a run promises.
    pub(crate) fn is_as_promised(&self, options: &Options) -> bool {
        self.failures.is_empty()
            && self.proof.wrong.is_empty()
            && options.loses().allows(self.proof.lost)
            && options.doubles().allows(self.proof.doubled)
            && self.times("output-differs") == 0
    }
}

/// The one run that the command line asks for.
pub(crate) fn alone(options: &Options) -> Result<bool> {
    let temporary;
    let dir = match &options.dir {
        Some(dir) => {
            if dir.read_dir().is_ok_and(|mut names| names.next().is_some()) {
                return Err(format!("{} is not empty; name a directory that is new", dir.display()).into());
            }
            let made = std::fs::create_dir_all(dir);
            made.map_err(|error| format!("{} cannot be made: {error}; name another --dir", dir.display()))?;
            dir.as_path()
        }
        None => {
            temporary = tempfile::tempdir()?;
            temporary.path()
        }
    };
    let folder = options.store.as_deref().map(store::Folder::new).transpose()?;
    show::begin(options);
    let chosen = Options { store: folder.as_ref().map(|folder| folder.proven.clone()), ..options.clone() };
    let outcome = run(&chosen, dir, &mut Progress::new(options.seconds))?;
    show::end(options, &outcome);
    match (&options.dir, &folder) {
        (Some(_), Some(folder)) => show::where_to_look(&folder.url),
        (Some(dir), None) => show::where_to_look(&dir.display().to_string()),
        (None, Some(folder)) => show::removed(&folder.url, folder.remove()),
        (None, None) => {}
    }
    Ok(outcome.is_as_promised(options))
}

/// Runs in a directory that is there and empty.
pub(crate) fn run(options: &Options, dir: &Path, progress: &mut Progress) -> Result<Outcome> {
    let options = &Options { dir: Some(dir.to_owned()), ..options.clone() };
    let place = Place::new(dir, options.store.clone());
    let source = Source::start(options.source, PARTITIONS, options.rate, &place)?;
    place.tell("source", source.address)?;
    let mut run = Run {
        options,
        children: Children::new(options, &place),
        place,
        source,
        random: options.seed,
        outcome: Outcome::default(),
        totals: None,
        began: Instant::now(),
        is_over: false,
    };
    let began = run.began;
    for who in options.processes() {
        run.children.start(who, None)?;
    }
    run.kill_for(Duration::from_secs_f64(options.seconds), progress)?;
    run.drain(progress)?;
    run.stop()?;
    progress.clear();
    let Run { mut outcome, source, place, children, totals, .. } = run;
    let partitions = source.partitions();
    outcome.took = began.elapsed();
    outcome.recoveries = children.recoveries.clone();
    outcome.resent = partitions.iter().map(|partition| partition.resent).sum();
    let sent: Vec<u64> = partitions.iter().map(|partition| partition.sent).collect();
    outcome.proof = Proof::of(&Sink::open(options.sink, &place)?, &sent, totals.as_ref())?;
    Ok(outcome)
}

struct Run<'a> {
    options: &'a Options,
    place: Place,
    source: Source,
    children: Children,
    random: u64,
    outcome: Outcome,
    /// The driver's state when it stopped.
    totals: Option<Counts>,
    began: Instant,
    /// Whoever ends now has done its work.
    is_over: bool,
}

impl Run<'_> {
    fn kill_for(&mut self, time: Duration, progress: &mut Progress) -> Result<()> {
        let mut next_kill = Instant::now() + Duration::from_millis(500);
        while self.began.elapsed() < time {
            if Instant::now() >= next_kill {
                self.kill_somebody()?;
                next_kill = Instant::now() + Duration::from_millis(200 + self.below(1000));
            }
            self.tick(progress)?;
        }
        Ok(())
    }

    fn kill_somebody(&mut self) -> Result<()> {
        let worker = Who("receiver", self.below(PARTITIONS.into()) as u32);
        let victim = match self.options.kill {
            Kill::None => return Ok(()),
            _ if !self.options.has_receivers() => DRIVER,
            Kill::Worker | Kill::Stop => worker,
            Kill::Driver => DRIVER,
            Kill::Both => [worker, DRIVER][self.below(2) as usize],
            Kill::Copy => Who("copy", self.below(self.options.replicas as u64 - 1) as u32),
        };
        *self.outcome.kills.entry(victim.0).or_default() += 1;
        if self.options.kill == Kill::Stop {
            self.children.ask_to_stop(victim);
            self.children.wait(victim, DRAIN_WITHIN)?;
            return self.children.start(victim, Some(Instant::now()));
        }
        if victim == DRIVER && self.options.driver_takes_all() {
            let all = self.children.all();
            let died = all.iter().map(|who| self.children.kill(*who)).max();
            return all.into_iter().try_for_each(|who| self.children.start(who, died));
        }
        let died = self.children.kill(victim);
        if victim.0 == "receiver" && self.options.own_disk {
            damage::disk_dies(self.place.dir(), victim.1)?;
        }
        if victim == DRIVER && self.options.fault == Fault::NewestRots {
            damage::newest_rots(&self.place)?;
        }
        self.children.start(victim, Some(died))
    }

    /// Hears what is told, and starts again who has ended.
    fn tick(&mut self, progress: &mut Progress) -> Result<()> {
        for (_, line) in self.children.told() {
            let (what, rest) = line.split_once(' ').unwrap_or((&line, ""));
            if what == "totals" {
                let pairs = rest.split(',').filter_map(|pair| pair.split_once(' '));
                self.totals = Some(
                    pairs.filter_map(|(word, count)| Some((word.to_owned(), count.parse().ok()?))).collect(),
                );
                continue;
            }
            for (place, number) in rest.split(' ').enumerate() {
                // The second and third numbers of a line have names of their own.
                let name = if place == 0 { what.to_owned() } else { format!("{what}.{place}") };
                let told = self.outcome.told.entry(name).or_default();
                told.0 += 1;
                told.1 += number.parse::<u64>().unwrap_or(0);
            }
        }
        for (who, failure) in self.children.ended()? {
            if failure.is_none() && self.is_over {
                continue;
            }
            if self.options.fault.is_deadly() {
                *self.outcome.kills.entry(who.0).or_default() += 1;
            } else {
                let failure = failure.unwrap_or_else(|| format!("{who} ended, and nobody had asked it to"));
                self.outcome.failures.push(failure);
                if self.outcome.failures.len() as u32 > ENDS_MAX {
                    return Err(self.outcome.failures.swap_remove(0).into());
                }
            }
            self.children.start(who, Some(Instant::now()))?;
        }
        progress.draw(
            self.began.elapsed(),
            self.outcome.kills.values().sum(),
            &self.source,
            self.outcome.sum("batch"),
            |who| self.children.is_ready(who),
        );
        std::thread::sleep(TICK);
        Ok(())
    }

    /// Waits until everything is where it belongs.
    fn drain(&mut self, progress: &mut Progress) -> Result<()> {
        self.source.end();
        self.is_over = true;
        let until = Instant::now() + DRAIN_WITHIN;
        while !self.source.is_done() && Instant::now() < until {
            self.tick(progress)?;
        }
        if !self.source.is_done() {
            let partitions = self.source.partitions();
            self.outcome.failures.push(format!(
                "not all of it was safe after {DRAIN_WITHIN:?}, for want of room on disk perhaps: {partitions:?}"
            ));
        }
        Ok(())
    }

    /// Receivers first, then the driver, then whoever keeps copies.
    fn stop(&mut self) -> Result<()> {
        for role in ["receiver", "driver", "copy"] {
            let all: Vec<_> = self.children.all().into_iter().filter(|who| who.0 == role).collect();
            all.iter().for_each(|who| self.children.ask_to_stop(*who));
            for who in all {
                self.stop_one(who)?;
            }
        }
        // What they told last is still on its way.
        let until = Instant::now() + Duration::from_secs(2);
        while self.totals.is_none() && Instant::now() < until {
            self.tick(&mut Progress::none())?;
        }
        if self.totals.is_none() {
            self.outcome
                .failures
                .push("the driver has not told its own count, to hold the results against".into());
        }
        Ok(())
    }

    fn stop_one(&mut self, who: Who) -> Result<()> {
        // One that is to die now and then may do so once more before it hears that it shall stop.
        let mut deaths = if self.options.fault.is_deadly() { 3 } else { 0 };
        let at_most = if self.source.is_done() { DRAIN_WITHIN } else { STOP_WITHIN };
        while let Err(error) = self.children.wait(who, at_most) {
            if deaths == 0 {
                self.outcome.failures.push(error.to_string());
                return Ok(());
            }
            deaths -= 1;
            self.children.start(who, None)?;
            self.children.ask_to_stop(who);
        }
        Ok(())
    }

    /// A number below this one.
    fn below(&mut self, most: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 33) % most
    }
}
