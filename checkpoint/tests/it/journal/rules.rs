//! The rules of a journal, one by one: the protocol's rules 14 to 17, and what contradicts itself.

use headwater_checkpoint::journal::event::RECORD_KIND;
use headwater_checkpoint::journal::{
    Added, Allotted, BatchId, Block, Ended, Event, Journal, Missed, Moved, Options, OutputId, PassedOver,
    Refusal, Retiring, Run, SourceRange, Standing, State, Wanted,
};
use headwater_wal::store::Memory;
use headwater_wal::{Kind, Log, Position, Time};

use super::driver::{Driver, Receiver, direct, end, everywhere, kind, output, range, small};

#[test]
fn rule_14_a_block_waits_for_the_one_before_it_and_is_taken_once() {
    everywhere(|driver| {
        let mut receiver = Receiver::new(0, 0);
        let blocks: Vec<_> = (0..4).map(|n| receiver.cut(&[range(0, n, n + 1)])).collect();
        let early = |settled: Option<usize>| {
            let settled = settled.map(|at| blocks[at].position());
            Added::Refused(Refusal::Early { settled })
        };
        // Reports overtake each other: the end must not be set too far.
        for (report, want) in [
            (1, early(None)),
            (0, Added::Now),
            (3, early(Some(0))),
            (2, early(Some(0))),
            (1, Added::Now),
            (0, Added::Already),
            (1, Added::Already),
            (3, early(Some(1))),
            (2, Added::Now),
            (3, Added::Now),
            (2, Added::Already),
        ] {
            assert_eq!(driver.add(&blocks[report]), want, "block {report}");
        }
        assert_eq!(driver.allot(1), blocks);
    });
}

#[test]
fn rule_14_the_order_holds_among_blocks_that_are_under_way_together() {
    everywhere(|driver| {
        let mut receiver = Receiver::new(0, 0);
        let blocks: Vec<_> = (0..3).map(|n| receiver.cut(&[range(0, n, n + 1)])).collect();
        // The second is decided as if the first were durable, and neither is answered before it is.
        let one = driver.add_later(&blocks[0]);
        let two = driver.add_later(&blocks[1]);
        let again = driver.add_later(&blocks[0]);
        let mut far = receiver.clone();
        far.last = Some(Position(9_728));
        let early = driver.add_later(&far.cut(&[]));
        assert!(![&one, &two, &again].iter().any(|answer| answer.is_ready()));
        assert_eq!(again.wait().unwrap(), Added::Already);
        assert!(one.is_ready() && two.is_ready() && early.is_ready());
        assert_eq!(two.wait().unwrap(), Added::Now);
        assert_eq!(one.wait().unwrap(), Added::Now);
        let settled = Some(blocks[1].position());
        assert_eq!(early.wait().unwrap(), Added::Refused(Refusal::Early { settled }));
        assert_eq!(driver.add(&blocks[2]), Added::Now);
    });
}

#[test]
fn rule_14_a_report_that_leaves_a_block_out_is_the_callers_mistake() {
    everywhere(|driver| {
        let mut receiver = Receiver::new(0, 0);
        let (one, two) = (receiver.cut(&[]), receiver.cut(&[]));
        let _ = (driver.add(&one), driver.add(&two));
        let before = driver.image();
        let third = receiver.cut(&[]);
        for previous in [None, Some(one.position())] {
            let wrong = Block { previous, ..third.clone() };
            assert_eq!(kind(driver.journal().add(wrong.clone())), Some(Kind::Invalid));
            assert_eq!(kind(driver.journal().pass_over(&wrong)), Some(Kind::Invalid));
        }
        assert_eq!(driver.image(), before);
        assert_eq!(driver.add(&third), Added::Now);
    });
}

