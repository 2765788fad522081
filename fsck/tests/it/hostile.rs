//! Logs whose payloads and names want to be obeyed by the terminal of whoever looks at them.

use std::sync::Arc;

use headwater_wal::store::{Local, Store};
use headwater_wal::{Log, Position, Time};
use serde_json::Value;

use crate::program::run;
use crate::read_only::{self, OF_A_LOG};
use crate::specimen::options;

const PAYLOADS: [&[u8]; 7] = [
    b"\x1b[2J\x1b]0;owned\x07",
    b"two\nlines\r\t\x08\x7f\x00",
    "\u{9b}31m \u{85} \u{2028}".as_bytes(),
    b"\x9b31m \xff\xfe not text",
    "abc\u{202e}cba\u{2066}x\u{200b}".as_bytes(),
    br#""quoted" \ back"#,
    b"",
];

/// What a terminal shows as it is, or a line's end.
pub(crate) fn is_plain(letter: char) -> bool {
    letter == '\n'
        || !(letter.is_control()
            || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}'))
}

#[test]
fn nothing_that_a_terminal_obeys_is_ever_printed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log \x1b[31m");
    let store: Arc<dyn Store> = Arc::new(Local::open(&path).unwrap());
    let log = Log::open(store, options()).unwrap().start(Position::START).unwrap();
    let append = |payload: &[u8]| log.append(Time(1), payload.to_vec()).unwrap().wait().unwrap();
    let handles: Vec<_> = PAYLOADS.iter().map(|payload| append(payload)).collect();
    log.close().unwrap();
    std::fs::write(path.join("evil\x1b]0;x\x07\u{9b}name"), "x").unwrap();
    let bad = path.join("missing\x1b[2J");
    let (path, bad) = (path.to_str().unwrap(), bad.to_str().unwrap());
    let handle = handles[0].to_string();
    let forms = OF_A_LOG.iter().map(|form| read_only::args(form, path, &handle));
    let bad_ones = [
        vec!["get", path, "hw1:\x1b[2J"],
        vec!["explain", path, "hw1:\x1b[2J"],
        vec!["explain", path, "\x1b[2J/1"],
        vec!["info", bad],
        vec!["info", "s3://\x1b[2J"],
        vec!["dump", path, "--from", "\x1b[2J"],
        vec!["dump", path, "--since", "\x1b[2J"],
        vec!["dump", path, "--kind", "\x1b[2J"],
        vec!["dump", path, "--payload", "\x1b[2J"],
        vec!["find", path, "--time", "\u{9b}31m"],
        vec!["follow", path, "--from", "\x1b[2J"],
        vec!["clean", bad, "--dry-run"],
        vec!["timeline", path, "--svg", "/nowhere \x1b[2J/a.svg"],
        vec!["timeline", path, "\x1b[2J", "--svg", "-"],
    ];
    let bad_ones = bad_ones.into_iter().map(|args| args.into_iter().map(String::from).collect());
    for args in forms.chain(bad_ones) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = run(&args);
        for bytes in [output.stdout, output.stderr] {
            let text = String::from_utf8(bytes).unwrap();
            let found = text.chars().find(|&letter| !is_plain(letter));
            assert_eq!(found, None, "{args:?}: {text:?}");
        }
    }
}

#[test]
fn escaped_payloads_in_json_can_be_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Local::open(dir.path()).unwrap());
    let log = Log::open(store, options()).unwrap().start(Position::START).unwrap();
    for payload in PAYLOADS {
        log.append(Time(1), payload.to_vec()).unwrap().wait().unwrap();
    }
    log.close().unwrap();
    let path = dir.path().to_str().unwrap();
    let output = run(&["dump", path, "--json", "--payload", "hex"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let hex: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["payload_hex"].as_str().unwrap().to_string())
        .collect();
    let want = PAYLOADS.map(|payload| payload.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    assert_eq!(hex, want);
    let output = run(&["dump", path, "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line: Value = serde_json::from_str(text.lines().nth(5).unwrap()).unwrap();
    assert_eq!(line["payload_text"], r#""quoted" \\ back"#);
}
