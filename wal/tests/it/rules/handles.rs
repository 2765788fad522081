//! Handles that do not fit: each its own clear error, from the log and from a reader.

use headwater_wal::{Handle, Kind, Record, Result, Time};

use super::{Life, Place, name};

/// Where the fields of a handle lie in its fixed bytes.
const IDENTITY: usize = 0;
const EPOCH: usize = 8;
const POSITION: usize = 16;
const BASE: usize = 24;
const LENGTH: usize = 32;
const CHECK: usize = 36;

fn flipped(handle: &Handle, at: usize, bit: u8) -> Handle {
    let mut bytes = handle.to_bytes();
    bytes[at] ^= 1 << bit;
    Handle::from_bytes(&bytes).unwrap()
}

fn with_base(handle: &Handle, base: u64) -> Handle {
    let mut bytes = handle.to_bytes();
    bytes[BASE..LENGTH].copy_from_slice(&base.to_le_bytes());
    Handle::from_bytes(&bytes).unwrap()
}

/// Asks the log and a reader.
fn both(place: &Place, log: &Life, handle: &Handle) -> [Result<Record>; 2] {
    [log.read(handle), place.reader().read(handle)]
}

fn is(place: &Place, log: &Life, handle: &Handle, kind: Kind, says: &str) {
    for (who, answer) in ["log", "reader"].iter().zip(both(place, log, handle)) {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), kind, "{who}: {error}");
        assert!(error.to_string().contains(says), "{who}: {error}");
        assert!(error.to_string().contains(&handle.to_string()), "{who} names the handle: {error}");
    }
}

#[test]
fn a_handle_of_another_log_is_invalid_and_both_are_named() {
    for place in Place::both() {
        let mut other = if place.grows() { Place::disk() } else { Place::bucket() };
        other.clock = std::sync::Arc::new(headwater_wal::store::sim::SimClock::new(99));
        let (log, theirs) = (place.start(), other.start());
        let ours = log.write("ours");
        let foreign = theirs.write("ours");
        assert_eq!(foreign.position(), ours.position());
        is(&place, &log, &foreign, Kind::Invalid, "another log");
        let names_both = |error: String| {
            error.contains(&format!("{:016x}", ours.identity()))
                && error.contains(&format!("{:016x}", foreign.identity()))
        };
        assert!(names_both(log.read(&foreign).unwrap_err().to_string()));
    }
}

#[test]
fn a_handle_of_a_retired_place_is_retired_and_the_beginning_is_named() {
    for place in Place::both() {
        let log = place.start();
        let handle = log.write("goes");
        log.seal().unwrap();
        log.write("stays");
        let begins = log.retire_before(Time::MAX).unwrap().begins;
        is(&place, &log, &handle, Kind::Retired, &format!("begins at {begins}"));
    }
}

#[test]
fn a_handle_with_a_wrong_checksum_is_invalid_and_what_lies_there_is_named() {
    for place in Place::both() {
        let log = place.start();
        let handle = log.write("right");
        is(&place, &log, &flipped(&handle, CHECK, 3), Kind::Invalid, "another record lies here: check=");
    }
}

#[test]
fn a_handle_of_an_epoch_that_never_was_is_not_there() {
    for place in Place::both() {
        let log = place.start();
        let handle = log.write("right");
        is(&place, &log, &flipped(&handle, EPOCH, 6), Kind::NotThere, "nothing of its epoch 65 is");
    }
}

#[test]
fn a_handle_behind_the_end_is_not_there() {
    for place in Place::both() {
        let log = place.start();
        let handle = log.write("right");
        let behind = flipped(&handle, POSITION + 3, 0);
        is(&place, &log, &behind, Kind::NotThere, "its epoch 1 has positions");
    }
}

