//! Processes of their own, which can be killed: this test's own program, told by its environment what to be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use headwater_benches::replica::{Blocks, Memory, Options, Peer};

use super::{BLOCKS, OWNER, block};

const ROLE: &str = "HEADWATER_REPLICA_ROLE";

/// A child that serves its memory, and does not outlive its test.
pub(crate) struct Process {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    address: SocketAddr,
}

impl Process {
    /// Keeps others' blocks.
    pub(crate) fn peer() -> Process {
        Process::begin("peer")
    }

    /// Puts blocks at two copies, one of them with this peer, and says which are acknowledged.
    pub(crate) fn receiver(peer: SocketAddr) -> Process {
        Process::begin(&peer.to_string())
    }

    fn begin(role: &str) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::is_a_process_of_another_test", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut process = Process { child, output, address: "0.0.0.0:0".parse().unwrap() };
        process.address = process.said("address ").expect("it says where it listens").parse().unwrap();
        process
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// SIGKILL, and what it had acknowledged.
    pub(crate) fn kill(mut self) -> Vec<u64> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.said("acknowledged ")).map(|number| number.parse().unwrap()).collect()
    }

    /// What it says next behind these words; a line that its death cut is none.
    fn said(&mut self, words: &str) -> Option<String> {
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            // The harness has begun a line of its own.
            let line = line.strip_suffix('\n')?;
            if let Some(at) = line.find(words) {
                return Some(line[at + words.len()..].into());
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a child does; nothing in a run of the tests.
#[test]
fn is_a_process_of_another_test() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let memory = Memory::new(64 << 20);
    let peer = Peer::serve(TcpListener::bind("127.0.0.1:0").unwrap(), memory.clone()).unwrap();
    println!("address {}", peer.address());
    if role != "peer" {
        let blocks = Blocks::connect(OWNER, memory, &[role.parse().unwrap()], Options::default()).unwrap();
        let (tickets, to_wait) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for (number, ticket) in to_wait {
                let ticket: headwater_benches::replica::Ticket = ticket;
                let said = ticket.wait().map(|_| writeln!(std::io::stdout(), "acknowledged {number}"));
                said.expect("the peer lives").expect("the test lives");
            }
        });
        for number in 0..BLOCKS {
            tickets.send((number, blocks.put(number, block(number)).unwrap())).unwrap();
        }
    }
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
