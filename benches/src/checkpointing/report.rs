//! One run of everything, in interleaved rounds, as text.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use headwater_checkpoint::Options;

use super::{
    Beside, ByHand, Ours, Pace, Rounds, Sections, Shape, anonymous_bytes, anonymous_peak, processor_time,
    quantile, settle,
};

/// What is run, and how large.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder to bench in.
    pub dir: PathBuf,
    /// How many rounds.
    pub rounds: usize,
    /// How many sections a checkpoint has.
    pub sections: usize,
    /// The length of each.
    pub section_bytes: usize,
    /// How often a small checkpoint is written.
    pub small: usize,
    /// For how long appends go on beside checkpoints, for each row and round, at least.
    pub beside: Duration,
    /// Which parts are run: those whose names are here, or all.
    pub only: Vec<String>,
}

const MIB: f64 = (1 << 20) as f64;
/// A part of a run: what it does, and reports.
type Part = fn(&Plan) -> String;

const PARTS: [(&str, Part); 5] =
    [("memory", memory), ("records", records), ("noise", noise), ("small", small), ("beside", beside)];

impl Plan {
    /// So small that a test can run it: its figures say nothing.
    pub fn small(dir: PathBuf) -> Plan {
        Plan {
            dir,
            rounds: 2,
            sections: 4,
            section_bytes: 1 << 20,
            small: 5,
            beside: Duration::from_millis(50),
            only: Vec::new(),
        }
    }

    /// Runs it; each part's report is handed out as it comes.
    pub fn run(&self, mut show: impl FnMut(&str)) {
        if let Some(unknown) = self.only.iter().find(|name| PARTS.iter().all(|(part, _)| part != name)) {
            panic!("there is no part {unknown}; there are {:?}", PARTS.map(|(part, _)| part));
        }
        for (name, part) in PARTS {
            if self.only.is_empty() || self.only.iter().any(|only| only == name) {
                show(&format!("## {name}\n{}", part(self)));
            }
        }
    }

    fn sizes(&self) -> String {
        format!("{} sections of {:.2} MiB", self.sections, self.section_bytes as f64 / MIB)
    }
}

/// The first part, so that nothing that ran before has left memory to use again. What writing leaves for restoring is
/// counted as restoring's too.
fn memory(plan: &Plan) -> String {
    let sections = Sections::records(plan.sections, plan.section_bytes);
    let before = anonymous_bytes();
    let mut ours = Ours::start(&plan.dir, Options::default()).expect("a writer");
    let (_, write) = anonymous_peak(|| ours.write(&sections, |_| true).expect("a checkpoint"));
    let (_, restore) = anonymous_peak(|| ours.restore().expect("a checkpoint"));
    let [write, restore] = [write, restore].map(|peak| peak.saturating_sub(before) as f64 / MIB);
    format!(
        "{}: anonymous memory beside the sections, while written: {write:.1} MiB; while restored: {restore:.1} MiB\n",
        plan.sizes()
    )
}

fn records(plan: &Plan) -> String {
    large(plan, Sections::records(plan.sections, plan.section_bytes))
}

fn noise(plan: &Plan) -> String {
    large(plan, Sections::noise(plan.sections, plan.section_bytes))
}

