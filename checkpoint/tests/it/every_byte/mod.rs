//! Every truncation and every flipped bit of every file of a small folder: what is found is what an oracle says who knows
//! what each byte is for, and nothing of the decoders.

mod sample;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use headwater_checkpoint::{Checkpoint, Checkpoints, Held, Id};
use headwater_wal::store::{Memory, Name, Pages, Store, Survives};
use headwater_wal::{Error, Kind, Result};

use crate::fixture::*;
use sample::{Expected, NEWER, OLDER, Sample};

/// Memory that keeps in mind how much of an object it was ever asked for at once: so much a reader makes room for.
#[derive(Debug)]
struct Asked {
    memory: Memory,
    most: AtomicU64,
}

impl Store for Asked {
    fn place(&self) -> String {
        self.memory.place()
    }

    fn survives(&self) -> Survives {
        self.memory.survives()
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        self.memory.put(name, bytes)
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        self.most.fetch_max(range.end - range.start, Ordering::Relaxed);
        self.memory.read(name, range)
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        self.memory.list(folder)
    }

    fn remove(&self, name: &Name) -> Result<()> {
        self.memory.remove(name)
    }
}

/// A sample with one file hurt.
struct Case<'a> {
    sample: &'a Sample,
    file: &'a str,
    flip: Option<usize>,
    look: Checkpoints,
    store: Arc<dyn Store>,
}

impl Case<'_> {
    fn names_the_file(&self, error: &Error) {
        assert_eq!(error.kind(), Kind::Damaged, "{error}");
        let site = error.site().unwrap_or_else(|| panic!("damage names its place: {error}"));
        assert_eq!(site.name, self.file, "{error}");
        let name = Name::new(self.file).unwrap();
        let len = self.store.read(&name, 0..1 << 10).unwrap().len() as u64;
        assert!(site.offset <= len.max(self.sample.files[self.file].len() as u64), "{error}");
    }

    /// The checkpoint has what it was written with, but for the section that is hit.
    fn reads(&self, found: &Checkpoint, expected: Expected) {
        for (name, bytes) in &self.sample.sections[&found.id()] {
            let read = self.look.read_section(found, name).and_then(|reader| reader.read_all(1 << 20));
            match read {
                Ok(read) => {
                    assert_eq!(&read, bytes, "{name}");
                    assert_ne!(expected, Expected::Without(name), "its bytes were changed");
                }
                Err(error) => {
                    self.names_the_file(&error);
                    assert_eq!(expected, Expected::Without(name), "{error}");
                }
            }
        }
    }

    fn looks(&self) {
        let usable = [NEWER, OLDER].into_iter().find(|id| !self.is_passed_over(*id));
        let latest = self.look.latest(&Held::nothing()).unwrap();
        let found = latest.checkpoint.as_ref().map(Checkpoint::id);
        assert_eq!(found, usable);
        let passed_over: Vec<Id> = latest.passed_over.iter().map(|(id, _)| *id).collect();
        let over: Vec<Id> = [NEWER, OLDER].into_iter().take_while(|id| Some(*id) != usable).collect();
        assert_eq!(passed_over, over);
        latest.passed_over.iter().for_each(|(_, error)| self.names_the_file(error));
        for id in [NEWER, OLDER] {
            let expected = self.expect(id);
            match self.look.get(id) {
                Ok(found) => self.reads(&found, expected),
                Err(error) => {
                    assert_eq!(expected, Expected::Unreadable);
                    self.names_the_file(&error);
                }
            }
        }
        for (id, errors) in self.look.verify(&[OLDER, NEWER]).unwrap() {
            let expected = self.expect(id);
            assert_eq!(errors.len(), usize::from(expected != Expected::Whole), "{id} {errors:?}");
            errors.iter().for_each(|error| self.names_the_file(error));
        }
    }

    fn expect(&self, id: Id) -> Expected {
        self.sample.expect(id, self.file, self.flip)
    }

    /// A part that is not as long as its head says is noticed without reading it.
    fn is_passed_over(&self, id: Id) -> bool {
        match self.expect(id) {
            Expected::Whole => false,
            Expected::Unreadable => true,
            Expected::Without(_) => self.flip.is_none(),
        }
    }

    /// A writer of the next epoch restores what there is, and goes on; nothing of it is touched by the damage.
    fn goes_on(&self) {
        let mut writer = start(&self.store, 2);
        let follows = writer.follows().map(Checkpoint::id);
        if follows.is_some_and(|id| self.expect(id) != Expected::Whole) {
            writer.fall_back(&Held::nothing()).unwrap();
        }
        publish(&mut writer, 9, &[("x", Some(&noise(3, 80)))]).unwrap();
        let found = newest(&self.store).unwrap();
        assert_eq!((found.id().epoch, read(&self.store, &found, "x").unwrap()), (2, noise(3, 80)));
        assert_eq!(try_start(&self.store, 1, small()).unwrap_err().kind(), Kind::Fenced);
    }
}

/// Says which case it was that failed.
struct Failing<'a>(&'a str, Option<usize>, &'a [u8]);

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} flipped at {:?}, {} bytes", self.0, self.1, self.2.len());
        }
    }
}

fn check(sample: &Sample, file: &str, flip: Option<usize>, bytes: &[u8]) {
    let failing = Failing(file, flip, bytes);
    let asked = Arc::new(Asked { memory: sample.store(file, bytes), most: AtomicU64::new(0) });
    let store: Arc<dyn Store> = asked.clone();
    let case = Case { sample, file, flip, look: Checkpoints::open(store.clone()), store };
    case.looks();
    // No length is believed before it is proven.
    assert!(asked.most.load(Ordering::Relaxed) <= 64 << 10, "asked for {asked:?}");
    case.goes_on();
    drop(failing);
}

#[test]
fn a_file_that_is_cut_at_any_length_is_found_out_and_costs_only_what_names_it() {
    let sample = Sample::written();
    for (file, bytes) in &sample.files {
        (0..bytes.len()).for_each(|len| check(&sample, file, None, &bytes[..len]));
    }
}

#[test]
fn a_file_that_is_longer_than_it_was_is_found_out_and_costs_only_what_names_it() {
    let sample = Sample::written();
    for (file, bytes) in &sample.files {
        check(&sample, file, None, &[&bytes[..], b"\0"].concat());
    }
}

#[test]
fn any_bit_that_flips_in_any_file_is_found_out_and_costs_only_what_it_belongs_to() {
    let sample = Sample::written();
    for (file, bytes) in &sample.files {
        for (at, bit) in (0..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            check(&sample, file, Some(at), &bytes);
        }
    }
}

#[test]
fn any_file_in_the_place_of_any_other_is_found_out() {
    let sample = Sample::written();
    for (file, bytes) in &sample.files {
        for other in sample.files.iter().filter(|(name, other)| *name != file && *other != bytes) {
            let same = other.1.len() == bytes.len() && file.starts_with("parts/");
            let store: Arc<dyn Store> = Arc::new(sample.store(file, other.1));
            let case = Case {
                sample: &sample,
                file,
                flip: same.then_some(0),
                look: Checkpoints::open(store.clone()),
                store,
            };
            case.looks();
            case.goes_on();
        }
    }
}
