//! The verbs of `wal-inspect` that pick, find, follow, count and explain.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;

use headwater_fsck::{Depth, Wanted, before_last, find};
use headwater_wal::store::{Local, Store};
use headwater_wal::{Compression, Log, Options, Position, Time};
use serde_json::Value;

use crate::counted::Counted;
use crate::journal_root::Place;
use crate::program::{code, command, json, lines, run};
use crate::specimen::{RECORDS, Specimen, fill, options, payload};

/// The names of a line, in their order.
fn names(line: &Value) -> Vec<&str> {
    line.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The names that lines of a type have in common, sorted, as one text.
fn names_of(lines: &[Value], what: &str) -> String {
    let mut of = lines.iter().filter(|line| line["type"] == what).map(|line| {
        let mut names = names(line);
        names.sort_unstable();
        names.join(" ")
    });
    let first = of.next().unwrap_or_else(|| panic!("no line of type {what}"));
    assert!(of.all(|other| other == first), "{what}");
    first
}

fn times(args: &[&str]) -> Vec<u64> {
    let lines = json(args, 0).into_iter().filter(|line| line["type"] == "record");
    lines.map(|line| line["time_ms"].as_u64().unwrap()).collect()
}

/// Times are 1000 and up, kinds 7.
#[test]
fn dump_picks_by_time_and_kind() {
    let specimen = Specimen::new();
    let path = specimen.path.to_str().unwrap();
    let dump = |args: &[&str]| {
        let all = ["dump", path, "--json", "--payload", "none"].into_iter().chain(args.iter().copied());
        times(&all.collect::<Vec<_>>())
    };
    assert_eq!(dump(&["--since", "1040", "--until", "1044"]), [1040, 1041, 1042, 1043]);
    assert_eq!(dump(&["--since", "1970-01-01T00:00:01.085Z"]), [1085, 1086, 1087, 1088, 1089]);
    assert_eq!(dump(&["--until", "1970-01-01T00:00:01.002"]), [1000, 1001]);
    assert_eq!(dump(&["--since", "1h ago"]), [0; 0]);
    assert_eq!(dump(&["--kind", "7"]).len() as u64, RECORDS);
    assert_eq!(dump(&["--kind", "6,8"]), [0; 0]);
    assert_eq!(dump(&["--kind", "8", "--kind", "7", "-n", "2"]), [1000, 1001]);
    assert_eq!(dump(&["--tail", "3"]), [1087, 1088, 1089]);
    assert_eq!(dump(&["--tail", "3", "--until", "1050"]), [1047, 1048, 1049]);
    assert_eq!(dump(&["--tail", "70", "--kind", "7"]).len(), 70);
    assert_eq!(dump(&["--tail", "1000"]).len() as u64, RECORDS);
    for bad in [["--since", "yesterday"], ["--kind", "256"], ["--tail", "-1"]] {
        assert_eq!(code(&["dump", path, bad[0], bad[1]]), 16);
    }
    assert_eq!(code(&["dump", path, "--since", "2000", "--until", "2000"]), 16);
}

#[test]
fn a_tail_reads_no_more_than_it_must() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Local::open(dir.path()).unwrap());
    let log =
        Log::open(store, Options::default().segment_bytes(4 << 20).compression(Compression::Off)).unwrap();
    let log = log.start(Position::START).unwrap();
    for time in 0..40 {
        log.append(Time(time), vec![b'x'; 64 << 10]).unwrap().wait().unwrap();
    }
    log.close().unwrap();
    let store: Arc<dyn Store> = Arc::new(Local::open(dir.path()).unwrap());
    let survey = find(&*store, Position::START, Depth::Quick).unwrap();
    let counted = Counted::over(store);
    let from = before_last(&counted, &survey, &Wanted::default(), 2).unwrap();
    assert!(from > Position::START && from < survey.end());
    assert!(counted.bytes() < 1 << 20, "{} of 2.6 MiB", counted.bytes());
}

