//! A summary is trusted as far as the segments bear it out, and whoever finds none that is, reads them.

use headwater_wal::format::summary::Summary;
use headwater_wal::format::{Identity, Position};
use headwater_wal::{Kind, Log, Unsettled};

use super::{Bucket, file, numbers, write};

/// A log of thirty records, which has ended.
fn thirty() -> (Bucket, Vec<headwater_wal::Handle>) {
    let bucket = Bucket::new();
    let log = bucket.start();
    let handles = write(&log, 0..30);
    log.crash();
    assert!(bucket.summaries().len() >= 7, "{:?}", bucket.summaries());
    (bucket, handles)
}

#[test]
fn a_look_holds_what_lies_behind_the_newest_summary_but_one_and_finds_the_rest() {
    let (bucket, handles) = thirty();
    let survey = bucket.found();
    let (ends, chain) = (bucket.summaries(), survey.chain());
    assert_eq!(chain.older(), Some(ends[ends.len() - 2]));
    assert!(chain.segments().len() <= 8, "{survey}");
    assert!(survey.to_string().contains("what summaries list"), "{survey}");
    let everything = bucket.look_at_everything();
    assert_eq!(everything.chain().segments(), bucket.look().chain().segments());
    assert_eq!(everything.chain().segments(), chain.whole(&bucket.sim.store()).unwrap().segments());
    assert_eq!(everything.misleading(), [""; 0]);

    let opened = bucket.open().unwrap();
    assert_eq!(bucket.texts(), numbers(0..30));
    for (number, handle) in handles.iter().enumerate() {
        let from: Vec<_> =
            opened.replay(handle.position()).unwrap().map(|record| record.unwrap().payload).collect();
        assert_eq!(from, numbers(number..30));
        assert_eq!(bucket.reader().follow(handle.position()).next().unwrap().unwrap().handle, *handle);
    }
    let log = bucket.start();
    for handle in &handles {
        assert_eq!(log.read(handle).unwrap().handle, *handle);
    }
}

#[test]
fn a_summary_that_does_not_verify_is_passed_over() {
    let (bucket, _) = thirty();
    let ends = bucket.summaries();
    for hurt in 1..=ends.len() {
        let bucket = bucket.fork(hurt as u64);
        for &end in &ends[ends.len() - hurt..] {
            bucket.sim.flip(&file(end), 100, 3);
        }
        let chain = bucket.found().chain().clone();
        let rests_on = ends.len().checked_sub(hurt + 2).map(|at| ends[at]);
        assert_eq!(chain.older(), rests_on, "{hurt} are hurt");
        assert_eq!(bucket.texts(), numbers(0..30));
        assert_eq!(bucket.look_at_everything().misleading().len(), hurt);
        // It goes on from the last good one, under other names.
        let log = bucket.start();
        write(&log, 30..60);
        drop(log);
        assert_eq!(bucket.texts(), numbers(0..60));
        assert!(bucket.found().chain().segments().len() <= 8, "{}", bucket.found());
    }
}

#[test]
fn a_summary_in_the_middle_that_does_not_verify_costs_reading_its_segments() {
    let (bucket, handles) = thirty();
    let ends = bucket.summaries();
    for &end in &ends[1..4] {
        bucket.sim.flip(&file(end), 100, 3);
    }
    assert_eq!(bucket.found().chain().older(), Some(ends[ends.len() - 2]));
    assert_eq!(bucket.texts(), numbers(0..30));
    let opened = bucket.open().unwrap();
    for (number, handle) in handles.iter().enumerate() {
        assert_eq!(opened.replay(handle.position()).unwrap().count(), 30 - number);
    }
}

#[test]
fn a_summary_that_the_segments_do_not_bear_out_is_passed_over() {
    let (bucket, _) = thirty();
    let end = *bucket.summaries().last().unwrap();
    type Lie = fn(&mut Summary);
    let lies: [(&str, Lie); 6] = [
        ("of another log", |summary| summary.identity = Identity(*b"another identity")),
        ("of another end", |summary| {
            let last = summary.segments.last_mut().unwrap();
            (last.next, summary.end) = (last.next.plus(8), last.next.plus(8));
        }),
        ("of another epoch", |summary| {
            summary.epoch += 1;
            summary.written_max += 1;
            summary.segments.last_mut().unwrap().epoch += 1;
        }),
        ("of another seal", |summary| {
            let last = summary.segments.last_mut().unwrap();
            last.seal = last.seal.map(|seal| seal ^ 1);
        }),
        ("of another file", |summary| summary.segments.last_mut().unwrap().file_len += 8),
        ("of a segment that is not there", |summary| {
            let last = summary.segments.pop().unwrap();
            let mut later = last.clone();
            (later.base, later.next) = (last.base.plus(8), last.next.plus(8));
            let before = summary.segments.last_mut().unwrap();
            before.next = before.next.plus(8);
            later.end = later.next;
            summary.end = later.next;
            summary.segments.push(later);
        }),
    ];
    for (what, lie) in lies {
        let bucket = bucket.fork(1);
        let mut summary = bucket.summary(end);
        lie(&mut summary);
        bucket.sim.remove_file(&file(end));
        bucket.sim.write_raw(&file(summary.end), &summary.encode());
        let ends = bucket.summaries();
        let survey = bucket.found();
        assert_eq!(survey.chain().older(), Some(ends[ends.len() - 3]), "{what}: {survey}");
        assert_eq!(bucket.texts(), numbers(0..30), "{what}");
        assert_eq!(bucket.look_at_everything().misleading().len(), 1, "{what}");
    }
}

