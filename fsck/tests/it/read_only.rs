//! Looking changes nothing: not a byte, a name, a time or a mode, whatever the verb and whatever it looks at.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::journal_root::Place;
use crate::program::{command, run};
use crate::specimen::{RECORDS, Specimen};

/// What a file is, but for when it was read.
#[derive(Debug, PartialEq, Eq)]
struct Is {
    bytes: Option<Vec<u8>>,
    modified: (i64, i64),
    /// Of the inode: it moves with every change of length, mode, owner or name.
    changed: (i64, i64),
    inode: u64,
    mode: u32,
    links: u64,
}

fn everything(path: &Path) -> BTreeMap<PathBuf, Is> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        if found.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let is = Is {
            bytes: found.is_file().then(|| fs::read(&path).unwrap()),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            inode: found.ino(),
            mode: found.mode(),
            links: found.nlink(),
        };
        all.insert(path, is);
    }
    all
}

/// Every verb of a log, in every form that reads differently, with the path for `@` and a handle for `#`.
pub(crate) const OF_A_LOG: [&str; 38] = [
    "info @",
    "info @ --json",
    "ls @",
    "ls @ --json",
    "ls @ --long",
    "dump @",
    "dump @ --json",
    "dump @ --groups",
    "dump @ --groups --json",
    "dump @ --payload hex",
    "dump @ --payload json",
    "dump @ --payload json --json",
    "dump @ --width 3",
    "dump @ --tail 5 --payload none",
    "dump @ --since 1010 --until 1020 --kind 7",
    "check @",
    "check @ --json",
    "check @ --quick",
    "get @ #",
    "get @ # --json",
    "get @ # --payload json",
    "explain @ #",
    "explain @ # --json",
    "find @ --position 0",
    "find @ --time 0 --json",
    "follow @ --from 0 -n 3",
    "follow @ --from 0 -n 3 --json --payload hex",
    "follow @ --since 0 -n 3 --payload json",
    "stats @",
    "stats @ --json",
    "clean @ --dry-run",
    "clean @ --dry-run --json",
    "timeline @ --svg -",
    "checkpoints @",
    "journal @",
    "journal @ --state",
    "explain @",
    "find @",
];

/// Every verb of a root.
const OF_A_ROOT: [&str; 19] = [
    "info @",
    "ls @",
    "check @",
    "check @ --json",
    "check @ --quick",
    "checkpoints @",
    "checkpoints @ --json",
    "checkpoints @ --verify",
    "journal @",
    "journal @ --json",
    "journal @ --state",
    "journal @ --state --json",
    "journal @ --tail 3",
    "explain @",
    "explain @ 0/1 --json",
    "clean @ --dry-run",
    "clean @ --dry-run --json",
    "timeline @ --svg -",
    "timeline @ 0/1 --svg -",
];

pub(crate) fn args(form: &str, path: &str, handle: &str) -> Vec<String> {
    let word = |word: &str| match word {
        "@" => path.to_owned(),
        "#" => handle.to_owned(),
        word => word.to_owned(),
    };
    form.split(' ').map(word).collect()
}

/// Runs every form, and holds what is there against what was there.
fn look(forms: &[&str], path: &Path, handle: &str) -> BTreeMap<i32, usize> {
    let before = everything(path);
    let mut codes = BTreeMap::new();
    for form in forms {
        let args = args(form, path.to_str().unwrap(), handle);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = run(&args);
        let code = output.status.code().expect("no verb is killed");
        assert!([0, 4, 8, 16].contains(&code), "{form}: {}", String::from_utf8_lossy(&output.stderr));
        *codes.entry(code).or_default() += 1;
        let now = everything(path);
        for (file, is) in &now {
            assert!(before.get(file) == Some(is), "{form} touched {}", file.display());
        }
        assert_eq!(now.len(), before.len(), "{form} removed something");
    }
    codes
}

#[test]
fn no_verb_touches_a_log_at_rest() {
    let specimen = Specimen::new();
    specimen.plant("foreign name", b"x");
    let codes = look(&OF_A_LOG, &specimen.path, &specimen.handles[3].to_string());
    assert!(codes[&0] >= 32 && !codes.contains_key(&4), "{codes:?}");
}

#[test]
fn no_verb_touches_a_damaged_log() {
    let specimen = Specimen::new();
    let handle = specimen.handles[40].to_string();
    let (file, offset) = specimen.place(40);
    specimen.flip(&file, offset + 40);
    let (file, offset) = specimen.place(RECORDS as usize - 1);
    specimen.cut(&file, offset + 50);
    specimen.delete(&specimen.place(5).0);
    // Of what is lost nothing can be followed that far.
    let forms: Vec<&str> = OF_A_LOG.into_iter().filter(|form| !form.starts_with("follow")).collect();
    let codes = look(&forms, &specimen.path, &handle);
    assert!(codes[&4] >= 8, "{codes:?}");
}

#[test]
fn no_verb_touches_a_root() {
    for damage in [false, true] {
        let place = Place::with_history().stop();
        if damage {
            for folder in ["journal", "checkpoints", "received/0/1"] {
                let files = fs::read_dir(place.path.join(folder)).unwrap().map(|entry| entry.unwrap().path());
                let file = files.filter(|path| path.is_file()).max().unwrap();
                let mut bytes = fs::read(&file).unwrap();
                let middle = bytes.len() / 3;
                bytes[middle] ^= 0x55;
                fs::write(&file, bytes).unwrap();
            }
        }
        let codes = look(&OF_A_ROOT, &place.path, "");
        assert!(codes[&0] + codes.get(&4).unwrap_or(&0) >= 15, "{codes:?}");
        assert_eq!(codes.contains_key(&4), damage, "{codes:?}");
    }
}

#[test]
fn every_verb_ends_quietly_when_nobody_reads_on() {
    let specimen = Specimen::new();
    for form in
        OF_A_LOG.into_iter().filter(|form| !form.contains("checkpoints") && !form.starts_with("journal"))
    {
        let args = args(form, specimen.path.to_str().unwrap(), &specimen.handles[3].to_string());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let whole = run(&args).status.code();
        let mut child = command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), whole, "{form}: {errors}");
        assert!(whole != Some(0) || errors.is_empty(), "{form}: {errors}");
    }
}
