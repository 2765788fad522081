//! Files as version 1 of the format has them, kept for ever: a small folder of checkpoints, and a listing of every byte.
//!
//! The listing is made with the tables of the specification by an encoder of its own; what is written today and what is
//! read must agree with the files.

mod lay;
mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headwater_checkpoint::{Checkpoints, Content, Held, Options, Owner, Writer};
use headwater_wal::store::{Memory, Name, Store};
use headwater_wal::{Clock, Compression, Kind, Position, Time};

use crate::fixture::{IDENTITY, heads, names, read};
use lay::Lay;
use sample::{
    COMPRESSED, LONG, NEWEST, NEXT, OLD, PART_BYTES, SHARED, TIME, TOKEN, compressed, folder, newest,
};

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// The golden folder in memory.
fn golden() -> Arc<dyn Store> {
    let memory = Memory::objects();
    for lay in folder() {
        let bytes = fs::read(dir().join(&lay.name)).expect("a golden file");
        memory.put(&Name::new(lay.name).unwrap(), bytes.into()).unwrap();
    }
    Arc::new(memory)
}

/// Stands still, and draws the same token each time.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn wall(&self) -> Time {
        Time(TIME)
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self) -> [u8; 16] {
        *TOKEN
    }
}

#[test]
fn the_tables_of_the_specification_give_the_golden_bytes() {
    for lay in folder() {
        let bytes = fs::read(dir().join(&lay.name)).expect("a golden file");
        assert!(bytes == lay.bytes(), "{}", lay.listing());
    }
    let listing: String = folder().iter().map(|lay| lay.listing() + "\n").collect();
    assert!(fs::read_to_string(dir().with_extension("txt")).unwrap() == listing, "{listing}");
    let files =
        |dir: PathBuf| fs::read_dir(dir).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file());
    assert_eq!(
        files(dir()).chain(files(dir().join("parts"))).count(),
        folder().len(),
        "each file is looked at"
    );
}

#[test]
fn the_same_calls_give_the_golden_bytes_today() {
    let store: Arc<dyn Store> = Arc::new(Memory::objects());
    let options = Options::default()
        .content(Content::new("golden", 5))
        .part_bytes(PART_BYTES as u32)
        .inside_bytes_max(15)
        .compression(Compression::Off)
        .uploads(0)
        .keep_last(3);
    let at = |position| [("received/a", Position(77)), ("journal", Position(position))];
    let start = |epoch| {
        let owner = Owner { identity: IDENTITY, epoch };
        let look = Checkpoints::open(store.clone());
        Writer::start_with(look, owner, options.clone(), &Held::nothing(), Arc::new(Still)).unwrap().0
    };
    let skip = |writer: &mut Writer, count| (0..count).for_each(|_| drop(writer.draft().unwrap()));
    let mut writer = start(2);
    skip(&mut writer, 9);
    let mut draft = writer.draft().unwrap();
    draft.write("shared", SHARED).unwrap();
    draft.publish(&at(1)).unwrap();
    let mut writer = start(3);
    skip(&mut writer, 6);
    let mut draft = writer.draft().unwrap();
    draft.keep("shared").unwrap();
    draft.publish(&at(2)).unwrap();
    let mut draft = writer.draft().unwrap();
    draft.keep_or_write("small", 0x1122, |into| into.write_all(b"in the head")).unwrap();
    draft.keep("shared").unwrap();
    draft.write("empty", b"").unwrap();
    draft.write("long", LONG).unwrap();
    draft.publish(&at(4096)).unwrap();
    let of_epoch_4 = |lay: &&Lay| lay.name.contains("00000000000000000004-0") || lay.name.contains("4.epoch");
    let wanted: Vec<Lay> = folder().into_iter().filter(|lay| !of_epoch_4(&lay)).collect();
    assert_eq!(names(&store).len(), wanted.len());
    for lay in wanted {
        let bytes = store.read(&Name::new(lay.name.clone()).unwrap(), 0..1 << 20).unwrap();
        assert!(bytes == lay.bytes(), "{}", lay.listing());
    }
}

#[test]
fn what_golden_files_hold_is_read_from_them() {
    let store = golden();
    assert_eq!(heads(&store), ["2-9", "3-6", "3-7", "4-0"]);
    let look = Checkpoints::open(store.clone());
    let found = look.get(NEWEST).unwrap();
    assert_eq!((found.identity(), found.time(), found.kept()), (IDENTITY, Time(TIME), &[NEXT, OLD][..]));
    assert_eq!(found.content(), &Content::new("golden", 5));
    assert_eq!(found.positions(), [("journal".into(), Position(4096)), ("received/a".into(), Position(77))]);
    assert_eq!(found.section("small").unwrap().revision(), Some(0x1122));
    assert_eq!(found.section("shared").unwrap().written_by(), Some(OLD));
    for (id, sections) in [(NEWEST, newest()), (COMPRESSED, compressed())] {
        let found = look.get(id).unwrap();
        for section in sections {
            match read(&store, &found, section.name) {
                Ok(bytes) => assert_eq!(bytes, section.raw, "{}", section.name),
                Err(error) => {
                    // Not damage, but what this build cannot do.
                    assert_eq!(error.kind(), Kind::Unsupported, "{error}");
                    assert!(id == COMPRESSED && !cfg!(feature = "zstd"), "{error}");
                }
            }
        }
    }
    assert_eq!(look.latest(&Held::nothing()).unwrap().checkpoint.unwrap().id(), COMPRESSED);
}

#[test]
fn a_newer_version_is_unsupported_and_a_rotten_one_is_damage() {
    for file in folder().iter().filter(|lay| lay.name.contains("3-00000000000000000007")) {
        for (sealed_anew, kind) in [(true, Kind::Unsupported), (false, Kind::Damaged)] {
            let store = golden();
            let name = Name::new(file.name.clone()).unwrap();
            crate::fixture::change(&store, &name, |bytes| {
                bytes[8] = 2;
                // However a newer release seals it, it is not as this one would.
                bytes[12] ^= u8::from(sealed_anew);
            });
            let look = Checkpoints::open(store.clone());
            let answer = look.get(NEWEST).and_then(|found| read(&store, &found, "long"));
            assert_eq!(answer.unwrap_err().kind(), kind, "{}", file.name);
        }
    }
}

/// Run by hand once for a new version, never again: `cargo test -p headwater-checkpoint --test it golden -- --ignored`.
#[test]
#[ignore = "writes the golden files"]
fn write_the_golden_files() {
    fs::create_dir_all(dir().join("parts")).unwrap();
    for lay in folder() {
        let path = dir().join(&lay.name);
        assert!(!path.exists(), "golden files are kept for ever: {}", path.display());
        fs::write(path, lay.bytes()).unwrap();
    }
    let listing: String = folder().iter().map(|lay| lay.listing() + "\n").collect();
    fs::write(dir().with_extension("txt"), listing).unwrap();
}
