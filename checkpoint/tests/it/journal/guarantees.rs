//! The guarantees G10 to G18 of a driver, as far as they need neither a receiver nor a checkpoint.

use headwater_checkpoint::journal::{Added, BatchId, Committed, Ended, Retiring, Standing, State, Wanted};
use headwater_wal::{Kind, Position};

use super::driver::{Driver, Receiver, direct, everywhere, image, kind, range};

#[test]
fn g10_files_as_a_source_are_taken_once_by_their_numbers() {
    everywhere(|mut driver| {
        let files = |from, to| Wanted::direct(BatchId(to), vec![direct(3, 0, from, to)]);
        assert_eq!(driver.allotment(files(0, 4)).direct(), [direct(3, 0, 0, 4)]);
        driver.crash();
        // A listing that shows old files again does not bring them back.
        let again = driver.journal().allot(files(2, 6)).unwrap();
        assert!(format!("{again:?}").contains("Elsewhere"), "{again:?}");
        assert_eq!(driver.allotment(files(4, 6)).direct(), [direct(3, 0, 4, 6)]);
        assert_eq!(driver.allotment(files(0, 4)).direct(), [direct(3, 0, 0, 4)]);
    });
}

#[test]
fn g11_a_batch_of_ranges_is_what_it_was_and_the_next_begins_where_it_ends() {
    everywhere(|mut driver| {
        let ranges = |base| vec![direct(1, 0, base, base + 5), direct(1, 1, base * 2, base * 2 + 10)];
        let first = driver.allotment(Wanted::direct(BatchId(1), ranges(0)));
        assert_eq!((first.direct(), first.block_count()), (&ranges(0)[..], 0));
        driver.crash();
        // Asked for with other ranges, it has those that it had.
        assert_eq!(driver.allotment(Wanted::direct(BatchId(1), ranges(5))).direct(), ranges(0));
        assert_eq!(driver.allotment(Wanted::direct(BatchId(2), ranges(5))).direct(), ranges(5));
        let ends: Vec<_> =
            driver.view().tracker().ends().map(|end| (end.stream, end.partition, end.end)).collect();
        assert_eq!(ends, [(1, 0, Some(10)), (1, 1, Some(20))]);
    });
}

#[test]
fn g12_a_batch_has_the_same_input_every_time_until_it_is_done() {
    everywhere(|mut driver| {
        let (mut one, mut two) = (Receiver::new(0, 0), Receiver::new(5, 0));
        let mut inputs = Vec::new();
        for batch in 1..6 {
            let from = batch * 10;
            let _ = (driver.add(&one.cut(&[range(0, from, from + 10)])), driver.add(&two.cut(&[])));
            let mut wanted = Wanted::all(BatchId(batch));
            wanted.direct = vec![direct(9, 0, batch, batch + 1)];
            let allotment = driver.allotment(wanted);
            inputs.push((allotment.blocks().collect::<Vec<_>>(), allotment.direct().to_vec()));
            assert_eq!(inputs.last().unwrap().0.len(), 2);
        }
        driver.crash();
        for (batch, input) in (1..).zip(&inputs) {
            let _ = (driver.add(&one.cut(&[range(7, batch, batch + 1)])), driver.add(&two.cut(&[])));
            let again = driver.allotment(Wanted::all(BatchId(batch)));
            assert_eq!((again.blocks().collect::<Vec<_>>(), again.direct().to_vec()), *input);
            if batch % 2 == 0 {
                assert_eq!(driver.finish(batch), Ended::Now);
            }
        }
        let left: Vec<_> =
            driver.unfinished().into_iter().map(|(batch, blocks)| (batch, blocks.len())).collect();
        assert_eq!(left, [(1, 2), (3, 2), (5, 2)]);
    });
}

#[test]
fn g13_an_output_is_recorded_once_and_every_other_attempt_is_told_which() {
    everywhere(|mut driver| {
        let _ = (driver.allot(1), driver.allot(2));
        // Two attempts at once: the first that the log has is the one.
        let journal = driver.journal();
        let first = journal.commit_later(super::driver::output(1, 0), 11).unwrap();
        let second = journal.commit_later(super::driver::output(1, 0), 22).unwrap();
        assert_eq!(second.wait().unwrap(), Committed::Other { attempt: 11 });
        assert_eq!(first.wait().unwrap(), Committed::Recorded);
        assert_eq!(driver.commit(2, 0, 22), Committed::Recorded);
        driver.crash();
        for _ in 0..2 {
            assert_eq!(driver.commit(1, 0, 11), Committed::Recorded);
            assert_eq!(driver.commit(1, 0, 22), Committed::Other { attempt: 11 });
            let _ = driver.finish(1);
        }
        assert_eq!(driver.commit(3, 0, 1), Committed::Refused(Standing::New));
        assert_eq!(driver.journal().give_up(BatchId(2), "it is of no use").unwrap(), Ended::Now);
        assert_eq!(driver.commit(2, 0, 33), Committed::Other { attempt: 22 });
        assert_eq!(driver.commit(2, 1, 33), Committed::Refused(Standing::GivenUp));
    });
}

