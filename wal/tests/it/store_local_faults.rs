//! What the local store answers when a system call fails, and what it leaves when it is killed before one.
//!
//! Each test runs itself again under `strace`, which makes the k-th call of a kind fail or kills the process there,
//! for every k. The child says on its standard error what the store answered; the parent holds that against what
//! lies on the disk. Without `strace` these tests say so and pass.

use std::env;
use std::error::Error;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use headwater_wal::Result;
use headwater_wal::store::{Append, Local, Name, Room, Store};
use tempfile::TempDir;

const FOLDER: &str = "HEADWATER_TEST_FOLDER";
const LEN: usize = 3000;

fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

fn child_folder() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

fn answer<T>(call: &str, result: Result<T>) {
    match result {
        Ok(_) => eprintln!("answer: {call}: ok"),
        Err(error) => eprintln!("answer: {call}: {error}"),
    }
}

/// What came of one run.
struct Run {
    /// The faults met: `fsync 3 error=EIO`.
    what: String,
    /// `ok`, a kind, or nothing if the child did not live to say.
    answer: Option<String>,
    /// Whether the fault was met at all; past the last call of its kind it is not.
    met: bool,
    /// The calls that strace saw.
    trace: String,
}

/// Runs the test again with faults; `None` where that cannot be done.
fn run(test: &str, place: &Path, call: &str, faults: &[String]) -> Option<Run> {
    let trace = place.with_extension("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-e", "signal=none", "-o"]).arg(&trace);
    for fault in faults {
        strace.args(["-e", &format!("inject={fault}")]);
    }
    let test = format!("store_local_faults::{test}");
    strace.arg(env::current_exe().ok()?).args(["--exact", &test, "--nocapture"]).env(FOLDER, place);
    let output = strace.output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("strace:") {
        return None;
    }
    let begin = format!("answer: {call}: ");
    let answer = said.lines().find_map(|line| line.strip_prefix(&begin)).map(|text| match text {
        "ok" => "ok".to_owned(),
        error => error.split(": ").next().unwrap_or_default().to_owned(),
    });
    let trace = fs::read_to_string(trace).expect("what strace saw");
    let last = faults.last().map_or("", |fault| fault.as_str());
    let injected = format!("{}(", last.split(':').next().unwrap_or_default());
    let met = trace.lines().any(|line| line.contains(&injected) && line.contains("(INJECTED)"))
        || output.status.signal() == Some(9);
    Some(Run { what: faults.join(" "), answer, met, trace })
}

/// Runs the test with the k-th call of each kind failing in each way, for every k, and checks each time.
fn sweep(test: &str, call: &str, prepare: impl Fn(&Local), check: impl Fn(&Run, &Path)) {
    // Before a call that changes nothing a kill is a kill before the next one.
    const LOOKS: &[&str] = &["error=EIO"];
    const CHANGES: &[&str] = &["error=EIO", "error=ENOSPC", "error=EINTR:when=1", "signal=KILL"];
    let kinds: &[(&str, &[&str], &[&str])] = &[
        ("flock", &[], LOOKS),
        ("fstat", &[], LOOKS),
        ("newfstatat", &[], LOOKS),
        ("openat", &[], &["error=ENOSPC"]),
        ("mkdirat", &[], CHANGES),
        ("pwrite64", &[], CHANGES),
        ("pwritev2", &[], CHANGES),
        ("fsync", &[], CHANGES),
        ("renameat2", &[], CHANGES),
        ("renameat", &[], CHANGES),
        ("unlinkat", &[], CHANGES),
        // Where a file system knows no such rename.
        ("linkat", &["renameat2:error=EINVAL"], CHANGES),
        ("unlinkat", &["renameat2:error=EINVAL"], CHANGES),
        // The unfinished file cannot be removed either.
        ("unlinkat", &["pwrite64:error=ENOSPC:when=2"], LOOKS),
    ];
    let (mut runs, mut met) = (0, 0);
    for (kind, also, ways) in kinds {
        for way in *ways {
            for k in 1.. {
                let folder = TempDir::new().expect("a folder");
                let place = folder.path().join("log");
                prepare(&Local::open(&place).expect("a place"));
                let fault = match way.split_once(":when") {
                    Some((way, _)) => format!("{kind}:{way}:when={k}..{k}"),
                    None => format!("{kind}:{way}:when={k}"),
                };
                let faults: Vec<String> = also.iter().map(|&fault| fault.to_owned()).chain([fault]).collect();
                let Some(run) = run(test, &place, call, &faults) else {
                    return eprintln!("skipped: strace is not here, or may not trace");
                };
                check(&run, &place);
                runs += 1;
                met += usize::from(run.met);
                if !run.met {
                    let answer = run.answer.as_deref().unwrap_or("nothing");
                    let full = !also.is_empty() && answer == "full";
                    assert!(
                        full || answer == "ok",
                        "no fault was met, and it answered {answer}: {}",
                        run.what
                    );
                    break;
                }
            }
        }
    }
    eprintln!("{call}: {runs} runs, {met} faults met");
    assert!(met > 50, "the faults were met: {met} of {runs}");
}

