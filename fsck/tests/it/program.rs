//! `wal-inspect` as people and scripts use it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use headwater_wal::store::{Local, Store};
use headwater_wal::{Depth, Handle, Log, Position, Time, look};
use serde_json::Value;

use crate::specimen::{RECORDS, Specimen, fill, options, payload};

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wal-inspect"));
    command.args(args);
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

pub(crate) fn code(args: &[&str]) -> i32 {
    run(args).status.code().unwrap()
}

/// The lines of the standard output of a run that ended with that code.
pub(crate) fn lines(args: &[&str], code: i32) -> Vec<String> {
    let output = run(args);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(String::from).collect()
}

pub(crate) fn json(args: &[&str], code: i32) -> Vec<Value> {
    lines(args, code).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Specimen {
    fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Every verb, in every form that reads differently.
    fn every_verb(&self) -> Vec<Vec<String>> {
        let handle = self.handles[3].to_string();
        let forms = [
            vec!["info"],
            vec!["info", "--json"],
            vec!["ls"],
            vec!["ls", "--json"],
            vec!["dump"],
            vec!["dump", "--groups"],
            vec!["dump", "--groups", "--json"],
            vec!["dump", "--last", "5", "--payload", "hex"],
            vec!["check"],
            vec!["check", "--quick", "--json"],
            vec!["get", &handle],
            vec!["get", &handle, "--raw"],
        ];
        let with_path = |form: &Vec<&str>| {
            let mut all: Vec<String> = form.iter().map(ToString::to_string).collect();
            all.insert(1, self.text().into());
            all
        };
        forms.iter().map(with_path).collect()
    }
}

/// Everything below a folder, itself included: the bytes of files, and the time of the last change.
pub(crate) fn snapshot(path: &Path) -> BTreeMap<PathBuf, (Option<Vec<u8>>, SystemTime)> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        if found.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let bytes = found.is_file().then(|| fs::read(&path).unwrap());
        all.insert(path, (bytes, found.modified().unwrap()));
    }
    all
}

