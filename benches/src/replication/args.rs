//! What the command line asks for.

use std::path::PathBuf;

use super::Result;
use super::system::{SYSTEMS, System};

pub(super) const USAGE: &str = "\
usage: headwater-benches replication [OPTION...]
  --rounds N            how often every case is measured (5); 0 only reports what --with names
  --seconds S           for how long each (0.5); before that it runs for a half of it, which is not counted, and its logs fill
                        four segments each before, at most for 2 s
  --receivers N,...     how many receivers there are (1,2,4,8)
  --blocks SIZE,...     how long a block is (1KiB,16KiB,64KiB,1MiB)
  --outstanding N,...   blocks of a receiver that may be unacknowledged in a closed loop; `full` is 8 MiB of them, from 2
                        to 1,024 blocks (full); one by one is 1
  --open SIZE:N,...     block lengths and receivers of the open loops (64KiB:4); `none`
  --parts F,...         their rates, as parts of what the slowest log on local disk that survives a power cut made of the
                        same blocks in a closed loop (0.1,0.25,0.5,0.75)
  --rates N,...         or so many blocks a second, of all receivers together
  --only SYSTEM,...     of these only: memory, copies-2, copies-3, log-process, log-power, copies-2+log-power, log-object
  --object URL          where logs of log-object lie (s3://...; memory: is an object store in the process); without it, or
                        HEADWATER_BENCH_OBJECT, log-object is left out
  --dir DIR             where logs are made: a folder on the disk in question (HEADWATER_BENCH_DIR, or beside the program)
  --out FOLDER          where report.txt, lines.jsonl and the plots go (replication, beside the program)
  --with FILE           lines of other systems, for the same report; may be repeated
  --seed N              the seed of the order of the cases (1)
  --small               tiny sizes, one round: it shows that everything runs, and no figure of it says anything";

/// The command line, understood.
#[derive(Clone, Debug)]
pub(super) struct Args {
    pub(super) rounds: u64,
    pub(super) seconds: f64,
    pub(super) receivers: Vec<u64>,
    pub(super) blocks: Vec<u64>,
    /// None is `full`.
    pub(super) outstanding: Vec<Option<u64>>,
    /// Block lengths and receivers.
    pub(super) open: Vec<(u64, u64)>,
    pub(super) parts: Vec<f64>,
    /// None: as parts say.
    pub(super) rates: Vec<f64>,
    pub(super) systems: Vec<&'static System>,
    pub(super) object: Option<String>,
    pub(super) dir: PathBuf,
    pub(super) out: PathBuf,
    pub(super) with: Vec<PathBuf>,
    pub(super) seed: u64,
    /// Whether logs fill some segments before anything is counted.
    pub(super) settles: bool,
}

impl Args {
    /// None if help is asked for. Refuses what it does not know.
    pub(super) fn parse(words: &[String]) -> Result<Option<Args>> {
        let beside = std::env::current_exe()?.parent().unwrap_or("/".as_ref()).to_path_buf();
        let mut args = Args {
            rounds: 5,
            seconds: 0.5,
            receivers: vec![1, 2, 4, 8],
            blocks: [1, 16, 64, 1024].map(|kib| kib << 10).to_vec(),
            outstanding: vec![None],
            open: vec![(64 << 10, 4)],
            parts: vec![0.1, 0.25, 0.5, 0.75],
            rates: Vec::new(),
            systems: Vec::new(),
            object: std::env::var("HEADWATER_BENCH_OBJECT").ok(),
            dir: crate::folder(beside.to_str().unwrap_or(".")),
            out: beside.join("replication"),
            with: Vec::new(),
            seed: 1,
            settles: true,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--small" => args.shrink(),
                _ => {
                    let value = words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"))?;
                    args.set(word, value)
                        .ok_or_else(|| format!("not understood: {word} {value}\n{USAGE}"))?;
                }
            }
        }
        if args.systems.is_empty() {
            args.systems = SYSTEMS.iter().collect();
        }
        if args.object.is_none() {
            args.systems.retain(|system| !system.is_object());
        }
        let rates = args.parts.iter().chain(&args.rates).all(|rate| rate.is_finite() && *rate > 0.0);
        let sane = args.seconds > 0.0 && args.seconds < 3600.0 && rates && !args.systems.is_empty();
        sane.then_some(Some(args))
            .ok_or_else(|| format!("seconds, parts and rates are above 0\n{USAGE}").into())
    }

    /// So small that a test can run it.
    fn shrink(&mut self) {
        (self.rounds, self.seconds, self.settles) = (1, 0.05, false);
        (self.receivers, self.blocks) = (vec![2], vec![1 << 10, 64 << 10]);
        (self.open, self.rates) = (vec![(64 << 10, 2)], vec![200.0]);
    }

    /// Takes one option; none if there is no such option, or it has no such value.
    fn set(&mut self, word: &str, value: &str) -> Option<()> {
        let outstanding = |word: &str| if word == "full" { Some(None) } else { count(word).map(Some) };
        let open = |word: &str| {
            let (block, receivers) = word.split_once(':')?;
            Some((size(block)?, count(receivers)?))
        };
        match word {
            "--rounds" => self.rounds = value.parse().ok()?,
            "--seconds" => self.seconds = value.parse().ok()?,
            "--receivers" => self.receivers = list(value, count)?,
            "--blocks" => self.blocks = list(value, size)?,
            "--outstanding" => self.outstanding = list(value, outstanding)?,
            "--open" if value == "none" => self.open.clear(),
            "--open" => self.open = list(value, open)?,
            "--parts" => self.parts = list(value, |word| word.parse().ok())?,
            "--rates" => self.rates = list(value, |word| word.parse().ok())?,
            "--only" => self.systems = list(value, super::system::named)?,
            "--object" => self.object = Some(value.into()),
            "--dir" => self.dir = value.into(),
            "--out" => self.out = value.into(),
            "--with" => self.with.push(value.into()),
            "--seed" => self.seed = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }

    /// How many blocks of a receiver may be on their way: 8 MiB of them, if it is not said.
    pub(super) fn outstanding(block_bytes: u64, asked: Option<u64>) -> u64 {
        asked.unwrap_or(((8 << 20) / block_bytes).clamp(2, 1024))
    }
}

fn list<T>(words: &str, each: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    words.split(',').map(each).collect()
}

fn count(word: &str) -> Option<u64> {
    word.parse().ok().filter(|count| (1..=1024).contains(count))
}

/// A length, as `64KiB`.
fn size(word: &str) -> Option<u64> {
    let (number, unit) = word.split_at(word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len()));
    let unit = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    // A block is a record of its log, and held twice as it grows.
    number.parse::<u64>().ok()?.checked_mul(unit).filter(|bytes| (8..=8 << 20).contains(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Option<Args>> {
        Args::parse(&words.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let args = parse(
            "--blocks 1KiB,2MiB --receivers 3 --open 16KiB:2 --only log-power,memory --outstanding full,1",
        );
        let args = args.unwrap().unwrap();
        assert_eq!(
            (args.blocks, args.receivers, args.open),
            (vec![1024, 2 << 20], vec![3], vec![(16384, 2)])
        );
        assert_eq!(
            args.systems.iter().map(|system| system.name).collect::<Vec<_>>(),
            ["log-power", "memory"]
        );
        assert_eq!(args.outstanding, [None, Some(1)]);
        assert!(parse("--help").unwrap().is_none());
        for wrong in [
            "--blocks 1K",
            "--blocks 9MiB",
            "--receivers 0",
            "--only log",
            "--rounds",
            "--what 1",
            "--parts 0",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
