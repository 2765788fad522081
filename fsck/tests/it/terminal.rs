//! `wal-fsck` as it behaves towards terminals, pipes, signals and permissions.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::{sleep, spawn};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::folder::{Folder, head, id};
use crate::golden::{copy, golden};
use crate::program::snapshot;

const FSCK: &str = env!("CARGO_BIN_EXE_wal-fsck");

/// A terminal that a test looks at, and the side of it that programs have.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (File::from(ours), theirs)
}

/// Runs it with all three streams on a terminal on which `typed` is typed; how it ended, and what was seen there.
fn on_terminal(command: &mut Command, typed: &str) -> (Option<i32>, String) {
    let (mut ours, theirs) = terminal();
    let stream = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
    let mut child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(theirs);
    ours.write_all(typed.as_bytes()).unwrap();
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match ours.read(&mut piece) {
            Ok(0) => break,
            Ok(len) => seen.extend_from_slice(&piece[..len]),
            // So a terminal ends once nobody has its other side.
            Err(error) if error.raw_os_error() == Some(5) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
    }
    (child.wait().unwrap().code(), String::from_utf8(seen).unwrap())
}

/// What is seen on a terminal until it shows this.
fn until(ours: &mut File, shown: &str) -> String {
    let (mut seen, mut piece) = (String::new(), [0; 256]);
    while !seen.contains(shown) {
        let len = ours.read(&mut piece).expect("it ended before it showed that");
        seen += std::str::from_utf8(&piece[..len]).unwrap();
    }
    seen
}

fn damaged(at: &Path) {
    copy(&golden().join("log"), at);
    let file = at.join("00000000000016792584.wal");
    let mut bytes = fs::read(&file).unwrap();
    bytes[900] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

fn fsck(args: &[&str]) -> Command {
    let mut command = Command::new(FSCK);
    command.args(args).env_remove("NO_COLOR").env("TERM", "xterm");
    command
}

#[test]
fn what_is_bad_is_painted_on_a_terminal_and_nothing_is_where_no_colour_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    damaged(&path);
    let args = [path.to_str().unwrap()];
    let (code, seen) = on_terminal(&mut fsck(&args), "");
    assert_eq!(code, Some(4));
    assert!(seen.contains("\x1b[1;31mdamaged\x1b[0m "), "{seen:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let (_, seen) = on_terminal(fsck(&args).env(name, value), "");
        assert!(seen.contains("damaged   ") && !seen.contains('\x1b'), "{name}: {seen:?}");
    }
    let piped = fsck(&args).output().unwrap();
    assert!(![piped.stdout, piped.stderr].concat().contains(&0x1b));
}

/// A log of one file that takes long to read: the gap is sparse.
fn long(at: &Path) {
    copy(&golden().join("log"), at);
    let file = OpenOptions::new().write(true).open(at.join("00000000000033596320.wal")).unwrap();
    file.set_len(64 << 30).unwrap();
}

fn wait(child: &mut Child) -> Option<i32> {
    for _ in 0..200 {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    panic!("it goes on for 10 seconds");
}

#[test]
fn long_work_shows_how_far_it_is_on_a_terminal_only_and_a_signal_ends_it_with_32() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    long(&path);
    let (mut ours, theirs) = terminal();
    let args = [path.to_str().unwrap(), "--json"];
    let mut child =
        fsck(&args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::from(theirs)).spawn().unwrap();
    let seen = until(&mut ours, "/s");
    assert!(seen.starts_with("\rchecking [") && seen.contains("of 64.0 GiB"), "{seen:?}");
    signal(&child, "INT");
    let rest = spawn(move || {
        let (mut rest, mut piece) = (Vec::new(), [0; 256]);
        while let Ok(len @ 1..) = ours.read(&mut piece) {
            rest.extend_from_slice(&piece[..len]);
        }
        String::from_utf8_lossy(&rest).into_owned()
    });
    assert_eq!(wait(&mut child), Some(32));
    let rest = rest.join().unwrap();
    assert!(
        rest.ends_with("\r\u{1b}[Kwal-fsck: it was interrupted by a signal; run it again\r\n"),
        "{rest:?}"
    );

    let mut child = fsck(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    sleep(Duration::from_millis(900));
    signal(&child, "TERM");
    assert_eq!(wait(&mut child), Some(32));
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "wal-fsck: it was interrupted by a signal; run it again\n", "no line in a pipe");
}