/// Every row of it in every round, each on a disk that has nothing else to do.
fn large(plan: &Plan, mut sections: Sections) -> String {
    const BY_HAND: [(&str, Shape, usize); 3] = [
        ("by hand, a file each", Shape::FilePerSection, 1),
        ("by hand, one file", Shape::OneFile, 1),
        ("by hand, a file each, 2 threads", Shape::FilePerSection, 2),
    ];
    let mut rounds = Rounds::default();
    let (all, mut stored) = (sections.bytes(), [0.0; 3]);
    let rate = |took: Duration| all as f64 / MIB / took.as_secs_f64();
    for _ in 0..plan.rounds {
        let mut ours = Ours::start(&plan.dir, Options::default()).expect("a writer");
        let mut write =
            |rounds: &mut Rounds, name: &str, sections: &Sections, changed: &dyn Fn(usize) -> bool| {
                let body = || {
                    let written = ours.write(sections, changed).expect("a checkpoint");
                    (written.took, written.stored_bytes as f64 / MIB)
                };
                on_a_quiet_disk(rounds, plan, sections, name, body)
            };
        let first = write(&mut rounds, "first", &sections, &|_| true);
        sections.change_a_little();
        let one = write(&mut rounds, "one changed", &sections, &|number| number == plan.sections / 2);
        let every = write(&mut rounds, "every one changed", &sections, &|_| true);
        stored = [first, one, every];
        warm_and_cold(&mut rounds, "restore", rate, || ours.cool(), || ours.restore().expect("a checkpoint"));
        drop(ours);
        for (name, shape, threads) in BY_HAND {
            let mut by_hand = ByHand::new(&plan.dir, shape);
            on_a_quiet_disk(&mut rounds, plan, &sections, name, || (by_hand.write(&sections, threads), ()));
            if threads == 1 {
                let name = name.replace("by hand", "read by hand");
                warm_and_cold(&mut rounds, &name, rate, || by_hand.cool(), || by_hand.restore().0);
            }
        }
    }
    let mut text = format!("{}, {} rounds\n", plan.sizes(), plan.rounds);
    let mut row = |name: &str, against: &str| {
        let ([median, least, most], [ratio, low, high]) = (rounds.of(name), rounds.ratio(name, against));
        writeln!(
            text,
            "{name:36} {median:7.0} MiB/s ({least:.0}..{most:.0})  {ratio:5.2} ({low:.2}..{high:.2}) of {against}; {:.2} s \
             of processors",
            rounds.of(&format!("{name}, processors"))[0]
        )
        .expect("memory takes all");
    };
    let best = rounds.greatest(&[BY_HAND[0].0, BY_HAND[1].0]);
    for name in ["first", "every one changed", BY_HAND[0].0, BY_HAND[1].0, BY_HAND[2].0] {
        row(name, best);
    }
    for heat in ["warm", "cold"] {
        let names = ["a file each", "one file"].map(|shape| format!("read by hand, {shape}, {heat}"));
        let best = rounds.greatest(&[&names[0], &names[1]]).to_owned();
        for name in [&format!("restore, {heat}"), &names[0], &names[1]] {
            row(name, &best);
        }
    }
    let [first, one, every] = stored;
    let share = 100.0 * one / first;
    let [time, low, high] = rounds.ratio("one changed, seconds", "first, seconds");
    writeln!(text, "one changed: {time:.3} ({low:.3}..{high:.3}) of the first's time")
        .expect("memory takes all");
    writeln!(
        text,
        "stored: first {first:.1} MiB, one changed {one:.1} MiB ({share:.1} %), every one {every:.1} MiB"
    )
    .expect("memory takes all");
    text
}

/// How fast all sections went by, for how much processor time; and what else the body answers.
fn on_a_quiet_disk<T>(
    rounds: &mut Rounds,
    plan: &Plan,
    sections: &Sections,
    name: &str,
    body: impl FnOnce() -> (Duration, T),
) -> T {
    settle(&plan.dir, sections.bytes());
    let before = processor_time();
    let (took, answer) = body();
    rounds.add(format!("{name}, processors"), (processor_time() - before).as_secs_f64());
    rounds.add(format!("{name}, seconds"), took.as_secs_f64());
    rounds.add(name, sections.bytes() as f64 / MIB / took.as_secs_f64());
    answer
}

/// One more time than is measured, so that warm is warm.
fn warm_and_cold(
    rounds: &mut Rounds,
    name: &str,
    rate: impl Fn(Duration) -> f64,
    cool: impl Fn(),
    body: impl Fn() -> Duration,
) {
    body();
    for heat in ["warm", "cold"] {
        if heat == "cold" {
            cool();
        }
        let before = processor_time();
        rounds.add(format!("{name}, {heat}"), rate(body()));
        rounds.add(format!("{name}, {heat}, processors"), (processor_time() - before).as_secs_f64());
    }
}

/// A checkpoint of one section of 20 KiB that lies inside, with its sweep, and a file that is replaced, in turn.
fn small(plan: &Plan) -> String {
    let mut text = String::new();
    for (what, sections) in
        [("records", Sections::records(1, 20 << 10)), ("noise", Sections::noise(1, 20 << 10))]
    {
        let mut rounds = Rounds::default();
        let mut ours = Ours::start(&plan.dir, Options::default()).expect("a writer");
        // From the eleventh on one is swept each time.
        for _ in 0..12 {
            ours.write(&sections, |_| true).expect("a checkpoint");
        }
        settle(&plan.dir, sections.bytes());
        for _ in 0..plan.small {
            let took = ours.write(&sections, |_| true).expect("a checkpoint").took;
            rounds.add("ours", took.as_secs_f64() * 1e6);
            let by_hand = super::replace_small(ours.dir(), sections.get(0));
            rounds.add("by hand", by_hand.as_secs_f64() * 1e6);
        }
        let ([ours, ..], [by_hand, ..]) = (rounds.of("ours"), rounds.of("by hand"));
        let [ratio, ..] = rounds.ratio("ours", "by hand");
        writeln!(
            text,
            "20 KiB of {what}, {} times in turn: {ours:.0} us, by hand {by_hand:.0} us; medians' ratio {:.2}, ratios' \
             median {ratio:.2}",
            plan.small,
            ours / by_hand
        )
        .expect("memory takes all");
    }
    text
}

