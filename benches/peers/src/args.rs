//! What the command line asks for.

use std::path::PathBuf;

use crate::Result;

const USAGE: &str = "\
usage: headwater-peers [OPTION...]
  --rounds N     how often every case runs (5)
  --seconds S    how long a case appends or reads (2)
  --mib N        how long the logs that are replayed and read are (512)
  --dir DIR      where the logs are made: a folder on the disk in question (beside the program)
  --only TEXT    only cases whose WORKLOAD/CONTESTANT contains TEXT; * stands for anything; may be repeated
  --seed N       the seed of the order of the cases and of the reads (1)
  --pin no       producers may run on every core; otherwise they leave one to the writer
  --small        tiny sizes, one round; fails if a case measured nothing, and judges no ratio
  --json FILE    one line for every case
  --list         names the cases and what each survives";

/// The command line, understood.
#[derive(Debug, Clone)]
pub(crate) struct Args {
    pub(crate) rounds: u64,
    pub(crate) seconds: f64,
    pub(crate) log_mib: u64,
    pub(crate) dir: PathBuf,
    pub(crate) only: Vec<String>,
    pub(crate) seed: u64,
    pub(crate) pin: bool,
    pub(crate) small: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) list: bool,
}

impl Args {
    /// Refuses what it does not know.
    pub(crate) fn parse(words: &[String]) -> Result<Args> {
        let (mut rounds, mut seconds, mut log_mib) = (None, None, None);
        let mut args = Args {
            rounds: 0,
            seconds: 0.0,
            log_mib: 0,
            dir: beside_the_program()?,
            only: Vec::new(),
            seed: 1,
            pin: true,
            small: false,
            json: None,
            list: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--rounds" => rounds = Some(value()?.parse()?),
                "--seconds" => seconds = Some(value()?.parse()?),
                "--mib" => log_mib = Some(value()?.parse()?),
                "--dir" => args.dir = value()?.into(),
                "--only" => args.only.push(value()?.clone()),
                "--seed" => args.seed = value()?.parse()?,
                "--pin" => args.pin = value()? != "no",
                "--small" => args.small = true,
                "--json" => args.json = Some(value()?.into()),
                "--list" => args.list = true,
                _ => return Err(format!("unknown: {word}\n{USAGE}").into()),
            }
        }
        args.rounds = rounds.unwrap_or(if args.small { 1 } else { 5 });
        args.seconds = seconds.unwrap_or(if args.small { 0.05 } else { 2.0 });
        args.log_mib = log_mib.unwrap_or(if args.small { 4 } else { 512 });
        let sane = args.rounds > 0 && args.seconds > 0.0 && args.seconds < 3600.0 && args.log_mib > 0;
        sane.then_some(args).ok_or_else(|| format!("rounds, seconds and mib must be above 0\n{USAGE}").into())
    }

    /// Whether a case is asked for.
    pub(crate) fn wants(&self, workload: &str, contestant: &str) -> bool {
        let name = format!("{workload}/{contestant}");
        self.only.is_empty() || self.only.iter().any(|pattern| contains(&name, pattern))
    }
}

/// Whether the pattern's parts, between its stars, stand in the name in their order.
fn contains(name: &str, pattern: &str) -> bool {
    let mut rest = name;
    pattern.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// Cargo's target directory: it lies on a disk wherever one can build.
fn beside_the_program() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().unwrap_or(&program).to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn a_pattern_names_cases_by_any_part_and_stars_stand_for_anything() {
        assert!(contains("power-1KiB-64/us", "1KiB"));
        assert!(contains("power-1KiB-64/us", "power*/us"));
        assert!(!contains("power-1KiB-64/us", "us*power"));
        assert!(!contains("power-1KiB-64/us", "raw"));
    }
}
