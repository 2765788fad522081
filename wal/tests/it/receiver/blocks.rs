//! The bytes of blocks.

use headwater_wal::Kind;
use headwater_wal::receiver::blocks::{self, SourceRange};
use headwater_wal::{Position, Reader};

use super::{Scene, send, settle};

/// The payload of a block of two partitions, one of them with a hole.
fn sample() -> Vec<u8> {
    let scene = Scene::new();
    let receiver = scene.start();
    send(&receiver, 7, 100..102);
    receiver.skip(7, 400);
    send(&receiver, 7, 400..401);
    send(&receiver, 3, 0..2);
    scene.pass(200);
    settle(&receiver);
    let handle = scene.book().taken[0].handle;
    Reader::open(scene.sim.process().store()).unwrap().read(&handle).unwrap().payload.to_vec()
}

fn reads(payload: &[u8]) -> Result<usize, Kind> {
    let mut count = 0;
    for record in blocks::records(payload).map_err(|error| error.kind())? {
        record.map_err(|error| error.kind())?;
        count += 1;
    }
    Ok(count)
}

#[test]
fn a_block_says_what_it_is() {
    let payload = sample();
    let header = blocks::header(&payload).unwrap();
    assert_eq!((header.stream, header.receiver, header.number, header.records), (0, 0, 0, 5));
    assert_eq!(header.settled, None::<Position>);
    assert_eq!(
        header.ranges,
        [SourceRange { partition: 7, from: 100, to: 401 }, SourceRange { partition: 3, from: 0, to: 2 }]
    );
    assert_eq!(reads(&payload), Ok(5));
    let hex: String = payload[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "01010200000000000000000005000000");
}

#[test]
fn a_newer_version_is_unsupported() {
    let mut payload = sample();
    payload[0] = 2;
    assert_eq!(reads(&payload), Err(Kind::Unsupported));
}

#[test]
fn every_length_and_every_flipped_bit_gives_an_answer() {
    let payload = sample();
    for len in 0..payload.len() {
        assert_eq!(reads(&payload[..len]), Err(Kind::Damaged), "len={len}");
    }
    let mut refused = 0;
    for bit in 0..payload.len() * 8 {
        let mut flipped = payload.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused += usize::from(reads(&flipped).is_err());
    }
    assert!(refused > 200, "lengths, counts, ranges: {refused}");
}

#[test]
fn any_bytes_give_an_answer() {
    let mut random = headwater_wal::store::sim::Random::new(5);
    let sample = sample();
    for _ in 0..20_000 {
        let mut payload = sample.clone();
        for _ in 0..1 + random.below(6) {
            let at = random.below(payload.len() as u64) as usize;
            payload[at] = random.draw() as u8;
        }
        payload.truncate(random.below(payload.len() as u64 + 1) as usize + 1);
        let _ = reads(&payload);
    }
}
