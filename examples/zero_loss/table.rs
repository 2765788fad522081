//! The table of guarantees: every row is a run, with what it promises beside what came of it.

use crate::options::{Fault, Kill, Options, Promised, SinkKind, SourceKind};
use crate::run::{self, Outcome};
use crate::show::{self, Progress, digits};
use crate::{Result, options, store};

/// A row: which guarantee, what it says, and how it is chosen.
struct Row {
    name: &'static str,
    says: &'static str,
    choose: fn(&mut Options),
    /// What must have been told meanwhile, or nothing was shown.
    also: &'static [&'static str],
}

/// Guarantees G1 to G18, as Spark's documents state or imply them for receivers, logs and drivers. Rows of one
/// guarantee differ in how many copies there are, or in where the log lies.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("G1", "what waits for its block, and blocks of which there was one copy", |of| { off(of); unreliable(of); of.kill = Kill::Worker }),
    row("G1", "what waits for its block; others have a second copy", |of| { off(of); unreliable(of); two(of); of.kill = Kill::Worker }),
    row("G2", "nothing: whoever only kept copies is dead", |of| { off(of); unreliable(of); two(of); of.kill = Kill::Copy }),
    row("G3", "all that was received and not worked off", |of| { off(of); unreliable(of); of.kill = Kill::Driver }),
    row("G3", "the same: no copy outlives the driver", |of| { off(of); unreliable(of); two(of); of.kill = Kill::Driver }),
    row("G4", "acknowledged blocks of which there was one copy", |of| { off(of); of.kill = Kill::Worker }),
    row("G4", "nothing: others have a second copy", |of| { off(of); two(of); of.kill = Kill::Worker }),
    row("G5", "what was acknowledged and not worked off", |of| { off(of); of.kill = Kill::Driver }),
    row("G5", "the same: no copy outlives the driver", |of| { off(of); two(of); of.kill = Kill::Driver }),
    row("G6", "only what waits for its block", |of| { unreliable(of); of.kill = Kill::Worker }),
    row("G6", "the same, with a copy beside the log", |of| { unreliable(of); two(of); of.kill = Kill::Worker }),
    row("G7", "nothing: receivers outlive the driver", |of| { unreliable(of); of.kill = Kill::Driver }),
    row("G7", "the same, with a copy beside the log", |of| { unreliable(of); two(of); of.kill = Kill::Driver }),
    row("G8", "nothing", |of| of.kill = Kill::Worker),
    row("G8", "nothing, with a copy beside the log", |of| { two(of); of.kill = Kill::Worker }),
    row("G8", "what only the dead worker's disk had", |of| { of.own_disk = true; of.kill = Kill::Worker }),
    row("G8", "nothing: others have a copy of what that disk had", |of| { of.own_disk = true; two(of); of.kill = Kill::Worker }),
    row("G9", "nothing", |of| of.kill = Kill::Driver),
    row("G9", "nothing, with a copy beside the log", |of| { two(of); of.kill = Kill::Driver }),
    row("G8+9", "nothing, whoever dies", |of| of.kill = Kill::Both),
    row("G10", "nothing: the journal says which files a batch has", |of| { of.source = SourceKind::Files; of.kill = Kill::Driver }),
    row("G11", "nothing: the journal says which ranges a batch has", |of| { of.source = SourceKind::Direct; of.kill = Kill::Driver }),
    Row { also: &["output-known"], ..row("G12", "a batch has the same input when it is run again", |of| { of.fault = Fault::BeforeCommitting; of.kill = Kill::None }) },
    row("G13", "outputs without a name, published again", |of| { of.sink = SinkKind::Plain; of.fault = Fault::BeforeCommitting; of.kill = Kill::None }),
    Row { also: &["output-known"], ..row("G13", "none: outputs are published once, under their names", |of| { of.fault = Fault::BeforeCommitting; of.kill = Kill::Driver }) },
    Row { also: &["output-known"], ..row("G13", "none: the same, each output a file", |of| { of.sink = SinkKind::Files; of.fault = Fault::BeforeCommitting; of.kill = Kill::Driver }) },
    row("G14", "nothing: killed between reporting and acknowledging", |of| { of.fault = Fault::BeforeAcknowledging; of.kill = Kill::None }),
    row("G15", "nothing: receivers stop in order", |of| { unreliable(of); of.kill = Kill::Stop }),
    row("G15", "nothing: receivers stop in order", |of| of.kill = Kill::Stop),
    Row { also: &["failed"], ..row("G16", "nothing: failed batches keep what they have", |of| { of.fault = Fault::SomeBatches; of.kill = Kill::Driver }) },
    Row { also: &["no-checkpoint", "not-cleaned"], ..row("G17", "nothing: no checkpoint, so nothing is removed", |of| { of.fault = Fault::Checkpoints; of.kill = Kill::Driver }) },
    Row { also: &["passed-over"], ..row("G18", "nothing: an older checkpoint still has all it needs", |of| { of.fault = Fault::NewestRots; of.kill = Kill::Driver }) },
];