#[test]
fn one_end_a_partition_decides_what_a_block_is() {
    // The end of partition 0 is 10, of partition 1 it is 5, and of partition 2 nothing has arrived.
    let know = |driver: &Driver, receiver: &mut Receiver| {
        assert_eq!(driver.add(&receiver.cut(&[range(0, 0, 10), range(1, 0, 5)])), Added::Now);
    };
    let refused = |ends: &[(u32, Option<u64>)]| {
        let ends = ends.iter().map(|&(partition, at)| headwater_checkpoint::journal::End {
            stream: 0,
            partition,
            end: at,
        });
        Added::Refused(Refusal::Ends(ends.collect()))
    };
    let cases: [(&str, &[SourceRange], Added); 12] = [
        ("extends", &[range(0, 10, 11)], Added::Now),
        ("extends two", &[range(0, 10, 11), range(1, 5, 6)], Added::Now),
        ("begins one", &[range(2, 70, 71)], Added::Now),
        ("extends one and begins one", &[range(0, 10, 12), range(2, 70, 71)], Added::Now),
        ("no positions", &[], Added::Now),
        ("below", &[range(0, 0, 10)], Added::Already),
        ("below two", &[range(0, 3, 4), range(1, 4, 5)], Added::Already),
        ("a gap", &[range(0, 11, 12)], refused(&[(0, Some(10))])),
        ("across the end", &[range(0, 9, 11)], refused(&[(0, Some(10))])),
        ("below and beyond", &[range(0, 0, 11)], refused(&[(0, Some(10))])),
        ("one known, one new", &[range(0, 9, 10), range(1, 5, 6)], refused(&[(0, Some(10)), (1, Some(5))])),
        ("one known, one begins", &[range(0, 9, 10), range(2, 0, 6)], refused(&[(0, Some(10)), (2, None)])),
    ];
    for (name, ranges, want) in cases {
        everywhere(|mut driver| {
            let mut receiver = Receiver::new(0, 0);
            know(&driver, &mut receiver);
            let block = receiver.cut(ranges);
            let before = driver.image();
            assert_eq!(driver.add(&block), want, "{name}");
            if let Added::Refused(_) = want {
                assert_eq!(driver.image(), before, "{name}: a refusal logs nothing");
            }
            driver.crash();
            // Told again, the same: what was added is there, what was refused is still refused.
            let again = if want == Added::Now { Added::Already } else { want.clone() };
            assert_eq!(driver.add(&block), again, "{name}");
        });
    }
}

#[test]
fn rule_15_an_end_is_moved_forward_on_purpose_and_never_by_chance() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let _ = driver.add(&receiver.cut(&[range(0, 0, 10)]));
        let journal = |driver: &Driver, lost| driver.journal().move_end(0, lost).unwrap();
        // The source has nothing below 50 any more, so each of its blocks would be refused for ever.
        let beyond = receiver.cut(&[range(0, 50, 60)]);
        assert_eq!(driver.add(&beyond), Added::Refused(Refusal::Ends(vec![end(0, 10)])));
        assert_eq!(journal(&driver, range(0, 9, 50)), Moved::Refused(end(0, 10)));
        assert_eq!(journal(&driver, range(0, 10, 50)), Moved::Now);
        driver.crash();
        assert_eq!(journal(&driver, range(0, 10, 50)), Moved::Already);
        assert_eq!(driver.add(&beyond), Added::Now);
        assert_eq!(kind(driver.journal().move_end(0, range(0, 60, 60))), Some(Kind::Invalid));
        assert_eq!(
            driver.journal().move_end(0, range(1, 0, 5)).unwrap(),
            Moved::Refused(headwater_checkpoint::journal::End { stream: 0, partition: 1, end: None })
        );
        assert_eq!(driver.end(0), Some(60));
    });
}

