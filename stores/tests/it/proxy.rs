//! The proxy does what it says, and nothing else.

use std::thread;
use std::time::{Duration, Instant};

use headwater_stores::plain;
use headwater_stores::proxy::{Fault, Faults, Proxy};

use super::client::Client;

fn proxy() -> Proxy {
    Proxy::start(plain::start().expect("a server")).expect("a proxy")
}

fn connect(proxy: &Proxy) -> Client {
    Client::connect(proxy.address()).expect("a connection")
}

#[test]
fn what_is_asked_for_passes_through_as_it_is() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    assert_eq!(client.put("/b/large", &large).unwrap(), 200);
    assert_eq!(client.put("/b/large", b"other").unwrap(), 412, "one connection serves many requests");
    assert!(client.get("/b/large").unwrap() == (200, large), "the same bytes come back");
    assert_eq!(client.ask("HEAD", "/b/large", b"").unwrap(), (200, Vec::new()));
    assert_eq!(client.get("/b/none").unwrap().0, 404);
    let tally = proxy.tally();
    assert_eq!((tally.requests, tally.puts, tally.faults, tally.at_once), (5, 2, 0, 1));
}

#[test]
fn bodies_come_in_chunks_and_after_they_were_asked_for() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    client
        .send("PUT", "/b/chunks", "Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        .unwrap();
    assert_eq!(client.answer("PUT").unwrap().0, 200);
    assert_eq!(client.get("/b/chunks").unwrap(), (200, b"abcde".to_vec()));
    client.send("PUT", "/b/asked", "Content-Length: 2\r\nExpect: 100-continue\r\n", b"").unwrap();
    assert_eq!(client.answer("PUT").unwrap().0, 100, "the body is asked for");
    client.send_only(b"hi");
    assert_eq!(client.answer("PUT").unwrap().0, 200);
    assert_eq!(client.get("/b/asked").unwrap(), (200, b"hi".to_vec()));
}

#[test]
fn a_delay_is_added_to_each_request_and_limits_how_many_are_under_way_by_nothing() {
    let proxy = proxy();
    proxy.delay(Duration::from_millis(100));
    let began = Instant::now();
    thread::scope(|scope| {
        for number in 0..32 {
            let proxy = &proxy;
            scope.spawn(move || {
                let mut client = connect(proxy);
                (0..2).for_each(|part| {
                    assert_eq!(client.put(&format!("/b/{number}-{part}"), b"x").unwrap(), 200)
                });
            });
        }
    });
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(200), "each waited: {took:?}");
    assert!(took < Duration::from_millis(1600), "they waited at once: {took:?}");
    assert_eq!(proxy.tally().at_once, 32);
}

#[test]
fn an_answer_is_cut_off_after_the_server_has_stored_or_before_it_has_heard() {
    let proxy = proxy();
    let mut direct = connect(&proxy);
    proxy.do_to_requests(Faults::every_put(2, Fault::CutAfter));
    assert_eq!(direct.put("/b/1", b"one").unwrap(), 200);
    connect(&proxy).put("/b/2", b"two").expect_err("the second put is cut");
    assert_eq!(direct.get("/b/2").unwrap(), (200, b"two".to_vec()), "and stored");
    proxy.do_to_requests(Faults::every_put(1, Fault::CutBefore));
    connect(&proxy).put("/b/3", b"three").expect_err("it is cut");
    assert_eq!(direct.get("/b/3").unwrap().0, 404, "and not stored");
    assert_eq!(proxy.tally().faults, 2);
}

#[test]
fn what_the_proxy_answers_itself_the_server_has_heard_of_only_if_it_says_so() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    for (fault, status, stored) in [
        (Fault::SLOW_DOWN, 503, false),
        (Fault::TOO_MANY, 429, false),
        (Fault::CONFLICT, 409, false),
        (Fault::INTERNAL, 500, true),
    ] {
        proxy.do_to_requests(Faults::all(fault));
        let (got, body) = client.ask("PUT", &format!("/b/{status}"), b"x").unwrap();
        assert!(got == status && !body.is_empty(), "it answers with a body: {got}");
        proxy.mend();
        assert_eq!(client.get(&format!("/b/{status}")).unwrap().0 == 200, stored, "status={status}");
    }
}

#[test]
fn what_hangs_is_freed_when_the_proxy_is_mended() {
    let proxy = proxy();
    proxy.do_to_requests(Faults::by(|request| request.is_put().then_some(Fault::HangAfter)));
    let mut hanging = connect(&proxy);
    hanging.send("PUT", "/b/1", "Content-Length: 1\r\n", b"x").unwrap();
    let mut other = connect(&proxy);
    while other.get("/b/1").unwrap().0 != 200 {
        thread::sleep(Duration::from_millis(1));
    }
    let waits = thread::spawn(move || hanging.answer("PUT"));
    thread::sleep(Duration::from_millis(50));
    assert!(!waits.is_finished(), "no answer comes");
    proxy.mend();
    waits.join().unwrap().expect_err("it is cut");
}

#[test]
fn a_store_that_is_away_refuses_connections_and_comes_back_at_the_same_place() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    assert_eq!(client.put("/b/1", b"x").unwrap(), 200);
    proxy.go_away();
    client.get("/b/1").expect_err("what was connected is cut");
    assert!(Client::connect(proxy.address()).is_err(), "nobody listens");
    proxy.come_back().expect("the port is free");
    assert_eq!(connect(&proxy).get("/b/1").unwrap().0, 200);
}

#[test]
fn a_seed_chooses_the_same_faults_again() {
    let run = |seed| {
        let proxy = proxy();
        proxy.do_to_requests(Faults::seeded(seed, 3, vec![Fault::SLOW_DOWN, Fault::CONFLICT]));
        let mut client = connect(&proxy);
        (0..40).map(|number| client.put(&format!("/b/{number}"), b"x").unwrap()).collect::<Vec<_>>()
    };
    let first = run(7);
    assert_eq!(first, run(7));
    assert!([200, 409, 503].iter().all(|status| first.contains(status)) && first != run(8));
}
