//! What is said of folders of checkpoints that were damaged in named ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use headwater_checkpoint::{Checkpoints, Held, Id, Owner, Writer};
use headwater_fsck::checkpoints::{State, check, needs, survey, verify};
use headwater_fsck::{Depth, Severity};
use headwater_wal::store::{Local, Memory, Name, Store};
use headwater_wal::{Kind, Position};

use crate::folder::*;

fn states(folder: &Folder) -> Vec<(String, State)> {
    let survey = survey(&folder.store()).unwrap();
    survey.heads().iter().map(|head| (head.id.to_string(), head.state)).collect()
}

fn state(folder: &Folder, id: Id) -> State {
    survey(&folder.store()).unwrap().head(id).unwrap().state
}

#[test]
fn a_folder_that_its_writer_left_is_clean_and_every_byte_is_counted() {
    let folder = Folder::new();
    let report = folder.check();
    assert_eq!((report.state(), report.findings()), ("clean", &[][..]), "{report}");
    assert_eq!(report.restorable(), Some(NEWEST));
    let checked: Vec<_> = report.checked().iter().map(|checked| checked.id).collect();
    assert_eq!(checked, [id(2), id(3), id(4)]);
    let survey = report.survey();
    assert_eq!((survey.litter().count, survey.unfinished().count, survey.gone()), (0, 0, &[][..]));
    // Three heads; of each four parts of `big`; and two of `still`, read once.
    let bytes: usize = folder.names().iter().map(|name| folder.read(name).len()).sum();
    assert_eq!(survey.all().bytes, bytes as u64);
    let claim = 40;
    assert_eq!(report.read_bytes(), survey.all().bytes - claim);
    assert_eq!(survey.parts().count, 3 * 4 + 2);
    let stated = survey.head(NEWEST).unwrap().stated.as_ref().unwrap();
    assert_eq!((stated.sections, stated.bytes), (3, 9 + 200 + 100));
    assert_eq!(stated.shared_bytes, 2 * 64 + 100);
    assert_eq!(stated.positions, [("journal".to_owned(), Position(500))]);
}

#[test]
fn each_damage_is_named_with_its_file_and_what_it_costs() {
    let big = part(NEWEST, 1, 2);
    let still = part(id(0), 2, 1);
    type Damage<'a> = &'a dyn Fn(&Folder);
    type Case<'a> = (&'a str, Damage<'a>, &'a str, &'a str, &'a str, Option<Id>);
    let cases: [Case<'_>; 8] = [
        (
            "a head",
            &|f| f.flip(&head(NEWEST), 70),
            &head(NEWEST),
            "does not verify",
            "checkpoint 1-4",
            Some(id(3)),
        ),
        (
            "a cut head",
            &|f| f.change(&head(NEWEST), |b| b.truncate(9)),
            &head(NEWEST),
            "shorter",
            "checkpoint 1-4",
            Some(id(3)),
        ),
        (
            "an older head",
            &|f| f.flip(&head(id(2)), 70),
            &head(id(2)),
            "does not verify",
            "checkpoint 1-2",
            Some(NEWEST),
        ),
        (
            "inside",
            &|f| f.change(&head(id(3)), |b| *b.last_mut().unwrap() ^= 1),
            &head(id(3)),
            "a section in the head",
            "section \"small\" of checkpoint 1-3",
            Some(NEWEST),
        ),
        (
            "a missing part",
            &|f| f.delete(&big),
            &big,
            "missing",
            "section \"big\" of checkpoint 1-4",
            Some(id(3)),
        ),
        (
            "a cut part",
            &|f| f.change(&big, |b| b.truncate(100)),
            &big,
            "not as long",
            "section \"big\" of checkpoint 1-4",
            Some(id(3)),
        ),
        ("a rotten part", &|f| f.flip(&big, 90), &big, "", "section \"big\" of checkpoint 1-4", Some(id(3))),
        (
            "a shared part",
            &|f| f.flip(&still, 70),
            &still,
            "",
            "section \"still\" of checkpoints 1-4, 1-3, 1-2",
            None,
        ),
    ];
    for (name, damage, file, what, lost, restorable) in cases {
        let folder = Folder::new();
        damage(&folder);
        let report = folder.check();
        assert_eq!(report.state(), "damaged", "{name}: {report}");
        assert_eq!(report.count(Severity::Damaged), 1, "{name}: {report}");
        let finding = &report.findings()[0];
        assert_eq!(finding.severity, Severity::Damaged);
        assert!(finding.file.as_ref().unwrap().starts_with(file), "{name}: {finding}");
        assert!(finding.what.contains(what), "{name}: {finding}");
        assert_eq!(finding.lost, lost, "{name}: {finding}");
        assert!(finding.next.as_ref().unwrap().contains(&folder.store().place()), "{name}: {finding}");
        assert_eq!(report.restorable(), restorable, "{name}: {report}");
    }
}

