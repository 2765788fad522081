//! The picture of a log: whole, bounded, and with everything in it that the log has. `HEADWATER_PICTURES=DIR` keeps the
//! pictures, for whoever wants to look at them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headwater_fsck::{Depth, Marks, find, timeline};
use headwater_wal::format::name::segment;
use headwater_wal::store::sim::SimClock;
use headwater_wal::store::{Local, Memory, Store};
use headwater_wal::{Compression, Log, Options, Position, Survey, Time};
use tempfile::TempDir;

use crate::hostile::is_plain;
use crate::program::{code, lines, run};

struct History {
    _dir: TempDir,
    path: PathBuf,
    store: Arc<dyn Store>,
}

/// A log of so many segments, in some lives; fast and slow times take turns, and there is a night without records.
fn history(segments: u64, lives: u64) -> History {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let store: Arc<dyn Store> = Arc::new(Local::open(&path).unwrap());
    write(&store, segments, lives);
    History { _dir: dir, path, store }
}

fn write(store: &Arc<dyn Store>, segments: u64, lives: u64) {
    let clock = Arc::new(SimClock::new(7));
    let options = Options::default()
        .segment_bytes(16 << 10)
        .record_bytes_max(64 << 10)
        .compression(Compression::Off)
        .durability(headwater_wal::Durability::Process);
    let mut made = 0;
    for life in 0..lives {
        let opened = Log::open_with(store.clone(), options.clone(), clock.clone()).unwrap();
        let log = opened.start(Position::START).unwrap();
        log.confirm_clock();
        for _ in 0..segments / lives + u64::from(life < segments % lives) {
            let bytes = 500 + (made * 7919) % 12_000;
            log.append(Time(made), vec![b'x'; bytes as usize]).unwrap().wait().unwrap();
            let slow = if (made * 12 / segments.max(1)).is_multiple_of(3) { 9 } else { 2 };
            clock.advance(Duration::from_secs(slow * 60));
            made += 1;
            if made < segments {
                log.seal().unwrap();
            }
        }
        clock.advance(Duration::from_secs(segments * 20));
        // The last life is as a kill leaves it, as far as looking tells.
        if life + 1 < lives {
            log.close().unwrap();
        } else {
            std::mem::forget(log);
        }
    }
}

impl History {
    fn survey(&self) -> Survey {
        find(&*self.store, Position::START, Depth::Quick).unwrap()
    }
}

/// Each line is one element, and nothing in it is broken.
fn assert_whole(svg: &str) {
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    for line in svg.lines().filter(|line| !line.starts_with("<svg") && *line != "</svg>") {
        let name: String = line[1..].chars().take_while(char::is_ascii_alphabetic).collect();
        let closed = line.ends_with("/>") || line.ends_with(&format!("</{name}>"));
        assert!(line.starts_with('<') && closed, "{line}");
        assert_eq!(line.matches('"').count() % 2, 0, "{line}");
        assert!(!line.contains("NaN") && !line.contains("inf"), "{line}");
    }
    assert!(svg.chars().all(is_plain));
}

fn keep(name: &str, svg: &str) {
    if let Some(dir) = std::env::var_os("HEADWATER_PICTURES") {
        std::fs::write(Path::new(&dir).join(format!("{name}.svg")), svg).unwrap();
    }
}

fn shapes(svg: &str) -> usize {
    svg.lines().count()
}

#[test]
fn a_picture_is_whole_and_bounded_whatever_the_number_of_segments() {
    let many: u64 =
        std::env::var("HEADWATER_SEGMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1500);
    for (segments, lives) in [(1, 1), (10, 2), (300, 5), (many, 8)] {
        let store: Arc<dyn Store> = Arc::new(Memory::growing());
        write(&store, segments, lives);
        let survey = find(&*store, Position::START, Depth::Quick).unwrap();
        let chain = survey.chain().segments();
        let held = chain.iter().filter(|segment| !segment.begins_epoch).count() as u64;
        assert!(held >= segments, "{held} of {segments}");
        let marks = Marks {
            positions: (1..=4)
                .map(|at| (chain[chain.len() * at / 5].base, format!("checkpoint 3-{at}")))
                .collect(),
            cleaned: Some((chain[chain.len() / 4].base, "everything that nothing holds".into())),
        };
        let svg = timeline(&survey, &marks);
        keep(&format!("{segments}"), &svg);
        assert_whole(&svg);
        assert!(
            shapes(&svg) < 2_000 && svg.len() < 250_000,
            "{segments}: {} shapes, {} bytes",
            shapes(&svg),
            svg.len()
        );
        let title = format!("{} segments", chain.len());
        assert!(
            svg.contains(&title) && svg.contains("checkpoint 3-4") && svg.contains("epoch 1<"),
            "{title}"
        );
    }
}

#[test]
fn what_is_wrong_is_in_the_picture() {
    let history = history(40, 3);
    let chain = history.survey().chain().segments().to_vec();
    let file = |at: usize| history.path.join(segment(chain[at].base));
    std::fs::remove_file(file(9)).unwrap();
    let mut bytes = std::fs::read(file(20)).unwrap();
    bytes[100] ^= 1;
    std::fs::write(file(20), bytes).unwrap();
    let survey = history.survey();
    assert_eq!(survey.damage_count(), 2, "{survey}");
    let svg = timeline(&survey, &Marks::default());
    keep("damaged", &svg);
    assert_whole(&svg);
    assert!(
        svg.contains("class=\"damaged band\"") && svg.contains("damaged (2)") && svg.contains("DAMAGED in 2")
    );
    let count = svg.matches("<rect class=\"damaged\"").count();
    assert_eq!(count, 2 + 1, "both places in the strip, and the legend");
}

#[test]
fn the_program_writes_a_picture_and_never_into_the_log() {
    let history = history(12, 2);
    let path = history.path.join("");
    let path = path.to_str().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("a.svg");
    let to = to.to_str().unwrap();
    assert_eq!(code(&["timeline", path, "--svg", to]), 0);
    assert_whole(&std::fs::read_to_string(to).unwrap());
    assert_eq!(code(&["timeline", path, "--svg", to]), 16, "it is there already");
    assert_eq!(code(&["timeline", path, "--svg", to, "--force"]), 0);
    assert_eq!(code(&["timeline", path]), 16);
    let inside = format!("{path}a.svg");
    for place in [path.to_owned(), format!("file://{path}")] {
        assert_eq!(code(&["timeline", &place, "--svg", &inside]), 16, "{place}");
    }
    let link = dir.path().join("link.svg");
    let target = history.path.join(segment(history.survey().chain().segments()[1].base));
    let before = std::fs::read(&target).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert_eq!(code(&["timeline", path, "--svg", link.to_str().unwrap(), "--force"]), 16);
    assert_eq!(std::fs::read(&target).unwrap(), before);
    let out = lines(&["timeline", path, "--svg", "-"], 0).join("\n");
    assert!(out.starts_with("<svg"));
    assert_eq!(run(&["timeline", path, "0/1", "--svg", "-"]).status.code(), Some(16), "no root");
}
