//! What people see: how it goes, and what came of it.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::children::{DRIVER, Who};
use crate::options::{Options, Promised};
use crate::run::{Outcome, PARTITIONS};
use crate::source::Source;
use crate::{Result, store};

/// One line that says how it goes: again and again in the same place on a terminal, now and then anywhere else.
pub(crate) struct Progress {
    seconds: f64,
    every: Option<Duration>,
    in_place: bool,
    drawn: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(seconds: f64) -> Progress {
        let in_place = std::io::stderr().is_terminal();
        let every = if in_place { Duration::from_millis(100) } else { Duration::from_secs(5) };
        Progress { seconds, every: Some(every), in_place, drawn: None }
    }

    /// Says nothing.
    pub(crate) fn none() -> Progress {
        Progress { seconds: 0.0, every: None, in_place: false, drawn: None }
    }

    pub(crate) fn draw(
        &mut self,
        passed: Duration,
        kills: u32,
        source: &Source,
        counted: u64,
        is_ready: impl Fn(Who) -> bool,
    ) {
        let Some(every) = self.every else { return };
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < every) {
            return;
        }
        self.drawn = Some(Instant::now());
        let sent: u64 = source.partitions().iter().map(|partition| partition.sent).sum();
        let done = (passed.as_secs_f64() / self.seconds.max(0.1)).min(1.0);
        let bar: String = (0..20).map(|cell| if f64::from(cell) < done * 20.0 { '#' } else { '.' }).collect();
        let lives = |who: Who| if is_ready(who) { "up" } else { "--" };
        let receivers =
            (0..PARTITIONS).map(|number| lives(Who("receiver", number))).collect::<Vec<_>>().join(" ");
        let line = format!(
            "[{bar}] {:5.1} s  driver {}  receivers {receivers}  killed {kills:>3}  sent {}  counted {}",
            passed.as_secs_f64(),
            lives(DRIVER),
            digits(sent),
            digits(counted),
        );
        if self.in_place {
            eprint!("\r\x1b[2K{line}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    pub(crate) fn clear(&self) {
        if self.in_place {
            eprint!("\r\x1b[2K");
        }
    }
}

pub(crate) fn begin(options: &Options) {
    println!("Headwater: killed again and again, and nothing lost\n");
    println!(
        "  a source of {} records a second in each of {PARTITIONS} partitions: {}",
        options.rate, options.source
    );
    println!("  the log: {}", the_log(options));
    println!("  killed for {} s: {}; seed {}\n", options.seconds, options.kill, options.seed);
}

fn the_log(options: &Options) -> String {
    let copies = match options.replicas {
        1 => String::new(),
        copies => format!(", blocks in the memory of {copies} processes"),
    };
    if let Some(url) = &options.store {
        let log = if options.has_receivers() { "" } else { "the journal, since batches read the source: " };
        return format!("{log}at {}, before anything is acknowledged{copies}", store::shown(url));
    }
    match (options.has_receivers(), options.wal, options.own_disk) {
        (false, ..) => "none: batches read the source by themselves; the journal is on disk".into(),
        (_, false, _) => format!("off: blocks and journal are in memory only{copies}"),
        (_, _, true) => format!("on disks that die with their receivers{copies}"),
        _ => format!("on disk, synced before anything is acknowledged{copies}"),
    }
}

pub(crate) fn end(options: &Options, outcome: &Outcome) {
    let Outcome { proof, kills, recoveries, .. } = outcome;
    let killed: Vec<_> = kills.iter().map(|(role, times)| format!("{role} {times}")).collect();
    let total: u32 = kills.values().sum();
    row("killed", &format!("{total} times in {:.0} s: {}", outcome.took.as_secs_f64(), join(&killed)));
    for (role, times) in recoveries {
        let each = in_millis(times);
        let mut sorted = each.clone();
        sorted.sort_unstable();
        let (median, worst) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        row(
            "back again",
            &format!("{role}: {median} ms in the median, {worst} ms at worst, from its death to its work"),
        );
        for some in each.chunks(20) {
            row("", &some.iter().map(u128::to_string).collect::<Vec<_>>().join(" "));
        }
    }
    row(
        "sent",
        &format!("{} records, and {} of them again after a kill", digits(proof.sent), digits(outcome.resent)),
    );
    let again = outcome.sum("resumed.1");
    let waiting = outcome.sum("resumed.2");
    row(
        "recovered",
        &format!("{} batches run again, {} blocks that no batch had yet", digits(again), digits(waiting)),
    );
    row(
        "deduplicated",
        &format!(
            "{} records that receivers had, {} outputs that the sink had",
            digits(outcome.sum("known")),
            digits(outcome.times("output-known"))
        ),
    );
    let removed = digits(outcome.sum("removed"));
    row("removed", &format!("{removed} segments of receivers' logs, which nobody needed any more"));
    let most: Vec<_> = proof.most.iter().map(|(word, count)| format!("{word} {}", digits(*count))).collect();
    row("counted", &format!("{} words: {}, …", digits(proof.words), most.join(", ")));
    println!();
    for wrong in proof.wrong.iter().chain(&outcome.failures) {
        println!("  WRONG: {wrong}");
    }
    let times = outcome.times("output-differs");
    if times > 0 {
        println!("  WRONG: {times} batches had another input when they were run again");
    }
    verdict(options, outcome);
}

fn verdict(options: &Options, outcome: &Outcome) {
    let (lost, doubled) = (outcome.proof.lost, outcome.proof.doubled);
    if outcome.is_as_promised(options) && lost == 0 && doubled == 0 {
        println!(
            "  PROVEN: all {} records are in the result, each exactly once.",
            digits(outcome.proof.sent)
        );
        return;
    }
    println!("  {} records are lost, and {} were counted more than once.", digits(lost), digits(doubled));
    let meant = |what: &str, promised: Promised, count: u64| match (promised, promised.allows(count)) {
        (Promised::Nothing, false) => println!("  NOT PROVEN: none was to be {what}."),
        (Promised::Some, false) => {
            println!("  NOT SHOWN: of such a choice some are {what}. Did it run for long enough?")
        }
        (_, true) if count > 0 => {
            println!("  That is what was chosen: see the table of guarantees (--table).")
        }
        _ => {}
    };
    meant("lost", options.loses(), lost);
    meant("counted twice", options.doubles(), doubled);
}

pub(crate) fn where_to_look(place: &str) {
    println!("\nLook at what is left:");
    let features = store::feature(place).map_or_else(String::new, |feature| format!("--features {feature} "));
    let inspect = format!("cargo run --release -p headwater-fsck {features}--bin wal-inspect --");
    // The options of a URL may be secrets.
    let options = if store::shown(place) == place { "" } else { "?OPTIONS" };
    let dir = format!("{}{options}", store::shown(place));
    println!("  {inspect} journal {dir}");
    println!("  {inspect} checkpoints {dir}");
    println!("  {inspect} check {dir}");
}

/// Only what is left behind is worth a word.
pub(crate) fn removed(url: &str, removed: Result<()>) {
    if let Err(error) = removed {
        eprintln!("not all of it could be removed: {}: {error}", store::shown(url));
    }
}

fn row(name: &str, what: &str) {
    println!("  {name:<14}{what}");
}

fn join(parts: &[String]) -> String {
    if parts.is_empty() { "nobody".into() } else { parts.join(", ") }
}

fn in_millis(times: &[Duration]) -> Vec<u128> {
    times.iter().map(Duration::as_millis).collect()
}

/// 1234567 as 1,234,567.
pub(crate) fn digits(number: u64) -> String {
    let text = number.to_string();
    let mut out = String::new();
    for (place, digit) in text.chars().enumerate() {
        if place > 0 && (text.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
