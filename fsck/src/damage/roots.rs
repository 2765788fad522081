//! Damages between the parts of a root: its journal, its receivers' logs and its checkpoints. They are done to a copy of any
//! sound root whose driver was stopped, which is taken apart by the engine's own replay.

use std::collections::BTreeMap;

use headwater_checkpoint::journal::{Event, State};
use headwater_wal::format::name::{parse_segment, segment};
use headwater_wal::{Handle, Log, Options, Position};

use super::{Files, Told};
use crate::Severity;

/// A sound root: its files, and what its journal says of them.
#[derive(Debug)]
pub struct Sound {
    files: BTreeMap<String, Vec<u8>>,
    /// The records of its events, oldest first.
    pub events: Vec<Handle>,
    /// The state that all events make.
    pub state: State,
}

/// A way in which a root is damaged.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name, in words.
    pub name: &'static str,
    act: fn(&Sound, &Files) -> Vec<Told>,
}

/// Every kind of damage between the parts of a root. Each needs a root with a checkpoint, with a batch that is not
/// finished, and with a block of receiver 0 that no batch has.
pub const KINDS: &[Kind] = &[
    Kind { name: "a block that waits is flipped", act: |s, f| block(f, &s.waiting(), "4 records") },
    Kind {
        name: "a block of an unfinished batch is flipped",
        act: |s, f| block(f, &s.pending(), "2 records"),
    },
    Kind { name: "a log is cut before a block that waits", act: cut },
    Kind { name: "a receiver's folder is missing", act: folder_missing },
    Kind { name: "the logs of two receivers in each other's place", act: swapped },
    Kind { name: "a log of a receiver that the journal does not know", act: unknown },
    Kind { name: "a log in a folder that is no receiver's", act: foreign },
    Kind { name: "the segment of the journal with its events is missing", act: no_events },
    Kind {
        name: "the checkpoints are missing",
        act: |_, f| {
            remove(f, "checkpoints");
            Vec::new()
        },
    },
];

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Kind {
    /// Does it to a copy of that root. What a full check of all parts against one another must find, and nothing else.
    pub fn apply(&self, sound: &Sound, files: &Files) -> Vec<Told> {
        (self.act)(sound, files)
    }
}

impl Sound {
    /// Takes a root in a folder apart. `journal`: its journal.
    pub fn read(files: &Files, journal: &Files) -> Sound {
        let opened = Log::open(journal.store(), Options::default()).expect("a journal");
        let (mut events, mut state) = (Vec::new(), State::default());
        for record in opened.replay(Position::START).expect("a replay") {
            let record = record.expect("a record");
            let (number, event) = Event::decode(&record.payload).expect("an event");
            state.apply(number, &event).expect("an event that fits");
            events.push(record.handle);
        }
        let kept = files.bytes().into_iter().filter_map(|(name, bytes)| Some((name, bytes?)));
        Sound { files: kept.collect(), events, state }
    }

    /// Puts a copy of it where there is nothing.
    pub fn lay(&self, files: &Files) {
        self.files.iter().for_each(|(name, bytes)| files.write(name, bytes));
    }

    fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let inside = move |(name, bytes): (&'a String, &'a Vec<u8>)| {
            Some((name.strip_prefix(folder)?.strip_prefix('/')?, bytes.as_slice()))
        };
        self.files.iter().filter_map(inside)
    }

    /// The last block of receiver 0 that no batch has.
    fn waiting(&self) -> Handle {
        let tracker = self.state.tracker();
        let waits =
            tracker.logs().filter(|log| log.receiver == 0).flat_map(|log| tracker.waiting_blocks(log));
        waits.last().expect("a block that waits").handle
    }

    /// The first block of receiver 0 that an unfinished batch has.
    fn pending(&self) -> Handle {
        let tracker = self.state.tracker();
        let blocks = tracker.unfinished().flat_map(|allotment| {
            let logs: Vec<_> = tracker.logs().filter(|log| log.receiver == 0).collect();
            logs.into_iter().flat_map(|log| allotment.blocks_of(log).collect::<Vec<_>>()).collect::<Vec<_>>()
        });
        blocks.into_iter().next().expect("a block of an unfinished batch").handle
    }
}

