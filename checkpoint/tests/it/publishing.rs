//! Putting checkpoints, and being replaced.

use std::io::Write;

use headwater_checkpoint::{Checkpoints, Content, Held, Id, Options, Owner, Writer};
use headwater_wal::store::sim::{Fault, Op, Sim, When};
use headwater_wal::{Kind, Position};

use crate::fixture::*;

#[test]
fn what_was_published_is_read_back_on_every_store() {
    on_every_store(|store| {
        let big = noise(1, 1000);
        let mut writer = start(&store, 4);
        assert!(newest(&store).is_none());
        let mut draft = writer.draft().unwrap();
        draft.write("small", b"tiny").unwrap();
        draft.write("empty", b"").unwrap();
        let mut section = draft.section("big").unwrap();
        for piece in big.chunks(7) {
            section.write_all(piece).unwrap();
        }
        section.finish().unwrap();
        let id = draft.publish(&[("received/b", Position(7)), ("journal", Position(5))]).unwrap();
        assert_eq!(id, Id { epoch: 4, number: 0 });

        let found = newest(&store).unwrap();
        assert_eq!((found.id(), found.identity(), found.content()), (id, IDENTITY, &Content::new("test", 1)));
        assert_eq!(found.positions(), [("journal".into(), Position(5)), ("received/b".into(), Position(7))]);
        for (name, bytes) in [("small", &b"tiny"[..]), ("empty", b""), ("big", &big)] {
            assert_eq!(read(&store, &found, name).unwrap(), bytes, "{name}");
        }
        assert_eq!(parts(&store), 1000_usize.div_ceil(64));
        assert_eq!(read(&store, &found, "other").unwrap_err().kind(), Kind::NotThere);
    });
}

#[test]
fn threads_that_put_parts_give_the_same_checkpoint() {
    on_every_store(|store| {
        let big = noise(2, 10_000);
        let mut writer = try_start(&store, 1, small().uploads(3)).unwrap();
        publish(&mut writer, 1, &[("a", Some(&big)), ("b", Some(&big[1..]))]).unwrap();
        let found = newest(&store).unwrap();
        assert_eq!(read(&store, &found, "a").unwrap(), big);
        assert_eq!(read(&store, &found, "b").unwrap(), &big[1..]);
    });
}

#[test]
fn parts_that_are_read_ahead_come_in_their_order_and_an_error_in_its_place() {
    on_every_store(|store| {
        let bytes = noise(3, 1000);
        publish(&mut start(&store, 1), 1, &[("x", Some(&bytes))]).unwrap();
        let (look, found) = (Checkpoints::open(store.clone()), newest(&store).unwrap());
        for depth in [1, 3, 100] {
            let section = look.read_section(&found, "x").unwrap().read_ahead(depth);
            assert_eq!(section.read_all(1000).unwrap(), bytes, "{depth}");
        }
        let third =
            names(&store).into_iter().filter(|name| name.as_str().starts_with("parts/")).nth(2).unwrap();
        change(&store, &third, |bytes| *bytes.last_mut().unwrap() ^= 1);
        let mut section = look.read_section(&found, "x").unwrap().read_ahead(4);
        assert_eq!(section.next_piece().unwrap().unwrap(), bytes[..64]);
        assert_eq!(section.next_piece().unwrap().unwrap(), bytes[64..128]);
        for _ in 0..2 {
            assert_eq!(section.next_piece().unwrap_err().site().unwrap().name, third.as_str());
        }
    });
}

#[test]
fn a_section_as_long_as_a_part_and_one_byte_more_or_less_comes_back() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        for len in [15, 16, 17, 63, 64, 65, 127, 128, 129] {
            let bytes = noise(len, len as usize);
            publish(&mut writer, 1, &[("x", Some(&bytes))]).unwrap();
            assert_eq!(read(&store, &newest(&store).unwrap(), "x").unwrap(), bytes, "{len}");
        }
    });
}

#[test]
fn a_draft_that_is_not_published_was_never_there_and_the_next_one_sweeps_it() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        let mut draft = writer.draft().unwrap();
        draft.write("big", &noise(1, 300)).unwrap();
        drop(draft);
        assert!(newest(&store).is_none());
        let mut draft = writer.draft().unwrap();
        draft.section("unfinished").unwrap().write_all(&noise(1, 300)).unwrap();
        assert_eq!(draft.publish(&at(1)).unwrap_err().kind(), Kind::Invalid);
        assert!(newest(&store).is_none());
        assert!(parts(&store) > 0);
        publish(&mut writer, 1, &[("small", Some(b"x"))]).unwrap();
        assert_eq!(parts(&store), 0);
        assert!(writer.unswept().is_none());
    });
}

#[test]
fn the_last_so_many_are_kept_and_the_parts_of_others_go() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        for number in 0..6 {
            publish(&mut writer, number, &[("big", Some(&noise(number, 128)))]).unwrap();
        }
        assert_eq!(heads(&store), ["1-3", "1-4", "1-5"]);
        assert_eq!(parts(&store), 6);
        writer.keep_last(2).unwrap();
        assert_eq!(writer.keep_last(1).unwrap_err().kind(), Kind::Invalid);
        publish(&mut writer, 6, &[]).unwrap();
        assert_eq!(heads(&store), ["1-5", "1-6"]);
        assert_eq!(newest(&store).unwrap().kept(), [Id { epoch: 1, number: 5 }]);
        assert_eq!(parts(&store), 2);
    });
}

