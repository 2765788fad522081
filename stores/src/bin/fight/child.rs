//! One of the two: told the number of a life on its input, it takes the log over and appends until it is told that it was replaced.
//! It says in its file, a line in one write and before it goes on:
//!
//! - `begins LIFE`, then `started LIFE EPOCH` or `refused LIFE KIND`;
//! - `seen RECORD POSITION` of everything that the log has then, before it retires it: so names come free behind the back
//!   of the other one, who may be about to put under one of them;
//! - `try RECORD` before an append;
//! - `ack RECORD POSITION` when its ticket has answered, or `KIND RECORD`;
//! - `over LIFE KIND`, what the log has failed with; then it waits to be told again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, Write, stdin};
use std::path::Path;
use std::thread;
use std::time::Duration;

use headwater_stores::open;
use headwater_wal::{Log, Options, Position, Ticket, Time};

use super::Result;

/// How many appends wait for their answers at once.
const WINDOW: usize = 40;

/// Several small groups under way at once.
pub(super) fn options() -> Options {
    Options::from_text("record_bytes_max=64KiB&segment_bytes=64KiB&linger=15ms").expect("good options")
}

pub(super) fn fight(url: &str, said: &Path) -> Result<()> {
    let name = said.file_name().and_then(|name| name.to_str()).ok_or("a file that is named as it is")?;
    let mut fighter = Fighter { url, name, said: File::options().append(true).create(true).open(said)? };
    for life in stdin().lock().lines() {
        let life = life?.parse()?;
        fighter.say(format!("begins {life}"))?;
        fighter.live(life)?;
    }
    Ok(())
}

struct Fighter<'a> {
    url: &'a str,
    name: &'a str,
    said: File,
}

impl Fighter<'_> {
    fn say(&mut self, mut line: String) -> Result<()> {
        line.push('\n');
        Ok(self.said.write_all(line.as_bytes())?)
    }

    /// The inner error is the log's.
    fn see_and_retire(&mut self, log: &Log) -> Result<headwater_wal::Result<()>> {
        let replay = match log.replay(Position::START) {
            Ok(replay) => replay,
            Err(error) => return Ok(Err(error)),
        };
        for record in replay {
            let record = match record {
                Ok(record) => record,
                Err(error) => return Ok(Err(error)),
            };
            let text = String::from_utf8_lossy(&record.payload).into_owned();
            self.say(format!("seen {text} {}", record.handle.position()))?;
        }
        Ok(log.retire_before(Time::MAX).map(drop))
    }

    fn live(&mut self, life: u64) -> Result<()> {
        let begun = open(self.url)
            .and_then(|store| Log::open(store, options()))
            .and_then(|opened| opened.start(Position::START));
        let log = match begun {
            Ok(log) => log,
            Err(error) => return self.say(format!("refused {life} {:?} {error:?}", error.kind())),
        };
        self.say(format!("started {life} {}", log.epoch()))?;
        if let Err(error) = self.see_and_retire(&log)? {
            return self.say(format!("over {life} {:?} {error:?}", error.kind()));
        }
        let mut waiting: VecDeque<(String, Ticket)> = VecDeque::new();
        for number in 0_u64.. {
            // In bursts, lest the log grow faster than it is worth: who starts reads all of it.
            if number > 200 && number % 40 == 0 {
                thread::sleep(Duration::from_millis(100));
            }
            let record = format!("{}-{life}-{number}", self.name);
            self.say(format!("try {record}"))?;
            match log.append(Time(number), record.clone()) {
                Ok(ticket) => waiting.push_back((record, ticket)),
                Err(error) => self.say(format!("{:?} {record} not taken in", error.kind()))?,
            }
            while waiting.len() >= WINDOW || (log.failure().is_some() && !waiting.is_empty()) {
                let (record, ticket) = waiting.pop_front().expect("one waits");
                match ticket.wait() {
                    Ok(handle) => self.say(format!("ack {record} {}", handle.position()))?,
                    Err(error) => self.say(format!("{:?} {record}", error.kind()))?,
                }
            }
            if let Some(failure) = log.failure() {
                return self.say(format!("over {life} {:?} {failure}", failure.kind()));
            }
        }
        Ok(())
    }
}
