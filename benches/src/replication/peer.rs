//! A process that keeps copies of blocks for others, and says what it has used.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Signal, set_parent_process_death_signal};

use super::Result;
use super::usage::Usage;
use crate::replica::{Memory, Peer};

/// Serves so much memory; answers every line that comes in with what was used so far, and ends with them.
pub(super) fn serve(bytes_max: usize) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let peer = Peer::serve(TcpListener::bind("127.0.0.1:0")?, Memory::new(bytes_max))?;
    println!("{}", peer.address());
    for line in std::io::stdin().lines() {
        let _ = line?;
        println!("{}", serde_json::to_string(&Usage::now())?);
    }
    Ok(())
}

/// Such a process, seen by who has started it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Process {
    pub(super) fn begin(bytes_max: usize) -> Result<Process> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["replication", "peer", &bytes_max.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("a peer without an input")?;
        let output = BufReader::new(child.stdout.take().ok_or("a peer without an output")?);
        let address = SocketAddr::from(([0; 4], 0));
        let mut process = Process { child, input, output, address };
        process.address = process.said()?.parse()?;
        Ok(process)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn usage(&mut self) -> Result<Usage> {
        self.input.write_all(b"\n")?;
        Ok(serde_json::from_str(&self.said()?)?)
    }

    /// SIGKILL, which its end is waited for.
    pub(super) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn said(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Err("a peer has ended".into()),
            _ => Ok(line.trim().into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