#[test]
fn a_quick_check_reads_no_part_and_misses_none() {
    let folder = Folder::new();
    folder.flip(&part(NEWEST, 1, 2), 90);
    assert!(check(&folder.store(), Depth::Quick).unwrap().is_sound());
    let page = check(&folder.store(), Depth::Quick).unwrap().to_string();
    assert!(page.contains("1-4 is the newest of them, as far as was read"), "{page}");
    let quick = || check(&folder.store(), Depth::Quick).unwrap();
    folder.change(&part(id(3), 1, 2), |bytes| _ = bytes.pop());
    let spoiled = |report: headwater_fsck::checkpoints::Report| -> Vec<u64> {
        report.checked().iter().map(|checked| checked.spoiled).collect()
    };
    assert_eq!(spoiled(quick()), [0, 1, 0]);
    folder.delete(&part(NEWEST, 1, 2));
    assert_eq!((quick().state(), quick().restorable()), ("damaged", Some(id(2))));
    assert_eq!(spoiled(quick()), [0, 1, 1]);
}

#[test]
fn every_truncation_and_every_flip_of_an_object_is_told_of_what_names_it() {
    let folder = Folder::new();
    let memory = |changed: &str, bytes: &[u8]| -> Arc<dyn Store> {
        let store: Arc<dyn Store> = Arc::new(Memory::objects());
        for name in folder.names() {
            let bytes = if name == changed { bytes.to_vec() } else { folder.read(&name) };
            store.put(&Name::new(name).unwrap(), bytes.into()).unwrap();
        }
        store
    };
    for (name, spoiled) in [
        (head(NEWEST), vec![NEWEST]),
        (part(id(3), 1, 0), vec![id(3)]),
        (part(id(0), 2, 1), vec![id(2), id(3), id(4)]),
    ] {
        let whole = folder.read(&name);
        let cuts = (0..whole.len()).map(|len| whole[..len].to_vec());
        let flips = (0..whole.len() * 8).map(|bit| {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        let longer = [whole.clone(), vec![0]].concat();
        for (case, bytes) in cuts.chain(flips).chain([longer]).enumerate() {
            let report = check(&memory(&name, &bytes), Depth::Full).unwrap();
            let bad: Vec<Id> = report
                .checked()
                .iter()
                .filter(|checked| checked.spoiled > 0)
                .map(|checked| checked.id)
                .collect();
            assert_eq!(bad, spoiled, "{name} case={case}: {report}");
            assert_ne!(report.state(), "clean", "{name} case={case}");
        }
    }
}

#[test]
fn what_a_newer_release_wrote_is_not_called_damaged() {
    let folder = Folder::new();
    // A newer one has another layout too, so that it does not verify as one of this release.
    folder.change(&head(NEWEST), |bytes| (bytes[8], bytes[20]) = (2, 0xFF));
    assert_eq!(state(&folder, NEWEST), State::Unsupported);
    let report = folder.check();
    assert_eq!((report.state(), report.is_sound(), report.restorable()), ("unsupported", true, Some(id(3))));
    let finding = folder.finding();
    assert_eq!(finding.severity, Severity::Unsupported);
    assert!(finding.remedy.contains("the release that wrote it"), "{finding}");
}

#[test]
fn a_count_of_billions_in_a_head_that_verifies_is_damage_and_takes_no_memory() {
    for count in [u32::MAX, 1 << 24, 4] {
        let folder = Folder::new();
        folder.forge(NEWEST, |bytes| {
            // Behind the content, one position and a chain of two heads.
            let at = 64 + 9 + 8 + 2 + 8 + 8 + 2 + 32;
            assert_eq!(bytes[at..at + 4], [3, 0, 0, 0], "three sections");
            bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
        });
        let finding = folder.finding();
        assert!(finding.what.contains("the table of the head says nothing"), "{finding}");
    }
    let folder = Folder::new();
    folder.forge(NEWEST, |bytes| bytes[48..56].copy_from_slice(&u64::MAX.to_le_bytes()));
    assert!(folder.finding().what.contains("longer than any"), "{}", folder.finding());
}

#[test]
fn of_two_heads_that_state_a_shared_part_differently_the_older_one_is_damaged() {
    for field in [4, 8] {
        let folder = Folder::new();
        // The last fields of the table: stored length and checksum of the last part of `still`.
        let table = u32::from_le_bytes(folder.read(&head(id(3)))[56..60].try_into().unwrap()) as usize;
        folder.forge(id(3), |bytes| bytes[64 + table - field] ^= 1);
        let report = folder.check();
        let spoiled: Vec<u64> = report.checked().iter().map(|checked| checked.spoiled).collect();
        assert_eq!(spoiled, [0, 1, 0], "{report}");
        assert!(folder.finding().what.contains("other parts of a section than a newer"), "{report}");
        assert_eq!(verify(&folder.store(), &[id(3)]).unwrap().checked()[0].spoiled, 1);
    }
}

#[test]
fn a_late_head_of_a_replaced_writer_is_dead_and_a_head_that_came_back_is_left_over() {
    let folder = Folder::new();
    let came_back = folder.read(&head(id(2)));
    let replaced = folder.copy();
    let late = publish(&mut start_again(&replaced));
    assert_eq!(late, id(5));
    let mut heir = start(&folder.store(), 2);
    let (first, _, newest) = (publish(&mut heir), publish(&mut heir), publish(&mut heir));
    for name in replaced.names().iter().filter(|name| name.contains("-00000000000000000005")) {
        folder.plant(name, &replaced.read(name));
    }
    folder.plant(&head(id(2)), &came_back);
    let want = [
        (id(2).to_string(), State::LeftOver),
        (late.to_string(), State::LeftOver),
        (first.to_string(), State::Kept),
        ("2-1".to_owned(), State::Kept),
        (newest.to_string(), State::Newest),
    ];
    assert_eq!(states(&folder), want);
    let report = folder.check();
    assert_eq!(report.state(), "clean", "of no consequence: {report}");
    assert_eq!(report.count(Severity::SetAside), 3, "two heads and litter: {report}");
    // The four parts of `big` of the late one; those of 1-2 went with it.
    assert_eq!(report.survey().litter().count, 4);

    // Right after the heir's first checkpoint the late one lies between kept ones.
    let folder = Folder::new();
    let first = publish(&mut start(&folder.store(), 2));
    folder.plant(&head(late), &replaced.read(&head(late)));
    assert_eq!(state(&folder, late), State::Dead);
    assert_eq!(state(&folder, NEWEST), State::Kept);
    assert_eq!(state(&folder, first), State::Newest);
    folder.flip(&head(late), 70);
    assert!(folder.check().is_sound(), "what is dead cannot be damaged");
}

/// The writer of epoch 1 again, as one that did not notice it was replaced goes on.
fn start_again(folder: &Folder) -> Writer {
    let claim = folder.names().into_iter().find(|name| name.ends_with(".epoch")).unwrap();
    folder.delete(&claim);
    start(&folder.store(), 1)
}

#[test]
fn a_draft_that_was_never_published_is_unfinished_and_no_litter() {
    let folder = Folder::new();
    let store = folder.store();
    let mut writer = start(&store, 2);
    let mut draft = writer.draft().unwrap();
    draft.write("big", &[b'x'; 200]).unwrap();
    drop(draft);
    let survey = survey(&store).unwrap();
    assert_eq!((survey.unfinished().count, survey.unfinished().bytes), (4, 4 * 64 + 200));
    assert_eq!(survey.litter().count, 0);
    assert_eq!(survey.claims(), [1, 2]);
    assert!(folder.check().findings().is_empty());
}

#[test]
fn a_kept_checkpoint_that_was_removed_by_hand_is_told_and_is_no_damage() {
    let folder = Folder::new();
    folder.delete(&head(id(3)));
    let report = folder.check();
    assert_eq!((report.state(), report.survey().gone()), ("clean", &[id(3)][..]));
    assert_eq!(report.findings()[0].severity, Severity::Lost);
    assert_eq!(report.survey().litter().count, 4, "what only that one named");
}

#[test]
fn with_every_head_damaged_nothing_is_said_to_be_litter() {
    let folder = Folder::new();
    for number in 2..5 {
        folder.flip(&head(id(number)), 70);
    }
    let report = folder.check();
    assert_eq!((report.count(Severity::Damaged), report.restorable()), (3, None));
    assert_eq!((report.survey().newest(), report.survey().litter().count), (None, 0));
    assert!(report.findings().iter().all(|f| f.remedy.contains("no checkpoint left")), "{report}");
}

#[test]
fn foreign_names_and_links_are_told_and_never_opened() {
    let folder = Folder::new();
    folder.plant("notes.txt", b"mine");
    folder.plant("1-4.ckpt", b"not the spelling");
    folder.plant("parts/notes.txt", b"mine");
    let fresh = folder.file(&head(Id { epoch: 9, number: 9 }));
    std::os::unix::fs::symlink("/etc/passwd", fresh).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.file(&part(id(9), 0, 0))).unwrap();
    let report = folder.check();
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.count(Severity::Foreign), 5);
    let mut names: Vec<_> = report.findings().iter().filter_map(|finding| finding.file.clone()).collect();
    names.sort();
    assert_eq!(names[0], head(Id { epoch: 9, number: 9 }));
    assert_eq!(names[1..4], ["1-4.ckpt", "notes.txt", &part(id(9), 0, 0)]);
    assert_eq!(report.survey().newest(), Some(NEWEST));
}

