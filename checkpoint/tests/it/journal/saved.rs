//! Saved states: golden, the same bytes for the same state, and nothing else taken for one.

use std::io::Read;

use headwater_checkpoint::journal::{BatchId, State, Wanted};
use headwater_wal::{Kind, Position};

use super::driver::{Driver, Receiver, direct, image, range};

/// A driver in the middle of its work: everything that a state can hold, once.
fn busy() -> Driver {
    let driver = Driver::on_disk();
    let (mut one, mut two) = (Receiver::new(0, 0), Receiver::new(1, 0));
    for n in 0..3 {
        let _ = driver.add(&one.cut(&[range(0, n, n + 1)]));
        let mut wanted = Wanted::all(BatchId(n + 1));
        wanted.direct = vec![direct(2, 0, n, n + 1)];
        driver.allotment(wanted);
        let _ = driver.commit(n + 1, 7, n);
    }
    let _ = driver.finish(2);
    let _ = driver.journal().give_up(BatchId(3), "why").unwrap();
    let _ = (driver.add(&two.cut(&[])), driver.add(&one.cut(&[range(0, 3, 4), range(1, 0, 9)])));
    let first = Position(512);
    let _ = driver.journal().retire(Some(one.log), first).unwrap();
    driver
}

const GOLDEN: &str = include_str!("golden_state.hex");

#[test]
fn a_golden_state_is_read_and_written_for_ever() {
    let saved = busy().image();
    let hex: String = saved.iter().map(|byte| format!("{byte:02x}")).collect();
    let golden: String = GOLDEN.split_whitespace().collect();
    assert_eq!(hex, golden);
    let state = State::restore(&mut &saved[..]).unwrap();
    assert_eq!(image(&state), saved);
    assert_eq!(state.tracker().unfinished().map(|one| one.batch()).collect::<Vec<_>>(), [BatchId(1)]);
}

#[test]
fn every_truncation_and_every_flipped_bit_is_found() {
    let image = busy().image();
    for len in 0..image.len() {
        let error = State::restore(&mut &image[..len]).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged, "len={len}");
    }
    for at in 0..image.len() * 8 {
        let mut flipped = image.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        assert_eq!(State::restore(&mut &flipped[..]).unwrap_err().kind(), Kind::Damaged, "bit={at}");
    }
    let longer = [&image[..], &[0]].concat();
    assert_eq!(State::restore(&mut &longer[..]).unwrap_err().kind(), Kind::Damaged);
}

/// Makes the checks right again after the payload was changed, as an author of such bytes would.
fn reseal(payload: &[u8]) -> Vec<u8> {
    let (mut bytes, mut check) = (Vec::new(), 0_u32);
    for piece in payload.chunks(65536).chain([&[][..]]) {
        let len = (piece.len() as u32).to_le_bytes();
        check = crc32c::crc32c_append(crc32c::crc32c(&check.to_le_bytes()), &len);
        check = crc32c::crc32c_append(check, piece);
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes.extend_from_slice(&len);
        bytes.extend_from_slice(piece);
    }
    bytes
}

/// The payload of an image of one piece.
fn payload(image: &[u8]) -> Vec<u8> {
    assert!(image.len() < 65536, "one piece");
    image[8..image.len() - 8].to_vec()
}

#[test]
fn a_state_with_right_checks_and_any_byte_changed_is_a_state_or_an_error() {
    let saved = busy().image();
    let payload = payload(&saved);
    assert_eq!(reseal(&payload), saved);
    let (mut states, mut errors) = (0, 0);
    for at in 0..payload.len() {
        for change in [0x01, 0x80, 0xFF] {
            let mut changed = payload.clone();
            changed[at] ^= change;
            match State::restore(&mut &reseal(&changed)[..]) {
                Ok(state) => {
                    // It is one that could have been saved: all that can be asked of it has an answer.
                    let _ = state.tracker().unfinished().map(|one| one.blocks().count()).sum::<usize>();
                    assert_eq!(image(&state), reseal(&changed), "at={at}");
                    states += 1;
                }
                Err(error) => {
                    assert!(matches!(error.kind(), Kind::Damaged | Kind::Unsupported), "at={at} {error}");
                    errors += 1;
                }
            }
        }
    }
    assert!(states > 100 && errors > 100, "states={states} errors={errors}");
}