#[test]
fn a_signal_ends_the_check_of_a_root_and_of_all_the_logs_in_it() {
    let dir = tempfile::tempdir().unwrap();
    copy(&golden().join("root"), dir.path());
    long(&dir.path().join("received/0/2"));
    (3..9)
        .for_each(|receiver| copy(&golden().join("log"), &dir.path().join(format!("received/0/{receiver}"))));
    let args = [dir.path().to_str().unwrap(), "--level", "full"];
    let mut child = fsck(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    sleep(Duration::from_millis(900));
    signal(&child, "INT");
    assert_eq!(wait(&mut child), Some(32));
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "wal-fsck: it was interrupted by a signal; run it again\n");
}

fn signal(child: &Child, name: &str) {
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    let signal = match name {
        "INT" => rustix::process::Signal::INT,
        _ => rustix::process::Signal::TERM,
    };
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn a_reader_that_leaves_early_does_not_make_a_damaged_log_sound() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    damaged(&path);
    let mut child =
        fsck(&[path.to_str().unwrap()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((child.wait().unwrap().code(), &*errors), (Some(4), ""));
    for args in [&["man"][..], &["--help"], &["completions", "bash"]] {
        let mut child = fsck(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::with_capacity(16, child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        drop(out);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
    }
}

/// As somebody who may not read what only root may.
fn without_rights(program: &str, args: &[&str], dir: &Path) -> Output {
    let copied = dir.join("program");
    fs::copy(program, &copied).unwrap();
    let mut command = Command::new(&copied);
    if fs::metadata(dir).unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    command.args(args).current_dir(dir);
    loop {
        match command.output() {
            // Another test that began a program meanwhile has the copy open for a moment.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => sleep(Duration::from_millis(10)),
            output => return output.unwrap(),
        }
    }
}

#[test]
fn what_may_not_be_read_is_named_with_who_may() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let shut = dir.path().join("shut");
    copy(&golden().join("log"), &shut.join("log"));
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).unwrap();
    for (name, program, args) in [
        ("wal-fsck", FSCK, &["shut/log"][..]),
        ("wal-inspect", env!("CARGO_BIN_EXE_wal-inspect"), &["info", "shut/log"]),
    ] {
        let output = without_rights(program, args, dir.path());
        assert_eq!(output.status.code(), Some(8));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!(
                "{name}: unavailable: the folder could not be opened: path=shut/log because=`Permission denied (os error \
                 13)`; who may open it:\n  namei -l shut/log\n"
            )
        );
    }
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(shut.join("log"), fs::Permissions::from_mode(0o311)).unwrap();
    let output = without_rights(FSCK, &["shut/log"], dir.path());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(8), "{errors}");
    assert!(errors.contains("Permission denied"), "{errors}");
}

fn bad_footer(at: &Path) {
    copy(&golden().join("log"), at);
    let file = at.join("00000000000016784768.wal");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 0x10;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_repair_asks_once_for_the_whole_plan_and_only_yes_is_yes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    bad_footer(&path);
    let before = snapshot(&path);
    let args = ["--repair", path.to_str().unwrap()];
    for typed in ["n\n", "\n", "no\n", "yy\n", "\u{4}"] {
        let (code, seen) = on_terminal(&mut fsck(&args), typed);
        assert_eq!(code, Some(4), "{seen}");
        assert!(seen.contains("Do this? [y/N]") && seen.contains("the answer was not yes"), "{seen}");
        assert!(seen.contains(&format!("next     wal-fsck --repair file://{}", path.display())), "{seen}");
    }
    assert_eq!(snapshot(&path), before);
    let (mut ours, theirs) = terminal();
    let stream = || Stdio::from(theirs.try_clone().unwrap());
    let mut child = fsck(&args).stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
    until(&mut ours, "[y/N] ");
    signal(&child, "INT");
    assert_eq!((wait(&mut child), snapshot(&path) == before), (Some(32), true));
    let (code, seen) = on_terminal(&mut fsck(&args), "y\n");
    assert_eq!(code, Some(1), "{seen}");
    assert_eq!(seen.matches("Do this?").count(), 1);
    assert_eq!(fsck(&args[1..]).output().unwrap().status.code(), Some(0));
}