#[test]
fn verify_reads_what_is_named_and_nothing_else() {
    let folder = Folder::new();
    folder.flip(&part(NEWEST, 1, 2), 90);
    let report = verify(&folder.store(), &[id(3), id(2)]).unwrap();
    assert_eq!((report.state(), report.checked().len()), ("clean", 2), "{report}");
    assert!(report.to_string().contains("all of them are whole, 1-3 is the newest of them"), "{report}");
    let report = verify(&folder.store(), &[NEWEST]).unwrap();
    assert_eq!((report.state(), report.checked()[0].spoiled), ("damaged", 1));
    let error = verify(&folder.store(), &[id(0)]).unwrap_err();
    assert_eq!(error.kind(), Kind::NotThere, "{error}");
}

#[test]
fn what_checkpoints_need_of_a_log_is_compared_with_what_it_holds() {
    let survey = survey(&Folder::new().store()).unwrap();
    let needs = |range: std::ops::Range<u64>| -> Vec<(Severity, String)> {
        let findings = needs(&survey, "journal", Position(range.start)..Position(range.end));
        findings.into_iter().map(|finding| (finding.severity, finding.lost)).collect()
    };
    let lost = |id: Id| (Severity::Lost, format!("checkpoint {id}, as one to restore from"));
    let damaged = |id: Id| (Severity::Damaged, format!("checkpoint {id}, as one to restore from"));
    assert_eq!(needs(300..500), []);
    assert_eq!(needs(301..500), [lost(id(2))]);
    assert_eq!(needs(0..499), [damaged(NEWEST)]);
    assert_eq!(needs(501..900), [damaged(NEWEST), lost(id(2)), lost(id(3))]);
}

