//! What stands between a receiver and a peer, and does harm.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

const ANSWER_BYTES: usize = 32;

/// What it does to the bytes that pass it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Harm {
    /// Answers come so much later, each of them.
    Late(Duration),
    /// Answers come one by one, with such a pause between them.
    Trickle(Duration),
    /// The first two answers come in the other order.
    Swap,
    /// No answer comes.
    Silent,
    /// A bit of this byte is flipped on its way to the peer.
    FlipSent(usize),
    /// A bit of this byte is flipped on its way back.
    FlipAnswered(usize),
    /// The connection ends behind so many bytes that came back.
    CutAnswered(usize),
}

/// Where to connect to instead of to the peer. Its threads end with the connections.
pub(crate) fn between(peer: SocketAddr, harm: Harm) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(peer).unwrap());
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || {
                pass(near, far, |at, bytes| match harm {
                    Harm::FlipSent(byte) => flip(byte, at, bytes),
                    _ => true,
                });
            });
            thread::spawn(move || answer(far_too, near_too, harm));
        }
    });
    address
}

fn answer(far: TcpStream, near: TcpStream, harm: Harm) {
    if let Harm::Late(by) = harm {
        return late(far, near, by);
    }
    if let Harm::Trickle(pause) = harm {
        return trickle(far, near, pause);
    }
    let mut first = Vec::new();
    pass(far, near, |at, bytes| match harm {
        Harm::Swap if at < 2 * ANSWER_BYTES => {
            first.append(bytes);
            if first.len() >= 2 * ANSWER_BYTES {
                first[..2 * ANSWER_BYTES].rotate_left(ANSWER_BYTES);
                bytes.append(&mut first);
            }
            true
        }
        Harm::FlipAnswered(byte) => flip(byte, at, bytes),
        Harm::Silent => {
            bytes.clear();
            true
        }
        Harm::CutAnswered(behind) => {
            bytes.truncate(behind.saturating_sub(at));
            at + bytes.len() < behind
        }
        _ => true,
    });
}

fn flip(byte: usize, at: usize, bytes: &mut [u8]) -> bool {
    if let Some(byte) = byte.checked_sub(at).and_then(|byte| bytes.get_mut(byte)) {
        *byte ^= 0x10;
    }
    true
}

/// Passes bytes on, changed, until there are none or `change` says that it is enough.
fn pass(mut from: TcpStream, mut to: TcpStream, mut change: impl FnMut(usize, &mut Vec<u8>) -> bool) {
    let (mut buffer, mut at) = (vec![0; 64 << 10], 0);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut bytes = buffer[..read].to_vec();
        let goes_on = change(at, &mut bytes);
        at += read;
        if to.write_all(&bytes).is_err() || !goes_on {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// Passes everything on so much later: as a long line would, not one thing after another.
fn late(mut from: TcpStream, mut to: TcpStream, by: Duration) {
    let (sender, receiver) = channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (came, bytes) in receiver {
            thread::sleep((came + by).saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if sender.send((Instant::now(), buffer[..read].to_vec())).is_err() {
            break;
        }
    }
}

/// Passes one answer on at a time.
fn trickle(mut from: TcpStream, mut to: TcpStream, pause: Duration) {
    let mut answer = [0; ANSWER_BYTES];
    while from.read_exact(&mut answer).is_ok() {
        thread::sleep(pause);
        if to.write_all(&answer).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
