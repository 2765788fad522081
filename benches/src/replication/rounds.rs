//! The parent process: interleaved rounds of cases, then the report.

use std::fs;
use std::io::{BufReader, Write};
use std::time::Instant;

use super::args::Args;
use super::case::{self, Job};
use super::line::{self, Line, Load};
use super::system::{At, System};
use super::{Result, losing, plot, report, summary};
use crate::measure::device::Device;
use crate::measure::machine;
use crate::measure::random::Random;

/// Measures what the command line asks for, and reports it with lines of others.
pub(super) fn run(args: &Args) -> Result<()> {
    fs::create_dir_all(&args.out)?;
    let mut lines = Vec::new();
    for path in &args.with {
        lines.extend(line::read(BufReader::new(fs::File::open(path)?), &path.display().to_string())?);
    }
    let mut head = Vec::new();
    if args.rounds > 0 {
        let began = Instant::now();
        head = machine::describe(&Device::of(&args.dir)?);
        let measured = Rounds::begin(args)?.measure()?;
        let words: Vec<String> = std::env::args().skip(1).collect();
        let words = words.join(" ");
        let words =
            args.object.as_deref().map_or(words.clone(), |url| words.replace(url, super::place::shown(url)));
        head.push(format!("command: headwater-benches {words}"));
        head.push(format!(
            "{} cases in {:.0} s, order by seed {}",
            measured.len(),
            began.elapsed().as_secs_f64(),
            args.seed
        ));
        // Others' lines come last, as in the tables.
        lines.splice(0..0, measured);
    }
    let text = report::text(&head, &lines);
    fs::write(args.out.join("report.txt"), &text)?;
    fs::write(
        args.out.join("lines.jsonl"),
        lines.iter().map(|line| line.to_json() + "\n").collect::<String>(),
    )?;
    for (name, svg) in plot::all(&lines) {
        fs::write(args.out.join(name), svg)?;
    }
    print!("{text}");
    println!("\nThis report, its lines and plots are in {}.", args.out.display());
    Ok(())
}

/// A length of blocks, a number of receivers and a load: what systems are compared at.
#[derive(Clone, Copy, Debug)]
struct Point {
    block_bytes: u64,
    receivers: u64,
    load: Load,
}

struct Rounds<'a> {
    args: &'a Args,
    /// Removed at the end; what a killed run left there is the operating system's to find.
    place: tempfile::TempDir,
    /// A folder on the object store that no other run has.
    object: Option<String>,
    counted: Vec<[String; 2]>,
    json: fs::File,
}

impl<'a> Rounds<'a> {
    fn begin(args: &'a Args) -> Result<Rounds<'a>> {
        let place =
            tempfile::tempdir_in(&args.dir).map_err(|error| format!("no folder to bench in: {error}"))?;
        let json = fs::File::create(args.out.join("lines.jsonl"))?;
        let mut rounds = Rounds { args, place, object: None, counted: Vec::new(), json };
        rounds.object = rounds.proven()?;
        let (dir, object) = (rounds.place.path().join("losing"), rounds.object.clone());
        let count = |system: &&System| losing::count(system, &dir, object.as_deref());
        rounds.counted = args.systems.iter().map(count).collect::<Result<_>>()?;
        Ok(rounds)
    }

    /// Closed loops first: they say at which rates the open ones are run.
    fn measure(mut self) -> Result<Vec<Line>> {
        let mut points = Vec::new();
        for &block_bytes in &self.args.blocks {
            for &receivers in &self.args.receivers {
                for &asked in &self.args.outstanding {
                    let outstanding = Args::outstanding(block_bytes, asked);
                    points.push(Point { block_bytes, receivers, load: Load::Closed { outstanding } });
                }
            }
        }
        let mut lines = self.rounds(&points)?;
        let open = self.open(&lines);
        lines.extend(self.rounds(&open)?);
        Ok(lines)
    }

    /// The open loops whose rates are known.
    fn open(&self, closed: &[Line]) -> Vec<Point> {
        let mut points = Vec::new();
        for &(block_bytes, receivers) in &self.args.open {
            let durable = self
                .args
                .systems
                .iter()
                .filter(|system| matches!(system.log, Some(At::Disk(headwater_wal::Durability::Power))));
            let made = durable.filter_map(|system| {
                let lines = closed.iter().filter(|line| {
                    (line.system == system.name)
                        && (line.block_bytes, line.receivers) == (block_bytes, receivers)
                });
                // Of loops with few and with many on their way it is the faster one.
                summary::closed_rates(lines).into_iter().reduce(f64::max)
            });
            let rates: Vec<f64> = match (&self.args.rates[..], made.reduce(f64::min)) {
                (rates @ [_, ..], _) => rates.to_vec(),
                ([], Some(slowest)) => self.args.parts.iter().map(|part| nice(part * slowest)).collect(),
                ([], None) => {
                    eprintln!(
                        "no open loops of blocks of {block_bytes} B and {receivers} receivers: no rate is known"
                    );
                    Vec::new()
                }
            };
            points.extend(rates.into_iter().map(|blocks_per_second| Point {
                block_bytes,
                receivers,
                load: Load::Open { blocks_per_second },
            }));
        }
        points
    }

    /// Every system at every point, round after round: points and systems in a new order in each, so that nothing always
    /// comes after the same, and what is compared stays close together.
    fn rounds(&mut self, points: &[Point]) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        for round in 0..self.args.rounds {
            let mut random = Random::new(self.args.seed.wrapping_mul(1_000_003).wrapping_add(round));
            let mut points = points.to_vec();
            random.shuffle(&mut points);
            for point in points {
                let mut systems: Vec<usize> = (0..self.args.systems.len()).collect();
                random.shuffle(&mut systems);
                for at in systems {
                    let line = self.case(point, at, round)?;
                    eprintln!("{}", report::progress(&line));
                    writeln!(self.json, "{}", line.to_json())?;
                    lines.push(line);
                }
            }
        }
        Ok(lines)
    }

    fn case(&self, point: Point, at: usize, round: u64) -> Result<Line> {
        let system = self.args.systems[at];
        let job = Job {
            system: system.name.into(),
            receivers: point.receivers,
            block_bytes: point.block_bytes,
            load: point.load,
            round,
            seconds: self.args.seconds,
            warm_up_seconds: self.args.seconds / 2.0,
            settles: self.args.settles,
            dir: self.place.path().join("case"),
            object: self.object.clone(),
            counted: self.counted[at].clone(),
        };
        case::run(&job).map_err(|error| format!("{} at {point:?}: {error}", system.name).into())
    }

    /// The folder on the object store, which is proven to be fit for logs here and not again in each case.
    fn proven(&self) -> Result<Option<String>> {
        let is_asked = self.args.systems.iter().any(|system| system.is_object());
        let Some(url) = self.args.object.as_deref().filter(|_| is_asked) else { return Ok(None) };
        let name = self.place.path().file_name().unwrap_or_default().to_string_lossy();
        let url = super::place::below(url, name.trim_start_matches('.'));
        headwater_wal::store::open(&url)?.prove()?;
        Ok(Some(super::place::proven(&url)))
    }
}

/// Two digits: a rate is to be said, and asked for again.
fn nice(rate: f64) -> f64 {
    let unit = 10_f64.powf(rate.log10().floor() - 1.0);
    (rate / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_two_digits() {
        assert_eq!(nice(12_345.0), 12_000.0);
        assert!((nice(0.567) - 0.57).abs() < 1e-9);
    }
}
