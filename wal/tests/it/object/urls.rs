//! Stores by URL, against a server that answers as it is told.

use std::fmt::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_wal::Kind::{self, Exists, Invalid, NotThere, Unavailable, Unknown};
use headwater_wal::store::{Name, Store, open};
use headwater_wal::{Error, Options};

use super::server::{Reply, Server, status};

/// What no text may show.
const SECRETS: [&str; 3] = ["hunter2-hunter2", "deep-token", "AKIA-known"];

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A store at a server's address, which gives up soon.
fn at(address: &str, more: &str) -> Arc<dyn Store> {
    open(&format!(
        "s3://box/some/prefix?endpoint=http://{address}&allow_http=true&region=here&access_key_id=AKIA-known\
         &secret_access_key=hunter2-hunter2&session_token=deep-token&attempt=200ms&deadline=400ms&pause=1ms\
         &pause_max=5ms{more}"
    ))
    .unwrap()
}

fn store(server: &Server) -> Arc<dyn Store> {
    at(&server.address.to_string(), "")
}

fn put(store: &dyn Store) -> Option<Error> {
    store.put(&name("a"), Bytes::from_static(b"bytes")).err()
}

/// Everything that an error shows, also of its causes.
fn all_of(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        write!(text, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    text
}

fn shows_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn every_answer_to_a_put_means_what_the_table_says() {
    let fine = || Reply::Status(200, String::new());
    let rows = [
        (vec![fine()], None),
        (vec![status(503, "SlowDown"), status(429, ""), status(500, "InternalError"), fine()], None),
        (vec![status(409, "ConditionalRequestConflict"), fine()], None),
        (vec![Reply::Close, fine()], None),
        (vec![status(412, "PreconditionFailed")], Some(Exists)),
        (vec![status(409, "BlobAlreadyExists")], Some(Exists)),
        (vec![Reply::Close, status(412, "PreconditionFailed")], Some(Exists)),
        (vec![status(403, "SignatureDoesNotMatch")], Some(Invalid)),
        (vec![status(403, "AccessDenied")], Some(Invalid)),
        (vec![status(401, "")], Some(Invalid)),
        (vec![status(404, "NoSuchBucket")], Some(Invalid)),
        (vec![status(301, "PermanentRedirect")], Some(Invalid)),
        (vec![status(400, "AuthorizationHeaderMalformed")], Some(Invalid)),
        (vec![status(501, "NotImplemented")], Some(Invalid)),
        (vec![Reply::Close, status(403, "AccessDenied")], Some(Unknown)),
        (vec![status(500, "InternalError"), status(403, "AccessDenied")], Some(Unknown)),
        (vec![status(503, "SlowDown")], Some(Unavailable)),
        (vec![status(409, "ConditionalRequestConflict")], Some(Unavailable)),
        (vec![status(500, "InternalError")], Some(Unknown)),
        (vec![Reply::Close], Some(Unknown)),
        (vec![Reply::Nothing], Some(Unknown)),
        (vec![Reply::Status(404, String::new())], Some(Invalid)),
        (vec![Reply::Status(404, "404 page not found".into())], Some(Unknown)),
    ];
    for (replies, kind) in rows {
        let server = Server::replying(&replies);
        let began = Instant::now();
        let error = put(&*store(&server));
        assert_eq!(error.as_ref().map(Error::kind), kind, "{replies:?}: {error:?}");
        assert!(began.elapsed() < Duration::from_secs(3), "{replies:?}");
        error.iter().for_each(|error| shows_no_secret(&all_of(error)));
        let requests = server.requests();
        assert!(requests.iter().all(|request| *request == requests[0]), "the same name and the same bytes");
        assert_eq!((&*requests[0].method, &*requests[0].target), ("PUT", "/box/some/prefix/a"));
    }
}

#[test]
fn every_answer_to_a_read_means_what_the_table_says() {
    for (reply, kind) in [
        (status(404, "NoSuchKey"), Some(NotThere)),
        (status(404, "NoSuchBucket"), Some(Invalid)),
        (Reply::Status(404, "<html>no backend</html>".into()), Some(Unavailable)),
        (status(403, "AccessDenied"), Some(Invalid)),
        (status(503, "SlowDown"), Some(Unavailable)),
        (Reply::Close, Some(Unavailable)),
        (Reply::Nothing, Some(Unavailable)),
        (status(416, "InvalidRange"), None),
    ] {
        let server = Server::replying(std::slice::from_ref(&reply));
        let store = store(&server);
        for read in [store.read(&name("a"), 5..9), store.fetch(&name("a"), 5..9).unwrap().wait()] {
            assert_eq!(read.as_ref().err().map(Error::kind), kind, "{reply:?}: {read:?}");
            read.iter().for_each(|bytes| assert!(bytes.is_empty()));
            read.err().iter().for_each(|error| shows_no_secret(&all_of(error)));
        }
        let listed: Vec<_> = store.list(&Name::ROOT).unwrap().collect();
        if kind.is_some() {
            shows_no_secret(&all_of(listed[0].as_ref().unwrap_err()));
            let removed = store.remove(&name("a"));
            removed.err().iter().for_each(|error| shows_no_secret(&all_of(error)));
        }
    }
}

#[test]
fn a_put_that_was_never_sent_has_certainly_not_happened() {
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = put(&*at(&address.to_string(), "")).unwrap();
    assert_eq!(error.kind(), Unavailable, "{error:?}");
    // The store is there, but whoever gives out credentials does not answer: before that nothing is sent.
    for reply in [Reply::Nothing, Reply::Close, status(500, "")] {
        let (server, credentials) = (Server::replying(&[status(200, "")]), Server::replying(&[reply]));
        let url = format!(
            "s3://box?endpoint=http://{}&allow_http=true&region=here&metadata_endpoint=http://{}&attempt=100ms\
             &deadline=200ms&pause=1ms",
            server.address, credentials.address
        );
        let error = put(&*open(&url).unwrap()).unwrap();
        assert_eq!(error.kind(), Unavailable, "{error:?}");
        assert_eq!(server.requests(), []);
    }
}

#[test]
fn a_url_is_refused_before_anything_is_asked_and_says_what_to_write() {
    for (query, says) in [
        ("regoin=x", "did you mean region?"),
        ("acces_key_id=AKIA-known", "did you mean access_key_id?"),
        ("Secret_Access_Kee=hunter2-hunter2", "did you mean secret_access_key?"),
        ("colour=red", "takes no such option option=\"colour\""),
        ("segment_bytes=1MiB", "the log's own options"),
        ("deadline=soon", "wants a duration"),
        ("unproven=yes", "accept"),
        ("bucket=other", "stands in the URL"),
        ("endpoint=http://127.0.0.1:1", "allow_http=true"),
        ("allow_http=hunter2-hunter2", "cannot be opened"),
        ("account_name=x", "takes no such option"),
    ] {
        let error = open(&format!("s3://box/p?{query}")).unwrap_err();
        assert_eq!(error.kind(), Invalid, "{query}: {error}");
        assert!(error.to_string().contains(says), "{query}: {error}");
        if !query.contains("allow_http=hunter2") {
            shows_no_secret(&all_of(&error));
        }
    }
    assert_eq!(open("s3:///p").unwrap_err().kind(), Invalid);
    assert_eq!(open("s3://box/a//b").unwrap_err().kind(), Invalid);
}

#[test]
fn the_place_and_the_debug_of_a_store_show_no_secret() {
    let store = at("127.0.0.1:1", "");
    assert_eq!(store.place(), "s3://box/some/prefix");
    for text in [store.place(), format!("{store:?}"), format!("{store:#?}"), format!("{:?}", store.others())]
    {
        shows_no_secret(&text);
    }
}

#[test]
fn every_option_of_the_log_is_sent_to_where_it_belongs() {
    // What the log's options do not know, they answer with what is near: so each of them is found by a wrong letter.
    for option in [
        "durability",
        "segment_bytes",
        "segment_age",
        "record_bytes_max",
        "group_bytes_max",
        "queue_bytes_max",
        "in_flight_bytes_max",
        "idle_after",
        "clock_jump_max",
        "compression",
    ] {
        let known = Options::from_text(&format!("{option}x=1")).unwrap_err().to_string();
        assert!(known.contains(&format!("did you mean {option}?")), "{known}");
        let error = open(&format!("s3://box/p?{option}=1")).unwrap_err();
        assert!(error.to_string().contains("the log's own options"), "{error}");
    }
}

#[test]
fn a_listing_follows_the_pages_and_begins_where_it_is_told() {
    let page = |keys: &str, token: &str| {
        let more = if token.is_empty() {
            String::new()
        } else {
            format!("<NextContinuationToken>{token}</NextContinuationToken>")
        };
        let contents: String = keys
            .split_whitespace()
            .map(|key| match key.strip_suffix('/') {
                Some(_) => format!("<CommonPrefixes><Prefix>some/prefix/{key}</Prefix></CommonPrefixes>"),
                None => format!(
                    "<Contents><Key>some/prefix/{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                     <Size>3</Size></Contents>"
                ),
            })
            .collect();
        Reply::Status(200, format!("<ListBucketResult>{contents}{more}</ListBucketResult>"))
    };
    let names = |store: &dyn Store, after: Option<&str>| -> Result<Vec<String>, Kind> {
        let pages = match after {
            None => store.list(&Name::ROOT),
            Some(after) => store.list_after(&Name::ROOT, after),
        };
        let pages = pages.unwrap().collect::<Result<Vec<_>, _>>().map_err(|error| error.kind())?;
        Ok(pages.concat().into_iter().map(|entry| entry.name).collect())
    };
    let server = Server::replying(&[page("a-b a.b a/", "two"), page("b c/", "three"), page("d", "")]);
    assert_eq!(names(&*store(&server), None).unwrap(), ["a", "a-b", "a.b", "b", "c", "d"]);
    let targets: Vec<String> = server.requests().into_iter().map(|request| request.target).collect();
    assert!(
        targets[0].contains("delimiter=%2F") && targets[0].contains("prefix=some%2Fprefix%2F"),
        "{targets:?}"
    );
    assert!(targets[1].contains("continuation-token=two") && targets[2].contains("continuation-token=three"));

    let server = Server::replying(&[page("c", "")]);
    assert_eq!(names(&*store(&server), Some("b")).unwrap(), ["c"]);
    assert!(server.requests()[0].target.contains("start-after=some%2Fprefix%2Fb"), "{:?}", server.requests());

    // A store without order: what came late is noticed, and from then on all is sorted before any of it is shown.
    let server = Server::replying(&[page("b c d", "two"), page("a", ""), page("b c d a", "")]);
    let store = store(&server);
    assert_eq!(names(&*store, None), Err(Unavailable));
    assert_eq!(names(&*store, None).unwrap(), ["a", "b", "c", "d"]);
}