/// The files at or below a folder that are neither lock nor reserve.
fn files(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(path) else { return found };
    for entry in entries {
        let entry = entry.expect("an entry");
        let leaf = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|inner| format!("{leaf}/{inner}")));
        } else if leaf != ".headwater-lock" {
            found.push(leaf);
        }
    }
    found.sort();
    found
}

/// A later life: takes over, and nothing unfinished is left after that.
fn heir(place: &Path, what: &str) -> Local {
    let store = Local::open(place).expect("a place");
    drop(store.own().expect("a later life can begin"));
    assert!(!files(place).iter().any(|file| file.contains(".headwater-new")), "swept: {what}");
    store
}

#[test]
fn a_put_answers_the_truth_whatever_fails() {
    if let Some(folder) = child_folder() {
        let store = Local::open(folder).expect("a place");
        answer("put", store.own().and_then(|_guard| store.put(&name("folder/a"), vec![7; LEN].into())));
        return;
    }
    sweep("a_put_answers_the_truth_whatever_fails", "put", |_| {}, the_put_was_told_truly);
}

fn the_put_was_told_truly(run: &Run, place: &Path) {
    let what = &run.what;
    let there = fs::read(place.join("folder/a")).ok();
    assert!(there.is_none() || there == Some(vec![7; LEN]), "whole or not there: {what}");
    match run.answer.as_deref() {
        Some("ok") => assert!(there.is_some(), "there: {what}"),
        Some("unknown") | None => {}
        Some(kind) => {
            assert!(["unavailable", "full"].contains(&kind), "{kind}: {what}");
            assert!(there.is_none(), "certainly not there: {what}");
            let stuck = kind == "unavailable" && what.contains("unlinkat");
            assert!(stuck || files(place).is_empty(), "nothing left behind: {what}: {:?}", files(place));
            let cut_off = ["renameat2:error=EIO", "renameat2:error=EINTR"];
            let cut_off = run.met && cut_off.iter().any(|way| what.contains(way));
            assert!(!cut_off, "what came of such a rename nobody can say, even if nothing did: {what}");
        }
    }
    let again = heir(place, what).put(&name("folder/a"), vec![7; LEN].into());
    assert_eq!(again.is_err(), there.is_some(), "a later put: {what}");
    assert_eq!(files(place), ["folder/a"], "{what}");
}

#[test]
fn a_file_set_aside_is_never_lost_whatever_fails() {
    if let Some(folder) = child_folder() {
        let store = Local::open(folder).expect("a place");
        let guard = store.own();
        answer("aside", guard.and_then(|_guard| store.set_aside(&name("a"), &name("quarantine/a"))));
        return;
    }
    let prepare = |store: &Local| store.put(&name("a"), vec![7; LEN].into()).expect("a put");
    sweep("a_file_set_aside_is_never_lost_whatever_fails", "aside", prepare, |run, place| {
        let what = &run.what;
        let (old, new) = (fs::read(place.join("a")).ok(), fs::read(place.join("quarantine/a")).ok());
        match run.answer.as_deref() {
            Some("ok") => assert!(old.is_none() && new.is_some(), "moved: {what}"),
            Some("unknown") | None => assert!(old.is_some() || new.is_some(), "kept: {what}"),
            Some(kind) => {
                assert!(["unavailable", "full"].contains(&kind), "{kind}: {what}");
                assert!(old.is_some() && new.is_none(), "where it was: {what}");
            }
        }
        let store = heir(place, what);
        let _guard = store.own().expect("a free place");
        let again = store.set_aside(&name("a"), &name("quarantine/a"));
        assert_eq!(again.is_ok(), old.is_some(), "a later life ends it: {what}");
        assert_eq!(files(place), ["quarantine/a"], "{what}");
        assert_eq!(fs::read(place.join("quarantine/a")).ok(), Some(vec![7; LEN]), "{what}");
    });
}

