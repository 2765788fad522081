//! `wal-inspect checkpoints`, and `check` of roots, as people and scripts use them.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_checkpoint::{Checkpoints, Content, Held, Id, Owner, Writer};
use headwater_wal::store::{Local, Store};
use headwater_wal::{Log, Position};
use serde_json::Value;

use crate::folder::*;
use crate::hostile::is_plain;
use crate::program::{code, command, json, lines, run, snapshot};
use crate::specimen::fill;

impl Folder {
    fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn root(&self) -> &str {
        self.path.parent().unwrap().to_str().unwrap()
    }

    /// A journal beside the checkpoints.
    fn journal(&self) -> Log {
        let store: Arc<dyn Store> =
            Arc::new(Local::open(self.path.parent().unwrap().join("journal")).unwrap());
        fill(&store).1
    }
}

/// Every verb, in every form that reads differently.
const VERBS: [&[&str]; 11] = [
    &["checkpoints", ".", "list"],
    &["checkpoints", ".", "list", "--json"],
    &["checkpoints", ".", "show", "newest"],
    &["checkpoints", ".", "show", "1-4", "--json"],
    &["checkpoints", ".", "compare", "1-3", "newest"],
    &["checkpoints", ".", "compare", "1-3", "1-4", "--json"],
    &["checkpoints", ".", "verify"],
    &["checkpoints", ".", "verify", "1-4", "--json"],
    &["check", "."],
    &["check", ".", "--json"],
    &["check", ".", "--quick"],
];

fn with_path<'a>(verb: &[&'a str], path: &'a str) -> Vec<&'a str> {
    verb.iter().map(|word| if *word == "." { path } else { word }).collect()
}

fn text_of(args: &[&str], code: i32) -> String {
    lines(args, code).join("\n")
}

fn errors(args: &[&str]) -> String {
    String::from_utf8(run(args).stderr).unwrap()
}

#[test]
fn list_says_what_there_is_of_a_folder_and_of_its_root_alike() {
    let folder = Folder::new();
    let page = lines(&["checkpoints", folder.text()], 0);
    assert_eq!(page, lines(&["checkpoints", folder.root(), "list"], 0));
    assert_eq!(page.len(), 1 + 3 + 2, "{page:?}");
    for (line, id) in page[1..4].iter().zip(["1-2", "1-3", "1-4"]) {
        assert!(line.starts_with(id) && line.contains("specimen version 3"), "{line}");
    }
    assert!(page[3].contains("newest") && page[3].contains("journal from 500"), "{page:?}");
    assert!(page[5].starts_with("in all 18 objects, ") && page[5].contains("1 claim"), "{page:?}");

    let all = json(&["checkpoints", folder.root(), "--json"], 0);
    let of = |what: &str| -> Vec<&Value> { all.iter().filter(|line| line["type"] == what).collect() };
    let (heads, positions, total) = (of("checkpoint"), of("position"), of("folder"));
    assert_eq!((heads.len(), positions.len(), total.len()), (3, 3, 1));
    assert_eq!(heads[2]["id"], "1-4");
    assert_eq!((heads[2]["state"].as_str(), heads[2]["why"].as_str()), (Some("newest"), None));
    assert_eq!((heads[2]["sections"].as_u64(), heads[2]["bytes"].as_u64()), (Some(3), Some(309)));
    assert_eq!(
        (positions[2]["log"].as_str(), positions[2]["position"].as_u64()),
        (Some("journal"), Some(500))
    );
    let bytes: usize = folder.names().iter().map(|name| folder.read(name).len()).sum();
    assert_eq!((total[0]["objects"].as_u64(), total[0]["bytes"].as_u64()), (Some(18), Some(bytes as u64)));
    let new: u64 = heads.iter().map(|head| head["new_bytes"].as_u64().unwrap()).sum();
    assert_eq!(new + heads[0]["shared_bytes"].as_u64().unwrap() + 40, bytes as u64, "the claim has 40");
}

#[test]
fn list_says_why_one_is_of_no_use_and_what_to_run_next() {
    let folder = Folder::new();
    folder.flip(&head(NEWEST), 70);
    folder.delete(&part(id(3), 1, 0));
    let page = text_of(&["checkpoints", folder.text()], 0);
    assert!(page.contains("1-4         ?") && page.matches("DAMAGED").count() == 2, "{page}");
    assert!(page.contains("1-4: damaged: the table of the head does not verify"), "{page}");
    assert!(page.contains("1-3: damaged: a part of a section is not there"), "{page}");
    for id in ["1-4", "1-3"] {
        assert!(page.contains(&format!("verify {id}`")), "{page}");
        assert_eq!(code(&["checkpoints", folder.text(), "verify", id]), 4);
    }
    assert_eq!(json(&["checkpoints", folder.text(), "--json"], 0).last().unwrap()["newest"], "1-2");
}

