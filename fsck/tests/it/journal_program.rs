//! `wal-inspect journal`, `explain`, and `check` of a driver's root, as people and scripts use them.

use headwater_checkpoint::journal::{BatchId, Event};
use headwater_checkpoint::{Id, Object};
use serde_json::Value;

use crate::hostile::is_plain;
use crate::journal_root::*;
use crate::program::{code, json, lines, run, snapshot};

impl Place {
    fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// Every verb, in every form that reads differently.
const VERBS: [&[&str]; 10] = [
    &["journal", "."],
    &["journal", ".", "--json"],
    &["journal", ".", "--tail", "3"],
    &["journal", ".", "--state"],
    &["journal", ".", "--state", "--json"],
    &["explain", "."],
    &["explain", ".", "0/1"],
    &["explain", ".", "0/0", "--json"],
    &["check", "."],
    &["check", ".", "--quick", "--json"],
];

fn with_path<'a>(verb: &[&'a str], path: &'a str) -> Vec<&'a str> {
    verb.iter().map(|word| if *word == "." { path } else { word }).collect()
}

fn plain(bytes: &[u8]) -> bool {
    String::from_utf8(bytes.to_vec()).unwrap().chars().all(|letter| letter == '\n' || is_plain(letter))
}

fn errors(args: &[&str]) -> String {
    String::from_utf8(run(args).stderr).unwrap()
}

fn text_of(args: &[&str], code: i32) -> String {
    lines(args, code).join("\n")
}

fn numbers(args: &[&str]) -> Vec<u64> {
    json(args, 0).iter().map(|line| line["number"].as_u64().unwrap()).collect()
}

#[test]
fn looking_changes_nothing_and_no_terminal_obeys_what_is_shown() {
    let place = Place::with_history();
    for verb in VERBS {
        assert_eq!(code(&with_path(verb, place.text())), 0, "beside the driver: {verb:?}");
    }
    let place = place.stop();
    let before = snapshot(&place.path);
    for verb in VERBS {
        let output = run(&with_path(verb, place.text()));
        assert_eq!(output.status.code(), Some(0), "{verb:?}");
        assert!(plain(&output.stdout) && plain(&output.stderr), "{verb:?}");
        assert!(!output.stdout.is_empty());
    }
    assert!(snapshot(&place.path) == before, "something was changed");
    place.forge_event(16, &Event::GivenUp { batch: BatchId(9), reason: REASON.into() });
    let before = snapshot(&place.path);
    for verb in VERBS {
        let output = run(&with_path(verb, place.text()));
        assert_eq!(output.status.code(), Some(4), "{verb:?}");
        assert!(plain(&output.stdout) && plain(&output.stderr), "{verb:?}");
    }
    assert!(snapshot(&place.path) == before, "something was changed");
}

#[test]
fn the_table_has_a_row_for_each_event_in_words() {
    let place = Place::with_history().stop();
    let events = place.entries();
    let page = lines(&["journal", place.text()], 0);
    assert_eq!(page.len(), 17);
    assert_eq!(page, lines(&["journal", place.journal().to_str().unwrap()], 0), "of the journal alone");
    for (at, words) in [
        (
            0,
            "block added       receiver 0/0: 3 records; partition 0: 100 to 103; id 100; 4 bytes of the runtime's own; hw1:",
        ),
        (3, "batch allotted    batch 1: 2 blocks of receiver 0/0 at "),
        (4, "output committed  batch 1 partition 0: attempt 1"),
        (5, "batch finished    batch 1"),
        (10, "passed over       block of receiver 0/1 at "),
        (13, r"batch given up    batch 3: no table \u{1b}[2J\x9b31m"),
        (14, "end moved         stream 0 partition 0: 109 to 159 is lost on purpose"),
    ] {
        let row = &page[at + 1];
        let begins = format!("{:>14}  {at:>8}  {words}", events[at].position());
        assert!(row.starts_with(&begins), "{row}\n{begins}");
    }
    let all = json(&["journal", place.text(), "--json"], 0);
    let kinds: Vec<&str> = all.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let (added, done) = (["added"; 3], ["allotted", "committed"]);
    assert_eq!(kinds[..6], [&added[..], &done[..], &["finished"]].concat());
    assert_eq!(kinds[10], "passed_over");
    assert_eq!(kinds[13..], ["given_up", "end_moved", "added"]);
    assert_eq!(all[0]["ranges"][0]["to"].as_u64(), Some(103));
    assert_eq!(all[0]["own_hex"], "006f776e");
    assert_eq!(all[3]["runs"][0]["blocks"].as_u64(), Some(2));
    assert_eq!((all[14]["lost_from"].as_u64(), all[14]["lost_to"].as_u64()), (Some(109), Some(159)));
    // The handle that is shown is the one that reads the block.
    let received = place.received(0);
    let handle = all[0]["handle"].as_str().unwrap();
    assert_eq!(code(&["get", received.to_str().unwrap(), handle]), 0);
}