/// Appends beside checkpoints that follow one another, with and without a bound on their rate.
fn beside(plan: &Plan) -> String {
    fn paced(options: Options, mb: u64) -> Options {
        options.bytes_per_second(Some(mb * 1_000_000))
    }
    // One upload keeps one core free of compressing; small parts make small bursts.
    fn gently(options: Options) -> Options {
        options.uploads(1).part_bytes(256 << 10)
    }
    type Choose = fn(Options) -> Options;
    const ROWS: [(&str, Option<Choose>); 7] = [
        ("no checkpoint", None),
        ("checkpoints", Some(|options| options)),
        ("at 200 MB/s", Some(|options| paced(options, 200))),
        ("at 50 MB/s", Some(|options| paced(options, 50))),
        ("gently", Some(gently)),
        ("gently, 50 MB/s", Some(|options| paced(gently(options), 50))),
        ("gently, 20 MB/s", Some(|options| paced(gently(options), 20))),
    ];
    const PACES: [(&str, Pace); 2] =
        [("2,000 a second", Pace::PerSecond(2000)), ("one waiting", Pace::Waiting)];
    const SHARES: [(&str, f64); 4] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("most", 1.0)];
    let sections = Sections::records(plan.sections, plan.section_bytes);
    let mut rounds = Rounds::default();
    for _ in 0..plan.rounds {
        for (row, checkpoints) in ROWS {
            for (pace_name, pace) in PACES {
                let log = Beside::new(&plan.dir).expect("a log");
                let options = Options::default().keep_last(2);
                let options = checkpoints.map_or(options.clone(), |choose| choose(options));
                let mut ours = Ours::start(&plan.dir, options).expect("a writer");
                settle(&plan.dir, sections.bytes());
                let began = Instant::now();
                let mut written = 0;
                let took = log.while_running(pace, || match checkpoints {
                    None => std::thread::sleep(plan.beside),
                    Some(_) => {
                        while written == 0 || began.elapsed() < plan.beside {
                            ours.write(&sections, |_| true).expect("a checkpoint");
                            written += 1;
                        }
                    }
                });
                let seconds = began.elapsed().as_secs_f64();
                let name = format!("{row}, {pace_name}");
                rounds.add(format!("{name}, appends"), took.len() as f64 / seconds);
                rounds.add(format!("{name}, checkpoint"), seconds / f64::from(written.max(1)));
                for (share_name, share) in SHARES {
                    let micros = quantile(&took, share).as_secs_f64() * 1e6;
                    rounds.add(format!("{name}, {share_name}"), micros);
                }
            }
        }
    }
    let mut text =
        format!("{}, one checkpoint after the other; medians of {} rounds\n", plan.sizes(), plan.rounds);
    for (pace_name, _) in PACES {
        writeln!(text, "appends of 1 KiB, {pace_name}: microseconds").expect("memory takes all");
        for (row, checkpoints) in ROWS {
            let of = |what: &str| rounds.of(&format!("{row}, {pace_name}, {what}"));
            write!(text, "  {row:16}").expect("memory takes all");
            for (share, _) in SHARES {
                let [median, least, most] = of(share);
                write!(text, "  {share} {median:.0} ({least:.0}..{most:.0})").expect("memory takes all");
            }
            write!(text, "  {:.0} appends/s", of("appends")[0]).expect("memory takes all");
            if checkpoints.is_some() {
                write!(text, ", a checkpoint in {:.2} s", of("checkpoint")[0]).expect("memory takes all");
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_runs_small_and_reports_its_rows() {
        let mut all = String::new();
        Plan::small(std::env::temp_dir()).run(|text| all.push_str(text));
        for row in ["first ", "one changed", "restore, cold", "20 KiB of noise", "anonymous", "at 50 MB/s"] {
            assert!(all.contains(row), "{row} is not in {all}");
        }
    }
}
