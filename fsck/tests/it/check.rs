//! What the check says of logs that were damaged in named ways.

use std::sync::Arc;

use headwater_fsck::{Depth, Severity, check};
use headwater_wal::store::{Memory, Name, Store};
use headwater_wal::{Kind, Log, Position};

use crate::specimen::{RECORDS, Specimen, fill, options};

#[test]
fn a_log_that_was_killed_is_sound_and_every_record_is_counted() {
    let specimen = Specimen::new();
    let report = specimen.check();
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.records(), RECORDS);
    assert_eq!(report.findings(), []);
    assert_eq!(report.state(), "clean");
}

#[test]
fn each_damage_is_named_with_its_file_and_what_it_costs() {
    type Damage = fn(&Specimen, &str, usize);
    let cases: [(&str, Damage, &str, &str, u64); 8] = [
        (
            "a payload",
            |s, f, n| s.flip(f, s.place(n).1 + 40),
            "a payload that does not verify",
            "the record of",
            1,
        ),
        (
            "a frame",
            |s, f, n| s.flip(f, s.place(n).1 + 9),
            "a frame that does not verify",
            "do not verify",
            1,
        ),
        ("a group", |s, f, n| s.flip(f, s.place(n).1 - 40), "neither a group", "frames behind it verify", 0),
        ("a header", |s, f, _| s.flip(f, 100), "a segment header that does not", "verify all the same", 0),
        ("a missing file", |s, f, _| s.delete(f), "a segment is missing", "all records at these", 0),
        (
            "the trailer",
            |s, f, _| s.flip(f, len(s, f) - 3),
            "a footer that does not",
            "none that can be named",
            0,
        ),
        (
            "bytes behind",
            |s, f, _| s.change(f, |b| b.push(1)),
            "bytes behind the footer",
            "belong to nothing",
            0,
        ),
        (
            "a cut file",
            |s, f, n| s.cut(f, s.place(n).1 + 33),
            "a payload that does not verify",
            "bytes are gone",
            0,
        ),
    ];
    for (name, damage, what, lost, records) in cases {
        let specimen = Specimen::new();
        let (file, number) = specimen.middle();
        let before = specimen.check();
        damage(&specimen, &file, number);
        let report = specimen.check();
        assert!(!report.is_sound(), "{name}: {report}");
        assert_eq!(report.state(), "damaged");
        let finding = &report.findings()[0];
        assert_eq!(finding.severity, Severity::Damaged);
        assert!(finding.file.as_ref().unwrap().starts_with(&file), "{name}: {finding}");
        assert!(finding.what.contains(what), "{name}: {finding}");
        assert!(finding.lost.contains(lost), "{name}: {finding}");
        assert!(finding.next.as_ref().unwrap().contains(&specimen.store().place()), "{name}: {finding}");
        if records > 0 {
            assert_eq!(report.records(), before.records() - records, "{name}: {report}");
        }
    }
}

fn len(specimen: &Specimen, file: &str) -> u64 {
    std::fs::metadata(specimen.file(file)).unwrap().len()
}

#[test]
fn a_record_with_a_bad_payload_is_named_by_its_handle() {
    let specimen = Specimen::new();
    let (file, offset) = specimen.place(40);
    specimen.flip(&file, offset + 40);
    let report = specimen.check();
    let finding = &report.findings()[0];
    assert!(finding.lost.contains(&format!("handle={} ", specimen.handles[40])), "{finding}");
    assert_eq!(finding.offset, Some(offset));
    assert_eq!(finding.range.as_ref().unwrap().start, specimen.handles[40].position());
}

#[test]
fn a_quick_check_does_not_read_what_a_footer_vouches_for() {
    let specimen = Specimen::new();
    let (file, offset) = specimen.place(40);
    specimen.flip(&file, offset + 40);
    assert!(check(&*specimen.store(), Position::START, Depth::Quick).unwrap().is_sound());
    assert!(!specimen.check().is_sound());
}

#[test]
fn a_torn_tail_is_no_damage_until_somebody_knows_better() {
    let specimen = Specimen::new();
    let last = *specimen.handles.last().unwrap();
    let (file, offset) = specimen.place(RECORDS as usize - 1);
    specimen.cut(&file, offset + 50);
    let report = specimen.check();
    assert!(report.is_sound(), "{report}");
    assert_eq!((report.state(), report.records()), ("torn", RECORDS - 1));
    let torn = &report.findings()[0];
    assert_eq!(torn.severity, Severity::Torn);
    let range = torn.range.clone().unwrap();
    assert!(range.contains(&last.position()), "{torn}");

    let report = check(&*specimen.store(), last.end(), Depth::Full).unwrap();
    assert!(!report.is_sound(), "{report}");
    assert!(report.findings()[0].what.contains("promised"), "{report}");
}

