//! `wal-fsck probe` as people and scripts use it.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wal-fsck")).args(args).output().unwrap()
}

/// What it said on both outputs, if it ended so.
fn said(args: &[&str], code: i32) -> String {
    let output = run(args);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    said
}

#[test]
fn a_folder_is_fit_and_nothing_but_empty_folders_are_left_in_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let text = said(&["probe", path], 0);
    assert!(text.contains("ok      a name is given once") && text.contains("a log may lie here"), "{text}");
    let url = format!("file://{path}");
    let lines: Vec<Value> =
        said(&["probe", "--json", &url], 0).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (place, properties) = lines.split_last().unwrap();
    assert_eq!((&place["type"], &place["fit"]), (&"place".into(), &true.into()));
    assert!(properties.len() > 3);
    assert!(properties.iter().all(|line| line["type"] == "property" && line["held"] == "yes"), "{lines:?}");
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for left in fs::read_dir(folder).unwrap() {
            let left = left.unwrap().path();
            assert!(left.is_dir(), "{left:?}");
            folders.push(left);
        }
    }
}

#[test]
fn a_wrong_command_line_ends_with_16() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    for (args, says) in [
        (&["probe", file.to_str().unwrap()][..], "a folder is needed"),
        (&["probe", "ftp://host"], "scheme=ftp"),
        (&["probe", "hdfs://host/x"], "hdfs:"),
        (&["probe"], "URL"),
        (&["probe", ".", "."], "unexpected argument"),
    ] {
        let text = said(args, 16);
        assert!(text.contains(says), "{text}");
    }
}

#[test]
#[cfg(not(feature = "s3"))]
fn a_store_that_is_not_built_comes_with_the_command_that_builds_it() {
    let text = said(&["probe", "s3://bucket/x?secret_access_key=hunter22"], 16);
    assert!(text.contains("cargo install headwater-fsck --features s3"), "{text}");
    assert!(!text.contains("hunter22"), "{text}");
}
