//! Finds out whether a place keeps what a log needs of it.
//!
//! Some servers that speak a cloud's language take `put if absent` for a plain put, and some check it without holding
//! anything still meanwhile, so that two writers are both told that they won. A log on such a place loses what it has
//! acknowledged, and nothing in its answers shows it. So the properties are tried, in a folder that is removed again.
//!
//! What is tried between several clients cannot prove that it always holds; that it does not hold shows within a few
//! rounds on the servers that are known not to.

mod findings;

use std::ops::Range;
use std::sync::Barrier;
use std::thread;

use bytes::Bytes;
use parking_lot::Mutex;

pub use self::findings::{Finding, Findings, Held};
use super::{Entry, Name, Store, What};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Kind, Result};

const WRITERS: usize = 16;
const ROUNDS: usize = 12;
const ROUNDS_OF_LARGE: usize = 2;
const SMALL: usize = 1 << 10;
const LARGE: usize = 1 << 20;
const LISTED: usize = 24;

/// Tries everything that a log needs of a place, in a folder of its own, and removes what it put there; a disk
/// keeps the empty folder. Beside a live log it does no harm.
///
/// Fails as the calls do that it makes: where a store cannot be reached or refuses them, nothing is found out.
pub fn probe(store: &dyn Store) -> Result<Findings> {
    let others = store.others();
    let mut clients: Vec<&dyn Store> = others.iter().map(|other| &**other).collect();
    if clients.is_empty() {
        clients.push(store);
    }
    let number: String =
        SystemClock::default().random()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = Name::new(format!("probe-{number}"))?;
    let scratch = Scratch { clients, folder, put: Mutex::default() };
    let found = scratch.probe(store.place());
    // Also after a failure: nothing is to be left behind.
    let cleared = scratch.clear();
    let mut findings = found?;
    findings.list.push(cleared);
    Ok(findings)
}

/// The folder in which it is tried.
struct Scratch<'a> {
    clients: Vec<&'a dyn Store>,
    folder: Name,
    /// What may be there by now.
    put: Mutex<Vec<Name>>,
}