fn change(payload: &mut [u8], at: usize, word: u64) {
    payload[at..at + 8].copy_from_slice(&word.to_le_bytes());
}

#[test]
fn blocks_out_of_order_or_behind_the_last_settled_one_are_no_state() {
    let driver = Driver::on_disk();
    let mut receiver = Receiver::new(0, 0);
    let _ = (driver.add(&receiver.cut(&[])), driver.add(&receiver.cut(&[])));
    let saved = driver.image();
    // The second block is at the end: 72 bytes and 3 of its own; its position is the third word, its previous the sixth.
    let second = payload(&saved).len() - 75;
    for (position, sound) in [(1024, true), (600, true), (512, false), (256, false), (1032, false)] {
        let mut payload = payload(&saved);
        change(&mut payload, second + 16, position);
        change(&mut payload, second + 40, u64::MAX);
        assert_eq!(State::restore(&mut &reseal(&payload)[..]).is_ok(), sound, "position={position}");
    }
}

#[test]
fn accounts_and_batches_that_do_not_fit_are_no_state() {
    let driver = Driver::on_disk();
    let _ = (driver.allot(1), driver.finish(1));
    let saved = driver.image();
    // Events at 16, the newest batch at 64, the account's standing at 96 and the event that ended it at 104.
    for (name, words) in [
        ("ended by an event to come", &[(16, 1)][..]),
        ("behind the newest", &[(64, 0)][..]),
        ("pending without a batch", &[(96, 0), (104, 0)][..]),
        ("a standing of its own", &[(96, 3)][..]),
    ] {
        let mut payload = payload(&saved);
        words.iter().for_each(|&(at, word)| change(&mut payload, at, word));
        let error = State::restore(&mut &reseal(&payload)[..]).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged, "{name}");
    }
}

#[test]
fn a_state_of_a_newer_release_is_unsupported() {
    let mut payload = payload(&busy().image());
    payload[8] = 2;
    assert_eq!(State::restore(&mut &reseal(&payload)[..]).unwrap_err().kind(), Kind::Unsupported);
    assert_eq!(State::outline(&mut &reseal(&payload)[..]).unwrap_err().kind(), Kind::Unsupported);
}

#[test]
fn counts_that_lie_end_where_the_bytes_do() {
    let mut payload = payload(&image(&State::default()));
    payload[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(State::restore(&mut &reseal(&payload)[..]).unwrap_err().kind(), Kind::Damaged);
}

/// Gives so many bytes and fails then.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            return Err(std::io::Error::other("the disk is away"));
        }
        self.0.read(bytes)
    }
}

#[test]
fn a_read_that_fails_is_never_damage() {
    let image = busy().image();
    for len in 0..image.len() {
        let error = State::restore(&mut Failing(&image[..len])).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "len={len}");
    }
}

#[test]
fn the_need_of_a_saved_state_is_the_need_of_the_state() {
    let driver = busy();
    let state = driver.view();
    let image = driver.image();
    assert_eq!(State::outline(&mut &image[..]).unwrap().1, state.tracker().need());
    assert_eq!(state.tracker().need().logs().count(), 2);
}

#[test]
fn a_state_of_many_pieces_comes_back() {
    let driver = Driver::on(std::sync::Arc::new(headwater_wal::store::Memory::growing()));
    let mut receiver = Receiver::new(0, 0);
    let mut pending = Vec::new();
    for n in 0..4000 {
        let mut block = receiver.cut(&[range(0, n, n + 1)]);
        block.own = vec![n as u8; (n % 200) as usize].into();
        pending.push(block);
    }
    for some in pending.chunks(500) {
        let answers: Vec<_> = some.iter().map(|block| driver.add_later(block)).collect();
        answers.into_iter().for_each(|answer| drop(answer.wait().unwrap()));
    }
    let mut wanted = Wanted::all(BatchId(1));
    wanted.blocks_max = 1234;
    driver.allotment(wanted);
    let saved = driver.image();
    assert!(saved.len() > 5 * 65536);
    let state = State::restore(&mut &saved[..]).unwrap();
    assert_eq!(image(&state), saved);
    let first = state.tracker().allotment(BatchId(1)).unwrap();
    assert!(first.blocks().eq(pending[..1234].iter().cloned()));
    assert_eq!(state.tracker().waiting(), 4000 - 1234);
}