#[test]
fn rule_16_a_refused_block_is_passed_over_and_its_source_is_never_told_that_it_is_safe() {
    everywhere(|mut driver| {
        let (mut one, mut two) = (Receiver::new(0, 0), Receiver::new(0, 1));
        let _ = driver.add(&one.cut(&[range(0, 0, 10)]));
        // Two partitions, of which one is known and one is new.
        let mixed = two.cut(&[range(0, 5, 10), range(1, 0, 7)]);
        let behind = two.cut(&[range(1, 7, 9)]);
        assert!(matches!(driver.add(&mixed), Added::Refused(Refusal::Ends(_))));
        assert_eq!(driver.pass_over(&behind), PassedOver::Early { settled: None });
        assert_eq!(driver.pass_over(&mixed), PassedOver::Now);
        assert_eq!(driver.pass_over(&mixed), PassedOver::Already);
        driver.crash();
        // It is settled, and not safe.
        assert_eq!(driver.add(&mixed), Added::Refused(Refusal::Ends(vec![end(0, 10), end(1, 0)])));
        // What was cut behind it is not the first of its partition, although nothing of that has arrived.
        assert_eq!(driver.add(&behind), Added::Refused(Refusal::Ends(vec![end(1, 0)])));
        assert_eq!(driver.pass_over(&behind), PassedOver::Now);
        let anew = two.cut(&[range(1, 0, 9)]);
        assert_eq!(driver.add(&anew), Added::Now);
        assert_eq!(driver.add(&mixed), Added::Already, "now all of it has arrived");
    });
}

#[test]
fn rule_17_a_journal_without_an_event_is_an_empty_one() {
    everywhere(|mut driver| {
        driver.crash();
        let snapshot = driver.snapshot();
        assert_eq!((snapshot.position, snapshot.state.events()), (Position::START, 0));
        assert_eq!(driver.image(), super::driver::image(&State::default()));
        driver.restart_from(snapshot.state, snapshot.position).unwrap();
        assert_eq!(driver.allot(1), []);
    });
}

#[test]
fn a_log_begun_anew_by_a_receiver_is_another_log() {
    everywhere(|driver| {
        let mut receiver = Receiver::new(0, 0);
        let _ = driver.add(&receiver.cut(&[range(0, 0, 10)]));
        let mut anew = Receiver::new(0, 0);
        anew.log.identity += 1;
        let block = anew.cut(&[range(0, 10, 20)]);
        assert_eq!(driver.add(&block), Added::Now);
        assert_eq!(driver.view().tracker().logs().count(), 2);
        assert_eq!(driver.allot(1).len(), 2);
    });
}

#[test]
fn a_batch_takes_the_oldest_of_every_log_as_many_as_it_may() {
    everywhere(|driver| {
        let (mut one, mut two, mut other) = (Receiver::new(0, 0), Receiver::new(0, 1), Receiver::new(3, 0));
        let blocks: Vec<_> = (0..3).map(|_| [one.cut(&[]), two.cut(&[]), other.cut(&[])]).collect();
        blocks.iter().flatten().for_each(|block| assert_eq!(driver.add(block), Added::Now));
        let take = |batch, streams: Option<Vec<u32>>, blocks_max| {
            let wanted = Wanted { streams, blocks_max, ..Wanted::all(BatchId(batch)) };
            driver
                .allotment(wanted)
                .blocks()
                .map(|block| (block.stream, block.receiver, block.id))
                .collect::<Vec<_>>()
        };
        assert_eq!(take(1, Some(vec![0]), 2), [(0, 0, 1), (0, 0, 2), (0, 1, 1), (0, 1, 2)]);
        assert_eq!(take(2, None, 1), [(0, 0, 3), (0, 1, 3), (3, 0, 1)]);
        assert_eq!(take(3, Some(Vec::new()), 9), []);
        assert_eq!(take(4, None, 9), [(3, 0, 2), (3, 0, 3)]);
        assert_eq!(take(1, None, 9).len(), 4, "a batch has what it has");
    });
}

