//! Through a proxy that does to puts what networks do: thousands of appends, every acknowledged one is found, none twice.

use std::thread;

use headwater_stores::proxy::{Fault, Faults};
use headwater_stores::servers::Bucket;
use headwater_wal::{Handle, Kind};

use super::place::{Place, on_servers};

on_servers! {
    an_answer_that_is_cut_off_costs_nothing_and_doubles_nothing
    whatever_happens_to_puts_every_acknowledged_record_is_found_and_none_twice
    what_cannot_be_read_fails_the_start_and_is_never_called_torn
}

const THREADS: u64 = 8;

/// Threads that append and wait; what they were told.
fn append(place: &Place, each: u64) -> Vec<(String, Handle)> {
    let log = place.start();
    let told = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let log = &log;
                scope.spawn(move || {
                    let tickets = (0..each).map(|number| {
                        let record = format!("{thread}-{number}-{}", "x".repeat(200));
                        (record.clone(), place.append(log, record))
                    });
                    let tickets: Vec<_> = tickets.collect();
                    let wait = |(record, ticket): (String, headwater_wal::Ticket)| {
                        (record, ticket.wait().expect("it is acknowledged"))
                    };
                    tickets.into_iter().map(wait).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    std::mem::forget(log); // killed
    told
}

fn an_answer_that_is_cut_off_costs_nothing_and_doubles_nothing(bucket: &Bucket) {
    let place = Place::new(bucket, "cut").asking(&[("pause", "5ms")]).with_options("group_bytes_max=2KiB");
    let Some((mut place, proxy)) = place.behind_a_proxy() else { return };
    proxy.do_to_requests(Faults::every_put(7, Fault::CutAfter));
    place.acked = append(&place, 250).into_iter().collect();
    let tally = proxy.tally();
    assert!(tally.puts > 200 && tally.faults > 25, "many were cut: {tally:?}");
    assert!(tally.at_once > 2, "several puts were under way: {tally:?}");
    proxy.mend();
    assert_eq!(place.agrees(&place.start()), 250 * THREADS as usize);
}

fn whatever_happens_to_puts_every_acknowledged_record_is_found_and_none_twice(bucket: &Bucket) {
    let seed = std::env::var("HEADWATER_SEED").map_or(20_261_121, |seed| seed.parse().expect("a number"));
    println!("HEADWATER_SEED={seed}");
    let place = Place::new(bucket, "faults").asking(&[("pause", "5ms"), ("attempt", "2s")]);
    let Some((mut place, proxy)) = place.with_options("group_bytes_max=2KiB").behind_a_proxy() else {
        return;
    };
    let faults = [
        Fault::CutAfter,
        Fault::CutBefore,
        Fault::INTERNAL,
        Fault::SLOW_DOWN,
        Fault::TOO_MANY,
        Fault::CONFLICT,
        Fault::Answer(502, "<html>bad gateway</html>"),
    ];
    proxy.do_to_requests(Faults::seeded(seed, 5, faults.to_vec()));
    place.acked = append(&place, 250).into_iter().collect();
    let tally = proxy.tally();
    assert!(tally.faults > 40, "much has happened: {tally:?}");
    proxy.mend();
    assert_eq!(place.agrees(&place.start()), 250 * THREADS as usize, "seed={seed}");
}

fn what_cannot_be_read_fails_the_start_and_is_never_called_torn(bucket: &Bucket) {
    let place = Place::new(bucket, "unread").begun().asking(&[("deadline", "300ms"), ("pause", "5ms")]);
    let Some((mut place, proxy)) = place.behind_a_proxy() else { return };
    let log = place.start();
    place.write(&log, 0..40);
    drop(log);
    for fault in
        [Fault::SLOW_DOWN, Fault::Answer(500, "<Error><Code>InternalError</Code></Error>"), Fault::CutBefore]
    {
        let is_read = |target: &str| target.contains(".wal");
        let shown = fault.clone();
        proxy.do_to_requests(Faults::by(move |request| {
            (request.method == "GET" && is_read(&request.target)).then(|| shown.clone())
        }));
        let error = place.try_start().expect_err("it cannot be read");
        assert_eq!(error.kind(), Kind::Unavailable, "{fault:?} {error:?}");
        proxy.mend();
    }
    assert_eq!(place.agrees(&place.start()), 40, "and nothing was cut");
}
