//! The parent process: rounds of cases, each in a process and a folder of its own, and everything cleaned up afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::args::Args;
use crate::case::{Case, Figures};
use crate::contestant::family;
use crate::root::{Root, enough_room};
use crate::run::Job;
use crate::stop::Stop;
use crate::workload::{self, Durability, Kind, Workload};
use crate::{Result, machine, report};
use headwater_benches::measure::device::Device;
use headwater_benches::measure::random::Random;

/// Runs what the command line asks for and prints the report.
pub(crate) fn run(args: &Args) -> Result<()> {
    let workloads = wanted(args);
    if workloads.is_empty() {
        return Err("no case is called that; --list names them".into());
    }
    if args.list {
        report::list(&workloads);
        return Ok(());
    }
    let root = Root::make(&args.dir)?;
    enough_room(args, &root.path)?;
    let device = Device::of(&root.path)?;
    let head = machine::describe(args, &device)?;
    let mut json = args.json.as_ref().map(fs::File::create).transpose()?;
    let stop = Stop::on_signals()?;
    let mut rounds = Rounds { args, root: &root, stop: &stop, filled: BTreeMap::new(), cases: Vec::new() };
    let began = Instant::now();
    for round in 1..=args.rounds {
        for (workload, contestant) in order(&workloads, args.seed, round) {
            let case = rounds.case(workload, contestant, round);
            if stop.asked() {
                return Err("stopped".into());
            }
            eprintln!("{}", report::progress(&case));
            if let Some(json) = &mut json {
                writeln!(json, "{}", serde_json::to_string(&case)?)?;
            }
            rounds.cases.push(case);
        }
    }
    let cases = rounds.cases;
    print!("{}", report::markdown(&head, &workloads, &cases));
    println!("\n{} cases in {:.0} s", cases.len(), began.elapsed().as_secs_f64());
    verdict(args, &device, &cases)
}

/// The workloads with those contestants that are asked for.
fn wanted(args: &Args) -> Vec<Workload> {
    let mut workloads = workload::all();
    for workload in &mut workloads {
        let name = workload.name.clone();
        workload.contestants.retain(|contestant| args.wants(&name, contestant));
    }
    workloads.retain(|workload| !workload.contestants.is_empty());
    workloads
}

/// The cases of a round. What is compared runs one soon after the other, and nothing always first: kindred workloads stay
/// together, and they, the workloads of each kindred and the contestants of each workload come in an order of this round.
fn order(workloads: &[Workload], seed: u64, round: u64) -> Vec<(&Workload, &'static str)> {
    let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(round));
    let mut shuffled: Vec<&Workload> = workloads.iter().collect();
    random.shuffle(&mut shuffled);
    let mut kindreds: Vec<_> = shuffled.iter().map(|workload| workload.kindred()).collect();
    random.shuffle(&mut kindreds);
    shuffled.sort_by_key(|workload| kindreds.iter().position(|kindred| *kindred == workload.kindred()));
    let mut cases = Vec::new();
    for workload in shuffled {
        let mut contestants = workload.contestants.clone();
        random.shuffle(&mut contestants);
        cases.extend(contestants.into_iter().map(|contestant| (workload, contestant)));
    }
    cases
}

/// Whether everything ran and, of a small run, measured something. A ratio is never judged.
fn verdict(args: &Args, device: &Device, cases: &[Case]) -> Result<()> {
    let mut wrong: Vec<String> = Vec::new();
    for case in cases {
        let name = format!("{}/{} in round {}", case.workload, case.contestant, case.round);
        let Some(figures) = &case.figures else {
            wrong.push(format!("{name}: {}", case.failure.as_deref().unwrap_or("no figures")));
            continue;
        };
        let power = workload::named(&case.workload)?.kind == Kind::Append(Durability::Power);
        if args.small && (figures.operations == 0 || figures.seconds <= 0.0) {
            wrong.push(format!("{name}: nothing was measured"));
        }
        if args.small && power && figures.flushes == Some(0) {
            wrong.push(format!("{name}: it claims to survive a power cut, and the device was never flushed"));
        }
    }
    if args.small && device.counts().is_none() {
        println!("note: this file system's device cannot be asked for its flushes, so they were not checked");
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{} cases failed:\n{}", wrong.len(), wrong.join("\n")).into())
    }
}