impl Scratch<'_> {
    fn probe(&self, place: String) -> Result<Findings> {
        let mut list: Vec<Finding> = Vec::new();
        for property in [
            Self::a_second_put_is_refused,
            Self::of_racing_puts_one_wins,
            Self::ranges_are_read,
            Self::what_is_missing_says_so,
            Self::what_was_put_is_listed,
        ] {
            match property(self) {
                Ok(finding) => list.push(finding),
                // A server that does one thing wrong may well fail at another; the first is reason enough.
                Err(_) if list.iter().any(|finding| matches!(finding.held, Held::No(_))) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Findings { place, list })
    }

    fn name(&self, text: &str) -> Result<Name> {
        self.folder.join(text)
    }

    /// Puts by the client of that number, and remembers it. `Ok(false)`: the name is taken.
    fn put(&self, client: usize, name: &Name, bytes: Bytes) -> Result<bool> {
        self.put.lock().push(name.clone());
        match self.client(client).put(name, bytes) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == Kind::Exists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn client(&self, number: usize) -> &dyn Store {
        self.clients[number % self.clients.len()]
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        self.client(0).read(name, range)
    }

    fn a_second_put_is_refused(&self) -> Result<Finding> {
        let name = self.name("twice")?;
        self.put(0, &name, Bytes::from_static(b"first"))?;
        let mut wrong = Vec::new();
        for (client, bytes) in [&b"second"[..], b"", b"first"].into_iter().enumerate() {
            if self.put(client, &name, Bytes::from_static(bytes))? {
                wrong.push("a second put was answered as if it were the first");
            }
            if self.read(&name, 0..64)? != "first" {
                wrong.push("a second put replaced what was there");
            }
        }
        wrong.dedup();
        Ok(Finding {
            property: "a name is given once",
            tried: "four puts under one name".into(),
            held: Held::unless(&wrong),
            means: "a writer that was replaced overwrites what its heir has acknowledged",
        })
    }

    fn of_racing_puts_one_wins(&self) -> Result<Finding> {
        let (mut wrong, mut undecided) = (Vec::new(), 0);
        for round in 0..ROUNDS + ROUNDS_OF_LARGE {
            let len = if round < ROUNDS { SMALL } else { LARGE };
            let name = self.name(&format!("race-{round}"))?;
            let outcome = self.race(&name, len)?;
            let there = self.read(&name, 0..len as u64 + WRITERS as u64)?;
            let of = |writer: usize| there == body(writer, len);
            match outcome.won[..] {
                // The winner's answer was lost: it was told nothing, or that the name is taken, by its own put.
                [] if (0..WRITERS).any(of) => undecided += 1,
                [] => wrong.push("nobody was told that its put won".to_owned()),
                [winner] if of(winner) => {}
                [_] => wrong.push("what is there is not the winner's".to_owned()),
                _ => wrong
                    .push(format!("{} of {WRITERS} writers were told that theirs won", outcome.won.len())),
            }
        }
        let all = ROUNDS + ROUNDS_OF_LARGE;
        let held = if undecided == all {
            Held::Undecided("no put of a race was answered".into())
        } else {
            Held::unless(&wrong)
        };
        Ok(Finding {
            property: "of racing puts one wins",
            tried: format!(
                "{WRITERS} writers at once through {} clients, {all} rounds, of {SMALL} and {LARGE} bytes",
                self.clients.len()
            ),
            held,
            means: "two writers are both told that they wrote the same place, and one of them loses it",
        })
    }

    fn race(&self, name: &Name, len: usize) -> Result<Outcome> {
        let (barrier, outcome) = (Barrier::new(WRITERS), Mutex::new(Outcome::default()));
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (barrier, outcome) = (&barrier, &outcome);
                scope.spawn(move || {
                    let bytes = body(writer, len);
                    barrier.wait();
                    let result = self.put(writer, name, bytes);
                    let mut outcome = outcome.lock();
                    match result {
                        Ok(true) => outcome.won.push(writer),
                        Ok(false) => {}
                        Err(error) if error.kind() == Kind::Unknown => {}
                        Err(error) => outcome.failed = Some(error),
                    }
                });
            }
        });
        let outcome = outcome.into_inner();
        match outcome.failed {
            Some(error) => Err(error),
            None => Ok(outcome),
        }
    }

    fn ranges_are_read(&self) -> Result<Finding> {
        let name = self.name("ranges")?;
        let bytes: Vec<u8> = (0..5000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let len = bytes.len();
        self.put(0, &name, Bytes::from(bytes.clone()))?;
        let mut wrong = Vec::new();
        for (what, range) in [
            ("the first bytes", 0..100),
            ("bytes in the middle", 2000..3001),
            ("the last bytes", len - 7..len),
            ("bytes up to and beyond the end", len - 7..len + 100),
            ("bytes beyond the end", len..len + 1),
            ("all of it", 0..len),
        ] {
            let found = self.read(&name, range.start as u64..range.end as u64)?;
            if found != bytes[range.start..range.end.min(len)] {
                wrong.push(format!("{what} were not what was put"));
            }
        }
        Ok(Finding {
            property: "ranges are read",
            tried: "six ranges of an object".into(),
            held: Held::unless(&wrong),
            means: "records cannot be read by their handles",
        })
    }

    fn what_is_missing_says_so(&self) -> Result<Finding> {
        let missing = self.client(0).read(&self.name("missing")?, 0..1);
        let wrong = match missing {
            Err(error) if error.kind() == Kind::NotThere => Vec::new(),
            Err(error) => return Err(error),
            Ok(_) => vec!["a name that was never put was read"],
        };
        Ok(Finding {
            property: "what is missing says so",
            tried: "a read of a name that was never put".into(),
            held: Held::unless(&wrong),
            means: "a hole in the log looks like a record",
        })
    }

    fn what_was_put_is_listed(&self) -> Result<Finding> {
        let folder = self.name("list")?;
        let mut expected = Vec::new();
        for number in 0..LISTED {
            expected.push(Entry { name: format!("{number:04}.wal"), what: What::File(1) });
        }
        expected.push(Entry { name: "deep".into(), what: What::Folder });
        let names = expected.iter().map(|entry| match entry.what {
            What::Folder => format!("list/{}/1", entry.name),
            _ => format!("list/{}", entry.name),
        });
        let names = names.map(|text| self.name(&text)).collect::<Result<Vec<_>>>()?;
        self.put_many(&names)?;
        let mut wrong = Vec::new();
        for after in [None, Some(0), Some(LISTED / 2), Some(LISTED)] {
            let pages = match after {
                None => self.client(0).list(&folder)?,
                Some(at) => self.client(0).list_after(&folder, &expected[at].name)?,
            };
            let mut listed = Vec::new();
            for page in pages {
                listed.extend(page?);
            }
            let expected = &expected[after.map_or(0, |at| at + 1)..];
            if listed.iter().any(|entry| !expected.contains(entry)) {
                wrong.push("something was listed that does not lie there");
            } else if listed.len() != expected.len() {
                wrong.push("not all that was put is listed at once");
            } else if listed != expected {
                wrong.push("names were listed out of order");
            }
        }
        wrong.dedup();
        Ok(Finding {
            property: "what was put is listed",
            tried: format!("{} names, listed from the beginning and from the middle", expected.len()),
            held: Held::unless(&wrong),
            means: "opening misses the end of the log",
        })
    }

    /// Puts one byte under each name, several at once.
    fn put_many(&self, names: &[Name]) -> Result<()> {
        let failed = Mutex::new(None);
        thread::scope(|scope| {
            for client in 0..WRITERS {
                let failed = &failed;
                scope.spawn(move || {
                    for name in names.iter().skip(client).step_by(WRITERS) {
                        if let Err(error) = self.put(client, name, Bytes::from_static(b"x")) {
                            *failed.lock() = Some(error);
                        }
                    }
                });
            }
        });
        failed.into_inner().map_or(Ok(()), Err)
    }

    /// Removes all that was put.
    fn clear(&self) -> Finding {
        let mut names = std::mem::take(&mut *self.put.lock());
        names.sort_unstable();
        names.dedup();
        let (one, rest) = names.split_at(names.len().min(1));
        let mut answers: Vec<Result<()>> = one.iter().map(|name| self.client(0).remove(name)).collect();
        answers.extend(self.client(1).remove_all(rest));
        // What is gone already may be removed again.
        let again = one.iter().chain(rest.first()).chain(rest.last());
        answers.extend(again.clone().map(|name| self.client(0).remove(name)));
        let held = match answers.into_iter().find_map(Result::err) {
            Some(error) if matches!(error.kind(), Kind::Unknown | Kind::Unavailable) => {
                Held::Undecided(format!("a removal failed: {error}"))
            }
            Some(error) => Held::No(format!("a removal was refused: {error}")),
            None => {
                let is_there = |name: &Name| self.read(name, 0..1).is_ok();
                let there = again.filter(|name| is_there(name)).map(|_| "what was removed is still read");
                Held::unless(&there.collect::<Vec<_>>())
            }
        };
        Finding {
            property: "what is removed is gone",
            tried: format!("{} names, one alone and the rest at once", names.len()),
            held,
            means: "retiring frees no room, or something is left in the probe's folder",
        }
    }
}

#[derive(Default)]
struct Outcome {
    won: Vec<usize>,
    failed: Option<Error>,
}

/// What a writer puts: its own number all over, and a length of its own.
fn body(writer: usize, len: usize) -> Bytes {
    Bytes::from(vec![writer as u8; len + writer])
}
