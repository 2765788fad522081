//! Blocks in the memory of other processes beside blocks in a log: `replicating [ROUNDS [MIB]]`.
//!
//! Each copy is in a process of its own, all on this machine: there is no network, and everything shares its cores.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use headwater_benches::checkpointing::{Rounds, quantile};
use headwater_benches::folder;
use headwater_benches::replica::{Memory, Peer};
use headwater_benches::replicating::{Replicating, Way, swallow};
use headwater_wal::{Durability, Result};

const WAYS: [(&str, Way); 7] = [
    ("1 copy", Way::Copies(1)),
    ("2 copies", Way::Copies(2)),
    ("3 copies", Way::Copies(3)),
    ("log, power", Way::Log(Durability::Power)),
    ("log, process", Way::Log(Durability::Process)),
    ("bytes to 1", Way::Raw(1)),
    ("bytes to 2", Way::Raw(2)),
];

/// A process of this program that listens, and ends with its input.
struct Listens {
    child: Child,
    address: SocketAddr,
}

impl Listens {
    fn begin(role: &str) -> Listens {
        let program = std::env::current_exe().expect("a program");
        let mut command = Command::new(program);
        command.arg(role).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("its address");
        Listens { child, address: line.trim().parse().expect("an address") }
    }
}

impl Drop for Listens {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn listen(role: &str) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    let _peer = if role == "peer" {
        Some(Peer::serve(listener, Memory::new(512 << 20))?)
    } else {
        std::thread::spawn(move || swallow(&listener));
        None
    };
    std::io::stdin().read_to_end(&mut Vec::new()).expect("an end");
    Ok(())
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [role] = &args[..]
        && (role == "peer" || role == "sink")
    {
        return listen(role);
    }
    let number = |at: usize, default: u64| args.get(at).map_or(default, |arg| arg.parse().expect("a number"));
    let (rounds, bytes) = (number(0, 5), number(1, 256) << 20);
    let [peers, sinks] = ["peer", "sink"].map(|role| [(); 2].map(|()| Listens::begin(role)));
    let to = Replicating {
        folder: folder(env!("CARGO_MANIFEST_DIR")),
        peers: peers.iter().map(|peer| peer.address).collect(),
        sinks: sinks.iter().map(|sink| sink.address).collect(),
    };
    let mut owner = 0;
    println!("{:>8} {:14}{:>8} MB/s (least..greatest)  alone: p50, p99 in µs", "block", "", "");
    for block_bytes in [16 << 10, 64 << 10, 1 << 20] {
        let (mut rates, mut p50, mut p99) = (Rounds::default(), Rounds::default(), Rounds::default());
        let alone = (bytes / 4 / block_bytes as u64).clamp(50, 1000);
        for round in 0..rounds {
            // Each begins once in every place, so that none always follows the same.
            for at in 0..WAYS.len() {
                let (name, way) = WAYS[(at + round as usize) % WAYS.len()];
                owner += 1;
                let figures = to.run(owner, way, block_bytes, bytes / block_bytes as u64, alone)?;
                rates.add(name, figures.bytes_per_second / 1e6);
                if !figures.alone.is_empty() {
                    p50.add(name, quantile(&figures.alone, 0.5).as_secs_f64() * 1e6);
                    p99.add(name, quantile(&figures.alone, 0.99).as_secs_f64() * 1e6);
                }
            }
        }
        for (name, way) in WAYS {
            let [rate, least, greatest] = rates.of(name);
            print!("{:>6}Ki {name:14}{rate:>8.0} ({least:.0}..{greatest:.0})", block_bytes >> 10);
            match way {
                Way::Raw(_) => println!(),
                _ => println!("  {:.0}, {:.0}", p50.of(name)[0], p99.of(name)[0]),
            }
        }
        for (one, other) in [
            ("2 copies", "bytes to 1"),
            ("3 copies", "bytes to 2"),
            ("log, power", "2 copies"),
            ("log, power", "3 copies"),
            ("log, process", "2 copies"),
        ] {
            let [ratio, least, greatest] = rates.ratio(one, other);
            println!("{:>6}Ki {one} ÷ {other}: {ratio:.2} ({least:.2}..{greatest:.2})", block_bytes >> 10);
        }
    }
    Ok(())
}
