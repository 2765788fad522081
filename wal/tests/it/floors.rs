//! The floors of the package: who may import whom, read from the source itself.

use std::fs;
use std::path::{Path, PathBuf};

/// From the lowest up. The ground below them all is `error` and `clock`.
const FLOORS: [&str; 5] = ["format", "store", "log", "group", "receiver"];

/// What each floor may import of the ones below it.
const MAY: [(&str, &[&str]); 7] = [
    ("error", &["format"]),
    ("clock", &[]),
    ("format", &["error", "clock"]),
    ("store", &["error", "clock"]),
    ("log", &["error", "clock", "format", "store"]),
    ("group", &["error", "clock", "format", "store", "log"]),
    ("receiver", &["error", "clock", "format", "group"]),
];

/// A source file: its path below `src`, and its lines of code without comments.
struct Source {
    path: PathBuf,
    lines: Vec<String>,
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = |line: &&str| !line.trim_start().starts_with("//");
                let lines = text.lines().filter(code).map(str::to_owned).collect();
                found.push(Source { path: path.strip_prefix(root).unwrap().to_owned(), lines });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    assert!(found.len() > 30, "the sources are where they are looked for");
    found
}

impl Source {
    /// The module of the crate that it belongs to.
    fn module(&self) -> String {
        let first = self.path.components().next().unwrap().as_os_str().to_str().unwrap();
        first.trim_end_matches(".rs").to_owned()
    }

    /// What follows each `crate::` in it. Lists in braces are opened up: `use crate::{error, log}` names two.
    fn crate_paths(&self) -> Vec<String> {
        let text = self.lines.join("\n");
        let mut paths = Vec::new();
        for (at, _) in text.match_indices("crate::") {
            if text[..at].ends_with('$') {
                continue;
            }
            let rest = &text[at + "crate::".len()..];
            match rest.strip_prefix('{') {
                Some(list) => {
                    let list = &list[..list.find(';').unwrap_or(list.len())];
                    paths.extend(list.split(',').map(|part| part.trim().to_owned()));
                }
                None => paths
                    .push(rest.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect()),
            }
        }
        paths
    }
}

#[test]
fn every_floor_imports_only_what_lies_below_it() {
    let mut seen = 0;
    for source in sources().iter().filter(|source| source.module() != "lib") {
        let module = source.module();
        let (_, may) = MAY.iter().find(|(floor, _)| *floor == module).expect("a floor or the ground");
        for path in source.crate_paths() {
            let to = path.split("::").next().unwrap();
            // Re-exports of the ground at the crate's root.
            let to = match to {
                "Kind" | "Error" | "Result" | "Site" => "error",
                "Clock" | "Time" => "clock",
                other => other,
            };
            assert!(to == module || may.contains(&to), "{}: crate::{path}", source.path.display());
            if module == "error" && to == "format" {
                assert_eq!(path, "format::Unsettled", "the ground knows one name of the format");
            }
            seen += 1;
        }
    }
    assert!(seen > 100, "imports are found where they are: {seen}");
    assert!(FLOORS.iter().all(|floor| MAY.iter().any(|(name, _)| name == floor)));
}

/// Every line of code that names `word`, but for those of the given files and of tests at a file's end.
fn lines_with(word: &str, but: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources() {
        let path = source.path.display().to_string();
        if but.iter().any(|but| path == *but || path.starts_with(&format!("{but}/"))) {
            continue;
        }
        let tests =
            source.lines.iter().position(|line| line.starts_with("mod tests")).unwrap_or(source.lines.len());
        let with = source.lines[..tests].iter().filter(|line| line.contains(word));
        found.extend(with.map(|line| format!("{path}: {}", line.trim())));
    }
    found
}

#[test]
fn nothing_below_the_group_knows_threads() {
    // The simulated device gives its actors threads, and the suite of stores races them: both are tests. Requests to
    // object stores run on threads of their own, of which the rest of the store knows nothing, and the probe races puts.
    let but = ["group", "receiver", "store/sim", "store/suite.rs", "store/pool.rs", "store/probe"];
    assert_eq!(lines_with("thread", &but), Vec::<String>::new());
    assert!(!lines_with("thread::{Builder", &[]).is_empty(), "the search finds what is there");
}

#[test]
fn the_receiver_knows_handles_and_positions_of_the_format_and_nothing_else() {
    let all = lines_with("crate::format", &[]);
    let of_receiver: Vec<_> = all.iter().filter(|line| line.starts_with("receiver/")).collect();
    assert!(of_receiver.len() > 3, "the search finds what is there");
    for line in of_receiver {
        let names = ["Handle;", "Position;", "{Handle, Position};"];
        assert!(names.iter().any(|name| line.ends_with(&format!("use crate::format::{name}"))), "{line}");
    }
}

#[test]
fn only_the_clock_reads_the_time() {
    // A ticket waits until a deadline of its caller's, by the clock that the condition variable itself waits by: that
    // decides how long a caller waits, never what is written.
    let but = ["clock.rs", "group/ticket.rs", "group/thread.rs"];
    for word in ["SystemTime", "Instant", "UNIX_EPOCH"] {
        assert_eq!(lines_with(word, &but), Vec::<String>::new());
    }
    assert!(!lines_with("SystemTime", &[]).is_empty(), "the search finds what is there");
}

#[test]
fn only_the_clock_draws_dice() {
    for word in ["RandomState", "rand::", "getrandom"] {
        assert_eq!(lines_with(word, &["clock.rs"]), Vec::<String>::new());
    }
}

#[test]
fn there_is_no_unsafe_code() {
    assert_eq!(lines_with("unsafe", &[]), Vec::<String>::new());
}