#[test]
fn events_are_picked_by_batch_stream_and_place() {
    let place = Place::with_history().stop();
    let journal = place.text();
    let events = place.entries();
    assert_eq!(numbers(&["journal", journal, "--json", "--batch", "2"]), [8, 9]);
    assert_eq!(numbers(&["journal", journal, "--json", "--batch", "3"]), [12, 13]);
    assert_eq!(numbers(&["journal", journal, "--json", "--stream", "0", "--tail", "2"]), [14, 15]);
    assert_eq!(numbers(&["journal", journal, "--json", "--stream", "1"]), [0; 0]);
    let (from, to) = (events[9].position().to_string(), events[12].position().to_string());
    assert_eq!(numbers(&["journal", journal, "--json", "--from", &from, "--to", &to]), [9, 10, 11]);
    assert_eq!(numbers(&["journal", journal, "--json", "--from", &from, "-n", "1"]), [9]);
    assert_eq!(numbers(&["journal", journal, "--json", "-n", "2"]), [0, 1]);
    assert!(text_of(&["journal", journal, "--stream", "1"], 0).contains("no event is like that"));
    assert_eq!(code(&["journal", journal, "--from", "9", "--to", "9"]), 16);
    assert_eq!(code(&["journal", journal, "--state", "--batch", "9"]), 16);
}

#[test]
fn retirements_and_forgetting_are_shown() {
    let place = Place::that_cleans(4);
    assert_eq!(place.driver().forget(BatchId(3)).unwrap(), 2);
    let place = place.stop();
    let page = text_of(&["journal", place.text()], 0);
    assert!(page.contains("retire intended   the log of receiver 0/0 below "), "{page}");
    assert!(page.contains("forgotten         batches below 3 that ended before event "), "{page}");
    let all = json(&["journal", place.text(), "--json"], 0);
    assert!(all.iter().any(|line| line["event"] == "retire_intended" && line["of"] == "received"));
}

#[test]
fn the_state_says_what_is_pending_and_what_may_go() {
    let place = Place::with_history().stop();
    let page = text_of(&["journal", place.text(), "--state"], 0);
    for says in [
        "events    16; all but the last 10 are in checkpoint 1-0, and were not read",
        "pending   1 unfinished batch, and 1 block that no batch has",
        "batch 2: not done, 2 blocks\n  recorded: partition 0 attempt 7\n",
        "no batch has 1 block of receiver 0/0\n",
        "     0          0  163\n",
        "    3  given up",
    ] {
        assert!(page.contains(says), "{says}\n{page}");
    }
    let all = json(&["journal", place.text(), "--state", "--json"], 0);
    let of = |what: &str| -> Vec<&Value> { all.iter().filter(|line| line["type"] == what).collect() };
    assert_eq!((of("block").len(), of("log").len(), of("end").len(), of("batch").len()), (3, 2, 2, 3));
    let state = of("state")[0];
    assert_eq!((state["events"].as_u64(), state["events_read"].as_u64()), (Some(16), Some(10)));
    let known = place.state();
    for log in known.tracker().logs() {
        let identity = format!("{:016x}", log.identity);
        let line = of("log").into_iter().find(|line| line["identity"] == identity.as_str()).unwrap();
        assert_eq!(line["settled"].as_u64(), known.tracker().settled(log).map(|at| at.0));
        assert_eq!(line["needed_from"].as_u64(), Some(known.tracker().need().from(log).0));
        assert!(line["may_go_below"].as_u64() <= line["needed_from"].as_u64());
    }
    // Of the journal alone it is the same state, made from its beginning.
    let alone = text_of(&["journal", place.journal().to_str().unwrap(), "--state"], 0);
    assert!(
        alone.contains("events    16; all were read") && alone.contains("not known without the checkpoints"),
        "{alone}"
    );
    assert_eq!(
        alone.split_once("\nbatch 2").unwrap().1.lines().nth(2),
        page.split_once("\nbatch 2").unwrap().1.lines().nth(2)
    );
}

#[test]
fn a_journal_alone_whose_beginning_is_retired_shows_events_and_says_why_no_more() {
    let place = Place::that_cleans(29).stop();
    let journal = place.journal();
    let journal = journal.to_str().unwrap();
    assert!(lines(&["journal", journal], 0).len() > 10);
    let said = errors(&["journal", journal, "--state"]);
    assert!(
        said.contains("only events are") && said.contains(&format!("{} --state", place.text())),
        "{said}"
    );
    assert_eq!(code(&["journal", journal, "--state"]), 8);
    assert_eq!(code(&["journal", place.text(), "--state"]), 0);
    let begins = json(&["info", journal, "--json"], 0)[0]["begins"].as_u64().unwrap();
    let first = numbers(&["journal", place.text(), "--json"])[0];
    assert!(begins > 0 && first > 0);
}