/// What has been done so far.
struct Rounds<'a> {
    args: &'a Args,
    root: &'a Root,
    stop: &'a Stop,
    /// The logs that are replayed and read, by family; or why one could not be made. They serve every round.
    filled: BTreeMap<&'static str, Result<PathBuf, String>>,
    cases: Vec<Case>,
}

impl Rounds<'_> {
    fn case(&mut self, workload: &Workload, contestant: &str, round: u64) -> Case {
        let outcome = self.figures(workload, contestant, round);
        let (figures, failure) = match outcome {
            Ok(figures) => (Some(figures), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Case { round, workload: workload.name.clone(), contestant: contestant.into(), figures, failure }
    }

    fn figures(&mut self, workload: &Workload, contestant: &str, round: u64) -> Result<Figures> {
        let mut job = Job {
            workload: workload.name.clone(),
            contestant: contestant.into(),
            dir: self.root.path.join("case"),
            seconds: self.args.seconds,
            log_records: self.args.log_mib * 1024 * 1024 / workload.record_bytes as u64,
            seed: self.args.seed.wrapping_add(round),
            pin: self.args.pin,
            small: self.args.small,
            fill: false,
        };
        if !matches!(workload.kind, Kind::Append(_)) {
            job.dir = self.filled(&job)?;
            return Ok(serde_json::from_str(&self.child(&job)?)?);
        }
        fs::create_dir(&job.dir)?;
        let said = self.child(&job);
        fs::remove_dir_all(&job.dir)?;
        Ok(serde_json::from_str(&said?)?)
    }

    /// The log that a contestant replays or reads; it is made when it is first asked for.
    fn filled(&mut self, job: &Job) -> Result<PathBuf> {
        let family = family(&job.contestant);
        if !self.filled.contains_key(family) {
            let dir = self.root.path.join(family);
            fs::create_dir(&dir)?;
            let said = self.child(&Job { dir: dir.clone(), fill: true, ..job.clone() });
            self.filled
                .insert(family, said.map(|_| dir).map_err(|error| format!("filling the log: {error}")));
        }
        self.filled.get(family).cloned().unwrap_or_else(|| Err("no log".into())).map_err(Into::into)
    }

    /// Runs a child to its end, or for so long; what it said.
    fn child(&self, job: &Job) -> Result<String> {
        // What earlier cases left to be written, and the removal of their files, is not to be part of this one.
        rustix::fs::syncfs(fs::File::open(&self.root.path)?)?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["case", &serde_json::to_string(job)?])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        self.stop.child(Pid::from_raw(child.id() as i32));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (send, receive) = channel();
        let readers = std::thread::spawn(move || {
            let errors = std::thread::spawn(move || text(stderr));
            let said = text(stdout);
            let errors = errors.join().unwrap_or_default();
            let _ = send.send(());
            (said, errors)
        });
        let patience =
            Duration::from_secs_f64(if self.args.small { 30.0 } else { 120.0 } + 10.0 * self.args.seconds);
        let late = receive.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
        if late {
            child.kill()?;
        }
        self.stop.child(None);
        let status = child.wait()?;
        let (said, errors) = readers.join().map_err(|_| "the reader of a child's words panicked")?;
        if late {
            return Err(format!("no end after {} s", patience.as_secs()).into());
        }
        if status.success() {
            return Ok(said);
        }
        let mut lines = errors.lines().map(str::trim).rev();
        let last = lines.find(|line| !line.is_empty() && !line.starts_with("note:"));
        Err(format!("{status}: {}", last.unwrap_or("it said nothing")).into())
    }
}

fn text(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = stream.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_runs_every_case_once_in_an_order_of_its_own_that_its_seed_gives_again() {
        let workloads = workload::all();
        let names = |seed, round| -> Vec<String> {
            let cases = order(&workloads, seed, round).into_iter();
            cases.map(|(workload, contestant)| format!("{}/{contestant}", workload.name)).collect()
        };
        let (first, second) = (names(1, 1), names(1, 2));
        assert_ne!(first, second);
        assert_eq!(first, names(1, 1));
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        assert_eq!(sorted(first.clone()), sorted(second));
        let mut once = sorted(first.clone());
        once.dedup();
        assert_eq!(once.len(), first.len());
        let places: Vec<usize> = (0..first.len()).filter(|at| first[*at].contains("1MiB")).collect();
        assert_eq!(
            places.last().unwrap() - places[0] + 1,
            places.len(),
            "appends of 1 MiB are apart from their disk"
        );
    }
}