#[test]
fn foreign_names_are_told_and_are_no_damage() {
    let specimen = Specimen::new();
    specimen.plant("notes.txt", b"mine");
    specimen.plant("1.wal", b"also mine");
    let report = specimen.check();
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.count(Severity::Foreign), 2);
    let names: Vec<_> = report.findings().iter().filter_map(|finding| finding.file.clone()).collect();
    assert_eq!(names, ["1.wal", "notes.txt"]);
}

#[test]
fn what_the_check_says_to_accept_lets_the_log_start_and_is_remembered() {
    type Damage = fn(&Specimen, &str);
    let cases: [(&str, Damage); 3] = [
        ("missing", |specimen, file| specimen.delete(file)),
        ("header", |specimen, file| specimen.flip(file, 100)),
        ("cut", |specimen, file| specimen.cut(file, 900)),
    ];
    for (name, damage) in cases {
        let specimen = Specimen::new();
        damage(&specimen, &specimen.middle().0);
        let report = specimen.check();
        let open = || Log::open(specimen.store(), options()).unwrap();
        assert_eq!(open().start(Position::START).unwrap_err().kind(), Kind::Damaged, "{name}");
        let mut opened = open();
        for finding in report.findings() {
            assert!(finding.remedy.contains("accept_loss"), "{name}: {finding}");
            opened = opened.accept_loss(finding.range.clone().unwrap());
        }
        opened.start(Position::START).unwrap().close().unwrap();
        let report = specimen.check();
        assert!(report.is_sound(), "{name}: {report}");
        assert!(report.count(Severity::Lost) > 0, "{name}: {report}");
    }
}

#[test]
fn what_opening_does_not_read_is_not_said_to_keep_the_log_from_starting() {
    let specimen = Specimen::new();
    let (file, offset) = specimen.place(40);
    specimen.flip(&file, offset + 40);
    let report = specimen.check();
    assert!(!report.findings()[0].remedy.contains("accept_loss"), "{report}");
    let log = Log::open(specimen.store(), options()).unwrap().start(Position::START).unwrap();
    let replayed: Vec<_> = log.replay(Position::START).unwrap().collect();
    assert_eq!(replayed.iter().filter(|record| record.is_err()).count(), 1);
    assert_eq!(replayed.len(), RECORDS as usize);
}

#[test]
fn a_version_field_that_was_changed_is_not_called_a_newer_release() {
    let specimen = Specimen::new();
    let (file, _) = specimen.middle();
    specimen.change(&file, |bytes| bytes[12] = 9);
    let error = check(&*specimen.store(), Position::START, Depth::Full).unwrap_err();
    assert_eq!(error.kind(), Kind::Damaged, "{error}");
    assert!(error.to_string().contains("verifies as version 1"), "{error}");
    // A header of a really newer release does not verify as one of ours.
    specimen.change(&file, |bytes| bytes[400] = 9);
    let error = check(&*specimen.store(), Position::START, Depth::Full).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported, "{error}");
}

#[test]
fn a_place_without_a_log_says_where_logs_are() {
    let memory: Arc<dyn Store> = Arc::new(Memory::growing());
    let error = check(&*memory, Position::START, Depth::Full).unwrap_err();
    assert_eq!(error.kind(), Kind::NotThere, "{error}");
    let name = Name::new("received/clicks/7/00000000000000000000.wal").unwrap();
    memory.put(&name, "anything".into()).unwrap();
    let error = check(&*memory, Position::START, Depth::Full).unwrap_err();
    assert_eq!(error.kind(), Kind::NotThere, "{error}");
    assert!(error.to_string().contains("/received/clicks/7"), "{error}");
}

#[test]
fn logs_of_whole_objects_are_checked_too() {
    let store: Arc<dyn Store> = Arc::new(Memory::objects());
    let (handles, log) = fill(&store);
    let report = check(&*store, Position::START, Depth::Full).unwrap();
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.records(), RECORDS);
    log.close().unwrap();

    let handle = handles[50];
    let name = Name::new(headwater_wal::format::name::segment(handle.base())).unwrap();
    let mut bytes = store.read(&name, 0..u64::MAX).unwrap().to_vec();
    bytes[handle.position().since(handle.base()) as usize + 40] ^= 1;
    store.remove(&name).unwrap();
    store.put(&name, bytes.into()).unwrap();
    let report = check(&*store, Position::START, Depth::Full).unwrap();
    assert!(!report.is_sound(), "{report}");
    assert!(report.findings()[0].lost.contains(&handle.to_string()), "{report}");
    assert_eq!(report.records(), RECORDS - 1);
}
