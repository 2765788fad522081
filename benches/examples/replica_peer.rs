//! A process that keeps blocks in its memory for others: prints its address, and serves until its input ends.
//!
//! `cargo run --release -p headwater-benches --example replica_peer -- [BYTES_MAX] [ADDRESS]`

use std::io::Read;
use std::net::TcpListener;

use headwater_benches::replica::{Memory, Peer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let bytes_max = args.next().map_or(Ok(1 << 30), |arg| arg.parse())?;
    let listener = TcpListener::bind(args.next().as_deref().unwrap_or("127.0.0.1:0"))?;
    let peer = Peer::serve(listener, Memory::new(bytes_max))?;
    println!("{}", peer.address());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