#[test]
fn a_moved_base_hint_is_mended_by_looking() {
    for place in Place::both() {
        let log = place.start();
        log.write("first");
        log.seal().unwrap();
        let handle = log.write("second");
        for base in [0, 8, handle.base().0 - 8, handle.base().0 + 8, handle.position().0, u64::MAX] {
            let hint = with_base(&handle, base);
            for record in both(&place, &log, &hint) {
                let record = record.unwrap_or_else(|error| panic!("base {base}: {error}"));
                assert_eq!(record.payload, "second");
                assert_eq!(record.handle, handle, "the answer carries the right hint");
            }
        }
    }
}

#[test]
fn a_handle_with_any_bit_flipped_reads_its_own_record_or_an_error() {
    for place in Place::both() {
        let log = place.start();
        for number in 0..6 {
            log.write(format!("same size {number}"));
        }
        let handle = log.write("same size 6");
        log.write("same size 7");
        for at in 0..40 {
            for bit in 0..8 {
                let wrong = flipped(&handle, at, bit);
                for (who, answer) in ["log", "reader"].iter().zip(both(&place, &log, &wrong)) {
                    let case = format!("{who}: byte {at} bit {bit}: {answer:?}");
                    match (at, answer) {
                        (BASE..LENGTH, Ok(record)) => {
                            assert_eq!(record.payload, "same size 6", "{case}");
                        }
                        (_, Ok(_)) => panic!("{case}"),
                        (IDENTITY..EPOCH, Err(error)) => assert_eq!(error.kind(), Kind::Invalid, "{case}"),
                        (EPOCH..POSITION, Err(error)) => assert_eq!(error.kind(), Kind::NotThere, "{case}"),
                        (POSITION..BASE, Err(error)) => assert!(
                            matches!(error.kind(), Kind::NotThere | Kind::Damaged | Kind::Invalid),
                            "{case}"
                        ),
                        (BASE..LENGTH, Err(_)) => panic!("{case}"),
                        (_, Err(error)) => {
                            assert!(matches!(error.kind(), Kind::NotThere | Kind::Invalid), "{case}")
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_rotten_record_is_damaged_where_it_lies_and_its_neighbours_are_read() {
    for place in Place::both() {
        let log = place.start();
        let tickets: Vec<_> =
            (0..3).map(|number| log.append(Time(1), format!("record {number}")).unwrap()).collect();
        let handles: Vec<Handle> = tickets.into_iter().map(|ticket| ticket.wait().unwrap()).collect();
        let offset = handles[1].position().since(handles[1].base());
        place.sim.flip(&name(handles[1].base()), offset as usize + 34, 0);
        for answer in both(&place, &log, &handles[1]) {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), Kind::Damaged);
            let site = error.site().unwrap();
            assert_eq!((site.name.as_str(), site.offset), (name(handles[1].base()).as_str(), offset));
        }
        for handle in [&handles[0], &handles[2]] {
            assert!(both(&place, &log, handle).iter().all(Result::is_ok));
        }
    }
}

#[test]
fn many_are_read_in_their_order_and_an_error_stands_in_its_place() {
    for place in Place::both() {
        let log = place.start();
        let handles = [log.write("a"), log.write("b"), log.write("c")];
        let asked = [handles[2], flipped(&handles[1], CHECK, 0), handles[0], handles[2]];
        let told = |answers: Vec<Result<Record>>| -> Vec<String> {
            answers
                .into_iter()
                .map(|answer| {
                    answer.map_or_else(|error| error.kind().to_string(), |record| super::text(&record))
                })
                .collect()
        };
        assert_eq!(told(log.read_many(&asked).collect()), ["c", "invalid", "a", "c"]);
        assert_eq!(told(place.reader().read_many(&asked).collect()), ["c", "invalid", "a", "c"]);
    }
}

#[test]
fn a_reader_that_wants_less_refuses_longer_records() {
    for place in Place::both() {
        let log = place.start();
        let handle = log.write("x".repeat(1000));
        let error = place.reader().record_bytes_max(999).read(&handle).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(place.reader().record_bytes_max(1000).read(&handle).unwrap().payload.len(), 1000);
    }
}
