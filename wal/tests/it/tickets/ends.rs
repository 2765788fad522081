//! The end of a log: closed, dropped, failed, panicked. Everything handed in is answered, and nothing hangs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use headwater_wal::store::sim::{Fault, Op, When};
use headwater_wal::{Kind, Log, Position, Result, Ticket, Time, Unsettled};

use super::{HANGS, Held, block_on, start};
use crate::rules::{Place, texts};

/// The answer, or a test that says it hangs.
fn answer(ticket: Ticket) -> Result<headwater_wal::Handle> {
    ticket.wait_for(HANGS).unwrap_or_else(|_| panic!("a ticket that nobody answers"))
}

#[test]
fn close_writes_everything_that_was_handed_in_and_seals() {
    for place in Place::both() {
        let (log, process) = start(&place);
        let held = Held::before(&process, if place.grows() { Op::Write } else { Op::Put });
        let tickets: Vec<_> =
            (0..40).map(|number| log.append(Time(1), format!("{number}")).unwrap()).collect();
        held.stands();
        thread::scope(|scope| {
            let closing = scope.spawn(|| log.close());
            held.release();
            closing.join().unwrap().unwrap();
        });
        for ticket in tickets {
            ticket.answer().expect("answered before close returned").unwrap();
        }
        assert!(place.look().chain().segments().last().unwrap().sealed);
        let want: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        assert_eq!(place.texts(), want);
        place.start();
    }
}

#[test]
fn close_of_a_log_without_a_thread_does_the_writers_work() {
    for place in Place::both() {
        for dropped in [false, true] {
            let log = place.start();
            let tickets: Vec<_> =
                (0..10).map(|number| log.append(Time(1), format!("{number}")).unwrap()).collect();
            if dropped {
                drop(log);
            } else {
                log.close().unwrap();
            }
            tickets.into_iter().for_each(|ticket| assert!(ticket.answer().expect("answered").is_ok()));
        }
        assert_eq!(place.texts().len(), 20);
    }
}

#[test]
fn after_close_every_call_says_closed() {
    for place in Place::both() {
        let (log, _) = start(&place);
        let handle = log.append(Time(1), "last").unwrap().wait().unwrap();
        let unsettled = Unsettled::from_bytes(&handle.to_bytes()).unwrap();
        log.close().unwrap();
        let calls: Vec<(&str, Result<()>)> = vec![
            ("append", log.append(Time(1), "x").map(drop)),
            ("append_kind", log.append_kind(1, Time(1), "x").map(drop)),
            ("try_append", log.try_append(Time(1), "x").map(drop)),
            ("append_async", block_on(log.append_async(0, Time(1), "x")).map(drop)),
            ("read", log.read(&handle).map(drop)),
            ("read_many", log.read_many(&[handle]).next().unwrap().map(drop)),
            ("replay", log.replay(Position::START).map(drop)),
            ("replay_since", log.replay_since(Time(0)).map(drop)),
            ("settle", log.settle(&unsettled).map(drop)),
            ("seal", log.seal()),
            ("retire_before", log.retire_before(Time::MAX).map(drop)),
            ("pin", log.pin(Position::START).map(drop)),
            ("close", log.close()),
            ("close", log.close()),
        ];
        for (call, outcome) in calls {
            assert_eq!(outcome.unwrap_err().kind(), Kind::Closed, "{call}");
        }
        assert!(log.failure().is_none());
        assert_eq!(place.texts(), ["last"]);
    }
}

#[test]
fn of_closes_at_once_one_closes_and_the_others_find_it_closed() {
    let place = Place::bucket();
    let (log, _) = start(&place);
    let ticket = log.append(Time(1), "last").unwrap();
    let closed: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| log.close())).collect();
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
        outcomes.map(|outcome| usize::from(outcome.map_err(|error| error.kind()) != Err(Kind::Closed))).sum()
    });
    assert_eq!(closed, 1);
    ticket.answer().expect("answered").unwrap();
}