#[test]
fn payloads_come_as_json_and_raw() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Local::open(dir.path()).unwrap());
    let log = Log::open(store, options()).unwrap().start(Position::START).unwrap();
    for text in ["{ \"a\": [1, \"\u{9b}\"] }", "no json"] {
        log.append(Time(1), text).unwrap().wait().unwrap();
    }
    log.close().unwrap();
    let path = dir.path().to_str().unwrap();
    let found = json(&["dump", path, "--json", "--payload", "json"], 0);
    assert_eq!(found[0]["payload"]["a"][1], "\u{9b}");
    assert_eq!((&found[1]["payload"], found[1]["payload_text"].as_str()), (&Value::Null, Some("no json")));
    let text = lines(&["dump", path, "--payload", "json"], 0);
    assert!(text[0].ends_with(r#"{"a":[1,"\u009b"]}"#) && text[1].ends_with("no json"), "{text:?}");
    assert_eq!(
        run(&["dump", path, "--payload", "raw"]).stdout,
        "{ \"a\": [1, \"\u{9b}\"] }no json".as_bytes()
    );
    assert_eq!(run(&["dump", path, "--payload", "raw", "--tail", "1"]).stdout, b"no json");
    assert_eq!(code(&["dump", path, "--payload", "raw", "--json"]), 16);
    assert_eq!(code(&["dump", path, "--payload", "raw", "--groups"]), 16);
}

#[test]
fn find_says_where_a_position_and_a_time_lie() {
    let specimen = Specimen::new();
    let path = specimen.path.to_str().unwrap();
    for number in [0, 29, 30, 44, 89] {
        let handle = specimen.handles[number];
        let time = (1000 + number).to_string();
        let inside = handle.position().plus(9).to_string();
        let at = handle.position().to_string();
        for goal in [["--time", &time], ["--position", &at], ["--position", &inside]] {
            let found = &json(&["find", path, goal[0], goal[1], "--json"], 0)[0];
            assert_eq!(found["handle"], handle.to_string(), "{number} by {goal:?}");
            assert_eq!(
                (found["file"].as_str(), found["offset"].as_u64()),
                (Some(&*specimen.place(number).0), Some(specimen.place(number).1))
            );
        }
    }
    let found = json(&["find", path, "--position", "0", "--json"], 0);
    assert_eq!(
        names_of(&found, "found"),
        "base bytes end epoch file handle kind offset position segment_end state stored_bytes time time_ms type"
    );
    assert_eq!(found[0]["time_ms"], 1000);
    let page = lines(&["find", path, "--time", "1044"], 0).join("\n");
    assert!(page.contains(&specimen.handles[44].to_string()), "{page}");
    assert_eq!(code(&["find", path, "--time", "1090"]), 8);
    assert_eq!(code(&["find", path, "--position", &u64::MAX.to_string()]), 8);
    assert_eq!(code(&["find", path]), 16);
    assert_eq!(code(&["find", path, "--time", "1", "--position", "1"]), 16);
}

#[test]
fn stats_count_what_was_appended() {
    let specimen = Specimen::new();
    let path = specimen.path.to_str().unwrap();
    let found = json(&["stats", path, "--json"], 0);
    let total = found.last().unwrap();
    let raw: usize = (0..RECORDS).map(|number| payload(number).len()).sum();
    assert_eq!((total["records"].as_u64(), total["raw_bytes"].as_u64()), (Some(RECORDS), Some(raw as u64)));
    assert_eq!((total["time_min_ms"].as_u64(), total["time_max_ms"].as_u64()), (Some(1000), Some(1089)));
    for (what, want) in [
        ("sizes", "count greatest least mean of p50 p90 p99 type"),
        ("kind", "kind raw_bytes records stored_bytes type"),
        ("hour", "from from_ms raw_bytes records stored_bytes type"),
        ("time-gap", "after after_ms millis position type"),
        (
            "stats",
            "backwards bad compressed_raw_bytes compressed_records compressed_stored_bytes file_bytes place raw_bytes records \
             segments stored_bytes time_max_ms time_min_ms type went",
        ),
    ] {
        assert_eq!(names_of(&found, what), want);
    }
    let sizes = |of: &str| found.iter().find(|line| line["of"] == of).unwrap();
    assert_eq!(sizes("group_records")["p99"], 3, "groups of three, two and one");
    assert_eq!(
        (sizes("record_bytes")["least"].as_u64(), sizes("record_bytes")["greatest"].as_u64()),
        (Some(9), Some(10 + 979))
    );
    let part = json(&["stats", path, "--json", "--since", "1010", "--until", "1020"], 0);
    assert_eq!(part.last().unwrap()["records"], 10);
    let from = specimen.handles[85].position().to_string();
    assert_eq!(json(&["stats", path, "--json", "--from", &from], 0).last().unwrap()["records"], 5);
    let page = lines(&["stats", path], 0).join("\n");
    assert!(page.contains("1970-01-01T00:00 ") && page.contains("SIZES"), "{page}");
    let (file, offset) = specimen.place(40);
    specimen.flip(&file, offset + 40);
    let found = json(&["stats", path, "--json"], 4);
    assert_eq!(
        (found.last().unwrap()["records"].as_u64(), found.last().unwrap()["bad"].as_u64()),
        (Some(RECORDS - 1), Some(1))
    );
}

#[test]
fn explain_says_of_a_handle_where_it_is_and_why_it_cannot_be_read() {
    let specimen = Specimen::new();
    let path = specimen.path.to_str().unwrap();
    let handle = specimen.handles[40].to_string();
    let found = json(&["explain", path, &handle, "--json"], 0);
    assert_eq!(
        names_of(&found, "handle"),
        "bytes end epoch error file handle identity kind lies next place position readable stored_bytes time_ms type why"
    );
    assert_eq!((found[0]["lies"].as_str(), found[0]["readable"].as_bool()), (Some("in"), Some(true)));
    let page = lines(&["explain", path, &handle], 0).join("\n");
    assert!(page.contains("it verifies") && page.contains("wal-inspect get"), "{page}");
    let above = specimen.path.parent().unwrap().to_str().unwrap();
    assert_eq!(code(&["explain", above, &handle]), 0, "the log is found in a folder of logs");

    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Local::open(dir.path()).unwrap());
    let (others, log) = fill(&store);
    log.close().unwrap();
    let other = others[40].to_string();
    assert_eq!(json(&["explain", path, &other, "--json"], 8)[0]["lies"], "elsewhere");
    assert_eq!(code(&["explain", above, &other]), 8);
    assert_eq!(code(&["explain", path, "hw1:x"]), 16);
    let last = specimen.handles[RECORDS as usize - 1].to_string();
    let (file, offset) = specimen.place(RECORDS as usize - 1);
    specimen.cut(&file, offset);
    assert_eq!(
        json(&["explain", path, &last, "--json"], 8)[0]["lies"],
        "behind",
        "a log does not know what it has lost at its end"
    );
    let (file, offset) = specimen.place(40);
    specimen.flip(&file, offset + 40);
    let bad = json(&["explain", path, &handle, "--json"], 4);
    assert_eq!((bad[0]["lies"].as_str(), bad[0]["readable"].as_bool()), (Some("in"), Some(false)));
    assert!(bad[0]["next"].as_str().unwrap().contains("wal-inspect check"), "{bad:?}");
    specimen.delete(&file);
    assert_eq!(json(&["explain", path, &handle, "--json"], 4)[0]["lies"], "damaged");
}