#[test]
fn no_verb_changes_creates_or_touches_anything() {
    for damage in [false, true] {
        let specimen = Specimen::new();
        specimen.plant("foreign name", b"x");
        if damage {
            specimen.flip(&specimen.middle().0, 700);
            specimen.delete(&specimen.place(RECORDS as usize - 1).0);
        }
        let before = snapshot(&specimen.path);
        for verb in specimen.every_verb() {
            let args: Vec<&str> = verb.iter().map(String::as_str).collect();
            let output = run(&args);
            let code = output.status.code().unwrap();
            assert!(
                code == 0 || (damage && code == 4),
                "{args:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert_eq!(snapshot(&specimen.path), before, "{args:?}");
        }
    }
}

#[test]
fn exit_codes_are_those_of_fsck() {
    let specimen = Specimen::new();
    let path = specimen.text();
    let missing = format!("{path}-missing");
    let file = specimen.file(&specimen.middle().0);
    let above = specimen.path.parent().unwrap().to_str().unwrap();
    for (args, want) in [
        (vec!["check", path], 0),
        (vec!["--help"], 0),
        (vec!["--version"], 0),
        (vec!["check", &missing], 8),
        (vec!["info", above], 8),
        (vec!["check", file.to_str().unwrap()], 16),
        (vec!["check"], 16),
        (vec!["mend", path], 16),
        (vec!["dump", path, "--from", "x"], 16),
        (vec!["dump", path, "--from", "9", "--to", "9"], 16),
        (vec!["get", path, "hw1:nonsense"], 16),
        (vec!["info", "s3://bucket/log"], 16),
    ] {
        assert_eq!(code(&args), want, "{args:?}");
    }
    specimen.flip(&specimen.middle().0, 700);
    assert_eq!(code(&["check", path]), 4);
    assert_eq!(code(&["dump", path]), 4, "what could not be shown is told to scripts");
    assert_eq!(code(&["info", path]), 0);
}

#[test]
fn a_folder_of_logs_names_them_and_a_file_names_its_log() {
    let specimen = Specimen::new();
    let above = specimen.path.parent().unwrap().to_str().unwrap();
    let errors = String::from_utf8(run(&["ls", above]).stderr).unwrap();
    assert!(errors.contains("wal-inspect info file://") && errors.contains("/log\n"), "{errors}");
    let file = specimen.file(&specimen.middle().0);
    let errors = String::from_utf8(run(&["dump", file.to_str().unwrap()]).stderr).unwrap();
    assert!(errors.contains("--groups --from"), "{errors}");
}

#[test]
fn dump_shows_what_was_appended_and_only_what_was_asked_for() {
    let specimen = Specimen::new();
    let path = specimen.text();
    let records = |args: &[&str]| -> Vec<(String, String)> {
        let all: Vec<&str> = ["dump", path, "--json"].into_iter().chain(args.iter().copied()).collect();
        let records = json(&all, 0).into_iter().filter(|line| line["type"] == "record");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        records.map(|line| (text(&line["handle"]), text(&line["payload_text"]))).collect()
    };
    let all: Vec<_> = specimen
        .handles
        .iter()
        .zip(0..)
        .map(|(handle, number)| (handle.to_string(), payload(number)))
        .collect();
    assert_eq!(records(&[]), all);
    assert_eq!(records(&["--groups"]), all);
    assert_eq!(records(&["-n", "4"]), all[..4]);
    assert_eq!(records(&["--last", "4"]), all[all.len() - 4..]);
    assert_eq!(records(&["--last", "70"]), all[all.len() - 70..]);
    let position = |number: usize| specimen.handles[number].position().to_string();
    assert_eq!(records(&["--from", &position(33), "--to", &position(61)]), all[33..61]);
    assert_eq!(records(&["--from", &position(33), "--to", &position(61), "--groups"]), all[33..61]);
    assert!(records(&["--payload", "none"]).iter().all(|(_, payload)| payload.is_empty()));
}

#[test]
fn dump_shows_the_records_around_a_damage_and_the_damage() {
    let specimen = Specimen::new();
    let (file, offset) = specimen.place(40);
    specimen.flip(&file, offset + 40);
    for groups in [&[][..], &["--groups"][..]] {
        let args: Vec<&str> = ["dump", specimen.text(), "--json"].iter().chain(groups).copied().collect();
        let lines = json(&args, 4);
        let handles: Vec<&str> = lines.iter().filter_map(|line| line["handle"].as_str()).collect();
        let want = specimen.handles.iter().enumerate().filter(|(at, _)| *at != 40);
        assert_eq!(handles, want.map(|(_, handle)| handle.to_string()).collect::<Vec<_>>());
        let bad: Vec<_> = lines.iter().filter(|line| line["type"] == "bad").collect();
        assert_eq!(bad.len(), 1, "{bad:?}");
        assert_eq!(bad[0]["offset"], offset);
        assert_eq!(bad[0]["from"], specimen.handles[40].position().0);
    }
    specimen.delete(&file);
    let text = lines(&["dump", specimen.text()], 4).join("\n");
    assert!(text.contains("a segment is missing"), "a gap is never silent");
}

#[test]
fn groups_shows_what_lies_behind_the_end() {
    let specimen = Specimen::new();
    let (file, offset) = specimen.place(RECORDS as usize - 1);
    specimen.cut(&file, offset + 50);
    let from = specimen.handles[RECORDS as usize - 2].position().to_string();
    let text = lines(&["dump", specimen.text(), "--groups", "--from", &from], 0).join("\n");
    assert!(text.contains("what follows is no part of it"), "{text}");
    assert!(text.contains("bad     a payload that does not verify"), "{text}");
    assert!(!text.contains("BAD"), "torn is not damaged: {text}");
}

#[test]
fn groups_shows_what_verifies_behind_a_damage_in_the_active_segment() {
    let specimen = Specimen::new();
    let (file, _) = specimen.place(RECORDS as usize - 1);
    let first = specimen.handles.iter().position(|handle| name(handle) == file).unwrap();
    specimen.flip(&file, specimen.place(first).1 + 9);
    let text = lines(&["dump", specimen.text(), "--groups"], 4).join("\n");
    assert!(text.contains("damaged from here on") && text.contains("BAD     a frame"), "{text}");
    assert!(text.contains(&specimen.handles[RECORDS as usize - 1].to_string()), "{text}");
    assert_eq!(code(&["get", specimen.text(), &specimen.handles[RECORDS as usize - 1].to_string()]), 0);
}

fn name(handle: &Handle) -> String {
    headwater_wal::format::name::segment(handle.base())
}

#[test]
fn get_gives_one_record_exactly() {
    let specimen = Specimen::new();
    let (path, handle) = (specimen.text(), specimen.handles[77].to_string());
    let output = run(&["get", path, &handle, "--raw"]);
    assert_eq!(output.stdout, payload(77).into_bytes());
    let page = lines(&["get", path, &handle], 0).join("\n");
    assert!(page.contains(&payload(77)) && page.contains(&handle), "{page}");
    let line = &json(&["get", path, &handle, "--json"], 0)[0];
    assert_eq!((line["kind"].as_u64(), line["time_ms"].as_u64()), (Some(7), Some(1077)));
    let mut wrong = handle.clone();
    let last = wrong.pop().unwrap();
    wrong.push(if last == '0' { '1' } else { '0' });
    assert_eq!(code(&["get", path, &wrong]), 8);
    let (file, offset) = specimen.place(77);
    specimen.flip(&file, offset + 40);
    assert_eq!(code(&["get", path, &handle]), 4);
}

#[test]
fn ls_names_every_file_and_json_has_its_names() {
    let specimen = Specimen::new();
    let path = specimen.text();
    let segments = json(&["ls", path, "--json"], 0);
    let survey = look(&*specimen.store(), Position::START, Depth::Quick).unwrap();
    assert_eq!(segments.len(), survey.chain().segments().len());
    for (line, segment) in segments.iter().zip(survey.chain().segments()) {
        assert_eq!(line["type"], "segment");
        assert_eq!(line["base"], segment.base.0);
        assert_eq!(line["end"], segment.end.0);
        assert_eq!(line["records"].as_u64(), segment.records);
    }
    assert_eq!(segments.last().unwrap()["state"], "active");
    let text = lines(&["ls", path], 0);
    assert_eq!(text.len(), segments.len() + 1);
    let verdict = json(&["check", path, "--json"], 0);
    assert_eq!(verdict[0]["type"], "verdict");
    assert_eq!(
        (verdict[0]["state"].as_str(), verdict[0]["records"].as_u64()),
        (Some("clean"), Some(RECORDS))
    );
    let info = &json(&["info", path, "--json"], 0)[0];
    assert_eq!((info["type"].as_str(), info["epoch"].as_u64()), (Some("log"), Some(3)));
}

#[test]
fn file_urls_open_what_messages_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a b%c'd");
    let store: Arc<dyn Store> = Arc::new(Local::open(&path).unwrap());
    let (_, log) = fill(&store);
    log.close().unwrap();
    let place = store.place();
    assert_eq!(code(&["check", &place]), 0, "{place}");
}

