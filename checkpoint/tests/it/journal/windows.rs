//! The crash windows X1 to X20 of a driver, each with what Spark makes of it, as far as they need neither a receiver nor
//! a checkpoint.

use headwater_checkpoint::journal::{
    Added, BatchId, Committed, Ended, PassedOver, Refusal, Retiring, Standing, Wanted,
};
use headwater_wal::store::sim::{Fault, Op, When};
use headwater_wal::{Kind, Position};

use super::driver::{Driver, Receiver, end, everywhere, image, kind, range};

#[test]
fn x2_an_event_half_written_never_happened_and_nothing_behind_it_is_hidden() {
    let mut driver = Driver::on_disk();
    let mut receiver = Receiver::new(0, 0);
    let (one, two) = (receiver.cut(&[range(0, 0, 10)]), receiver.cut(&[range(0, 10, 20)]));
    assert_eq!(driver.add(&one), Added::Now);
    driver.sim().plan(When::nth(1).of(Op::Write), Fault::Partly);
    assert_eq!(kind(driver.journal().add(two.clone())), Some(Kind::Unknown));
    driver.crash();
    // It is there whole, or it is not there and comes again.
    let again = driver.add(&two);
    assert!(matches!(again, Added::Now | Added::Already), "{again:?}");
    driver.crash();
    assert_eq!(driver.allot(1), [one, two]);
}

#[test]
fn x3_a_block_that_was_never_reported_is_reported_at_takeover() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let (one, orphan) = (receiver.cut(&[range(0, 0, 10)]), receiver.cut(&[range(0, 10, 20)]));
        let _ = driver.add(&one);
        driver.crash();
        // Its heir asks how far the log is settled, and reports what lies behind.
        assert_eq!(driver.view().tracker().settled(receiver.log), Some(one.position()));
        assert_eq!(driver.add(&orphan), Added::Now);
        assert_eq!(driver.allot(1), [one, orphan]);
    });
}

#[test]
fn x4_a_report_whose_answer_was_lost_gives_no_duplicate_whatever_is_sent_again() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let block = receiver.cut(&[range(0, 0, 10), range(1, 5, 9)]);
        drop(driver.add_later(&block));
        let _ = driver.view();
        driver.crash();
        // The same block again; then the same records, cut otherwise, in blocks of their own.
        assert_eq!(driver.add(&block), Added::Already);
        assert_eq!(driver.add(&receiver.cut(&[range(0, 0, 4)])), Added::Already);
        let beyond = receiver.cut(&[range(0, 4, 14)]);
        assert_eq!(driver.add(&beyond), Added::Refused(Refusal::Ends(vec![end(0, 10)])));
        assert_eq!(driver.pass_over(&beyond), PassedOver::Now);
        let anew = receiver.cut(&[range(0, 10, 14)]);
        assert_eq!(driver.add(&anew), Added::Now);
        assert_eq!(driver.allot(1), [block, anew]);
    });
}

#[test]
fn x5_a_report_whose_outcome_is_unknown_is_settled_by_the_next_start_and_never_comes_late() {
    for fault in [Fault::RequestLost, Fault::Held] {
        let mut driver = Driver::on_bucket();
        let mut receiver = Receiver::new(0, 0);
        let block = receiver.cut(&[range(0, 0, 10)]);
        // Every try to put it.
        driver.sim().plan(When::from(1).of(Op::Put), fault);
        let error = driver.journal().add(block.clone()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unknown, "{fault:?}");
        // Whatever is asked next says why, and nothing is told from what may not be so.
        for told in [
            kind(driver.journal().add(block.clone())),
            kind(driver.journal().view()),
            kind(driver.journal().allot(Wanted::all(BatchId(1)))),
            kind(driver.journal().finish(BatchId(1))),
        ] {
            assert_eq!(told, Some(Kind::Closed), "{fault:?}");
        }
        assert_eq!(driver.journal().failure().map(|error| error.kind()), Some(Kind::Unknown));
        driver.crash();
        let waits = driver.view().tracker().waiting();
        driver.sim().land_all();
        driver.restart();
        assert_eq!(driver.view().tracker().waiting(), waits, "it came late: {fault:?}");
        let _ = driver.add(&block);
        assert_eq!(driver.allot(1), [block], "{fault:?}");
    }
}

#[test]
fn x6_records_whose_source_was_not_told_are_known_when_they_come_again() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let block = receiver.cut(&[range(0, 0, 10)]);
        assert_eq!(driver.add(&block), Added::Now);
        driver.crash();
        // Another receiver has the partition now, and its source begins where it was told to.
        let mut heir = Receiver::new(0, 1);
        assert_eq!(driver.add(&heir.cut(&[range(0, 0, 7)])), Added::Already);
        assert_eq!(driver.add(&heir.cut(&[range(0, 7, 10)])), Added::Already);
        let next = heir.cut(&[range(0, 10, 11)]);
        assert_eq!(driver.add(&next), Added::Now);
        assert_eq!(driver.allot(1), [block, next]);
    });
}