#[test]
fn g14_a_kill_between_the_add_and_the_acknowledgement_loses_nothing_and_doubles_nothing() {
    for seed in 0..40 {
        let mut driver = Driver::on_sim(headwater_wal::store::sim::Sim::objects(seed));
        let mut receiver = Receiver::new(0, 0);
        let mut told = 0;
        for turn in 0..6 {
            // The source sends from where it was told that all is safe, a little more every time.
            let from = if turn % 2 == 0 { told } else { 0 };
            let block = receiver.cut(&[range(0, from, 10 + turn * 5)]);
            match driver.add(&block) {
                Added::Now | Added::Already if turn % 3 > 0 => told = 10 + turn * 5,
                Added::Now | Added::Already => {}
                Added::Refused(_) => {
                    let _ = driver.pass_over(&block);
                }
            }
            driver.crash();
        }
        let mut records = Vec::new();
        for range in driver.allot(1).iter().flat_map(|block| &block.ranges) {
            records.extend(range.from..range.to);
        }
        assert_eq!(records, (0..driver.end(0).unwrap()).collect::<Vec<_>>(), "seed={seed}");
        assert!(records.len() as u64 >= told, "seed={seed}");
    }
}

#[test]
fn g15_a_graceful_stop_answers_everything_that_was_handed_in_before_it_seals() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let blocks: Vec<_> = (0..8).map(|n| receiver.cut(&[range(0, n, n + 1)])).collect();
        let pending: Vec<_> = blocks.iter().map(|block| driver.add_later(block)).collect();
        driver.journal().log().close().unwrap();
        for answer in pending {
            assert_eq!(answer.wait().unwrap(), Added::Now);
        }
        let late = driver.journal().add(receiver.cut(&[range(0, 8, 9)]));
        assert_eq!(kind(late), Some(Kind::Closed));
        driver.restart();
        assert_eq!(driver.allot(1), blocks);
    });
}

#[test]
fn g16_two_batches_that_failed_once_keep_their_300_records_while_the_stream_goes_on() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let add = |driver: &Driver, receiver: &mut Receiver, n: u64| {
            assert_eq!(driver.add(&receiver.cut(&[range(0, n * 150, n * 150 + 150)])), Added::Now);
        };
        for batch in 1..=10 {
            add(&driver, &mut receiver, batch - 1);
            let _ = driver.allot(batch);
            if batch != 3 && batch != 4 {
                assert_eq!(driver.finish(batch), Ended::Now);
            }
        }
        // What Spark does here: it cleans below the newest success. Here that is refused.
        let all = receiver.last.unwrap();
        let needed = driver.view().tracker().need().from(receiver.log);
        let refused = driver.journal().retire(Some(receiver.log), all).unwrap();
        assert_eq!(refused, Retiring::Needed { from: needed });
        assert_eq!(driver.journal().forget(BatchId(100), u64::MAX).unwrap(), 8);
        driver.crash();
        let left = driver.unfinished();
        let records = left.iter().flat_map(|(_, blocks)| blocks).map(|block| block.records).sum::<u64>();
        assert_eq!((left.len(), records), (2, 300));
        for batch in [3, 4] {
            assert_eq!(driver.finish(batch), Ended::Now);
        }
        assert_eq!(driver.journal().retire(Some(receiver.log), all).unwrap(), Retiring::Intended);
    });
}

#[test]
fn g17_while_no_checkpoint_is_written_the_need_of_the_last_one_stays() {
    everywhere(|driver| {
        let mut receiver = Receiver::new(0, 0);
        let first = receiver.cut(&[range(0, 0, 1)]);
        let _ = (driver.add(&first), driver.allot(1));
        let kept = driver.snapshot().state;
        for n in 1..9 {
            let _ = (driver.add(&receiver.cut(&[range(0, n, n + 1)])), driver.finish(n), driver.allot(n + 1));
        }
        let now = driver.view().tracker().need();
        assert!(now.from(receiver.log) > first.position());
        let saved = State::outline(&mut &image(&kept)[..]).unwrap().1;
        assert_eq!(saved, kept.tracker().need());
        assert_eq!(saved.from(receiver.log), first.position());
        assert_eq!(now.and(&saved).from(receiver.log), first.position());
    });
}

#[test]
fn g18_from_any_older_state_the_replay_makes_the_same_and_what_it_needs_was_kept() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let mut kept = vec![(State::default(), Position::START)];
        for n in 0..12 {
            let _ = driver.add(&receiver.cut(&[range(0, n, n + 1)]));
            let _ = driver.allot(n + 1);
            let _ = driver.commit(n + 1, 0, n);
            if n % 3 > 0 {
                let _ = driver.finish(n + 1);
            }
            let taken = driver.snapshot();
            let restored = State::restore(&mut &image(&taken.state)[..]).unwrap();
            kept.push((restored, taken.position));
        }
        let (now, need) = (driver.image(), driver.view().tracker().need());
        for (state, position) in kept {
            let older = state.tracker().need();
            assert!(older.from(receiver.log) <= need.from(receiver.log));
            driver.restart_from(state, position).unwrap();
            assert_eq!(driver.image(), now);
        }
    });
}