const fn row(name: &'static str, says: &'static str, choose: fn(&mut Options)) -> Row {
    Row { name, says, choose, also: &[] }
}

fn off(of: &mut Options) {
    of.wal = false;
}

fn unreliable(of: &mut Options) {
    of.source = SourceKind::Unreliable;
}

fn two(of: &mut Options) {
    of.replicas = 2;
}

/// How long a row is run.
const SECONDS: f64 = 3.0;
/// Batches take so long that there is something to lose.
const BATCH_MILLIS: u64 = 400;
/// Kills are random: a row that has not shown what it is to show is run again, with other ones.
const TRIES: u64 = 4;

/// Runs all rows; whether each was as promised.
pub(crate) fn run(options: &Options) -> Result<bool> {
    println!(
        "{:5} {:11} {:4} {:7} {:6} {:7} {:>15} {:>15}  what is lost or doubled, as promised",
        "", "source", "log", "at", "copies", "killed", "lost", "doubled"
    );
    let (mut failed, mut shown) = (0, 0);
    for row in ROWS {
        let mut lies = Options::default();
        (row.choose)(&mut lies);
        if options.store.is_some() && lies.may_lose_blocks() {
            continue;
        }
        shown += 1;
        let mut outcome = Outcome::default();
        let mut chosen = options.clone();
        for attempt in 0..TRIES {
            chosen = Options {
                seconds: SECONDS,
                batch_millis: BATCH_MILLIS,
                seed: options.seed + attempt,
                ..Options::default()
            };
            (row.choose)(&mut chosen);
            let dir = tempfile::tempdir()?;
            let folder = options.store.as_deref().map(store::Folder::new).transpose()?;
            chosen.store = folder.as_ref().map(|folder| folder.proven.clone());
            outcome = run::run(&chosen, dir.path(), &mut Progress::none())?;
            if let Some(folder) = folder {
                show::removed(&folder.url, folder.remove());
            }
            if row.is_shown(&chosen, &outcome) || row.is_broken(&chosen, &outcome) {
                break;
            }
        }
        let as_promised = row.is_shown(&chosen, &outcome);
        failed += u32::from(!as_promised);
        row.print(&chosen, &outcome, as_promised);
    }
    println!();
    match failed {
        0 => println!("All {shown} rows are as promised; seed {}.", options.seed),
        _ => println!("{failed} of {shown} rows are NOT as promised; seed {}.", options.seed),
    }
    Ok(failed == 0)
}

impl Row {
    fn is_shown(&self, options: &Options, outcome: &Outcome) -> bool {
        outcome.is_as_promised(options) && self.also.iter().all(|what| outcome.times(what) > 0)
    }

    /// More kills would not mend it.
    fn is_broken(&self, options: &Options, outcome: &Outcome) -> bool {
        let too_many = |promised: Promised, count| promised == Promised::Nothing && !promised.allows(count);
        !outcome.failures.is_empty()
            || !outcome.proof.wrong.is_empty()
            || too_many(options.loses(), outcome.proof.lost)
            || too_many(options.doubles(), outcome.proof.doubled)
    }

    fn print(&self, options: &Options, outcome: &Outcome, as_promised: bool) {
        let log = match (options.has_receivers(), options.wal) {
            (false, _) => "-",
            (_, true) => "on",
            (_, false) => "off",
        };
        let at = match (log, options.own_disk) {
            ("on", true) => "own",
            ("on", false) => "shared",
            _ => "-",
        };
        let killed = match options.fault {
            Fault::BeforeAcknowledging => "at ack",
            Fault::BeforeCommitting if options.kill == Kill::None => "at sink",
            _ => return self.print_row(log, at, &options.kill.to_string(), options, outcome, as_promised),
        };
        self.print_row(log, at, killed, options, outcome, as_promised);
    }

    fn print_row(
        &self,
        log: &str,
        at: &str,
        killed: &str,
        options: &Options,
        outcome: &Outcome,
        as_promised: bool,
    ) {
        let of = |promised: Promised, count: u64| {
            let promised = match promised {
                options::Promised::Nothing => "0",
                options::Promised::Some => ">0",
                options::Promised::Any => "any",
            };
            format!("{} of {promised}", digits(count))
        };
        println!(
            "{:5} {:11} {log:4} {at:7} {:6} {killed:7} {:>15} {:>15}  {}{}",
            self.name,
            options.source.to_string(),
            options.replicas,
            of(options.loses(), outcome.proof.lost),
            of(options.doubles(), outcome.proof.doubled),
            if as_promised { "" } else { "NOT AS PROMISED: " },
            self.says,
        );
        for what in outcome.failures.iter().chain(&outcome.proof.wrong) {
            println!("      {what}");
        }
        for what in self.also.iter().filter(|what| outcome.times(what) == 0) {
            println!("      it was not shown: no {what}");
        }
    }
}
