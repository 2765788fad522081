//! Received blocks made safe by copies in memory, by a log, or by both, beside one another: what each makes of a stream,
//! what it costs, and what each loses. `replication --help` says how to run it.
//!
//! A **case** is one system with so many receivers, blocks of one length and one load. It runs in a process of its own
//! (`case`), which starts the processes that keep copies (`peer`); each receiver hands blocks to its `way` and is told when
//! they are acknowledged (`told`). Rounds are interleaved (`rounds`). What a system loses is counted by killing processes
//! (`losing`). Every case prints a [`line::Line`], of which `report` makes tables and `plot` plots.

mod args;
mod case;
pub mod line;
mod losing;
mod peer;
mod place;
mod plot;
mod report;
mod rounds;
mod summary;
mod system;
mod told;
mod usage;
mod way;

pub use case::{Job, SETTLED_BYTES, SETTLES_AT_MOST};
pub use system::{System, named};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

/// Runs a case in a process of its own, for a program that has other systems in the same rounds. That process is the same
/// program, which has [`run`] do what stands behind its first word, `replication`.
pub fn case(job: &Job) -> Result<line::Line> {
    case::run(job)
}

/// Does what the words behind `replication` say. What this program says to its own processes are words too.
pub fn run(words: &[String]) -> Result<()> {
    match words {
        [role, job] if role == "case" => case::child(job),
        [role, bytes] if role == "peer" => peer::serve(bytes.parse()?),
        [role, job] if role == "victim" => losing::victim(job),
        _ => match args::Args::parse(words)? {
            Some(args) => rounds::run(&args),
            None => {
                println!("{}", args::USAGE);
                Ok(())
            }
        },
    }
}
