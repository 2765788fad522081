//! Two processes fight over one log.

use std::process::Command;

use headwater_stores::servers::Server;

#[test]
fn a_writer_that_was_stopped_and_replaced_acknowledges_nothing_when_it_wakes() {
    fight(Server::S3, "25");
}

#[test]
fn a_writer_whose_lease_was_ended_while_it_was_stopped_acknowledges_nothing_when_it_wakes() {
    fight(Server::Hdfs, "5");
}

fn fight(server: Server, rounds: &str) {
    let Some(bucket) = server.bucket() else { return };
    let rounds = std::env::var("HEADWATER_ROUNDS").unwrap_or_else(|_| rounds.into());
    let mut fight = Command::new(env!("CARGO_BIN_EXE_fight"));
    let status = fight.args([bucket.folder("fight"), rounds]).status().expect("it runs");
    assert!(status.success(), "the seed replays when who was stopped and woken");
}
