//! What the command line asks for.

use std::path::PathBuf;

use crate::Result;

const USAGE: &str = "\
usage: run [OPTION...]
  --rounds N     how often every case runs (5)
  --seconds S    for how long a case is measured, after a warm-up of its own (0.5)
  --only TEXT    only systems whose name contains TEXT; may be repeated
  --dir DIR      where logs are made: a folder on the disk in question (HEADWATER_BENCH_DIR, or the target directory)
  --json FILE    the lines go there, and not to the standard output
  --hdfs         logs on HDFS instead, Spark's and ours; `run` adds the folder, hdfs://HOST:PORT/FOLDER
  --seed N       the seed of the order of the systems (1)
  --small        one round, tiny sizes; it shows that everything runs, and its figures say nothing
  --list         names the systems and what each survives";

/// The command line, understood.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) rounds: u64,
    pub(crate) seconds: f64,
    pub(crate) only: Vec<String>,
    pub(crate) dir: PathBuf,
    pub(crate) json: Option<PathBuf>,
    pub(crate) hdfs: Option<String>,
    pub(crate) seed: u64,
    pub(crate) small: bool,
    pub(crate) list: bool,
    /// Spark's jars, and our classes; `run` says where.
    pub(crate) jars: PathBuf,
    pub(crate) classes: PathBuf,
    /// For a child: the system that it measures once, in which round.
    pub(crate) session: Option<String>,
    pub(crate) round: u64,
}

impl Args {
    /// Refuses what it does not know.
    pub(crate) fn parse(words: &[String]) -> Result<Args> {
        let mut args = Args {
            rounds: 5,
            seconds: 0.5,
            only: Vec::new(),
            dir: PathBuf::new(),
            json: None,
            hdfs: None,
            seed: 1,
            small: false,
            list: false,
            jars: PathBuf::new(),
            classes: PathBuf::new(),
            session: None,
            round: 0,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--rounds" => args.rounds = value()?.parse()?,
                "--seconds" => args.seconds = value()?.parse()?,
                "--only" => args.only.push(value()?.clone()),
                "--dir" => args.dir = value()?.into(),
                "--json" => args.json = Some(value()?.into()),
                "--hdfs" => args.hdfs = Some(value()?.trim_end_matches('/').into()),
                "--seed" => args.seed = value()?.parse()?,
                "--small" => (args.small, args.rounds, args.seconds) = (true, 1, 0.1),
                "--list" => args.list = true,
                "--jars" => args.jars = value()?.into(),
                "--classes" => args.classes = value()?.into(),
                "--session" => args.session = Some(value()?.clone()),
                "--round" => args.round = value()?.parse()?,
                _ => return Err(format!("unknown: {word}\n{USAGE}").into()),
            }
        }
        let sane = args.rounds > 0 && args.seconds > 0.0 && args.seconds < 600.0;
        sane.then_some(args).ok_or_else(|| format!("rounds and seconds must be above 0\n{USAGE}").into())
    }

    /// Whether a system is asked for.
    pub(crate) fn wants(&self, system: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| system.contains(part.as_str()))
    }
}