#[test]
fn a_place_without_checkpoints_says_what_is_there() {
    let memory: Arc<dyn Store> = Arc::new(Memory::growing());
    let put = |name: &str| memory.put(&Name::new(name).unwrap(), "x".into()).unwrap();
    let error = || check(&memory, Depth::Full).unwrap_err();
    assert_eq!(error().kind(), Kind::NotThere);
    assert!(error().to_string().contains("no checkpoints are here"), "{}", error());
    put(&format!("checkpoints/{}", head(NEWEST)));
    assert!(error().to_string().contains("/checkpoints"), "{}", error());
    put("00000000000000000000.wal");
    assert!(error().to_string().contains("wal-inspect info"), "{}", error());
    put("00000000000000000001.epoch");
    let report = check(&memory, Depth::Full).unwrap();
    assert_eq!((report.state(), report.checked().len(), report.survey().claims()), ("clean", 0, &[1][..]));
}

#[test]
fn a_writer_that_publishes_all_the_time_is_never_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn Store>; 2] =
        [Arc::new(Memory::objects()), Arc::new(Local::open(dir.path().join("c")).unwrap())];
    for store in stores {
        let checkpoints = Checkpoints::open(store.clone());
        let owner = Owner::alone(&checkpoints).unwrap();
        let (mut writer, _) = Writer::start(checkpoints, owner, options(), &Held::nothing()).unwrap();
        publish(&mut writer);
        let (done, looks) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut count = 0;
                while count < 100 || count < 5000 && looks.load(Ordering::Relaxed) < 20 {
                    publish_big(&mut writer);
                    count += 1;
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                looks.fetch_add(1, Ordering::Relaxed);
                let report = check(&store, Depth::Full).unwrap();
                assert!(report.is_sound(), "{report}");
                assert_eq!(report.count(Severity::Lost), 0, "{report}");
            }
        });
    }
}

/// The next one, with every section of its own.
fn publish_big(writer: &mut Writer) -> Id {
    let mut draft = writer.draft().unwrap();
    for name in ["a", "b", "c"] {
        draft.write(name, &[b'x'; 300]).unwrap();
    }
    draft.publish(&[]).unwrap()
}