#[test]
fn a_summary_of_a_newer_release_is_passed_over() {
    let (bucket, _) = thirty();
    let end = *bucket.summaries().last().unwrap();
    let mut bytes = bucket.sim.read_raw(&file(end));
    bytes[12] = 2;
    bucket.replace(end, &bytes);
    assert_eq!(bucket.texts(), numbers(0..30));
}

#[test]
fn a_log_without_summaries_gets_them_from_the_next_writer() {
    let (bucket, _) = thirty();
    for end in bucket.summaries() {
        bucket.sim.remove_file(&file(end));
    }
    assert_eq!(bucket.found().chain().older(), None);
    let log = bucket.start();
    write(&log, 30..50);
    assert_eq!(log.chain().segments().first().map(|first| first.base), log.chain().older());
    drop(log);
    assert!(bucket.found().chain().segments().len() <= 8);
    assert_eq!(bucket.texts(), numbers(0..50));
}

#[test]
fn what_a_summary_lists_and_is_gone_is_told_where_it_is_missed() {
    let (bucket, handles) = thirty();
    bucket.sim.remove_file(&crate::rules::name(handles[5].base()));
    let items: Vec<_> = bucket.open().unwrap().replay(Position::START).unwrap().collect();
    let lost: Vec<_> = items.iter().filter_map(|item| item.as_ref().err()).collect();
    assert!(matches!(&lost[..], [lost] if lost.kind() == Kind::Damaged), "{lost:?}");
    assert_eq!(items.len(), 30);
    assert_eq!(bucket.reader().read(&handles[5]).unwrap_err().kind(), Kind::Damaged);
    // Who follows waits a while for what may yet come.
    let mut follow = bucket.reader().follow(Position::START);
    let followed: Vec<_> = (0..100).filter_map(|_| follow.next()).map(|item| item.is_err()).collect();
    assert_eq!(followed.iter().filter(|&&lost| lost).count(), 1);
    assert_eq!(followed.len(), 30);
    assert!(bucket.look_at_everything().damage_count() > 0);
}

#[test]
fn what_no_summary_lists_any_more_and_is_gone_is_told_to_whoever_asks() {
    let (bucket, handles) = thirty();
    let ends = bucket.summaries();
    for &end in &ends[..4] {
        bucket.sim.flip(&file(end), 100, 3);
    }
    bucket.sim.remove_file(&crate::rules::name(handles[5].base()));
    let from = |handle: headwater_wal::Handle| {
        let mut follow = bucket.reader().follow(handle.position());
        let items: Vec<_> = (0..100).filter_map(|_| follow.next()).map(|item| item.is_err()).collect();
        (items.iter().position(|&lost| lost), items.iter().filter(|&&lost| lost).count(), items.len())
    };
    assert_eq!(from(handles[3]), (Some(2), 1, 27));
    assert_eq!(from(handles[5]), (Some(0), 1, 25));
    assert_eq!(from(handles[6]), (None, 0, 24));
    // Whether a record was there is not answered from what is damaged.
    let log: Log = bucket.open().unwrap().start_stepped(Position::START).unwrap();
    for (number, handle) in handles.iter().enumerate() {
        let unsettled = Unsettled::from_bytes(&handle.to_bytes()).unwrap();
        let settled = log.settle(&unsettled).map_err(|error| error.kind());
        assert_eq!(settled, if number == 5 { Err(Kind::Damaged) } else { Ok(*handle) });
    }
}

#[test]
fn a_log_is_read_by_handle_with_one_request_however_old_the_record_is() {
    let (bucket, handles) = thirty();
    let log: Log = bucket.open().unwrap().start_stepped(Position::START).unwrap();
    for handle in &handles {
        let before = bucket.sim.operations();
        log.read(handle).unwrap();
        assert_eq!(bucket.sim.operations() - before, 1);
    }
}