#[test]
fn x7_a_batch_that_was_allotted_and_never_ran_has_the_same_blocks_after_a_crash() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let block = receiver.cut(&[range(0, 0, 10)]);
        let _ = driver.add(&block);
        assert_eq!(driver.allot(1), std::slice::from_ref(&block));
        driver.crash();
        let later = receiver.cut(&[range(0, 10, 20)]);
        let _ = driver.add(&later);
        assert_eq!(driver.unfinished(), [(1, vec![block.clone()])]);
        assert_eq!(driver.allot(1), [block]);
        assert_eq!(driver.allot(2), [later]);
    });
}

#[test]
fn x8_blocks_of_an_allotment_that_was_not_logged_go_to_the_next_batch() {
    let mut driver = Driver::on_bucket();
    let mut receiver = Receiver::new(0, 0);
    let block = receiver.cut(&[range(0, 0, 10)]);
    let _ = driver.add(&block);
    driver.sim().plan(When::from(1).of(Op::Put), Fault::RequestLost);
    assert_eq!(kind(driver.journal().allot(Wanted::all(BatchId(1)))), Some(Kind::Unknown));
    driver.crash();
    assert_eq!(driver.view().ledger().standing(BatchId(1)), Standing::New);
    assert_eq!(driver.allot(2), [block]);
    // Too late for the first: what it would have had, another one has.
    let late = driver.journal().allot(Wanted::all(BatchId(1))).unwrap();
    assert!(format!("{late:?}").contains("Passed"), "{late:?}");
}

#[test]
fn x8_an_allotment_that_is_refused_leaves_everything_as_it_was() {
    everywhere(|driver| {
        let mut receiver = Receiver::new(0, 0);
        let block = receiver.cut(&[range(0, 0, 10)]);
        let _ = driver.add(&block);
        let before = driver.image();
        let mut wrong = Wanted::all(BatchId(1));
        wrong.since = BatchId(2);
        assert_eq!(kind(driver.journal().allot(wrong)), Some(Kind::Invalid));
        assert_eq!(driver.image(), before);
        assert_eq!(driver.allot(1), [block]);
    });
}

#[test]
fn x9_of_a_batch_that_was_partly_done_the_ledger_knows_which_outputs_are() {
    everywhere(|mut driver| {
        let _ = driver.allot(1);
        assert_eq!(driver.commit(1, 0, 100), Committed::Recorded);
        assert_eq!(driver.commit(1, 2, 102), Committed::Recorded);
        driver.crash();
        let state = driver.view();
        assert_eq!(state.ledger().outputs(BatchId(1)).collect::<Vec<_>>(), [(0, 100), (2, 102)]);
        assert_eq!(state.ledger().standing(BatchId(1)), Standing::Pending);
        // The batch runs again: what is recorded stays, and what is missing is added.
        assert_eq!(driver.commit(1, 0, 200), Committed::Other { attempt: 100 });
        assert_eq!(driver.commit(1, 1, 201), Committed::Recorded);
        assert_eq!(driver.finish(1), Ended::Now);
        driver.crash();
        assert_eq!(driver.commit(1, 1, 300), Committed::Other { attempt: 201 });
        assert_eq!(driver.commit(1, 3, 303), Committed::Refused(Standing::Finished));
    });
}

#[test]
fn x13_what_was_not_forgotten_in_time_is_known_a_little_longer() {
    everywhere(|mut driver| {
        let _ = driver.allot(1);
        let _ = driver.commit(1, 0, 7);
        assert_eq!(driver.finish(1), Ended::Now);
        driver.crash();
        assert_eq!(driver.finish(1), Ended::Already);
        let floor = driver.view().events();
        assert_eq!(driver.journal().forget(BatchId(2), floor).unwrap(), 1);
        assert_eq!(driver.view().ledger().standing(BatchId(1)), Standing::Forgotten);
        assert_eq!(driver.journal().forget(BatchId(2), floor).unwrap(), 0);
    });
}

#[test]
fn x14_a_retirement_that_was_intended_and_not_done_is_done_again_and_changes_nothing() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let (one, two) = (receiver.cut(&[range(0, 0, 10)]), receiver.cut(&[range(0, 10, 20)]));
        let _ = (driver.add(&one), driver.allot(1), driver.add(&two), driver.finish(1));
        let below = two.position();
        assert_eq!(driver.journal().retire(Some(receiver.log), below).unwrap(), Retiring::Intended);
        assert_eq!(driver.journal().retire(None, Position(64)).unwrap(), Retiring::Intended);
        let before = driver.image();
        driver.crash();
        assert_eq!(driver.view().tracker().retires(receiver.log), below);
        assert_eq!(driver.view().tracker().journal_retires(), Position(64));
        assert_eq!(driver.journal().retire(Some(receiver.log), below).unwrap(), Retiring::Intended);
        assert_eq!(driver.image(), before, "an intent is logged once");
    });
}

