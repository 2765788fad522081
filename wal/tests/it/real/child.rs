//! The child: this test binary, run again to play a part. It appends, seals, retires, closes and starts again, and says
//! each step before or after it, a line each, in one write:
//!
//! - `times TIMES`: how many times as long as ever its records are;
//! - `started EPOCH`, then of each thread `saw THREAD NUMBER`, its last record in the replay;
//! - `try THREAD NUMBER` before an append, `ack THREAD NUMBER HANDLE` after its ticket answered;
//! - `unknown THREAD NUMBER EPOCH`, and in a later life `settled THREAD NUMBER EPOCH HANDLE` or `gone ...`;
//! - `after KIND`: what an append answered once the log had failed;
//! - `pin POSITION` before retiring, `retired POSITION` after it;
//! - `waits KIND`: appends wait for room;
//! - `refused KIND`: a life did not begin or did not end well; `end`: all lives are over.

use std::env;
use std::fs::File;
use std::io::{Write, stderr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use headwater_wal::store::Local;
use headwater_wal::{
    Compression, Error, Handle, Kind, Log, Options, Position, Result, Ticket, Time, Unsettled,
};
use parking_lot::Mutex;

use super::said::Id;

const PLACE: &str = "HEADWATER_REAL_PLACE";
const PART: &str = "HEADWATER_REAL_PART";

/// Looked for, and not there, before the part begins, so that a trace shows where; and so often that the part's own
/// calls of that kind are counted beyond those that the test harness makes in its thread.
pub(super) const BEGINS: &str = "/headwater-part-begins";

/// What a child is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// How many threads append; with none one thread does all the work, the writer's too, so that every run makes
    /// the same system calls in the same order.
    pub(super) threads: u32,
    /// How often it starts the log.
    pub(super) lives: u32,
    /// How often each thread appends two records in each life.
    pub(super) rounds: u32,
    /// Whether it seals and retires on the way.
    pub(super) retires: bool,
    /// How many times as long its records are, and its segments.
    pub(super) times: u32,
}

/// Small segments, so that a few records roll.
pub(super) fn options(times: u32) -> Options {
    let (segment, record) = ((20 << 10) * u64::from(times), (16 << 10) * times);
    Options::default().segment_bytes(segment).record_bytes_max(record).compression(Compression::Off)
}

/// The payload of a record: who it is, and then bytes that follow from that.
pub(super) fn payload(id: Id, times: u32) -> Vec<u8> {
    let Id { thread, number, epoch } = id;
    let mut bytes = format!("{thread} {number} {epoch} ").into_bytes();
    let mut state = u64::from(thread) << 48 | number << 16 | epoch;
    let len = (100 + (number * 977 % 3001) as usize) * times as usize;
    bytes.resize_with(len, || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    });
    bytes
}

/// The command that plays a part, behind the words of a wrapper.
pub(super) fn command(part: Part, place: &Path, said: &Path, wrapper: &[String]) -> Command {
    let exe = env::current_exe().expect("this program").display().to_string();
    let own = [&exe, "--exact", "real::child::a_part", "--ignored", "--nocapture", "--test-threads=1"];
    let words: Vec<&str> = wrapper.iter().map(String::as_str).chain(own).collect();
    let mut command = Command::new(words[0]);
    let Part { threads, lives, rounds, retires, times } = part;
    command.args(&words[1..]).env(PLACE, place);
    // Where cargo runs tests the loader would look through many folders, in calls that are counted.
    command.env_remove("LD_LIBRARY_PATH");
    command.env(PART, format!("{threads} {lives} {rounds} {} {times}", u32::from(retires)));
    let said = File::options().create(true).append(true).open(said).expect("a file for what is said");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
    command
}

#[test]
#[ignore = "a part that other tests let a child play"]
fn a_part() {
    let (Some(place), Ok(part)) = (env::var_os(PLACE), env::var(PART)) else { return };
    let words: Vec<u32> = part.split(' ').map(|word| word.parse().unwrap()).collect();
    let part = Part {
        threads: words[0],
        lives: words[1],
        rounds: words[2],
        retires: words[3] != 0,
        times: words[4],
    };
    (0..32).for_each(|_| drop(File::open(BEGINS)));
    if part.times > 1 {
        say(format!("times {}", part.times));
    }
    let mut player = Player { part, place: place.into(), unsettled: Vec::new() };
    for _ in 0..part.lives {
        if let Err(error) = player.live() {
            say(format!("refused {:?} {error}", error.kind()));
        }
    }
    say("end".to_owned());
}

fn say(mut line: String) {
    line.push('\n');
    stderr().write_all(line.as_bytes()).expect("somebody listens");
}

struct Player {
    part: Part,
    place: PathBuf,
    unsettled: Vec<(Id, Unsettled)>,
}

