//! Nothing is lost: shown by killing it.
//!
//! `cargo run --release --example zero_loss` starts a source, two receivers' processes, a driver's process and a database,
//! kills receivers and driver with SIGKILL again and again for half a minute, and then proves that every record of the
//! source was counted exactly once. `--help` says what else it can show, and lose.
//!
//! Where to read: [`driver`] is a driver, [`receiver`] a receiver, [`sink`] a sink that publishes exactly once, each as a
//! runtime would write it. The rest is what kills them and keeps count.

mod children;
mod copies;
mod damage;
mod direct;
mod driver;
mod fetch;
mod options;
mod place;
mod proof;
mod receiver;
mod refusing;
mod run;
mod show;
mod sink;
mod source;
mod store;
mod table;
mod text;

use std::io::{Read, Write};
use std::process::ExitCode;

use options::Options;
use place::Place;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--help" || arg == "-h") {
        println!("{}", options::USAGE);
        return ExitCode::SUCCESS;
    }
    let done = Options::read(std::env::args().skip(1)).and_then(|options| match options.role.clone() {
        Some((role, number)) => run_as(&options, &role, number).map(|()| true),
        None if options.table => table::run(&options),
        None => run::alone(&options),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("zero_loss: {error}");
            ExitCode::from(2)
        }
    }
}

fn run_as(options: &Options, role: &str, number: u32) -> Result<()> {
    let place = Place::new(options.dir.clone().ok_or("a role has a directory")?, options.store.clone());
    match role {
        "driver" => driver::run(options, &place),
        "receiver" => receiver::run(options, &place, number),
        "copy" => copies::keep(&place, number),
        _ => Err(format!("there is no role {role}").into()),
    }
}

/// Tells whoever started this process. It may be gone, and then this one is about to be.
fn tell(what: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{what}");
}

/// Does it when standard input ends: whoever started this process asks it to stop, or is gone itself.
fn when_told_to_stop(stop: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        stop();
    });
}
