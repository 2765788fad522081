//! The sizes of the benches, given one way to all of them: `NAME=SIZE,...` behind the `--` of `cargo bench`.
//!
//! ```text
//! cargo bench -p headwater-benches -- log=16MiB record=1KiB,64KiB --quick
//! ```
//!
//! Criterion reads the command line itself and refuses what it does not know. So a bench takes sizes out of it first,
//! and runs itself again with them in [`SIZES`], which does as well by itself.

use std::env::{args_os, current_exe, var};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The environment variable that has the sizes, with blanks between.
pub const SIZES: &str = "HEADWATER_BENCH_SIZES";

/// Every size that a bench asks for: what it is called, what it is without being given, and whose it is.
pub const KNOWN: [(&str, &str, &str); 13] = [
    (
        "record",
        "",
        "lengths of records: append 100,1KiB,64KiB,1MiB; replay 1KiB,64KiB,1MiB; fsck 1KiB,64KiB; others 1KiB",
    ),
    ("threads", "1,16,64", "append: threads that each wait for their own"),
    ("tickets", "1,32,1024", "append: tickets that one thread has outstanding"),
    ("segments", "1,1000,10000", "append: how long the log is already"),
    ("log", "256MiB", "replay, read, read_many, fsck: payloads in the log"),
    ("reads", "10000", "read, read_many: handles anywhere"),
    ("sealed", "1000", "recovery: sealed segments"),
    ("scanned", "48MiB", "recovery: payloads in the segment that grows"),
    ("sections", "16", "checkpoint, restore: sections"),
    ("section", "10MiB", "checkpoint, restore: how long each is"),
    ("blocks", "100000", "resume: blocks that the journal knows"),
    ("behind", "10000", "resume: how many of them came after the newest checkpoint"),
    ("segment", "64MiB", "replay, read, read_many, fsck: how long a segment is"),
];

/// Takes the sizes off the command line, if there are any. It must come first: it may not return, but begin again.
pub fn take() {
    let (sizes, others): (Vec<OsString>, Vec<OsString>) = args_os()
        .skip(1)
        .partition(|word| word.to_str().is_some_and(|word| word.contains('=') && !word.starts_with('-')));
    let words: Vec<String> = sizes.into_iter().filter_map(|word| word.into_string().ok()).collect();
    if !words.is_empty() {
        let program = current_exe().expect("a program knows where it is");
        panic!("{}", Command::new(program).args(others).env(SIZES, words.join(" ")).exec());
    }
    if let Err(error) = parse(&given()) {
        eprintln!("{error}");
        std::process::exit(2);
    }
}

/// What was given for a size, or what it is without.
pub fn list(name: &str) -> Vec<usize> {
    let (_, without, _) = KNOWN.iter().find(|(known, ..)| *known == name).expect("a size that is known");
    list_or(name, without)
}

/// The same of a size that each bench has its own for.
pub fn list_or(name: &str, without: &str) -> Vec<usize> {
    let given = parse(&given()).unwrap_or_else(|error| panic!("{error}"));
    let last = given.into_iter().rev().find(|(known, _)| known == name);
    last.map_or_else(|| sizes(without).expect("a size"), |(_, sizes)| sizes)
}

/// The first of them.
pub fn one(name: &str) -> usize {
    list(name)[0]
}

/// A size as people write it.
pub fn named(bytes: usize) -> String {
    match bytes {
        bytes if bytes > 0 && bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
        bytes if bytes > 0 && bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
        bytes => format!("{bytes}B"),
    }
}

fn given() -> String {
    var(SIZES).unwrap_or_default()
}

fn parse(words: &str) -> Result<Vec<(String, Vec<usize>)>, String> {
    let parse = |word: &str| {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("not NAME=SIZE,...: {word}"))?;
        if !KNOWN.iter().any(|(known, ..)| *known == name) {
            let known: Vec<String> =
                KNOWN.iter().map(|(name, _, what)| format!("  {name}: {what}")).collect();
            return Err(format!("no size is called {name}; there are\n{}", known.join("\n")));
        }
        let sizes = sizes(value).ok_or_else(|| format!("not a size, like 100 or 64KiB, above 0: {word}"))?;
        Ok((name.to_owned(), sizes))
    };
    words.split_whitespace().map(parse).collect()
}

fn sizes(text: &str) -> Option<Vec<usize>> {
    text.split(',').map(size).collect()
}

fn size(text: &str) -> Option<usize> {
    let (number, unit) = text.split_at(text.find(|at: char| !at.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(unit).filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_a_unit_and_every_other_word_is_refused() {
        assert_eq!(sizes("100,1KiB,64KiB,1MiB,2GiB"), Some(vec![100, 1 << 10, 64 << 10, 1 << 20, 2 << 30]));
        for wrong in ["", "1,", "0", "KiB", "1kib", "-1", "99999999999GiB"] {
            assert_eq!(sizes(wrong), None, "{wrong}");
        }
        let given = parse("log=16MiB record=1KiB,3").unwrap();
        assert_eq!(given, [("log".to_owned(), vec![16 << 20]), ("record".to_owned(), vec![1024, 3])]);
        assert!(parse("recrod=1").unwrap_err().contains("  record: "));
        assert!(parse("log=much").unwrap_err().contains("log=much"));
        assert!(parse("log").is_err());
    }

    #[test]
    fn a_size_is_what_it_is_without_being_given() {
        for (name, without, _) in KNOWN {
            assert!(without.is_empty() || list(name) == sizes(without).unwrap(), "{name}");
        }
        assert_eq!(
            [100, 1024, 1536, 64 << 10, 3 << 20].map(named),
            ["100B", "1KiB", "1536B", "64KiB", "3MiB"]
        );
    }
}