#[test]
fn a_replaced_writer_is_told_and_reports_no_success() {
    on_objects(|store| {
        let mut old = start(&store, 1);
        publish(&mut old, 1, &[("a", Some(b"old"))]).unwrap();
        let mut new = start(&store, 2);
        // Before the new one has written anything, and for good.
        for _ in 0..2 {
            assert_eq!(publish(&mut old, 2, &[]).unwrap_err().kind(), Kind::Fenced);
        }
        publish(&mut new, 3, &[("a", None)]).unwrap();
        let found = newest(&store).unwrap();
        assert_eq!(read(&store, &found, "a").unwrap(), b"old");
        assert_eq!(heads(&store), ["1-0", "2-0"], "the late head of the replaced one is swept");
        assert_eq!(try_start(&store, 1, small()).unwrap_err().kind(), Kind::Fenced);
    });
}

#[test]
fn two_writers_of_one_epoch_cannot_both_begin() {
    on_objects(|store| {
        let _one = start(&store, 1);
        assert_eq!(try_start(&store, 1, small()).unwrap_err().kind(), Kind::Fenced);
    });
}

#[test]
fn where_files_grow_the_second_writer_is_locked_out() {
    let store: std::sync::Arc<dyn headwater_wal::store::Store> =
        std::sync::Arc::new(headwater_wal::store::Memory::growing());
    let one = start(&store, 1);
    assert_eq!(try_start(&store, 2, small()).unwrap_err().kind(), Kind::Locked);
    drop(one);
    start(&store, 2);
}

#[test]
fn checkpoints_of_another_log_are_refused() {
    on_every_store(|store| {
        publish(&mut start(&store, 1), 1, &[]).unwrap();
        let owner = Owner { identity: IDENTITY + 1, epoch: 2 };
        let opened = Writer::start(Checkpoints::open(store), owner, Options::default(), &Held::nothing());
        assert_eq!(opened.map(drop).unwrap_err().kind(), Kind::Invalid);
    });
}

#[test]
fn a_writer_without_a_log_begins_an_epoch_of_its_own() {
    on_every_store(|store| {
        let mut identity = None;
        for epoch in 1..4 {
            let checkpoints = Checkpoints::open(store.clone());
            let owner = Owner::alone(&checkpoints).unwrap();
            assert_eq!(owner.epoch, epoch);
            assert_eq!(*identity.get_or_insert(owner.identity), owner.identity);
            let (mut writer, _) = Writer::start(checkpoints, owner, small(), &Held::nothing()).unwrap();
            publish(&mut writer, 1, &[]).unwrap();
        }
    });
}

#[test]
fn a_put_with_a_lost_answer_is_settled_or_called_unknown() {
    for (fault, want) in [
        (Fault::ExistsOwn, None),
        (Fault::ExistsNothing, Some(Kind::Unknown)),
        (Fault::AnswerLost, Some(Kind::Unknown)),
        (Fault::RequestLost, Some(Kind::Unknown)),
        (Fault::Full, Some(Kind::Full)),
    ] {
        for nth in 1..=3 {
            let sim = Sim::objects(7);
            let store = sim.store();
            let mut writer = start(&store, 1);
            publish(&mut writer, 0, &[("kept", Some(&noise(1, 100)))]).unwrap();
            // Two parts and the head.
            sim.plan(When::nth(nth).of(Op::Put), fault);
            let answer = publish(&mut writer, 1, &[("new", Some(&noise(2, 100))), ("kept", None)]);
            assert_eq!(answer.as_ref().err().map(|error| error.kind()), want, "{fault:?} {nth}");
            let follows = if answer.is_ok() { 1 } else { 0 };
            assert_eq!(writer.follows().unwrap().id().number, follows, "{fault:?} {nth}");
            let next = publish(&mut writer, 2, &[("kept", None)]).unwrap();
            let found = newest(&store).unwrap();
            assert_eq!((found.id(), found.follows().unwrap().number), (next, follows));
            assert_eq!(read(&store, &found, "kept").unwrap(), noise(1, 100));
        }
    }
}

#[test]
fn wrong_calls_say_what_is_wrong() {
    on_objects(|store| {
        let mut writer = start(&store, 1);
        let mut draft = writer.draft().unwrap();
        draft.write("a", b"").unwrap();
        assert_eq!(draft.write("a", b"").unwrap_err().kind(), Kind::Invalid);
        assert_eq!(draft.keep("b").unwrap_err().kind(), Kind::NotThere);
        assert_eq!(draft.write(&"x".repeat(256), b"").unwrap_err().kind(), Kind::Invalid);
        let twice = [("journal", Position(1)), ("journal", Position(2))];
        assert_eq!(draft.publish(&twice).unwrap_err().kind(), Kind::Invalid);
        for bad in [
            small().keep_last(1),
            small().part_bytes(0),
            small().uploads(65),
            small().bytes_per_second(Some(0)),
        ] {
            assert_eq!(try_start(&store, 9, bad).unwrap_err().kind(), Kind::Invalid);
        }
    });
}
