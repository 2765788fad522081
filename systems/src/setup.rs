//! What every process of a run is told: where everything is, and how long it goes on.

use std::path::PathBuf;
use std::time::Duration;

use headwater_checkpoint::resume::Root;

use crate::Result;

pub(crate) const USAGE: &str = "usage: headwater-systems supervise|driver|receiver NUMBER --dir DIR --nats URL \
                                --postgres TEXT [--nats-pid FILE] [--postgres-pid FILE] [--seconds 20] \
                                [--per-second 1500] [--seed NUMBER]";

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Supervise,
    Driver,
    Receiver(u32),
}

/// A run, as each of its processes knows it.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) role: Role,
    /// Where the engine and the processes keep their files.
    pub(crate) dir: PathBuf,
    pub(crate) nats: String,
    pub(crate) postgres: String,
    /// Files that say which process a server is at the moment; servers without one are not killed.
    pub(crate) nats_pid: Option<PathBuf>,
    pub(crate) postgres_pid: Option<PathBuf>,
    /// How long messages are published and processes killed.
    pub(crate) time: Duration,
    pub(crate) per_second: u64,
    pub(crate) seed: u64,
}

impl Setup {
    pub(crate) fn from_arguments(arguments: impl IntoIterator<Item = String>) -> Result<Setup> {
        let mut arguments = arguments.into_iter();
        let role = match arguments.next().as_deref() {
            Some("supervise") => Role::Supervise,
            Some("driver") => Role::Driver,
            Some("receiver") => Role::Receiver(arguments.next().ok_or(USAGE)?.parse()?),
            _ => return Err(USAGE.into()),
        };
        let mut setup = Setup {
            role,
            dir: PathBuf::new(),
            nats: String::new(),
            postgres: String::new(),
            nats_pid: None,
            postgres_pid: None,
            time: Duration::from_secs(20),
            per_second: 1_500,
            seed: std::process::id().into(),
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(USAGE)?;
            match name.as_str() {
                "--dir" => setup.dir = value.into(),
                "--nats" => setup.nats = value,
                "--postgres" => setup.postgres = value,
                "--nats-pid" => setup.nats_pid = Some(value.into()),
                "--postgres-pid" => setup.postgres_pid = Some(value.into()),
                "--seconds" => setup.time = Duration::from_secs(value.parse()?),
                "--per-second" => setup.per_second = value.parse()?,
                "--seed" => setup.seed = value.parse()?,
                _ => return Err(USAGE.into()),
            }
        }
        let missing = setup.dir.as_os_str().is_empty() || setup.nats.is_empty() || setup.postgres.is_empty();
        if missing { Err(USAGE.into()) } else { Ok(setup) }
    }

    /// The arguments that start a process of the same run.
    pub(crate) fn arguments(&self, role: Role) -> Vec<String> {
        let mut all = match role {
            Role::Supervise => vec!["supervise".into()],
            Role::Driver => vec!["driver".into()],
            Role::Receiver(number) => vec!["receiver".into(), number.to_string()],
        };
        let dir = self.dir.display().to_string();
        for (name, value) in [("--dir", &dir), ("--nats", &self.nats), ("--postgres", &self.postgres)] {
            all.extend([name.into(), value.clone()]);
        }
        all
    }

    /// Where the journal, the checkpoints and the receivers' logs lie.
    pub(crate) fn root(&self) -> Root {
        Root::local(self.dir.join("root"))
    }

    /// The file in which the driver says where it listens.
    pub(crate) fn address(&self) -> PathBuf {
        self.dir.join("driver.address")
    }

    /// The file in which the driver says what a receiver may remove of its log.
    pub(crate) fn may_remove(&self, receiver: u32) -> PathBuf {
        self.dir.join(format!("receiver-{receiver}.may-remove"))
    }
}

/// Of the logs: small segments, so that a short run has several of them to remove.
pub(crate) fn log_options() -> headwater_wal::Options {
    headwater_wal::Options::default().segment_bytes(256 << 10).record_bytes_max(4 << 20)
}

/// Puts a file in the place of what was there, whole: who reads it meanwhile sees the old one or the new one.
pub(crate) fn replace(path: &std::path::Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)?;
    Ok(())
}