#[test]
fn a_log_that_is_dropped_is_closed() {
    for place in Place::both() {
        let (log, process) = start(&place);
        let held = Held::before(&process, if place.grows() { Op::Write } else { Op::Put });
        let tickets: Vec<_> =
            (0..10).map(|number| log.append(Time(1), format!("{number}")).unwrap()).collect();
        held.stands();
        let dropping = thread::spawn(move || drop(log));
        held.release();
        dropping.join().unwrap();
        tickets.into_iter().for_each(|ticket| assert!(answer(ticket).is_ok()));
        assert!(place.look().chain().segments().last().unwrap().sealed);
        assert_eq!(place.start().texts().len(), 10, "and the place is free");
    }
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_the_failure_is_told_for_good() {
    for op in [Op::Write, Op::Sync] {
        let mut place = Place::disk();
        place.options = place.options.group_bytes_max(1);
        let (log, process) = start(&place);
        log.append(Time(1), "acknowledged").unwrap().wait().unwrap();
        let held = Held::before(&process, Op::Write);
        let tickets: Vec<_> =
            (0..8).map_while(|number| log.append(Time(1), format!("{number}")).ok()).collect();
        held.stands();
        // Others may be at the device beside it, or have landed behind it: the log fails once all are handed in.
        place.sim.plan(When::nth(1).of(op), Fault::Error);
        held.release();
        let mut unsettled = Vec::new();
        let mut acknowledged = 1;
        for ticket in tickets {
            // The one that was held may have landed before the other's failure was heard of.
            let Err(error) = answer(ticket) else {
                assert!(unsettled.is_empty(), "nothing is acknowledged after a failure");
                acknowledged += 1;
                continue;
            };
            assert_eq!(error.kind(), Kind::Unknown);
            unsettled.push(*error.unsettled().expect("a place to settle, or the word that it has none"));
        }
        assert_eq!(log.append(Time(1), "later").unwrap_err().kind(), Kind::Closed);
        assert_eq!(log.seal().unwrap_err().kind(), Kind::Closed);
        assert!(log.failure().is_some());
        assert_eq!(texts(log.replay(Position::START).unwrap()).len(), acknowledged, "still read");
        let error = log.close().unwrap_err();
        assert_eq!(error.kind(), Kind::Unknown, "{error}");
        drop(log);
        place.sim.drop_caches();
        let heir = place.start();
        let there: Vec<bool> = unsettled.iter().map(|unsettled| heir.settle(unsettled).is_ok()).collect();
        assert_eq!(heir.texts().len(), acknowledged + there.iter().filter(|there| **there).count());
        assert!(there.is_sorted_by(|one, next| one >= next), "a log has no gaps: {there:?}");
        assert!(
            !there.iter().skip(4).any(|there| *there),
            "there are never more at the device at once: {there:?}"
        );
    }
}

#[test]
fn a_panic_in_the_writers_thread_answers_unknown_and_a_later_start_settles_it() {
    for place in Place::both() {
        let ops: &[Op] = if place.grows() { &[Op::Write, Op::Sync] } else { &[Op::Put] };
        for &op in ops {
            let place = if place.grows() { Place::disk() } else { Place::bucket() };
            let (log, _) = start(&place);
            log.append(Time(1), "acknowledged").unwrap().wait().unwrap();
            place.sim.plan(When::nth(1).of(op), Fault::Panic);
            let error = answer(log.append(Time(1), "in doubt").unwrap()).unwrap_err();
            assert_eq!(error.kind(), Kind::Unknown);
            assert!(format!("{error:?}").contains("panicked"), "{error:?}");
            let unsettled = *error.unsettled().unwrap();
            assert_eq!(log.append(Time(1), "later").unwrap_err().kind(), Kind::Closed);
            assert_eq!(log.close().unwrap_err().kind(), Kind::Unknown);
            drop(log);
            let heir = place.start();
            let kept = heir.settle(&unsettled).map(|handle| heir.read(&handle).unwrap().payload);
            match kept {
                Ok(payload) => assert_eq!(payload, "in doubt"),
                Err(error) => assert_eq!(error.kind(), Kind::NotThere),
            }
        }
    }
}

#[test]
fn a_panic_in_a_seal_a_retirement_or_a_close_hangs_nobody() {
    type Call = fn(&Log) -> Result<()>;
    let calls: [Call; 3] =
        [|log| log.seal(), |log| log.retire_before(Time::MAX).map(drop), |log| log.close()];
    for (number, call) in calls.into_iter().enumerate() {
        let place = Place::disk();
        let (log, _) = start(&place);
        log.append(Time(1), "acknowledged").unwrap().wait().unwrap();
        place.sim.plan(When::nth(1).of(Op::Write), Fault::Panic);
        let error = call(&log).unwrap_err();
        assert_eq!(error.kind(), Kind::Unknown, "call {number}: {error}");
        drop(log);
        assert_eq!(place.start().texts(), ["acknowledged"]);
    }
}

#[test]
fn every_ticket_is_answered_while_threads_append_and_the_log_closes() {
    for seed in 0..20 {
        let mut place = Place::bucket();
        place.options = place.options.queue_bytes_max(2_000);
        let (log, _) = start(&place);
        let appended = AtomicUsize::new(0);
        let acknowledged: Vec<String> = thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|thread| {
                    let (log, appended) = (&log, &appended);
                    scope.spawn(move || {
                        let mut mine = Vec::new();
                        for number in 0.. {
                            let text = format!("{thread}-{number}");
                            match log.append(Time(1), text.clone()) {
                                Ok(ticket) => mine.push((text, ticket)),
                                Err(error) => {
                                    assert_eq!(error.kind(), Kind::Closed);
                                    break;
                                }
                            }
                            appended.fetch_add(1, Ordering::Relaxed);
                        }
                        mine.into_iter()
                            .map(|(text, ticket)| (text, answer(ticket).unwrap()).0)
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            while appended.load(Ordering::Relaxed) < 20 + 5 * seed {
                thread::yield_now();
            }
            log.close().unwrap();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let (mut found, mut want) = (place.texts(), acknowledged);
        found.sort();
        want.sort();
        assert!(found == want, "what was handed in is in the log, and nothing else: seed {seed}");
    }
}
