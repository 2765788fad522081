//! Headwater between two real systems: NATS JetStream sends, PostgreSQL keeps, and all of them are killed.
//!
//! `systems/run` starts the two servers and this program. Messages of a few words go into a stream; two receiver
//! processes push them into logs of their own and acknowledge what is safe; a driver process counts words, batch by
//! batch, and publishes each batch in one transaction. The supervisor kills processes and servers at random, then lets
//! them finish, and compares what the database has with what the stream has.

mod child;
mod counts;
mod driver;
mod numbers;
mod partition;
mod plan;
mod publisher;
mod receiver;
mod release;
mod setup;
mod sink;
mod stream;
mod supervisor;
mod tell;
mod verify;
mod words;

use std::process::ExitCode;

use setup::{Role, Setup};

/// Whatever went wrong, in words.
pub(crate) type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let done = Setup::from_arguments(std::env::args().skip(1)).and_then(|setup| match setup.role {
        Role::Supervise => supervisor::run(&setup),
        Role::Driver => driver::run(&setup),
        Role::Receiver(number) => receiver::run(&setup, number),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headwater-systems: {error}");
            ExitCode::FAILURE
        }
    }
}
