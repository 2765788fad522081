//! What the programs print, kept in `tests/pages` and reviewed like code.
//!
//! A page names the places that it is about and the commands that are run in a folder that has them; what they print stands
//! below each: stderr behind `!`, and how it ended, if it was not with 0. To add a verb is to add a line `$ wal-inspect VERB
//! ...` to a page, or a page, and to run the test once with `SNAPSHOTS=overwrite`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};

use crate::golden::{copy, golden};

/// A place by the name that pages have for it.
fn make(name: &str, at: &Path) {
    let file = |number: usize| {
        let files = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|is| is == "wal")).collect();
        files.sort();
        files.swap_remove(number)
    };
    let change = |file: &Path, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(file).unwrap();
        change(&mut bytes);
        fs::write(file, bytes).unwrap();
    };
    match name {
        "empty" => return fs::create_dir(at).unwrap(),
        "file" => return fs::write(at, "no log").unwrap(),
        "no-log" => {
            fs::create_dir(at).unwrap();
            return fs::write(at.join("notes.txt"), "no log").unwrap();
        }
        "root" | "root-spoiled" => copy(&golden().join("root"), at),
        _ => copy(&golden().join("log"), at),
    }
    match name {
        "log" | "root" => {}
        // A bit of a payload.
        "flipped" => change(&file(5), &|bytes| bytes[900] ^= 0x10),
        "missing" => fs::remove_file(file(5)).unwrap(),
        "footer" => change(&file(4), &|bytes| *bytes.last_mut().unwrap() ^= 0x10),
        "foreign" => fs::write(at.join("no\x1b[2Jtes.txt"), "not the log's").unwrap(),
        // The end of the last record, as a power cut leaves it.
        "torn" => change(&file(9), &|bytes| {
            let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
            bytes[end - 500..].fill(0);
        }),
        "version" => change(&file(0), &|bytes| bytes[12] = 9),
        // A newer release's header has checksums of its own.
        "newer" => change(&file(0), &|bytes| {
            bytes[12] = 9;
            bytes[20] ^= 1;
        }),
        "root-spoiled" => fs::remove_dir_all(at.join("received/0/1")).unwrap(),
        other => panic!("no place is called {other}"),
    }
}

fn run(words: &[&str], within: &Path) -> Output {
    let program = match words[0] {
        "wal-inspect" => env!("CARGO_BIN_EXE_wal-inspect"),
        "wal-fsck" => env!("CARGO_BIN_EXE_wal-fsck"),
        other => panic!("no program is called {other}"),
    };
    Command::new(program).args(&words[1..]).current_dir(within).stdin(Stdio::null()).output().unwrap()
}

/// A page as the programs print it now.
fn printed(page: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let within = dir.path().canonicalize().unwrap();
    let here = within.to_str().unwrap();
    let mut text = String::new();
    let is_command = |line: &str| line.starts_with("$ wal-");
    for line in page.lines().take_while(|line| !is_command(line)) {
        if let Some(places) = line.strip_prefix("places: ") {
            places.split(' ').for_each(|name| make(name, &within.join(name)));
        }
        if line.starts_with("# ") || line.starts_with("places: ") {
            writeln!(text, "{line}").unwrap();
        }
    }
    for line in page.lines().filter(|line| is_command(line)) {
        let command = &line[2..];
        writeln!(text, "\n{line}").unwrap();
        let output = run(&command.split(' ').collect::<Vec<_>>(), &within);
        let told = |bytes| String::from_utf8(bytes).unwrap().replace(here, "[DIR]");
        text += &told(output.stdout).replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
        for line in told(output.stderr).lines() {
            writeln!(text, "! {line}").unwrap();
        }
        if output.status.code() != Some(0) {
            writeln!(text, "[{}]", output.status).unwrap();
        }
    }
    text
}

fn is_as_kept(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages").join(format!("{name}.txt"));
    let kept = Data::read_from(&path, Some(DataFormat::Text)).raw();
    Assert::new().action_env("SNAPSHOTS").eq(printed(&fs::read_to_string(&path).unwrap()), kept);
}

macro_rules! pages {
    ($($test:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            is_as_kept(stringify!($test));
        })*

        #[test]
        fn every_page_is_tested() {
            let pages = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages")).unwrap();
            let names = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
            for name in names {
                assert!([$(concat!(stringify!($test), ".txt")),*].contains(&&*name), "{name} is not run");
            }
        }
    };
}

pages! {
    check_of_logs,
    check_of_roots,
    errors,
    fsck_help,
    fsck_of_logs,
    fsck_of_roots,
    fsck_repairs,
    inspect_help,
    inspect_logs,
    inspect_roots,
    pages_for_packagers,
    probe,
    salvage,
}
