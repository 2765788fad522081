//! `far COMMAND...`: runs a command with a bucket far away in its environment, as `HEADWATER_BENCH_OBJECT`: an S3 server in
//! memory behind a proxy that adds 30 ms to every request. Both end with the command.

use std::env;
use std::process::{Command, ExitCode};
use std::time::Duration;

use headwater_stores::plain;
use headwater_stores::proxy::Proxy;
use headwater_stores::servers::Bucket;

const DELAY: Duration = Duration::from_millis(30);

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("far: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    let [program, words @ ..] = words else { return Err("usage: far COMMAND...".into()) };
    let server = plain::start()?;
    let proxy = Proxy::start(server)?;
    proxy.delay(DELAY);
    // `through` takes the server's address out of a bucket's URL and puts the proxy's there.
    let bucket = Bucket::plain(server).through(proxy.address());
    let status =
        Command::new(program).args(words).env("HEADWATER_BENCH_OBJECT", bucket.inside("far")).status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