impl Player {
    fn live(&mut self) -> Result<()> {
        let opened = Log::open(Arc::new(Local::open(&self.place)?), options(self.part.times))?;
        let stepped = self.part.threads == 0;
        let log =
            if stepped { opened.start_stepped(Position::START)? } else { opened.start(Position::START)? };
        say(format!("started {}", log.epoch()));
        let mut last = vec![None; self.part.threads.max(1) as usize];
        for record in log.replay(Position::START)? {
            let id = Id::of(&record?.payload);
            last[id.thread as usize] = Some(id.number);
        }
        for (thread, last) in last.iter().enumerate() {
            last.iter().for_each(|number| say(format!("saw {thread} {number}")));
        }
        for (id, unsettled) in std::mem::take(&mut self.unsettled) {
            let Id { thread, number, epoch } = id;
            match log.settle(&unsettled) {
                Ok(handle) => say(format!("settled {thread} {number} {epoch} {handle}")),
                Err(gone) if gone.kind() == Kind::NotThere => say(format!("gone {thread} {number} {epoch}")),
                Err(error) => return Err(error),
            }
        }
        let unsettled = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for (thread, last) in (0..).zip(last) {
                // Where all of a thread's records were retired nobody knows the last number.
                let first = last.map_or((log.epoch() - 1) * 1_000_000, |last| last + 1);
                let numbers = first..first + 2 * u64::from(self.part.rounds);
                let teller = Teller { log: &log, part: self.part, thread, unsettled: &unsettled };
                if stepped {
                    teller.append(numbers);
                } else {
                    scope.spawn(move || teller.append(numbers));
                }
            }
        });
        self.unsettled = unsettled.into_inner();
        log.close()
    }
}

/// A thread that appends.
struct Teller<'a> {
    log: &'a Log,
    part: Part,
    thread: u32,
    unsettled: &'a Mutex<Vec<(Id, Unsettled)>>,
}

impl Teller<'_> {
    /// Appends two records at a time and hears what became of them, until the log fails.
    fn append(&self, mut numbers: Range<u64>) {
        let middle = numbers.start + (numbers.end - numbers.start) / 2;
        let mut handles = Vec::new();
        while let (Some(one), Some(other)) = (numbers.next(), numbers.next()) {
            let tickets = [one, other].map(|number| (number, self.try_append(number)));
            for (number, ticket) in tickets {
                match ticket.and_then(|ticket| self.wait(number, ticket)) {
                    Ok(handle) => handles.push(handle),
                    Err(error) => {
                        self.failed(number, &error);
                        if error.kind() == Kind::Closed {
                            return;
                        }
                    }
                }
            }
            let is_middle = one <= middle && middle < one + 2;
            let retires = self.part.retires && self.thread == 0 && is_middle;
            if let Some(Err(error)) = retires.then(|| self.retire(&handles)) {
                say(format!("after {:?} {error}", error.kind()));
            }
        }
    }

    fn try_append(&self, number: u64) -> Result<Ticket> {
        let id = self.id(number);
        say(format!("try {} {number}", self.thread));
        self.log.append(Time(number), payload(id, self.part.times))
    }

    fn wait(&self, number: u64, mut ticket: Ticket) -> Result<Handle> {
        let told = |handle: Handle| {
            say(format!("ack {} {number} {handle}", self.thread));
            handle
        };
        if self.part.threads == 0 {
            return ticket.wait().map(told);
        }
        let mut waits = false;
        loop {
            match ticket.wait_for(Duration::from_millis(20)) {
                Ok(answer) => return answer.map(told),
                Err(back) => ticket = back,
            }
            if let Some(full) = self.log.waits_for_room().filter(|_| !waits) {
                say(format!("waits {:?} {full}", full.kind()));
                waits = true;
            }
        }
    }

    fn failed(&self, number: u64, error: &Error) {
        let id = self.id(number);
        match (error.kind(), error.unsettled()) {
            (Kind::Unknown, Some(unsettled)) => {
                say(format!("unknown {} {number} {}", self.thread, id.epoch));
                self.unsettled.lock().push((id, *unsettled));
            }
            (kind, _) => say(format!("after {kind:?} {error}")),
        }
    }

    /// Seals, falls idle, and retires what lies before the last two records of this thread.
    fn retire(&self, handles: &[Handle]) -> Result<()> {
        self.log.seal()?;
        if self.part.threads == 0 {
            self.log.rest();
        }
        let Some(kept) = handles.len().checked_sub(2).map(|at| handles[at]) else { return Ok(()) };
        say(format!("pin {}", kept.position()));
        let _pin = self.log.pin(kept.position())?;
        let retired = self.log.retire_before(Time::MAX)?;
        say(format!("retired {}", retired.begins));
        Ok(())
    }

    fn id(&self, number: u64) -> Id {
        Id { thread: self.thread, number, epoch: self.log.epoch() }
    }
}
