//! Every truncation and every flipped bit of every file of three small logs: what the engine says of it is what an
//! oracle says who knows how the log was written, and nothing of the scanner or the judge.

mod oracle;
mod sample;

use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::format::judge::Verdict;
use headwater_wal::store::sim::SimClock;
use headwater_wal::store::{Memory, Name, Store};
use headwater_wal::{Depth, Kind, Log, Position, Reader, Result, Survey, Time, look};

use crate::rules::text;
use oracle::{Expected, Said};
use sample::Sample;

/// One way to hurt a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hurt {
    /// Cut to so many bytes.
    Cut(usize),
    /// A bit of a byte flipped.
    Flip(usize, u8),
}

impl Hurt {
    fn apply(self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match self {
            Hurt::Cut(len) => bytes.truncate(len),
            Hurt::Flip(at, bit) => bytes[at] ^= 1 << bit,
        }
        bytes
    }
}

/// A sample with one file hurt.
struct Case<'a> {
    sample: &'a Sample,
    file: usize,
    hurt: Hurt,
    expected: Expected,
    store: Arc<dyn Store>,
}

impl Case<'_> {
    fn says(&self, what: &str, survey: Result<Survey>, said: Said) {
        let heard = match &survey {
            Err(error) if error.kind() == Kind::Unsupported => Said::Unsupported,
            Err(error) => panic!("{what}: {error}"),
            Ok(survey) => match (survey.verdict(), survey.refusal()) {
                (Verdict::Damaged(_), Some(error)) => {
                    let site = error.site().expect("damage names its place");
                    assert!(self.sample.files.iter().any(|file| file.name == site.name), "{what}: {site:?}");
                    Said::Damaged
                }
                (Verdict::Torn, None) => Said::Torn,
                (Verdict::Clean, None) => Said::Clean,
                other => panic!("{what}: a verdict and a refusal that differ: {other:?}"),
            },
        };
        assert_eq!(heard, said, "{what}: {survey:?}");
    }

    fn look(&self) {
        let look = |at_least, depth| look(&*self.store, at_least, depth);
        self.says("a quick look", look(Position::START, Depth::Quick), self.expected.quick);
        self.says("a full look", look(Position::START, Depth::Full), self.expected.full);
        let lost_some = matches!(self.expected.quick, Said::Torn | Said::Clean) && self.expected.lost_at_end;
        let promised = if lost_some { Said::Damaged } else { self.expected.quick };
        self.says("a look that knows the last record", look(self.sample.promise(), Depth::Quick), promised);
    }

    /// Every record comes as it was appended, none that was not, and what is damaged is not passed over.
    fn replays(&self, what: &str, records: impl Iterator<Item = Result<headwater_wal::Record>>) {
        let (mut kept, mut errors) = (Vec::new(), 0);
        for record in records {
            match record {
                Ok(record) => kept.push(text(&record)),
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Damaged, "{what}: {error}");
                    errors += 1;
                }
            }
        }
        let want: Vec<&str> =
            self.expected.kept.iter().map(|&at| self.sample.records[at].text.as_str()).collect();
        assert_eq!(kept, want, "{what}");
        assert_eq!(
            errors > 0,
            self.expected.full == Said::Damaged,
            "{what}: an error stands for what is damaged"
        );
    }

    /// A handle reads its record as long as no byte of it was hit.
    fn reads(&self) {
        let reader = Reader::open(self.store.clone()).unwrap();
        for record in &self.sample.records {
            let hit = record.file == self.file && record.is_hit(self.hurt);
            match reader.read(&record.handle) {
                Ok(read) => {
                    assert!(!hit, "{}: wrong bytes for {}", record.text, text(&read));
                    assert_eq!(text(&read), record.text);
                    assert_eq!(read.handle, record.handle);
                }
                Err(error) => {
                    assert!(hit, "{}: {error}", record.text);
                    let cut = matches!(self.hurt, Hurt::Cut(_));
                    let may = error.kind() == Kind::Damaged || (cut && error.kind() == Kind::NotThere);
                    assert!(may, "{}: {error}", record.text);
                }
            }
        }
    }

    fn starts(&self) {
        let before = contents(&*self.store);
        let clock = Arc::new(SimClock::new(99));
        let opened = Log::open_with(self.store.clone(), sample::options(), clock).unwrap();
        self.replays("a replay before start", opened.replay(Position::START).unwrap());
        let log = match (opened.start_stepped(Position::START), self.expected.quick) {
            (Err(error), Said::Damaged) => {
                assert_eq!(error.kind(), Kind::Damaged);
                assert!(contents(&*self.store) == before, "a refused start changes nothing");
                return;
            }
            (Ok(log), Said::Torn | Said::Clean) => log,
            (outcome, _) => panic!("start: {outcome:?}"),
        };
        self.replays("a replay after start", log.replay(Position::START).unwrap());
        for &kept in &self.expected.kept {
            let record = &self.sample.records[kept];
            assert_eq!(text(&log.read(&record.handle).unwrap()), record.text);
        }
        let after = log.append(Time(1), "after").unwrap().wait().unwrap();
        assert_eq!(log.read(&after).unwrap().payload, "after");
        log.close().unwrap();
        let survey = look(&*self.store, Position::START, Depth::Full).unwrap();
        assert_eq!(survey.refusal().is_some(), self.expected.full == Said::Damaged, "{survey}");
    }
}

fn contents(store: &dyn Store) -> Vec<(String, Bytes)> {
    let entries = store.list(&Name::ROOT).unwrap().flat_map(Result::unwrap);
    entries
        .map(|entry| (entry.name.clone(), store.read(&Name::new(entry.name).unwrap(), 0..u64::MAX).unwrap()))
        .collect()
}

fn check(sample: &Sample, file: usize, hurt: Hurt) {
    let memory = if sample.grows { Memory::growing() } else { Memory::objects() };
    for (at, other) in sample.files.iter().enumerate() {
        let bytes = if at == file { hurt.apply(&other.bytes) } else { other.bytes.clone() };
        memory.put(&Name::new(other.name.clone()).unwrap(), bytes.into()).unwrap();
    }
    let expected = oracle::expect(sample, file, hurt);
    let case = Case { sample, file, hurt, expected, store: Arc::new(memory) };
    case.look();
    case.reads();
    if case.expected.quick != Said::Unsupported {
        case.starts();
    }
}

/// Says which case it was that failed.
struct Failing<'a>(&'a Sample, usize, Hurt);

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("file {} of {} bytes, {:?}", self.1, self.0.files[self.1].bytes.len(), self.2);
        }
    }
}

fn every_byte_of(sample: &Sample) {
    for (at, file) in sample.files.iter().enumerate() {
        let cuts = (0..file.bytes.len()).map(Hurt::Cut);
        let flips = (0..file.bytes.len()).flat_map(|byte| (0..8).map(move |bit| Hurt::Flip(byte, bit)));
        for hurt in cuts.chain(flips) {
            let failing = Failing(sample, at, hurt);
            check(sample, at, hurt);
            drop(failing);
        }
    }
}

#[test]
fn of_an_active_segment() {
    every_byte_of(&Sample::active());
}

#[test]
fn of_a_sealed_segment() {
    every_byte_of(&Sample::sealed());
}

#[test]
fn of_a_log_of_objects() {
    every_byte_of(&Sample::objects());
}