#[test]
fn clean_says_what_would_go_and_what_holds_the_rest() {
    let specimen = Specimen::new();
    let path = specimen.path.to_str().unwrap();
    let found = json(&["clean", path, "--dry-run", "--json"], 0);
    assert_eq!(names_of(&found, "segment"), "base closed_at_ms end file file_bytes goes held_by place type");
    assert_eq!(
        names_of(&found, "cleaning"),
        "begins goes goes_bytes of pins_seen place receiver state_known stays stays_bytes stream type would_begin"
    );
    let goes = found.iter().filter(|line| line["goes"] == true).count() as u64;
    assert_eq!(found.last().unwrap()["goes"].as_u64(), Some(goes));
    assert!(goes > 3 && found.last().unwrap()["stays"] == 1, "all but the last one is older than now");
    let none = json(&["clean", path, "--dry-run", "--json", "--before", "2025-12-31T00:00Z"], 0);
    assert_eq!(none.last().unwrap()["goes"], 0);
    let page = lines(&["clean", path, "--dry-run"], 0).join("\n");
    assert!(page.contains("it is the last one") && page.contains("pins, which are of the process"), "{page}");
    assert_eq!(code(&["clean", path]), 16, "it never cleans");
    // What is told is what goes.
    let store: Arc<dyn Store> = specimen.store();
    let log = Log::open(store, options()).unwrap().start(Position::START).unwrap();
    log.confirm_clock();
    let found = json(&["clean", path, "--dry-run", "--json"], 0);
    let would = found.last().unwrap()["would_begin"].as_u64().unwrap();
    log.retire_before(Time::MAX).unwrap();
    assert_eq!(json(&["info", path, "--json"], 0)[0]["begins"].as_u64(), Some(would));
}

