//! Redis: a master with one replica that is waited for, or one server that syncs its file before it answers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Result;
use crate::load::{KEPT_BYTES, Outcome, Shape, in_threads, noise};
use crate::resp::{Answer, Client};
use crate::session::Running;
use crate::started::{Started, free_port};

const PATIENCE: Duration = Duration::from_secs(20);

/// How a block is made safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safe {
    /// `SET`, and `WAIT 1 0` behind the blocks that are outstanding.
    ReplicaHasIt,
    /// `SET`, which `appendfsync always` answers when its file is synced.
    FileIsSynced,
}

/// Servers that are started anew for every shape, so that none pays for the memory or the file of one before.
#[derive(Debug)]
pub(crate) struct Redis {
    safe: Safe,
    dir: PathBuf,
    servers: Vec<Started>,
    port: u16,
}

impl Redis {
    pub(crate) fn new(safe: Safe, dir: &Path) -> Redis {
        Redis { safe, dir: dir.into(), servers: Vec::new(), port: 0 }
    }

    fn server(&self, name: &str, port: u16, options: &[&str]) -> Result<Started> {
        let dir = self.dir.join(name);
        std::fs::create_dir(&dir)?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(&dir);
        command.args(["--repl-diskless-sync-delay", "0", "--auto-aof-rewrite-percentage", "0"]).args(options);
        let mut started = Started::start(&command, &self.dir.join(format!("{name}.log")))?;
        let began = Instant::now();
        while !Client::connect(port)
            .is_ok_and(|mut client| matches!(client.ask(&[b"PING"]), Ok(Answer::Simple(_))))
        {
            started.still_runs()?;
            patience(began, "redis-server does not answer")?;
        }
        Ok(started)
    }

    /// The master is asked whether its replica follows it.
    fn wait_for_replica(&self) -> Result<()> {
        let mut client = Client::connect(self.port)?;
        let began = Instant::now();
        loop {
            if let Answer::Bytes(said) = client.ask(&[b"INFO", b"replication"])?
                && String::from_utf8_lossy(&said).contains("state=online")
            {
                return Ok(());
            }
            patience(began, "the replica does not follow its master")?;
        }
    }
}

fn patience(began: Instant, what: &str) -> Result<()> {
    std::thread::sleep(Duration::from_millis(20));
    if began.elapsed() < PATIENCE { Ok(()) } else { Err(what.into()) }
}

impl Running for Redis {
    fn prepare(&mut self, _: Shape) -> Result<()> {
        self.servers.clear();
        if self.dir.exists() {
            std::fs::remove_dir_all(&self.dir)?;
        }
        std::fs::create_dir(&self.dir)?;
        self.port = free_port()?;
        match self.safe {
            Safe::ReplicaHasIt => {
                let (master, port) = (self.port.to_string(), free_port()?);
                self.servers.push(self.server("master", self.port, &[])?);
                let replica = self.server("replica", port, &["--replicaof", "127.0.0.1", &master])?;
                self.servers.push(replica);
                self.wait_for_replica()
            }
            Safe::FileIsSynced => {
                let options = ["--appendonly", "yes", "--appendfsync", "always"];
                self.servers.push(self.server("alone", self.port, &options)?);
                Ok(())
            }
        }
    }

    fn run(&mut self, shape: Shape, lasts: Duration) -> Result<Outcome> {
        let block = noise(shape.block_bytes);
        let slots = (KEPT_BYTES / shape.block_bytes).max(shape.outstanding);
        in_threads(shape.receivers, lasts, |receiver, end, took| {
            let mut client = Client::connect(self.port)?;
            let mut next = 0;
            let mut began = Instant::now();
            while began < end {
                for _ in 0..shape.outstanding {
                    let key = format!("{receiver}:{}", next % slots);
                    client.send(&[b"SET", key.as_bytes(), &block])?;
                    next += 1;
                }
                // Its answers come when all are there; a client of `appendfsync always` hears of each by itself.
                let mut answered = Vec::with_capacity(shape.outstanding as usize);
                if self.safe == Safe::ReplicaHasIt {
                    client.send(&[b"WAIT", b"1", b"0"])?;
                }
                client.flush()?;
                for _ in 0..shape.outstanding {
                    if client.answer()? != Answer::Simple("OK".into()) {
                        return Err("Redis has not taken a block".into());
                    }
                    answered.push(began.elapsed());
                }
                if self.safe == Safe::ReplicaHasIt {
                    match client.answer()? {
                        Answer::Number(1..) => answered.fill(began.elapsed()),
                        other => return Err(format!("no replica has it: {other:?}").into()),
                    }
                }
                took.extend(answered);
                began = Instant::now();
            }
            Ok(())
        })
    }
}