#[test]
fn missed_batches_are_all_of_them_or_one_that_stands_for_all() {
    let due = |how: Missed, last, now| {
        how.due(BatchId(last), BatchId(now), 10).map(|one| (one.since.0, one.batch.0)).collect::<Vec<_>>()
    };
    assert_eq!(due(Missed::Each, 100, 135), [(110, 110), (120, 120), (130, 130)]);
    assert_eq!(due(Missed::AsOne, 100, 135), [(110, 130)]);
    for how in [Missed::Each, Missed::AsOne] {
        assert_eq!(due(how, 100, 109), []);
        assert_eq!(due(how, 100, 40), []);
        assert_eq!(due(how, 100, 110), [(110, 110)]);
    }
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let block = receiver.cut(&[]);
        let _ = (driver.allot(100), driver.add(&block));
        driver.crash();
        let newest = driver.view().ledger().newest().unwrap();
        for wanted in Missed::AsOne.due(newest, BatchId(135), 10) {
            assert_eq!(driver.allotment(wanted).block_count(), 1);
        }
        let state = driver.view();
        assert_eq!(state.tracker().allotment(BatchId(130)).unwrap().since(), BatchId(110));
        assert_eq!(state.ledger().standing(BatchId(120)), Standing::Passed);
        let passed = driver.journal().allot(Wanted::all(BatchId(120))).unwrap();
        assert!(matches!(passed, Allotted::Over(Standing::Passed)), "{passed:?}");
    });
}

#[test]
fn a_batch_ends_once_and_in_one_way() {
    everywhere(|driver| {
        let give_up = |batch| driver.journal().give_up(BatchId(batch), "it cannot be").unwrap();
        assert_eq!(driver.finish(1), Ended::Refused(Standing::New));
        let _ = (driver.allot(1), driver.allot(2));
        assert_eq!(driver.finish(1), Ended::Now);
        assert_eq!((driver.finish(1), give_up(1)), (Ended::Already, Ended::Refused(Standing::Finished)));
        assert_eq!(give_up(2), Ended::Now);
        assert_eq!((give_up(2), driver.finish(2)), (Ended::Already, Ended::Refused(Standing::GivenUp)));
        for batch in [1, 2] {
            let over = driver.journal().allot(Wanted::all(BatchId(batch))).unwrap();
            assert!(matches!(over, Allotted::Over(_)), "{over:?}");
        }
    });
}

#[test]
fn only_what_ended_below_the_floor_is_forgotten() {
    everywhere(|mut driver| {
        for batch in 1..=4 {
            let _ = (driver.allot(batch), driver.commit(batch, 0, batch));
        }
        let _ = (driver.finish(1), driver.finish(3));
        let floor = driver.snapshot().state.events();
        let _ = driver.finish(4);
        // 2 has not ended; the oldest kept checkpoint does not know that 4 has.
        assert_eq!(driver.journal().forget(BatchId(5), floor).unwrap(), 2);
        driver.crash();
        let state = driver.view();
        let standing = |batch| state.ledger().standing(BatchId(batch));
        assert_eq!(
            [1, 2, 3, 4, 5].map(standing),
            [Standing::Forgotten, Standing::Pending, Standing::Forgotten, Standing::Finished, Standing::New]
        );
        assert_eq!(state.ledger().recorded(output(4, 0)), Some(4));
        assert_eq!(state.ledger().recorded(output(1, 0)), None);
        assert_eq!(driver.journal().forget(BatchId(4), u64::MAX).unwrap(), 0);
        assert_eq!(driver.journal().forget(BatchId(5), u64::MAX).unwrap(), 1);
    });
}