#[test]
fn clean_of_a_root_tells_of_each_log() {
    let place = Place::that_cleans(5).stop();
    let path = place.path.to_str().unwrap();
    let found = json(&["clean", path, "--dry-run", "--json"], 0);
    let of: Vec<_> = found
        .iter()
        .filter(|line| line["type"] == "cleaning")
        .map(|line| line["of"].as_str().unwrap())
        .collect();
    assert_eq!(of, ["journal", "received", "received"]);
    let held: String = found.iter().map(|line| line["held_by"].to_string()).collect();
    assert!(held.contains("checkpoint 1-"), "{held}");
    let page = lines(&["clean", path, "--dry-run"], 0).join("\n");
    assert!(page.contains("the log of receiver 0/1") && page.contains("stays"), "{page}");
}

struct Following {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Following {
    fn of(args: &[&str]) -> Following {
        let mut child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Following { child, out }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    /// The times of the records up to one of that time.
    fn up_to(&mut self, time: u64) -> Vec<u64> {
        let mut times = Vec::new();
        while times.last() != Some(&time) {
            times.push(self.line()["time_ms"].as_u64().unwrap());
        }
        times
    }
}

#[test]
fn follow_goes_on_across_rolling_retiring_and_a_new_writer_and_says_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let open = || {
        let store: Arc<dyn Store> = Arc::new(Local::open(dir.path()).unwrap());
        Log::open(store, options()).unwrap().start(Position::START).unwrap()
    };
    let append = |log: &Log, times: std::ops::Range<u64>| {
        times.for_each(|time| {
            _ = log.append_kind((time % 2) as u8, Time(time), vec![b'x'; 3000]).unwrap().wait().unwrap()
        });
    };
    let log = open();
    append(&log, 0..20);
    let mut all = Following::of(&["follow", path, "--from", "0", "--json", "--payload", "none"]);
    let mut odd = Following::of(&[
        "follow",
        path,
        "--from",
        "0",
        "--json",
        "--kind",
        "1",
        "-n",
        "12",
        "--payload",
        "none",
    ]);
    assert_eq!(all.up_to(18), (0..19).collect::<Vec<_>>());
    append(&log, 20..40);
    assert_eq!(all.up_to(38), (19..39).collect::<Vec<_>>(), "across rolling");
    log.close().unwrap();
    let log = open();
    append(&log, 40..60);
    assert_eq!(all.up_to(58), (39..59).collect::<Vec<_>>(), "a new writer");
    log.retire_before(Time::MAX).unwrap();
    append(&log, 60..70);
    assert_eq!(all.up_to(68), (59..69).collect::<Vec<_>>(), "what it has shown is retired");
    assert_eq!(odd.up_to(23).len(), 12);
    assert!(odd.child.wait().unwrap().success(), "-n ends it");

    // Who begins below the beginning is told of the gap.
    let mut late =
        Following::of(&["follow", path, "--from", "512", "--json", "--payload", "none", "-n", "1"]);
    let gap = late.line();
    assert_eq!((gap["type"].as_str(), gap["from"].as_u64()), (Some("gap"), Some(512)));
    assert_eq!(gap["to"], json(&["info", path, "--json"], 0)[0]["begins"]);
    assert_eq!(late.line()["type"], "record");
    assert!(late.child.wait().unwrap().success());

    // Nobody reads any more: it ends with the next record.
    let Following { mut child, out } = all;
    drop(out);
    let ended = (0..200).any(|time| {
        append(&log, 100 + time..101 + time);
        std::thread::sleep(std::time::Duration::from_millis(20));
        child.try_wait().unwrap().is_some_and(|status| status.success())
    });
    assert!(ended, "a broken pipe ends it, and is no error");
}
