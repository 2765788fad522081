//! Every class of damage, repaired: clean afterwards, with exactly the loss that is stated.

use std::sync::Arc;

use headwater_fsck::{Consent, repair};
use headwater_wal::store::sim::SimClock;
use headwater_wal::{Kind, Log, Position, Time};

use super::{Place, RECORDS, all_but, is_clean_with, options, payload};

/// What is done to a log, and which records that costs.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) damage: fn(&Place),
    /// Of a log of growing files, and of one of objects.
    pub(crate) lost: fn(&Place) -> Vec<usize>,
    /// Only where files grow.
    pub(crate) growing: bool,
}

/// A record in a sealed segment in the middle.
pub(crate) const MIDDLE: usize = 16;

fn nothing(_: &Place) -> Vec<usize> {
    Vec::new()
}

fn in_the_middle(place: &Place) -> Vec<usize> {
    place.beside(MIDDLE)
}

fn the_middle_one(_: &Place) -> Vec<usize> {
    vec![MIDDLE]
}

fn name(place: &Place, number: usize) -> String {
    place.file(number).0
}

fn len(place: &Place, file: &str) -> usize {
    place.sim.read_raw(file).len()
}

fn change(place: &Place, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = place.sim.read_raw(file);
    change(&mut bytes);
    place.sim.write_raw(file, &bytes);
}

fn flip(place: &Place, number: usize, behind: isize) {
    let (file, offset) = place.file(number);
    place.sim.flip(&file, offset.checked_add_signed(behind).unwrap(), 3);
}

fn spoil_header(place: &Place, file: &str) {
    change(place, file, |bytes| bytes[..512].iter_mut().step_by(3).for_each(|byte| *byte ^= 0x5A));
}

fn swap(place: &Place, one: &str, other: &str) {
    let (first, second) = (place.sim.read_raw(one), place.sim.read_raw(other));
    place.sim.write_raw(one, &second);
    place.sim.write_raw(other, &first);
}

/// The file of the next segment that holds records.
fn behind(place: &Place, number: usize) -> String {
    let file = name(place, number);
    (number..RECORDS).map(|other| name(place, other)).find(|other| *other != file).unwrap()
}

