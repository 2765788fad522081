//! The rounds: who is stopped, who takes over, who is woken, and when.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use headwater_stores::proxy::mixed;
use rustix::process::{Pid, Signal, kill_process};

use super::Result;

/// Nothing here takes so long, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the stopped ones were told when they woke.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rounds: u64,
    fenced: u64,
    unknown: u64,
    refused: u64,
    killed: u64,
    seconds: f64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { rounds, fenced, unknown, refused, killed, seconds } = self;
        write!(
            f,
            "{rounds} times stopped, replaced and woken in {seconds:.1} s: told Fenced {fenced}, Unknown {unknown}, \
             replaced while it started {refused}; {killed} times the heir was killed first"
        )
    }
}

/// Lets two processes fight; both have ended when it returns, however it does.
pub(super) fn rounds(url: &str, rounds: u64, seed: u64, folder: &Path) -> Result<Tally> {
    let mut tally = Tally { rounds, ..Tally::default() };
    let began = Instant::now();
    let mut holder = Fighter::begin(url, "a", folder)?;
    let mut rival = Fighter::begin(url, "b", folder)?;
    let mut dice = seed;
    let mut drawn_below = |below: u64| {
        dice = mixed(dice);
        dice % below
    };
    holder.go()?;
    for round in 0..rounds {
        // Three of four times it is stopped while it appends, else anywhere, also while it starts.
        let early = drawn_below(4) == 0;
        if !early {
            let acked = holder.count("ack ")?;
            holder.wait_until("it appends", |said| count(said, "ack ") > acked)?;
        }
        thread::sleep(Duration::from_micros(drawn_below(if early { 60_000 } else { 20_000 })));
        holder.signal(Signal::STOP)?;
        let acked = rival.count("ack ")?;
        rival.go()?;
        // At times it is killed once it has taken over, and another one takes over from it: that one retires what the one
        // before began with, while the first still sleeps.
        if drawn_below(3) == 0 {
            rival.wait_until("the other one takes over", |said| count(said, "ack ") > acked)?;
            rival.replace()?;
            rival.go()?;
            tally.killed += 1;
        }
        // Mostly it wakes when the other one is well under way, at times while that one starts.
        if drawn_below(4) == 0 {
            thread::sleep(Duration::from_micros(drawn_below(60_000)));
        } else {
            let some = acked + 1 + drawn_below(20) as usize;
            let ended = rival.ended;
            rival.wait_until("the other one takes over", |said| {
                count(said, "ack ") > some || ends(said) > ended
            })?;
        }
        holder.signal(Signal::CONT)?;
        // One of the two has to go: nearly always the one that was stopped.
        let begun = Instant::now();
        while !holder.has_ended()? && !rival.has_ended()? {
            if begun.elapsed() > PATIENCE {
                return Err(format!("round {round}: both go on, or both hang").into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        if holder.has_ended()? {
            let last = holder.last_end()?;
            match last.split(' ').nth(2) {
                _ if last.starts_with("refused") => tally.refused += 1,
                Some("Fenced") => tally.fenced += 1,
                Some("Unknown") => tally.unknown += 1,
                // Its next file was swept before it had its name: nothing of it was acknowledged.
                Some("Unavailable") if url.starts_with("hdfs:") => tally.refused += 1,
                _ => return Err(format!("round {round}: who was replaced heard {last:?}").into()),
            }
            std::mem::swap(&mut holder, &mut rival);
        } else {
            // The rival's start was overtaken by the other's: then it was told so, and begins again next time.
            let last = rival.last_end()?;
            if !["refused", "over"].iter().any(|word| last.starts_with(word))
                || !["Fenced", "Unknown"].iter().any(|kind| last.split(' ').nth(2) == Some(kind))
            {
                return Err(format!("round {round}: who began heard {last:?}").into());
            }
            tally.refused += 1;
        }
    }
    tally.seconds = began.elapsed().as_secs_f64();
    Ok(tally)
}

fn count(said: &str, word: &str) -> usize {
    said.lines().filter(|line| line.starts_with(word)).count()
}

fn is_end(line: &str) -> bool {
    line.starts_with("over ") || line.starts_with("refused ")
}

fn ends(said: &str) -> usize {
    said.lines().filter(|line| is_end(line)).count()
}

fn spawn(url: &str, said: &Path) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--child", url]).arg(said).stdin(Stdio::piped());
    Ok(command.spawn()?)
}

/// A process that fights.
struct Fighter {
    process: Child,
    said: PathBuf,
    url: String,
    /// How often it was told to go.
    lives: usize,
    /// How many lives had ended by themselves when it was told to go.
    ended: usize,
}

impl Fighter {
    fn begin(url: &str, name: &str, folder: &Path) -> Result<Self> {
        let said = folder.join(name);
        File::create(&said)?;
        let process = spawn(url, &said)?;
        Ok(Fighter { process, said, url: url.to_owned(), lives: 0, ended: 0 })
    }

    /// Kills it, and begins another one in its place.
    fn replace(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        self.process = spawn(&self.url, &self.said)?;
        Ok(())
    }

    fn go(&mut self) -> Result<()> {
        self.ended = ends(&self.said()?);
        self.lives += 1;
        Ok(writeln!(self.process.stdin.as_mut().expect("a pipe"), "{}", self.lives)?)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.process), signal)?)
    }

    /// What it has said, in whole lines.
    fn said(&self) -> Result<String> {
        let mut said = fs::read_to_string(&self.said)?;
        said.truncate(said.rfind('\n').map_or(0, |end| end + 1));
        Ok(said)
    }

    fn count(&self, word: &str) -> Result<usize> {
        Ok(count(&self.said()?, word))
    }

    /// Whether the life that it was told to begin last is over.
    fn has_ended(&self) -> Result<bool> {
        Ok(ends(&self.said()?) > self.ended)
    }

    fn last_end(&self) -> Result<String> {
        let said = self.said()?;
        Ok(said.lines().rfind(|line| is_end(line)).unwrap_or("").to_owned())
    }

    fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) -> Result<()> {
        let began = Instant::now();
        while !holds(&self.said()?) {
            if began.elapsed() > PATIENCE {
                let said = self.said()?;
                return Err(
                    format!("it never came that {what}; it said last {:?}", said.lines().last()).into()
                );
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Fighter {
    fn drop(&mut self) {
        // One that is stopped dies of this too.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