#[test]
fn every_verb_works_beside_a_live_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let store: Arc<dyn Store> = Arc::new(Local::open(&path).unwrap());
    let (handles, log) = fill(&store);
    let done = AtomicBool::new(false);
    let specimen = LiveArgs { path: path.to_str().unwrap(), handle: handles[0].to_string() };
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut count = 0;
            while !done.load(Ordering::Relaxed) {
                log.append(Time(count), vec![b'y'; 700]).unwrap().wait().unwrap();
                count += 1;
            }
            count
        });
        for _ in 0..5 {
            for args in specimen.verbs() {
                let output = run(&args);
                let errors = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(0), "{args:?}: {errors}");
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 0);
    });
    log.close().unwrap();
    let log = Log::open(store, options()).unwrap().start(Position::START).unwrap();
    assert!(log.read(&handles[0]).is_ok());
}

struct LiveArgs<'a> {
    path: &'a str,
    handle: String,
}

impl LiveArgs<'_> {
    fn verbs(&self) -> [Vec<&str>; 14] {
        [
            vec!["info", self.path],
            vec!["ls", self.path],
            vec!["ls", self.path, "--long"],
            vec!["dump", self.path, "--groups"],
            vec!["dump", self.path, "--tail", "3"],
            vec!["check", self.path],
            vec!["stats", self.path],
            vec!["find", self.path, "--position", "0"],
            vec!["find", self.path, "--time", "1080"],
            vec!["follow", self.path, "--from", "0", "-n", "50"],
            vec!["explain", self.path, &self.handle],
            vec!["clean", self.path, "--dry-run"],
            vec!["timeline", self.path, "--svg", "-"],
            vec!["get", self.path, &self.handle],
        ]
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let specimen = Specimen::new();
    // More than a pipe holds.
    let mut child = command(&["dump", specimen.text(), "--groups", "--width", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::with_capacity(64, child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(errors, "");
}