#[test]
fn explain_says_who_holds_what() {
    let place = Place::with_history().stop();
    let page = text_of(&["explain", place.text(), "0/0"], 0);
    for says in [
        "held: checkpoint 1-0, from ",
        "held: the unfinished batch 2, from ",
        "held: blocks that no batch has, from ",
        "held: it is the last one",
    ] {
        assert!(page.contains(says), "{says}\n{page}");
    }
    let page = text_of(&["explain", place.text()], 0);
    assert!(page.contains("held: checkpoint 1-0, from ") && page.contains("held by nothing"), "{page}");
    assert!(page.contains(&format!("wal-inspect explain file://{} 0/1", place.text())), "{page}");
    let all = json(&["explain", place.text(), "0/0", "--json"], 0);
    let end = all.last().unwrap();
    assert_eq!(
        (end["type"].as_str(), end["of"].as_str(), end["receiver"].as_u64()),
        (Some("explained"), Some("received"), Some(0))
    );
    let segments = all.iter().filter(|line| line["type"] == "segment");
    let ours: Vec<bool> = segments.map(|line| line["held"].as_bool().unwrap()).collect();
    assert_eq!(ours, [false, true, true, true], "{all:?}");
    // The driver itself says the same.
    let mut place = place;
    place.start();
    let log = place.state().tracker().logs().next().unwrap();
    let holds = place.driver().holds(Some(log)).unwrap();
    let told = all.iter().filter(|line| line["type"] == "hold");
    let told: Vec<(u64, &str)> =
        told.map(|line| (line["from"].as_u64().unwrap(), line["who"].as_str().unwrap())).collect();
    assert_eq!(told, holds.iter().map(|hold| (hold.from.0, &*hold.who)).collect::<Vec<_>>());
}

#[test]
fn explain_where_a_checkpoint_cannot_be_read_says_that_nothing_goes() {
    let place = Place::with_history();
    place.checkpoint();
    let place = place.stop();
    let first = Object::Head(Id { epoch: 1, number: 0 }).name();
    place.flip(&place.path.join("checkpoints").join(first.as_str()), 70);
    let page = text_of(&["explain", place.text()], 0);
    assert!(
        page.contains("of which is not known what it needs") && !page.contains("held by nothing"),
        "{page}"
    );
}

#[test]
fn check_of_a_root_tells_of_its_journal_too() {
    let mut place = Place::with_history();
    assert_eq!(code(&["check", place.text()]), 0);
    place.receive(1, 1);
    place.retire(0);
    let place = place.stop();
    let page = text_of(&["check", place.text()], 4);
    assert!(
        page.contains("/journal: as a journal DAMAGED in 2 places") && page.contains("retired while needed"),
        "{page}"
    );
    let all = json(&["check", place.text(), "--json"], 4);
    let verdict = all.last().unwrap();
    assert_eq!((verdict["of"].as_str(), verdict["state"].as_str()), (Some("journal"), Some("damaged")));
    assert_eq!(all.iter().filter(|line| line["type"] == "received").count(), 2);
    assert_eq!(code(&["check", place.text(), "--quick"]), 4);
}

#[test]
fn check_holds_a_receivers_log_to_what_the_journal_knows() {
    let mut place = Place::new();
    (0..8).for_each(|_| _ = place.receive(0, 1));
    let place = place.stop();
    std::fs::remove_file(place.segments(0).pop().unwrap()).unwrap();
    let alone = code(&["check", place.received(0).to_str().unwrap()]);
    let page = text_of(&["check", place.text()], 4);
    assert!(
        page.contains("received/0/0: DAMAGED")
            && page.contains("2 blocks that no batch has yet are not in their log"),
        "{alone} {page}"
    );
}

#[test]
fn check_expects_of_another_log_nothing_that_the_journal_knows_of_the_one_before() {
    let mut place = Place::new();
    (0..8).for_each(|_| _ = place.receive(1, 1));
    place.allot(1);
    place.finish(1);
    place.checkpoint();
    let place = place.without(1);
    std::fs::rename(place.lone_log(), place.received(1)).unwrap();
    let page = text_of(&["check", place.text()], 0);
    assert!(
        page.contains("received/0/1: clean") && page.contains("the journal knows nothing of the log"),
        "{page}"
    );
}

#[test]
fn places_that_are_no_journal_say_what_they_are() {
    let place = Place::with_history().stop();
    let received = place.received(0);
    let checkpoints = place.path.join("checkpoints");
    for (path, says) in [
        (received.to_str().unwrap(), "wal-inspect dump"),
        (checkpoints.to_str().unwrap(), "wal-inspect checkpoints"),
    ] {
        assert_eq!(code(&["journal", path]), 8);
        assert!(errors(&["journal", path]).contains(says), "{}", errors(&["journal", path]));
        assert_eq!(code(&["explain", path]), 16);
    }
    assert!(errors(&["explain", place.journal().to_str().unwrap()]).contains("name the root"));
    assert!(errors(&["explain", place.text(), "5/5"]).contains("the journal knows of 0/0, 0/1"));
    assert!(errors(&["explain", place.text(), "five"]).contains("such as 0/1"));
    let empty = Place::new().stop();
    assert!(text_of(&["journal", empty.text()], 0).contains("no event yet"));
}