#[test]
fn what_loses_nothing_is_mended_and_the_rest_is_left_without_consent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    bad_footer(&path);
    let file = path.join("00000000000016792584.wal");
    let mut bytes = fs::read(&file).unwrap();
    bytes[900] ^= 0x10;
    fs::write(&file, bytes).unwrap();
    let path = path.to_str().unwrap();
    let ended = |args: &[&str]| fsck(args).output().unwrap().status.code();
    assert_eq!(ended(&["--repair", path]), Some(4), "nobody to ask");
    assert_eq!(ended(&["--repair", "--yes", path]), Some(1 | 4));
    assert_eq!(ended(&["--repair", "--yes", path]), Some(4), "only what loses data is left");
    let output = fsck(&["--repair", "--yes", "--allow-data-loss", "--json", path]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = lines.last().unwrap();
    for (name, number) in [("found", 1), ("fixed", 1), ("left", 0), ("lost_records", 1), ("exit", 1)] {
        assert_eq!(summary[name], number, "{summary}");
    }
    let output = fsck(&[path]).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{page}");
    assert!(page.contains("was read: 29 records verify"), "what was given up is not counted: {page}");
}

#[test]
fn a_repair_beside_a_live_writer_names_it_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    bad_footer(&path);
    let store = headwater_wal::store::Local::open(&path).unwrap();
    let _owned = headwater_wal::store::Store::append(&store).unwrap().own().unwrap();
    let before = snapshot(&path);
    let output = fsck(&["--repair", "--yes", path.to_str().unwrap()]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4 | 8), "{errors}");
    assert!(errors.starts_with("wal-fsck: locked: "), "{errors}");
    assert!(errors.contains(&format!("holder: pid={} ", std::process::id())), "{errors}");
    assert_eq!(snapshot(&path), before);
    assert_eq!(
        fsck(&[path.to_str().unwrap()]).output().unwrap().status.code(),
        Some(4),
        "looking needs no lock"
    );
}

#[test]
fn what_was_salvaged_is_a_log_without_damage_and_the_old_one_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let [old, new] = ["old", "new"].map(|name| dir.path().join(name));
    damaged(&old);
    let before = snapshot(&old);
    let output = fsck(&["salvage", old.to_str().unwrap(), new.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "one record could not be read");
    let page = String::from_utf8(output.stdout).unwrap();
    let next = page.lines().last().unwrap().strip_prefix("next     wal-fsck ").unwrap();
    let output = fsck(&[next, "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(lines.contains(r#""checked_records":29,"#), "{lines}");
    assert_eq!(snapshot(&old), before);
}

#[test]
fn a_repair_of_a_root_mends_the_logs_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    copy(&golden().join("root"), &root);
    let file = root.join("received/0/0/00000000000000009464.wal");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 0x10;
    fs::write(file, bytes).unwrap();
    let ended = |args: &[&str]| fsck(args).output().unwrap().status.code();
    let path = root.to_str().unwrap();
    assert_eq!(ended(&[path]), Some(4));
    assert_eq!(ended(&["--repair", path]), Some(4));
    assert_eq!(ended(&["--repair", "--yes", path]), Some(1));
    assert_eq!(ended(&[path]), Some(0));
}

#[test]
fn a_repair_removes_what_no_checkpoint_needs_with_consent_only() {
    let folder = Folder::new();
    folder.delete(&head(id(3)));
    let before = folder.names();
    let root = folder.path.parent().unwrap().to_str().unwrap();
    let ended = |args: &[&str]| {
        let output = fsck(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, page) = ended(&["--repair", root]);
    assert_eq!((code, folder.names()), (Some(4), before.clone()), "{page}");
    assert!(page.contains("\nto be removed: ") && page.contains("\n    parts/"), "{page}");
    let (code, lines) = ended(&["--repair", "--yes", "--json", folder.path.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{lines}");
    for line in [r#"{"type":"step","#, r#"{"type":"done","#, r#""steps_done":1,"steps_left":0,"exit":1,"#] {
        assert!(lines.contains(line), "{lines}");
    }
    assert!(folder.names().len() < before.len());
    assert_eq!(ended(&["--repair", root]).0, Some(0), "nothing is left to be done");
}
