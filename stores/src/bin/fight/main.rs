//! Two processes and one log on an object store: one is stopped with SIGSTOP, the other takes the log over, the first is
//! woken and goes on where it was. So many times; then what each was told is held against what the log has.
//!
//! `fight URL ROUNDS [SEED]`; the seed chooses when who is stopped and woken.

mod child;
mod referee;
mod ring;

use std::process::ExitCode;
use std::time::UNIX_EPOCH;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["--child", url, said] => child::fight(url, said.as_ref()),
        [url, rounds] => begin(url, rounds, None),
        [url, rounds, seed] => begin(url, rounds, Some(seed)),
        _ => Err("usage: fight URL ROUNDS [SEED]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fight: {error}");
            ExitCode::FAILURE
        }
    }
}

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn begin(url: &str, rounds: &str, seed: Option<&str>) -> Result<()> {
    let drawn = UNIX_EPOCH.elapsed()?.subsec_nanos().into();
    let seed = seed.map_or(Ok(drawn), str::parse)?;
    println!("seed {seed}");
    let folder = tempfile::tempdir()?;
    let tally = ring::rounds(url, rounds.parse()?, seed, folder.path())?;
    println!("{tally}");
    println!("{}", referee::judge(url, folder.path())?);
    Ok(())
}