#[test]
fn a_reserve_is_kept_whole_or_not_at_all() {
    if let Some(folder) = child_folder() {
        let store = Local::open(folder).expect("a place");
        let guard = store.own();
        answer("reserve", guard.and_then(|_guard| store.reserve(2 << 20)));
        return;
    }
    let prepare = |store: &Local| {
        let _guard = store.own().expect("a free place");
        store.reserve(LEN as u64).expect("a smaller reserve");
    };
    sweep("a_reserve_is_kept_whole_or_not_at_all", "reserve", prepare, |run, place| {
        let what = &run.what;
        let len = fs::metadata(place.join(".headwater-reserve")).expect("a reserve, old or new").len();
        match run.answer.as_deref() {
            Some("ok") => assert_eq!(len, 2 << 20, "{what}"),
            Some("unknown") | None => assert!([LEN as u64, 2 << 20].contains(&len), "{what}"),
            Some(kind) => {
                assert!(["unavailable", "full"].contains(&kind), "{kind}: {what}");
                assert_eq!(len, LEN as u64, "{what}");
            }
        }
        heir(place, what);
    });
}

#[test]
fn a_tail_is_done_for_after_the_first_error() {
    if let Some(folder) = child_folder() {
        let store = Local::open(folder).expect("a place");
        let _guard = store.own().expect("a free place");
        let tail = store.create(&name("a"), b"head", 4096, Room::Written).expect("a new file");
        let first = tail.write_through(512, &[&[7; 512]]);
        let first = first.and_then(|()| tail.write(4, &[b"one", b"two"])).and_then(|()| tail.sync());
        answer("first", first.and_then(|()| tail.trim(99)));
        let second = tail.sync();
        let cause =
            second.as_ref().err().and_then(Error::source).map(ToString::to_string).unwrap_or_default();
        eprintln!("answer: told: {cause}");
        answer("second", second);
        answer("third", tail.write(4, &[b"three"]).and_then(|()| tail.trim(4)));
        return;
    }
    let faults = [
        "pwritev2:error=EIO:when=2",
        "pwritev:error=ENOSPC:when=1",
        "fdatasync:error=EIO:when=1",
        "ftruncate:error=EIO:when=2",
    ];
    for fault in faults {
        for (call, expected) in
            [("first", "unknown"), ("told", "unknown"), ("second", "closed"), ("third", "closed")]
        {
            let folder = TempDir::new().expect("a folder");
            let place = folder.path().join("log");
            let test = "a_tail_is_done_for_after_the_first_error";
            let Some(run) = run(test, &place, call, &[fault.to_owned()]) else {
                return eprintln!("skipped: strace is not here, or may not trace");
            };
            // A file system that is not written past its cache does not meet the first.
            if run.met || !fault.starts_with("pwritev2") {
                assert_eq!(run.answer.as_deref(), Some(expected), "{call}: {fault}");
            }
        }
    }
}