#[test]
fn show_says_where_each_section_lies() {
    let folder = Folder::new();
    let page = text_of(&["checkpoints", folder.text(), "show", "newest"], 0);
    assert!(page.contains("inside the head"), "{page}");
    assert!(page.contains(&format!("4 parts from {}\n", part(NEWEST, 1, 0))), "{page}");
    assert!(page.contains(&format!("2 parts from {}, written by 1-0", part(id(0), 2, 0))), "{page}");
    assert!(page.contains("journal from 500") && page.contains("1-3, 1-2"), "{page}");
    let all = json(&["checkpoints", folder.text(), "show", "1-4", "--json"], 0);
    let sections: Vec<_> = all.iter().filter(|line| line["type"] == "section").collect();
    let shown = |at: usize| {
        let word = |name: &str| sections[at][name].as_str().map(str::to_owned);
        (word("name"), word("lies"), word("written_by"), sections[at]["parts"].as_u64())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(shown(0), (some("small"), some("inside"), None, Some(0)));
    assert_eq!(shown(1), (some("big"), some("parts"), some("1-4"), Some(4)));
    assert_eq!(shown(2), (some("still"), some("parts"), some("1-0"), Some(2)));
    assert_eq!(all.iter().filter(|line| line["type"] == "keeps" && line["there"] == true).count(), 2);
}

#[test]
fn compare_tells_what_is_shared_same_changed_and_only_in_one() {
    let folder = Folder::new();
    let store = folder.store();
    let mut writer = start(&store, 2);
    let mut draft = writer.draft().unwrap();
    draft.write("big", &[b'a' + 4; 200]).unwrap(); // the bytes of 1-4, in parts of its own
    draft.write("new", b"x").unwrap();
    draft.keep("still").unwrap();
    draft.publish(&[("journal", Position(450)), ("other", Position(7))]).unwrap();
    drop(writer);
    let all = json(&["checkpoints", folder.text(), "compare", "1-4", "newest", "--json"], 0);
    let sections = all.iter().filter(|line| line["type"] == "section");
    let changes: Vec<(&str, &str)> =
        sections.map(|line| (line["name"].as_str().unwrap(), line["change"].as_str().unwrap())).collect();
    let want = [("big", "same"), ("new", "only-in-second"), ("still", "shared"), ("small", "only-in-first")];
    assert_eq!(changes, want);
    let sum = all.last().unwrap();
    assert_eq!((sum["same_bytes"].as_u64(), sum["shared_bytes"].as_u64()), (Some(200), Some(100)));
    assert_eq!(sum["differing_second_bytes"].as_u64(), Some(1));
    let page = text_of(&["checkpoints", folder.text(), "compare", "1-4", "2-0"], 0);
    assert!(page.contains("replay from 500, then 450: 50 EARLIER"), "{page}");
    assert!(page.contains("none in 1-4, replay from 7 in 2-0"), "{page}");
    let page = text_of(&["checkpoints", folder.text(), "compare", "1-3", "1-4"], 0);
    assert!(page.contains("2 sections changed, from 209 bytes to 209 bytes"), "{page}");
    assert!(page.contains("replay from 400, then 500: 100 later"), "{page}");
}

#[test]
fn verify_says_which_checkpoints_a_bad_part_spoils_and_scripts_are_told() {
    let folder = Folder::new();
    assert_eq!(code(&["checkpoints", folder.root(), "verify"]), 0);
    let shared = part(id(0), 2, 1);
    folder.flip(&shared, 70);
    let page = text_of(&["checkpoints", folder.root(), "verify"], 4);
    assert!(page.contains("section \"still\" of checkpoints 1-4, 1-3, 1-2"), "{page}");
    assert!(page.contains("none of them is whole"), "{page}");
    let all = json(&["checkpoints", folder.root(), "verify", "--json"], 4);
    assert_eq!((all[0]["type"].as_str(), all[0]["file"].as_str()), (Some("finding"), Some(&*shared)));
    let checked: Vec<_> = all.iter().filter(|line| line["type"] == "checked").collect();
    assert!(checked.len() == 3 && checked.iter().all(|line| line["whole"] == false), "{all:?}");
    let verdict = all.last().unwrap();
    assert_eq!((verdict["state"].as_str(), verdict["damaged"].as_u64()), (Some("damaged"), Some(1)));
    assert_eq!(verdict["restorable"], Value::Null);
}

#[test]
fn no_verb_changes_creates_or_touches_anything() {
    for damage in [false, true] {
        let folder = Folder::new();
        folder.plant("foreign name", b"x");
        folder.journal().close().unwrap();
        if damage {
            folder.delete(&part(NEWEST, 1, 2));
            folder.flip(&head(id(2)), 70);
        }
        for path in [folder.text(), folder.root()] {
            let before = snapshot(folder.path.parent().unwrap());
            for verb in VERBS {
                let args = with_path(verb, path);
                let code = code(&args);
                assert!(code == 0 || (damage && code == 4), "{args:?}: {}", errors(&args));
                assert_eq!(snapshot(folder.path.parent().unwrap()), before, "{args:?}");
            }
        }
    }
}

#[test]
fn a_wrong_place_is_told_what_it_is_and_what_to_run() {
    let folder = Folder::new();
    let journal = folder.path.parent().unwrap().join("journal");
    for verb in [&["info"][..], &["ls"], &["dump"]] {
        let args = |path| -> Vec<&str> { verb.iter().copied().chain([path]).collect() };
        let said = errors(&args(folder.text()));
        assert!(said.contains("no log") && said.contains("wal-inspect checkpoints file://"), "{said}");
        let said = errors(&args(folder.root()));
        assert!(said.contains("wal-inspect checkpoints file://"), "{said}");
        assert_eq!(code(&args(folder.root())), 8);
    }
    folder.journal().close().unwrap();
    let said = errors(&["info", folder.root()]);
    assert!(said.contains("/journal\n") && said.contains("wal-inspect checkpoints"), "{said}");
    let journal = journal.to_str().unwrap();
    let said = errors(&["checkpoints", journal]);
    assert!(said.contains("this is a log") && said.contains("wal-inspect info"), "{said}");
    let object = folder.file(&head(NEWEST));
    let said = errors(&["checkpoints", object.to_str().unwrap()]);
    assert!(said.contains("name the folder") && said.contains("wal-inspect checkpoints"), "{said}");
    let said = errors(&["checkpoints", folder.text(), "show", "1-0"]);
    assert!(said.contains("no such checkpoint") && said.contains("newest=1-4"), "{said}");
    for (args, want) in [
        (vec!["checkpoints", journal], 8),
        (vec!["checkpoints", folder.text(), "show", "1-0"], 8),
        (vec!["checkpoints", folder.text(), "show", "seven"], 16),
        (vec!["checkpoints", folder.text(), "compare", "1-4"], 16),
        (vec!["checkpoints", folder.text(), "mend"], 16),
        (vec!["checkpoints"], 16),
        (vec!["checkpoints", "/nowhere"], 8),
        (vec!["check", folder.text(), "--at-least", "7"], 16),
    ] {
        assert_eq!(code(&args), want, "{args:?}: {}", errors(&args));
    }
}

#[test]
fn check_of_a_root_checks_the_checkpoints_and_every_log_and_one_against_the_other() {
    let folder = Folder::new();
    let journal = folder.journal();
    let (begins, end) = (journal.range().start, journal.range().end);
    journal.close().unwrap();
    assert!(begins <= Position(300) && Position(500) <= end);
    let verdicts = |code: i32| -> Vec<String> {
        let all = json(&["check", folder.root(), "--json"], code);
        let verdicts = all.iter().filter(|line| line["type"] == "verdict");
        verdicts.map(|line| line["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(verdicts(0), ["clean", "clean"]);
    let mut writer = start(&folder.store(), 2);
    let beyond = writer.draft().unwrap().publish(&[("journal", end.plus(1 << 20))]).unwrap();
    drop(writer);
    let page = text_of(&["check", folder.root()], 4);
    assert!(page.contains("the log has lost what it knows"), "{page}");
    assert!(page.contains(&format!("checkpoint {beyond}")), "{page}");
    folder.delete(&head(beyond));
    assert_eq!(code(&["check", folder.root()]), 0);
    let name = part(NEWEST, 1, 2);
    folder.flip(&name, 90);
    assert_eq!(verdicts(4), ["damaged", "clean"]);
    folder.flip(&name, 90);
    let segment = std::fs::read_dir(folder.path.parent().unwrap().join("journal")).unwrap();
    let segments = segment.map(|entry| entry.unwrap().path());
    let segments = segments.filter(|path| path.to_str().unwrap().ends_with(".wal"));
    let segment = segments.max_by_key(|path| std::fs::metadata(path).unwrap().len());
    let mut bytes = std::fs::read(segment.as_ref().unwrap()).unwrap();
    bytes[700] ^= 1;
    std::fs::write(segment.unwrap(), bytes).unwrap();
    assert_eq!(verdicts(4), ["clean", "damaged"]);
}

#[test]
fn a_head_of_a_newer_release_is_no_damage_and_not_all_well_either() {
    let folder = Folder::new();
    folder.change(&head(NEWEST), |bytes| (bytes[8], bytes[20]) = (2, 0xFF));
    let page = text_of(&["checkpoints", folder.text()], 0);
    assert!(page.contains("newer release") && page.contains("use the release that wrote it"), "{page}");
    assert_eq!(code(&["checkpoints", folder.text(), "verify"]), 8);
    assert_eq!(code(&["check", folder.root()]), 8);
    assert_eq!(code(&["checkpoints", folder.text(), "show", "1-4"]), 8);
    assert_eq!(code(&["checkpoints", folder.text(), "verify", "1-3"]), 0);
}

const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\n\u{9b}31m \u{202e}x";

#[test]
fn nothing_that_a_terminal_obeys_is_ever_printed() {
    let folder = Folder::new();
    let store = folder.store();
    let owner = Owner { identity: 0x1D, epoch: 2 };
    let options = options().content(Content::new(EVIL, 1));
    let (mut writer, _) = Writer::start(Checkpoints::open(store), owner, options, &Held::nothing()).unwrap();
    for bytes in [100, 200] {
        let mut draft = writer.draft().unwrap();
        draft.write(EVIL, &vec![b'x'; bytes]).unwrap();
        draft.write("", b"a name of no length").unwrap();
        draft.publish(&[(EVIL, Position(7))]).unwrap();
    }
    drop(writer);
    folder.plant(EVIL, b"");
    folder.plant(&format!("parts/{EVIL}"), b"");
    folder.delete(&part(Id { epoch: 2, number: 1 }, 0, 0));
    folder.flip(&part(Id { epoch: 2, number: 0 }, 0, 1), 80);
    let (text, root) = (folder.text(), folder.root());
    for args in [
        vec!["checkpoints", text],
        vec!["checkpoints", text, "--json"],
        vec!["checkpoints", text, "show", "2-1"],
        vec!["checkpoints", text, "show", "2-1", "--json"],
        vec!["checkpoints", text, "compare", "2-0", "2-1"],
        vec!["checkpoints", text, "compare", "2-1", "1-4", "--json"],
        vec!["checkpoints", text, "verify"],
        vec!["checkpoints", text, "verify", "--json"],
        vec!["check", root],
        vec!["check", root, "--json"],
        vec!["checkpoints", text, "show", EVIL],
        vec!["checkpoints", EVIL],
        vec!["info", EVIL],
    ] {
        let output = run(&args);
        assert_ne!(output.status.code(), None, "{args:?}");
        for bytes in [output.stdout, output.stderr] {
            let shown = String::from_utf8(bytes).unwrap();
            assert_eq!(shown.chars().find(|&letter| !is_plain(letter)), None, "{args:?}: {shown:?}");
        }
    }
    let all = json(&["checkpoints", text, "show", "2-1", "--json"], 0);
    assert_eq!(all.iter().find(|line| line["type"] == "section").unwrap()["name"], EVIL);
}

#[test]
fn every_verb_works_beside_a_live_writer() {
    let folder = Folder::new();
    let store = folder.store();
    let mut writer = start(&store, 2);
    publish(&mut writer);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let count = scope.spawn(|| {
            let mut count = 0;
            while !done.load(Ordering::Relaxed) {
                publish(&mut writer);
                count += 1;
                // As often as `newest` may be looked for and then read.
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            count
        });
        for verb in VERBS.iter().filter(|verb| !verb.iter().any(|word| word.starts_with("1-"))) {
            let args = with_path(verb, folder.root());
            assert_eq!(code(&args), 0, "{args:?}: {}", errors(&args));
        }
        done.store(true, Ordering::Relaxed);
        assert!(count.join().unwrap() > 0);
    });
    publish(&mut writer);
    assert!(writer.unswept().is_none());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = Folder::new();
    let mut writer = start(&folder.store(), 2);
    let mut draft = writer.draft().unwrap();
    // More than a pipe holds.
    (0..3000).for_each(|number| draft.write(&format!("section {number}"), b"").unwrap());
    draft.publish(&[]).unwrap();
    drop(writer);
    for (args, want) in [
        (vec!["checkpoints", folder.text(), "show", "newest"], 0),
        (vec!["checkpoints", folder.text(), "compare", "1-4", "newest", "--json"], 0),
    ] {
        let mut child = command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::with_capacity(64, child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        drop(out);
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!((child.wait().unwrap().code(), &*errors), (Some(want), ""), "{args:?}");
    }
}