#[test]
fn x15_blocks_of_a_batch_that_failed_are_needed_whatever_later_ones_did() {
    everywhere(|driver| {
        let mut receiver = Receiver::new(0, 0);
        let blocks: Vec<_> = (0..4).map(|n| receiver.cut(&[range(0, n * 10, n * 10 + 10)])).collect();
        for (batch, block) in (1..).zip(&blocks) {
            let _ = driver.add(block);
            assert_eq!(driver.allot(batch), std::slice::from_ref(block));
        }
        for batch in [1, 3, 4] {
            assert_eq!(driver.finish(batch), Ended::Now);
        }
        let needed = blocks[1].position();
        assert_eq!(driver.view().tracker().need().from(receiver.log), needed);
        let retire = |below| driver.journal().retire(Some(receiver.log), below).unwrap();
        assert_eq!(retire(needed), Retiring::Intended);
        assert_eq!(retire(needed.plus(1)), Retiring::Needed { from: needed });
        assert_eq!(driver.unfinished(), [(2, vec![blocks[1].clone()])]);
        assert_eq!(driver.finish(2), Ended::Now);
        // All is done: what is not reported yet is needed all the same.
        assert_eq!(retire(blocks[3].position().plus(1)), Retiring::Intended);
        assert_eq!(
            retire(blocks[3].position().plus(2)),
            Retiring::Needed { from: blocks[3].position().plus(1) }
        );
    });
}

#[test]
fn x16_no_clock_has_a_say_in_what_is_needed_or_forgotten() {
    // Batches are numbered by a clock that jumps: only what ended is forgotten, only what is done with may go.
    everywhere(|driver| {
        let mut receiver = Receiver::new(0, 0);
        let (one, two) = (receiver.cut(&[range(0, 0, 1)]), receiver.cut(&[range(0, 1, 2)]));
        let _ = driver.add(&one);
        let _ = driver.allot(1_000);
        let _ = driver.add(&two);
        let _ = driver.allot(u64::MAX - 1);
        assert_eq!(driver.finish(u64::MAX - 1), Ended::Now);
        assert_eq!(driver.journal().forget(BatchId(u64::MAX), u64::MAX).unwrap(), 1);
        assert_eq!(driver.view().ledger().standing(BatchId(1_000)), Standing::Pending);
        assert_eq!(driver.view().tracker().need().from(receiver.log), one.position());
        assert_eq!(driver.unfinished(), [(1_000, vec![one])]);
    });
}

#[test]
fn x17_a_driver_that_was_replaced_is_told_and_changes_nothing() {
    let mut driver = Driver::on_bucket();
    let mut receiver = Receiver::new(0, 0);
    let block = receiver.cut(&[range(0, 0, 10)]);
    let _ = driver.add(&block);
    let old = driver.replaced();
    assert_eq!(kind(old.allot(Wanted::all(BatchId(1)))), Some(Kind::Fenced));
    assert_eq!(kind(old.finish(BatchId(1))), Some(Kind::Fenced));
    assert_eq!(driver.allot(2), std::slice::from_ref(&block));
    let before = driver.image();
    drop(old);
    driver.restart();
    assert_eq!(driver.image(), before);
    assert_eq!(driver.unfinished(), [(2, vec![block])]);
}

#[test]
fn x18_a_late_block_of_a_receiver_that_was_replaced_takes_nothing_twice() {
    everywhere(|driver| {
        let (mut old, mut heir) = (Receiver::new(0, 0), Receiver::new(0, 1));
        let first = old.cut(&[range(0, 0, 10)]);
        let _ = driver.add(&first);
        let late = old.cut(&[range(0, 10, 20)]);
        // The partition has gone over to another receiver, which cuts otherwise.
        let theirs = heir.cut(&[range(0, 10, 15)]);
        assert_eq!(driver.add(&theirs), Added::Now);
        assert_eq!(driver.add(&late), Added::Refused(Refusal::Ends(vec![end(0, 15)])));
        assert_eq!(driver.allot(1), [first, theirs]);
        assert_eq!(driver.end(0), Some(15));
    });
}

#[test]
fn x19_what_was_answered_outlives_a_power_cut() {
    for seed in 0..50 {
        let mut driver = Driver::on_sim(headwater_wal::store::sim::Sim::growing(seed));
        let mut receiver = Receiver::new(0, 0);
        let blocks: Vec<_> = (0..5).map(|n| receiver.cut(&[range(0, n, n + 1)])).collect();
        blocks.iter().for_each(|block| assert_eq!(driver.add(block), Added::Now));
        let before = driver.image();
        // Handed in, and never waited for: it may be there or not.
        drop(driver.add_later(&receiver.cut(&[range(0, 5, 6)])));
        driver.crash();
        let (after, waits) = (driver.image(), driver.view().tracker().waiting());
        assert!(waits == 6 || after == before, "seed={seed} waiting={waits}");
        assert_eq!(driver.allot(1)[..5], blocks, "seed={seed}");
    }
}

#[test]
fn x20_blocks_that_no_batch_had_at_a_graceful_stop_are_there_at_the_next_start() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let blocks: Vec<_> = (0..5).map(|n| receiver.cut(&[range(0, n, n + 1)])).collect();
        // Not one of these was waited for when the stop came.
        blocks.iter().for_each(|block| drop(driver.add_later(block)));
        let ahead = image(&driver.snapshot().state);
        driver.restart();
        assert_eq!(driver.image(), ahead);
        assert_eq!(driver.allot(1), blocks);
    });
}