pub(crate) const CLASSES: &[Class] = &[
    Class { name: "a payload", damage: |p| flip(p, MIDDLE, 40), lost: the_middle_one, growing: false },
    Class { name: "a frame's header", damage: |p| flip(p, MIDDLE, 9), lost: the_middle_one, growing: false },
    Class { name: "a group's header", damage: |p| flip(p, MIDDLE, -40), lost: nothing, growing: false },
    Class {
        name: "three payloads",
        damage: |p| [3, MIDDLE, 20].into_iter().for_each(|number| flip(p, number, 45)),
        lost: |_| vec![3, MIDDLE, 20],
        growing: false,
    },
    Class {
        name: "more payloads than an epoch can state",
        damage: |p| (2..RECORDS - 2).for_each(|number| flip(p, number, 45)),
        lost: |_| (2..RECORDS - 2).collect(),
        growing: false,
    },
    Class {
        name: "one byte of a header",
        damage: |p| p.sim.flip(&name(p, MIDDLE), 100, 2),
        lost: nothing,
        growing: false,
    },
    Class {
        name: "a whole header",
        damage: |p| spoil_header(p, &name(p, MIDDLE)),
        lost: nothing,
        growing: false,
    },
    Class {
        name: "a header of zeros",
        damage: |p| p.sim.zero(&name(p, MIDDLE), 0..512),
        lost: nothing,
        growing: false,
    },
    Class {
        name: "the header of the last segment",
        damage: |p| spoil_header(p, &name(p, RECORDS - 1)),
        lost: nothing,
        growing: false,
    },
    Class {
        name: "the log's first header",
        damage: |p| spoil_header(p, &p.segments()[0]),
        lost: nothing,
        growing: false,
    },
    Class {
        name: "an epoch's first header",
        damage: |p| {
            let base = name(p, RECORDS / 3);
            let first = p.segments().into_iter().rfind(|file| *file < base).unwrap();
            spoil_header(p, &first);
        },
        lost: nothing,
        growing: false,
    },
    Class {
        name: "two headers side by side",
        damage: |p| {
            spoil_header(p, &name(p, MIDDLE));
            spoil_header(p, &behind(p, MIDDLE));
        },
        lost: nothing,
        growing: false,
    },
    Class {
        name: "a header and a payload behind it",
        damage: |p| {
            spoil_header(p, &name(p, MIDDLE));
            flip(p, MIDDLE, 40);
        },
        lost: the_middle_one,
        growing: false,
    },
    Class {
        name: "a trailer",
        damage: |p| {
            let file = name(p, MIDDLE);
            p.sim.flip(&file, len(p, &file) - 3, 0);
        },
        lost: nothing,
        growing: false,
    },
    Class {
        name: "a whole footer",
        damage: |p| {
            let file = name(p, MIDDLE);
            let len = len(p, &file);
            p.sim.zero(&file, len - 136..len);
        },
        lost: nothing,
        growing: false,
    },
    Class {
        name: "a footer, and a payload before it",
        damage: |p| {
            let file = name(p, MIDDLE);
            p.sim.flip(&file, len(p, &file) - 60, 0);
            flip(p, p.beside(MIDDLE)[0], 40);
        },
        lost: |p| vec![p.beside(MIDDLE)[0]],
        growing: false,
    },
    Class {
        name: "bytes behind a footer",
        damage: |p| change(p, &name(p, MIDDLE), |bytes| bytes.extend([7; 100])),
        lost: nothing,
        growing: false,
    },
    Class {
        name: "a missing segment",
        damage: |p| p.sim.remove_file(&name(p, MIDDLE)),
        lost: in_the_middle,
        growing: false,
    },
    Class {
        name: "a cut segment",
        damage: |p| {
            let (file, offset) = p.file(MIDDLE);
            p.sim.cut(&file, offset + 60);
        },
        lost: |p| p.beside(MIDDLE).into_iter().filter(|&number| number >= MIDDLE).collect(),
        growing: false,
    },
    Class {
        name: "an empty file in the place of a segment",
        damage: |p| p.sim.write_raw(&name(p, MIDDLE), &[]),
        lost: in_the_middle,
        growing: false,
    },
    Class {
        name: "two segments swapped",
        damage: |p| swap(p, &name(p, MIDDLE), &behind(p, MIDDLE)),
        lost: nothing,
        growing: false,
    },
    Class {
        name: "the last two segments swapped",
        damage: |p| {
            let last = name(p, RECORDS - 1);
            let before = (0..RECORDS).rev().map(|other| name(p, other)).find(|other| *other != last).unwrap();
            swap(p, &last, &before);
        },
        lost: nothing,
        growing: false,
    },
    Class {
        name: "a segment under another name",
        damage: |p| {
            let file = name(p, MIDDLE);
            let bytes = p.sim.read_raw(&file);
            p.sim.remove_file(&file);
            p.sim.write_raw("00000000000900000000.wal", &bytes);
        },
        lost: nothing,
        growing: false,
    },
    Class {
        name: "a segment twice",
        damage: |p| {
            let bytes = p.sim.read_raw(&name(p, MIDDLE));
            p.sim.write_raw("00000000000900000000.wal", &bytes);
        },
        lost: nothing,
        growing: false,
    },
    Class {
        name: "a copy of one segment over another",
        damage: |p| {
            let bytes = p.sim.read_raw(&behind(p, MIDDLE));
            p.sim.write_raw(&name(p, MIDDLE), &bytes);
        },
        lost: in_the_middle,
        growing: false,
    },
    Class {
        name: "a payload in the middle of the segment that was being written",
        damage: |p| flip(p, RECORDS - 5, 40),
        lost: |_| vec![RECORDS - 5],
        growing: false,
    },
    Class {
        name: "two groups in the segment that was being written, and its header",
        damage: |p| {
            spoil_header(p, &name(p, RECORDS - 1));
            flip(p, RECORDS - 5, 40);
            flip(p, RECORDS - 3, -40);
        },
        lost: |_| vec![RECORDS - 5],
        growing: true,
    },
    Class {
        name: "the segment that was being written, cut",
        damage: |p| {
            let (file, offset) = p.file(RECORDS - 4);
            p.sim.cut(&file, offset + 40);
            flip(p, RECORDS - 6, 40);
        },
        lost: |_| vec![RECORDS - 6, RECORDS - 4, RECORDS - 3, RECORDS - 2, RECORDS - 1],
        growing: true,
    },
];

