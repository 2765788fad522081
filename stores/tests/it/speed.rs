//! The program that measures does measure.

use std::process::Command;

use headwater_stores::servers::Server;

#[test]
fn every_row_of_figures_is_measured() {
    if Server::S3.bucket().is_none() {
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_speed")).arg("--small").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    for row in
        ["eight in flight", "median acknowledgement", "replay", "opened in", "headwater, linger", "slatedb"]
    {
        assert!(said.contains(row), "the row of {row} is missing: {said}");
    }
    assert!(!said.contains("NaN") && !said.contains("inf"), "{said}");
}