#[test]
fn blocks_that_are_not_done_with_take_so_much_room_and_no_more() {
    let log = Log::open(std::sync::Arc::new(Memory::growing()), small()).unwrap();
    let log = log.start(Position::START).unwrap();
    let options = Options::default().pending_bytes_max(500);
    let journal = Journal::start_with(log, State::default(), Position::START, options).unwrap();
    let mut receiver = Receiver::new(0, 0);
    let mut added = 0;
    let refused = loop {
        let block = receiver.cut(&[range(0, added, added + 1)]);
        match journal.add(block.clone()).unwrap() {
            Added::Now => added += 1,
            Added::Refused(Refusal::Room { pending_bytes }) => {
                assert!(pending_bytes <= 500);
                break block;
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(added, 500 / 95);
    let _ = journal.allot(Wanted::all(BatchId(1))).unwrap();
    assert!(matches!(journal.add(refused.clone()).unwrap(), Added::Refused(_)), "they are still pending");
    let _ = journal.finish(BatchId(1)).unwrap();
    assert_eq!(journal.add(refused).unwrap(), Added::Now);
}

#[test]
fn what_no_journal_could_hold_is_refused_before_anything_is_logged() {
    everywhere(|driver| {
        let journal = driver.journal();
        let mut receiver = Receiver::new(0, 0);
        let block = receiver.cut(&[range(0, 0, 1)]);
        let before = driver.image();
        let add = |change: &dyn Fn(&mut Block)| {
            let mut block = block.clone();
            change(&mut block);
            kind(journal.add(block))
        };
        for answer in [
            add(&|block| block.own = vec![0; 4097].into()),
            add(&|block| block.ranges = (0..1025).map(|partition| range(partition, 0, 1)).collect()),
            add(&|block| block.ranges = vec![range(1, 0, 1), range(0, 0, 1)]),
            add(&|block| block.ranges = vec![range(1, 1, 1)]),
            add(&|block| block.previous = Some(block.position())),
            add(&|block| (block.stream, block.receiver) = (u32::MAX, u32::MAX)),
            kind(journal.give_up(BatchId(1), vec![0; 4097])),
            kind(journal.allot(Wanted::all(BatchId(1)).since(BatchId(2)))),
            kind(journal.allot(Wanted::direct(BatchId(1), vec![direct(1, 0, 5, 5)]))),
            kind(journal.allot(Wanted::direct(BatchId(1), vec![direct(1, 0, 5, 6), direct(1, 0, 6, 7)]))),
            kind(journal.retire(None, Position(u64::MAX))),
        ] {
            assert_eq!(answer, Some(Kind::Invalid));
        }
        assert_eq!(driver.image(), before);
        assert_eq!(driver.add(&block), Added::Now);
    });
}

#[test]
fn a_journal_that_contradicts_itself_is_damaged_and_says_where() {
    let mut receiver = Receiver::new(0, 0);
    let (one, two) = (receiver.cut(&[range(0, 0, 5)]), receiver.cut(&[range(0, 5, 9)]));
    let batch = BatchId(1);
    let run = |first: &Block, last: &Block, blocks| Run {
        log: receiver.log,
        first: first.position(),
        last: last.position(),
        blocks,
    };
    let allotted = |batch, runs| Event::Allotted { batch, since: batch, runs, direct: Vec::new() };
    let committed = |attempt| Event::Committed { output: OutputId { batch, partition: 0 }, attempt };
    let (finished, empty) = (Event::Finished { batch }, allotted(batch, Vec::new()));
    let gap = Block { ranges: vec![range(0, 6, 9)], ..two.clone() };
    let added = |block: &Block| Event::Added(block.clone());
    let passed = |block: &Block, begins| Event::PassedOver {
        log: receiver.log,
        position: block.position(),
        previous: block.previous,
        begins,
    };
    let cases: Vec<(&str, Vec<Event>)> = vec![
        ("a block twice", vec![added(&one), added(&one)]),
        ("a block before the one before it", vec![added(&two)]),
        ("records that do not follow", vec![added(&one), added(&gap)]),
        ("a block passed over out of turn", vec![added(&one), passed(&one, Vec::new())]),
        ("a begin of what has begun", vec![added(&one), passed(&two, vec![(0, 5)])]),
        (
            "an end moved from elsewhere",
            vec![added(&one), Event::EndMoved { stream: 0, lost: range(0, 4, 8) }],
        ),
        ("a batch with a block that never came", vec![allotted(batch, vec![run(&one, &one, 1)])]),
        ("a batch with more than there is", vec![added(&one), allotted(batch, vec![run(&one, &two, 2)])]),
        ("a batch with others", vec![added(&one), added(&two), allotted(batch, vec![run(&two, &two, 1)])]),
        ("a batch twice", vec![empty.clone(), empty.clone()]),
        ("an earlier batch later", vec![allotted(BatchId(2), Vec::new()), empty.clone()]),
        ("an output of no batch", vec![committed(1)]),
        ("an output twice", vec![empty.clone(), committed(1), committed(2)]),
        ("an end of no batch", vec![finished.clone()]),
        ("an end twice", vec![empty, finished.clone(), finished]),
        (
            "a retirement of what is needed",
            vec![added(&one), Event::RetireIntended { log: Some(receiver.log), below: Position(513) }],
        ),
    ];
    for (name, events) in cases {
        everywhere(|mut driver| {
            let mut last = None;
            for (number, event) in (0..).zip(&events) {
                let log = driver.journal().log();
                last = Some(
                    log.append_kind(RECORD_KIND, Time(0), event.encode(number)).unwrap().wait().unwrap(),
                );
            }
            let handle = last.unwrap();
            let error = driver.restart_from(State::default(), Position::START).unwrap_err();
            assert_eq!(error.kind(), Kind::Damaged, "{name}");
            let site = error.site().expect("a place");
            assert_eq!(site.name, headwater_wal::format::name::segment(handle.base()), "{name}");
            assert_eq!(site.offset, handle.position().since(handle.base()), "{name}: {error}");
        });
    }
}

#[test]
fn an_event_that_is_missing_or_foreign_or_of_a_newer_release_stops_the_start() {
    let event = |number| Event::Forgotten { before: BatchId(0), floor: 0 }.encode(number);
    let mut newer = event(1);
    newer[0] = 2;
    for (name, record_kind, payload, want) in [
        ("missing", RECORD_KIND, event(2), Kind::Damaged),
        ("twice", RECORD_KIND, event(0), Kind::Damaged),
        ("foreign", 0, event(1), Kind::Damaged),
        ("no event", RECORD_KIND, b"\x01hello".to_vec(), Kind::Damaged),
        ("newer", RECORD_KIND, newer, Kind::Unsupported),
    ] {
        everywhere(|mut driver| {
            let log = driver.journal().log();
            log.append_kind(RECORD_KIND, Time(0), event(0)).unwrap().wait().unwrap();
            log.append_kind(record_kind, Time(0), payload.clone()).unwrap().wait().unwrap();
            let error = driver.restart_from(State::default(), Position::START).unwrap_err();
            assert_eq!(error.kind(), want, "{name}: {error}");
            assert!(error.site().is_some(), "{name}");
        });
    }
}

#[test]
fn a_state_and_a_position_that_do_not_belong_together_are_found() {
    everywhere(|mut driver| {
        let mut receiver = Receiver::new(0, 0);
        let _ = driver.add(&receiver.cut(&[]));
        let early = driver.snapshot();
        let _ = driver.add(&receiver.cut(&[]));
        let late = driver.snapshot();
        let _ = driver.add(&receiver.cut(&[]));
        for (state, position) in [(&early.state, late.position), (&late.state, early.position)] {
            let error = driver.restart_from(state.clone(), position).unwrap_err();
            assert_eq!(error.kind(), Kind::Damaged, "{error}");
        }
    });
}

#[test]
fn what_waits_for_a_batch_is_needed() {
    everywhere(|driver| {
        let mut receiver = Receiver::new(0, 0);
        let (one, two) = (receiver.cut(&[]), receiver.cut(&[]));
        let _ = (driver.add(&one), driver.add(&two));
        let retire = |below| driver.journal().retire(Some(receiver.log), below).unwrap();
        assert_eq!(retire(one.position().plus(1)), Retiring::Needed { from: one.position() });
        let wanted = Wanted { blocks_max: 1, ..Wanted::all(BatchId(1)) };
        driver.allotment(wanted);
        let _ = driver.finish(1);
        assert_eq!(retire(two.position()), Retiring::Intended);
        assert_eq!(retire(two.position().plus(1)), Retiring::Needed { from: two.position() });
        assert_eq!(driver.view().tracker().need().from(receiver.log), two.position());
    });
}

#[test]
fn a_retirement_is_never_intended_of_what_is_unknown() {
    everywhere(|driver| {
        let unknown = Receiver::new(0, 9).log;
        let from = Position::START;
        assert_eq!(driver.journal().retire(Some(unknown), Position(1)).unwrap(), Retiring::Needed { from });
        assert_eq!(driver.journal().retire(Some(unknown), Position(0)).unwrap(), Retiring::Intended);
    });
}
