//! Two processes and one directory.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use headwater_wal::store::Local;
use headwater_wal::{Kind, Log, Position};
use tempfile::TempDir;

use super::child::{self, Part, options};
use super::running::Running;
use super::said::Said;

#[test]
fn a_second_process_is_told_who_holds_the_log_and_takes_over_when_that_one_is_killed() {
    let folder = TempDir::new().expect("a folder");
    let (place, said) = (folder.path().join("log"), folder.path().join("said"));
    let part = Part { threads: 2, lives: 1, rounds: 1_000_000, retires: false, times: 1 };
    let mut first = Running::begin(child::command(part, &place, &said, &[]), &said);
    let pid = first.pid();
    let start = || {
        let opened = Log::open(Arc::new(Local::open(&place).expect("a place")), options(1))
            .expect("a look needs no lock");
        opened.start(Position::START)
    };
    let refused = || {
        let error = start().expect_err("somebody has it");
        assert_eq!(error.kind(), Kind::Locked, "{error}");
        assert!(error.to_string().contains(&format!("pid={pid} ")), "the holder is named: {error}");
    };
    first.wait_until("it appends", |said| said.acked.len() > 20);
    refused();
    // A holder that sleeps holds it all the same.
    first.signal("STOP");
    thread::sleep(Duration::from_millis(50));
    let asleep = first.said().acked.len();
    (0..3).for_each(|_| refused());
    assert_eq!(first.said().acked.len(), asleep, "it sleeps");
    first.signal("CONT");
    first.wait_until("it goes on as if nothing had been", |said| said.acked.len() > asleep + 20);
    refused();
    let before = first.said();
    assert!(!before.panicked() && before.count("after") + before.count("unknown") == 0, "nothing failed");
    first.kill();
    let log = start().expect("the lock ended with its holder");
    log.close().expect("it closes");
    Said::read(&said).agrees_with_log(&place);
}
