//! A server that this process started, and ends.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::usage::{Process, tree};

/// So long a server may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server, with all that it starts itself. Dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    says: PathBuf,
}

impl Started {
    /// Starts it. It ends with the thread that starts it, however that ends; what it says goes into a file.
    pub(crate) fn start(command: &Command, says: &Path) -> Result<Started> {
        let mut with = Command::new("setpriv");
        with.args(["--pdeathsig", "TERM"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                with.env(name, value);
            }
        }
        if let Some(dir) = command.get_current_dir() {
            with.current_dir(dir);
        }
        let file = File::create(says)?;
        let child = with.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn();
        let child = child.map_err(|error| format!("setpriv, which starts servers: {error}"))?;
        Ok(Started { child, says: says.into() })
    }

    /// An error with the last that it said, if it has ended.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("{status}; the end of what it said:\n{}", self.last_words()).into()),
        }
    }

    /// The last lines that it said.
    pub(crate) fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.says).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    fn end(&mut self) -> Result<()> {
        let all = tree(self.child.id());
        if let Some(pid) = Pid::from_raw(self.child.id() as i32)
            && self.child.try_wait()?.is_none()
        {
            kill_process(pid, Signal::TERM)?;
        }
        let began = Instant::now();
        while began.elapsed() < PATIENCE && all.iter().any(Process::lives) {
            self.child.try_wait()?;
            std::thread::sleep(Duration::from_millis(20));
        }
        for process in all.iter().filter(|process| process.lives()) {
            if let Some(pid) = Pid::from_raw(process.pid as i32) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("a server was not ended: {error}");
        }
    }
}

/// A port of loopback that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