const LOG: &str = "received/0/0";
const OTHER: &str = "received/0/1";

fn told(
    part: &str,
    severity: Severity,
    file: String,
    range: Option<(Position, Position)>,
    lost: &str,
) -> Told {
    Told { part: part.to_owned(), severity, file: Some(file), range, lost: lost.to_owned() }
}

/// It does not verify: the log says so of the frame, and the journal of the block.
fn block(files: &Files, block: &Handle, records: &str) -> Vec<Told> {
    let name = segment(block.base());
    let offset = block.position().since(block.base()) as usize + 500;
    files.change(&format!("{LOG}/{name}"), |bytes| bytes[offset] ^= 0x10);
    let range = Some((block.position(), block.end()));
    vec![told(LOG, Severity::Damaged, name, range, ""), needed(block, records)]
}

/// A block that is not done with and cannot be read.
fn needed(block: &Handle, records: &str) -> Told {
    let range = Some((block.position(), block.end()));
    let file = format!("{LOG}/{}", segment(block.base()));
    told("", Severity::Damaged, file, range, &format!("{records}; the first block is {block}"))
}

/// The segment of the block is gone; that the log went on the journal knows.
fn cut(sound: &Sound, files: &Files) -> Vec<Told> {
    let block = sound.waiting();
    files.remove(&format!("{LOG}/{}", segment(block.base())));
    let (name, known) = (segment(block.base()), (block.base(), block.position().plus(1)));
    let missing = told(LOG, Severity::Damaged, format!("{name} (missing)"), Some(known), "");
    vec![missing, needed(&block, "4 records")]
}

fn remove(files: &Files, folder: &str) {
    let names = files.names().into_iter().filter(|name| name.starts_with(&format!("{folder}/")));
    names.for_each(|name| files.remove(&name));
}

/// The logs of blocks that are not done with are not there.
fn folder_missing(_: &Sound, files: &Files) -> Vec<Told> {
    remove(files, LOG);
    vec![told("", Severity::Damaged, LOG.into(), None, "2 blocks: 1 of batch 2, 1 that no batch has yet")]
}

fn put(sound: &Sound, files: &Files, from: &str, to: &str) {
    remove(files, to);
    sound.below(from).for_each(|(name, bytes)| files.write(&format!("{to}/{name}"), bytes));
}

/// A log that the journal does not know there.
fn unreported(sound: &Sound, from: &str, to: &str) -> Told {
    let segments = sound.below(from).filter_map(|(name, bytes)| Some((parse_segment(name)?, bytes.len())));
    let (base, len) = segments.max().expect("a segment");
    let lost = "nothing: no source was told that what it holds is safe";
    told("", Severity::SetAside, to.into(), Some((Position::START, base.plus(len as u64))), lost)
}

fn swapped(sound: &Sound, files: &Files) -> Vec<Told> {
    put(sound, files, LOG, OTHER);
    put(sound, files, OTHER, LOG);
    let mut all = folder_missing(sound, &Files::Memory(headwater_wal::store::Memory::growing()));
    all.push(told("", Severity::Damaged, OTHER.into(), None, "1 block: 1 of batch 2"));
    all.extend([unreported(sound, LOG, OTHER), unreported(sound, OTHER, LOG)]);
    all
}

fn unknown(sound: &Sound, files: &Files) -> Vec<Told> {
    put(sound, files, LOG, "received/7/0");
    vec![unreported(sound, LOG, "received/7/0")]
}

fn foreign(sound: &Sound, files: &Files) -> Vec<Told> {
    put(sound, files, LOG, "received/7/07");
    vec![told("", Severity::Foreign, "received/7/07".into(), None, "")]
}

/// What is left of the journal says nothing; the checkpoint is replayed from behind its end.
fn no_events(sound: &Sound, files: &Files) -> Vec<Told> {
    files.remove(&format!("journal/{}", segment(sound.events[0].base())));
    let heads = sound.below("checkpoints").filter(|(name, _)| name.ends_with(".ckpt"));
    let newest = heads.last().expect("a checkpoint").0;
    vec![told("journal", Severity::Damaged, newest.into(), None, "")]
}
