//! The probe tells servers that keep a name for one writer from those that do not.

use headwater_stores::open;
use headwater_stores::servers::{Bucket, Server};
use headwater_wal::{Kind, Log, Options, Position};

use super::place::on_servers;

on_servers! { it_passes_and_leaves_nothing_behind }

fn it_passes_and_leaves_nothing_behind(bucket: &Bucket) {
    let store = open(&bucket.folder("probe")).expect("the store opens");
    store.prove().expect("it keeps what is said of a store");
    let left = store
        .list(&headwater_wal::store::Name::ROOT)
        .expect("a listing")
        .flat_map(|page| page.expect("a page"));
    assert_eq!(left.count(), 0, "nothing is left behind");
}

/// Each time, since a race that was won by luck must not let a server pass.
fn is_refused_each_time(server: Server, word: &str) {
    // s3rver answers some listings with 500 for ever; nobody is to wait for that.
    let Some(bucket) = server.bucket().map(|bucket| bucket.with("deadline", "2s")) else { return };
    for _ in 0..3 {
        let url = bucket.folder("probe");
        let start = |url: &str| Log::open(open(url)?, Options::default())?.start(Position::START);
        let error = start(&url).expect_err("it loses data");
        println!("{error}");
        assert_eq!(error.kind(), Kind::Unsupported, "{error:?}");
        assert!(error.to_string().contains(word), "it says what is wrong: {error:?}");
    }
    let accepted = bucket.with("unproven", "accept").folder("probe");
    let log = Log::open(open(&accepted).unwrap(), Options::default()).unwrap().start(Position::START);
    log.expect("who accepts it by name may").close().expect("it closes");
}

#[test]
fn a_server_that_ignores_the_condition_is_refused() {
    is_refused_each_time(Server::Ignoring, "a second put was answered as if it were the first");
}

#[test]
fn a_server_that_checks_and_then_stores_is_refused() {
    is_refused_each_time(Server::Racy, "writers were told that theirs won");
}