/// What tells a write that the device has flushed from one that it only took can be seen in the calls alone: nothing less
/// than a power cut shows it in the bytes.
#[test]
fn a_write_that_is_to_be_durable_says_so_to_the_kernel_or_is_followed_by_a_sync() {
    const LONG: usize = 3 << 20;
    if let Some(folder) = child_folder() {
        let store = Local::open(folder).expect("a place");
        let _guard = store.own().expect("a free place");
        let tail = store.create(&name("a"), b"head", 8 << 20, Room::Written).expect("a new file");
        let short = tail.write_through(512, &[&[7; 512]]);
        answer("all", short.and_then(|()| tail.write_through(4096, &[&vec![8; LONG]])));
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("log");
    let test = "a_write_that_is_to_be_durable_says_so_to_the_kernel_or_is_followed_by_a_sync";
    let Some(run) = run(test, &place, "all", &[]) else {
        return eprintln!("skipped: strace is not here, or may not trace");
    };
    assert_eq!(run.answer.as_deref(), Some("ok"));
    let file = format!("<{}>", place.join("a").display());
    let calls: Vec<&str> = run.trace.lines().filter(|line| line.contains(&file)).collect();
    // Whatever was written is durable by itself, or a sync of the file comes before anything else does.
    let mut unsynced = 0;
    for call in &calls {
        let writes = call.contains("pwritev2(") || call.contains("pwritev(");
        unsynced += usize::from(writes && !call.contains("RWF_DSYNC"));
        if call.contains("fdatasync(") {
            unsynced = 0;
        }
        let short = writes && call.contains("iov_len=512}");
        let cached = call.contains("pwritev(");
        assert!(!short || cached || call.contains("RWF_DSYNC"), "{call}");
    }
    assert!(calls.len() >= 2 && unsynced == 0, "{} calls, {unsynced} left unsynced", calls.len());
}

#[test]
fn where_the_kernel_has_no_durable_write_past_the_cache_the_cache_is_synced() {
    if let Some(folder) = child_folder() {
        let store = Local::open(folder).expect("a place");
        let _guard = store.own().expect("a free place");
        let tail = store.create(&name("a"), b"head", 4096, Room::Written).expect("a new file");
        answer(
            "all",
            tail.write_through(512, &[&[7; 512]]).and_then(|()| tail.write_through(1024, &[&[8; 512]])),
        );
        return;
    }
    for error in ["EINVAL", "EOPNOTSUPP", "ENOSYS"] {
        let folder = TempDir::new().expect("a folder");
        let place = folder.path().join("log");
        let test = "where_the_kernel_has_no_durable_write_past_the_cache_the_cache_is_synced";
        let Some(run) = run(test, &place, "all", &[format!("pwritev2:error={error}")]) else {
            return eprintln!("skipped: strace is not here, or may not trace");
        };
        assert_eq!(run.answer.as_deref(), Some("ok"), "{error}");
        let synced = changes(&run.trace, &place).iter().filter(|change| *change == "fdatasync /a").count();
        assert_eq!(synced, 2, "{error}");
        let bytes = fs::read(place.join("a")).expect("the file");
        assert_eq!((&bytes[512..1024], &bytes[1024..1536]), (&[7; 512][..], &[8; 512][..]), "{error}");
    }
}

/// The calls that change something in the place, in order, each with the file that it is about.
fn changes(trace: &str, place: &Path) -> Vec<String> {
    const CHANGES: &[&str] = &[
        "pwrite64",
        "pwritev",
        "pwritev2",
        "fsync",
        "fdatasync",
        "renameat",
        "renameat2",
        "mkdirat",
        "unlinkat",
        "ftruncate",
    ];
    let place = place.display().to_string();
    let mut changes = Vec::new();
    for line in trace.lines() {
        let Some((call, rest)) = line.split_once('(') else { continue };
        let call = call.split_whitespace().last().unwrap_or_default();
        // As `3</path/log/a>` where a file is open.
        let path =
            rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(path, _)| path);
        let (true, Some(inner)) = (CHANGES.contains(&call), path.strip_prefix(&place)) else { continue };
        let inner = if inner.contains(".headwater-new") { "/new" } else { inner };
        // Zeros go past the page cache where that is a way.
        let call = if call == "pwritev2" { "pwrite64" } else { call };
        changes.push(format!("{call} {}", if inner.is_empty() { "/" } else { inner }));
    }
    changes
}

#[test]
fn bytes_are_durable_before_their_name_and_names_before_the_answer() {
    if let Some(folder) = child_folder() {
        let store = Local::open(folder).expect("a place");
        let _guard = store.own().expect("a free place");
        let tail = store.create(&name("folder/a"), b"head", 4096, Room::Written).expect("a new file");
        tail.write(4, &[b"one", b"two"])
            .and_then(|()| tail.sync())
            .and_then(|()| tail.trim(99))
            .expect("a tail");
        store.set_aside(&name("folder/a"), &name("aside/a")).expect("a free name");
        store.reserve(4096).and_then(|()| store.release()).expect("a reserve");
        answer("all", store.sync_names());
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("log");
    let test = "bytes_are_durable_before_their_name_and_names_before_the_answer";
    let Some(run) = run(test, &place, "all", &[]) else {
        return eprintln!("skipped: strace is not here, or may not trace");
    };
    assert_eq!(run.answer.as_deref(), Some("ok"));
    let owned = ["pwrite64 /.headwater-lock", "ftruncate /.headwater-lock", "fsync /"];
    let created =
        ["mkdirat /", "fsync /", "pwrite64 /new", "pwrite64 /new", "fsync /new", "renameat2 /folder"];
    let written = [
        "fsync /folder",
        "pwritev /folder/a",
        "fdatasync /folder/a",
        "ftruncate /folder/a",
        "fsync /folder/a",
    ];
    let aside = ["mkdirat /", "fsync /", "renameat2 /folder", "fsync /aside", "fsync /folder"];
    let reserved = ["pwrite64 /new", "fsync /new", "renameat /", "fsync /", "unlinkat /", "fsync /"];
    let synced = ["fsync /", "fsync /aside", "fsync /folder"];
    let ended = ["ftruncate /.headwater-lock"];
    let mut seen = changes(&run.trace, &place);
    // Folders are walked in the directory's own order.
    let names = seen.len() - ended.len() - synced.len();
    seen[names..names + synced.len()].sort();
    let all = [&owned[..], &created, &written, &aside, &reserved, &synced, &ended].concat();
    assert_eq!(seen, all);
}
