//! Two processes fight over one log.

use std::process::Command;

use headwater_stores::servers::Server;

#[test]
fn a_writer_that_was_stopped_and_replaced_acknowledges_nothing_when_it_wakes() {
    let Some(bucket) = Server::S3.bucket() else { return };
    let rounds = std::env::var("HEADWATER_ROUNDS").unwrap_or_else(|_| "25".into());
    let mut fight = Command::new(env!("CARGO_BIN_EXE_fight"));
    let status = fight.args([bucket.folder("fight"), rounds]).status().expect("it runs");
    assert!(status.success(), "the seed replays when who was stopped and woken");
}
