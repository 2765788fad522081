//! What a child said, and whether the disk agrees. This is made from what the child was told and from what was handed
//! in; it shares nothing with the engine's own scanning and judging.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use headwater_wal::store::{Local, Store};
use headwater_wal::{Depth, Handle, Kind, Log, Position, Reader, Record, Replay, Time, look};

use super::child::{options, payload};

/// Which record: the how-manieth of which thread, and the epoch in which it was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) thread: u32,
    pub(super) number: u64,
    pub(super) epoch: u64,
}

impl Id {
    /// Who a payload says that it is.
    pub(super) fn of(payload: &[u8]) -> Id {
        let mut words =
            payload.splitn(4, |&byte| byte == b' ').map(|word| str::from_utf8(word).unwrap_or(""));
        let mut next = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("a payload of ours");
        Id { thread: next() as u32, number: next(), epoch: next() }
    }
}

/// What a child said in all its lives.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) text: String,
    /// How many times as long its records are; nothing was said if they are as ever.
    times: u32,
    /// The greatest number that each thread handed in.
    pub(super) tried: BTreeMap<u32, u64>,
    /// The greatest number of each thread that must be there for ever: acknowledged, or shown by a started log.
    kept: BTreeMap<u32, u64>,
    pub(super) acked: BTreeMap<Position, (u32, u64, Handle)>,
    gone: BTreeSet<Id>,
    /// Nothing at or behind this is retired.
    pin: Position,
    /// The log begins here at least.
    retired: Position,
}

impl Said {
    pub(super) fn read(path: &Path) -> Said {
        let bytes = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let mut said = Said::default();
        // A line that a kill cut short was not said.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            said.hear(line);
        }
        said.text = text.into_owned();
        said
    }

    /// One line of it.
    pub(super) fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().expect("a number");
        match words[0] {
            "try" => {
                let tried = self.tried.entry(number(1) as u32).or_default();
                *tried = number(2).max(*tried);
            }
            "saw" => self.keep(number(1) as u32, number(2)),
            "ack" => self.acknowledge(number(1) as u32, number(2), words[3]),
            "settled" => self.acknowledge(number(1) as u32, number(2), words[4]),
            "gone" => {
                self.gone.insert(Id { thread: number(1) as u32, number: number(2), epoch: number(3) });
            }
            "times" => self.times = number(1) as u32,
            "pin" => self.pin = self.pin.max(Position(number(1))),
            "retired" => self.retired = self.retired.max(Position(number(1))),
            _ => {}
        }
    }

    pub(super) fn times(&self) -> u32 {
        self.times.max(1)
    }

    fn acknowledge(&mut self, thread: u32, number: u64, handle: &str) {
        let handle: Handle = handle.parse().expect("a handle");
        self.acked.insert(handle.position(), (thread, number, handle));
        self.keep(thread, number);
    }

    fn keep(&mut self, thread: u32, number: u64) {
        let kept = self.kept.entry(thread).or_default();
        *kept = number.max(*kept);
    }

    /// How many lines begin with these words.
    pub(super) fn count(&self, words: &str) -> usize {
        self.text.lines().filter(|line| line.starts_with(words)).count()
    }

    /// Whether it, or the engine in it, panicked.
    pub(super) fn panicked(&self) -> bool {
        self.text.contains("panicked")
    }

    /// Looks at what a crash left, changes nothing, and holds it against what was said.
    pub(super) fn agrees_with_a_look(&self, place: &Path) {
        let store: Arc<dyn Store> = Arc::new(Local::open(place).expect("a place"));
        let promised = self.acked.keys().next_back().copied().unwrap_or_default();
        let survey = look(&*store, promised, Depth::Full).expect("a look");
        assert_eq!(survey.damages(), [], "a crash does no damage");
        let opened = Log::open(store.clone(), options(self.times())).expect("it opens");
        self.agrees_with(opened.survey().begins(), opened.replay(Position::START).expect("a replay"));
        let reader = Reader::open(store).expect("a reader");
        self.agrees_with_handles(opened.survey().begins(), false, |handle| reader.read(handle));
    }

    /// The same, then starts the log, which settles its end, and does it again.
    pub(super) fn agrees_with_log(&self, place: &Path) {
        self.agrees_with_a_look(place);
        let opened = Log::open(Arc::new(Local::open(place).expect("a place")), options(self.times()))
            .expect("it opens");
        let log = opened.start(Position::START).expect("it starts");
        let begins = log.range().start;
        self.agrees_with(begins, log.replay(Position::START).expect("a replay"));
        self.agrees_with_handles(begins, true, |handle| log.read(handle));
        let ticket =
            log.append(Time(0), payload(Id { thread: 0, number: 0, epoch: 0 }, self.times())).expect("room");
        ticket.wait().expect("it goes on");
        log.close().expect("it closes");
    }

    fn agrees_with(&self, begins: Position, replay: Replay) {
        assert!(begins <= self.pin, "nothing that was pinned is retired: begins={begins} pin={}", self.pin);
        assert!(
            begins >= self.retired,
            "retired once, retired for ever: begins={begins} retired={}",
            self.retired
        );
        let (mut last, mut found) = (BTreeMap::new(), BTreeMap::new());
        for record in replay {
            let record = record.expect("a record");
            let id = Id::of(&record.payload);
            assert_eq!(record.payload, payload(id, self.times()), "the bytes that were appended: {id:?}");
            assert!(!self.gone.contains(&id), "settled for ever: {id:?}");
            if let Some(before) = last.insert(id.thread, id.number) {
                assert_eq!(before + 1, id.number, "no gap, no reorder, no double: {id:?}");
            }
            found.insert(record.position(), (id, record.handle));
        }
        for (thread, kept) in &self.kept {
            let found = last.get(thread).copied();
            // All of a thread's records may be retired.
            let above =
                self.acked.values().any(|(of, _, handle)| of == thread && handle.position() >= begins);
            assert!(found >= Some(*kept) || !above, "kept: thread={thread} number={kept} last={found:?}");
        }
        for (thread, last) in &last {
            assert!(
                self.tried.get(thread) >= Some(last),
                "nothing is invented: thread={thread} number={last}"
            );
        }
        for (position, (thread, number, handle)) in self.acked.range(begins..) {
            let (id, found) = found.get(position).expect("an acknowledged record is in the replay");
            assert_eq!((id.thread, id.number, *found), (*thread, *number, *handle), "where its handle says");
        }
    }

    /// A reader asks nobody whether a record is retired as long as its file is there.
    fn agrees_with_handles(
        &self,
        begins: Position,
        knows_retired: bool,
        read: impl Fn(&Handle) -> headwater_wal::Result<Record>,
    ) {
        for (position, (thread, number, handle)) in &self.acked {
            match read(handle) {
                Ok(record) if *position >= begins || !knows_retired => {
                    let id = Id { thread: *thread, number: *number, epoch: handle.epoch() };
                    assert_eq!(
                        record.payload,
                        payload(id, self.times()),
                        "the bytes that were acknowledged: {id:?}"
                    );
                }
                Ok(_) => panic!("it was retired: {handle}"),
                Err(error) => {
                    assert!(error.kind() == Kind::Retired && *position < begins, "{error}: begins={begins}");
                }
            }
        }
    }
}