/// Damages a log, repairs it, and looks at what is left.
fn is_repaired(origin: &Place, class: &Class) {
    let place = origin.fork(5);
    (class.damage)(&place);
    let lost = (class.lost)(&place);
    let name = format!("{}, on {}", class.name, place.medium());
    let report = place.check();
    assert!(!report.is_sound(), "{name}: {report}");
    let readable = place.readable();
    let plan = place.plan();
    assert!(!plan.is_empty() && plan.by_hand().is_empty(), "{name}: {plan}");
    let repaired = place.repair(&plan).unwrap_or_else(|error| panic!("{name}: {error:?}\n{plan}"));
    assert_eq!(repaired.done(), plan.steps(), "{name}");
    is_clean_with(&place, &all_but(&lost), &format!("{name}: {plan}"));
    let now = place.readable();
    assert!(readable.is_subset(&now), "{name}: {readable:?} {now:?}");
    assert!(all_but(&lost).is_subset(&now), "{name}: {now:?}\n{plan}");
}

#[test]
fn every_class_is_clean_after_its_repair_with_exactly_the_stated_loss() {
    let mut failed = Vec::new();
    for origin in Place::all() {
        for class in CLASSES.iter().filter(|class| !class.growing || origin.is_growing()) {
            let tried =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| is_repaired(&origin, class)));
            if tried.is_err() {
                failed.push((class.name, origin.medium()));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn without_leave_to_lose_data_only_what_is_safe_is_done() {
    for place in Place::all() {
        let trailer = len(&place, &name(&place, MIDDLE)) - 3;
        place.sim.flip(&name(&place, MIDDLE), trailer, 0);
        flip(&place, 3, 40);
        let plan = place.plan();
        assert!(plan.loses_data());
        let repaired = repair(&place.sim.store(), &plan, Consent::SafeOnly).unwrap();
        assert_eq!((repaired.done().len(), repaired.left().len()), (1, 1), "{repaired}");
        assert_eq!(place.replayed(), (all_but(&[3]), 1));
        place.repair(&place.plan()).unwrap();
        is_clean_with(&place, &all_but(&[3]), "in two steps");
    }
}

#[test]
fn beside_a_writer_that_is_alive_nothing_is_repaired() {
    let place = Place::growing();
    flip(&place, 3, 40);
    let plan = place.plan();
    let owned = place.sim.store();
    let guard = owned.append().unwrap().own().unwrap();
    let before = place.bytes();
    assert_eq!(place.repair(&plan).unwrap_err().kind(), Kind::Locked);
    drop(guard);
    assert_eq!(place.bytes(), before);
}

#[test]
fn a_plan_that_the_log_no_longer_fits_is_refused_and_changes_nothing() {
    for place in Place::all() {
        flip(&place, 3, 40);
        let plan = place.plan();
        // More is damaged by now; then, as much as before, elsewhere.
        for number in [9, 3] {
            flip(&place, number, 40);
            let before = place.bytes();
            assert_eq!(place.repair(&plan).unwrap_err().kind(), Kind::Invalid);
            assert_eq!(place.bytes(), before);
        }
    }
}

#[test]
fn what_is_taken_away_is_kept_and_a_manifest_says_where_it_was() {
    for place in Place::all() {
        let file = name(&place, MIDDLE);
        let whole = place.sim.read_raw(&file);
        spoil_header(&place, &file);
        let spoilt = place.sim.read_raw(&file);
        let repaired = place.repair(&place.plan()).unwrap();
        let folder = repaired.kept_in().unwrap();
        let manifest = place.sim.read_raw(&format!("{folder}/manifest.jsonl"));
        let line: serde_json::Value = serde_json::from_slice(manifest.trim_ascii_end()).unwrap();
        assert_eq!((&line["file"], &line["offset"], &line["len"]), (&file.into(), &0.into(), &512.into()));
        let kept = place.sim.read_raw(line["kept"].as_str().unwrap());
        assert_eq!(kept, spoilt[..512]);
        assert_eq!(line["crc32c"], format!("{:08x}", crc32c::crc32c(&kept)));
        let mended = place.sim.read_raw(&name(&place, MIDDLE));
        assert_eq!(mended[512..], whole[512..]);
        assert_eq!(mended[8..12], whole[8..12], "the checksum with which the digest begins");
    }
}

#[test]
fn leftovers_are_taken_away_and_a_torn_tail_is_set_aside_under_the_lock() {
    for place in Place::all() {
        let bytes = place.sim.read_raw(&name(&place, MIDDLE));
        place.sim.write_raw("00000000000000900000.wal", &bytes); // in a range that a newer epoch has taken
        let last = name(&place, RECORDS - 1);
        if place.is_growing() {
            change(&place, &last, |bytes| bytes.extend([9; 900]));
        }
        let plan = place.plan();
        assert!(!plan.loses_data() && plan.steps().len() == 1 + usize::from(place.is_locked()), "{plan}");
        place.repair(&plan).unwrap();
        assert!(place.kept("00000000000000900000.wal"));
        is_clean_with(&place, &all_but(&[]), "leftovers");
    }
}

#[test]
fn where_a_segment_is_open_under_a_lease_nothing_is_repaired_and_nobodys_lease_is_ended() {
    // Nothing of the shorter one can be read, of the longer one the beginning; what is damaged lies before them.
    for (records, alive) in [(3, true), (3, false), (30, true), (30, false)] {
        let (place, log) = Place::open(records, alive);
        let first = place.segments()[0].clone();
        let sound = place.plan();
        assert!(sound.is_empty() && sound.by_hand().is_empty(), "{sound}");
        assert!(place.repair(&sound).is_ok(), "there is nothing to do");
        let plan = {
            let closed = place.fork(2);
            closed.sim.expire_leases();
            spoil_header(&closed, &first);
            closed.plan()
        };
        assert!(!plan.is_empty(), "{plan}");
        spoil_header(&place, &first);
        let (before, now) = (place.bytes(), place.plan());
        assert!(now.is_empty() && now.by_hand().iter().any(|text| text.contains("recoverLease")), "{now}");
        // Planned now, and planned when it was closed.
        for plan in [now, plan] {
            let error = place.repair(&plan).unwrap_err();
            let (kind, text) = (error.kind(), error.to_string());
            assert!(
                kind == Kind::Unavailable && text.contains("lease") && text.contains("recoverLease"),
                "{text}"
            );
            assert!(place.bytes() == before, "something was changed");
        }
        if let Some(log) = log {
            let ticket = log.append_kind(7, Time(1_000 + records as u64), payload(records)).unwrap();
            assert!(ticket.wait().is_ok(), "its lease was ended");
            log.close().unwrap();
        } else {
            place.sim.expire_leases();
        }
        place.repair(&place.plan()).unwrap();
        assert_eq!(place.replayed().0.len(), records + usize::from(alive), "alive={alive}");
        assert!(place.check().is_sound());
    }
}

#[test]
fn a_retired_first_segment_of_an_epoch_stays_where_nobody_is_locked_out() {
    let place = Place::leases();
    let clock = Arc::new(SimClock::new(3));
    let opened = Log::open_with(place.sim.store(), options(), clock).unwrap();
    let log = opened.start_stepped(Position::START).unwrap();
    log.retire_before(Time(u64::MAX)).unwrap();
    log.close().unwrap();
    drop(log);
    let report = place.check();
    let fences = report.survey().aside().iter().filter(|aside| aside.begins_epoch).count();
    assert!(fences >= 3, "{report}");
    let plan = place.plan();
    assert!(plan.is_empty(), "{plan}");
}
