//! What will not pass is refused at once, in words that help, and without a secret.

use std::time::{Duration, Instant};

use headwater_stores::open;
use headwater_stores::proxy::{Fault, Faults};
use headwater_stores::servers::{Bucket, Server};
use headwater_wal::{Error, Kind, Log, Options, Position};

use super::place::{Place, on_servers};

on_servers! {
    a_bucket_that_does_not_exist_is_named
    a_server_that_refuses_is_believed_at_once
}

/// Looking or starting, whichever fails first; in what time.
fn refusal(url: &str) -> (Error, Duration) {
    let began = Instant::now();
    let refused = open(url)
        .and_then(|store| Log::open(store, Options::default()))
        .and_then(|opened| opened.start(Position::START).map(drop));
    (refused.expect_err("it is refused"), began.elapsed())
}

fn says(url: &str, words: &[&str], secrets: &[&str]) {
    let (error, took) = refusal(url);
    let said = format!("{error} {error:?}");
    println!("{error:?}");
    assert!(took < Duration::from_secs(5), "at once: {took:?} {said}");
    assert!(words.iter().any(|word| said.contains(word)), "it says what to do, one of {words:?}: {said}");
    for secret in secrets {
        assert!(!said.contains(secret), "no secret shows: {said}");
        if let Ok(store) = open(url) {
            assert!(!format!("{store:?}{}", store.place()).contains(secret), "nor when it is shown");
        }
    }
    assert!(
        !matches!(error.kind(), Kind::Damaged | Kind::NotThere),
        "it is not taken for an empty log: {said}"
    );
}

#[test]
fn a_wrong_key_of_azure_is_refused_and_never_shown() {
    let Some(bucket) = Server::Azure.bucket() else { return };
    let wrong = "d3JvbmdrZXl3cm9uZ2tleXdyb25na2V5d3JvbmdrZXk=";
    let bucket = bucket.with("azure_storage_account_key", wrong);
    says(&bucket.folder("wrong-key"), &["check the access key", "may not do this"], &[wrong, "d3Jvbmd"]);
}

#[test]
fn a_wrong_key_of_s3_is_refused_and_never_shown() {
    // ministack checks no signature; s3s-fs does.
    let Some(bucket) = Server::Racy.bucket() else { return };
    let bucket = bucket.with("aws_secret_access_key", "thewrongsecret");
    says(&bucket.folder("wrong-key"), &["check the access key"], &["thewrongsecret"]);
    let bucket = bucket.with("aws_access_key_id", "NOBODYKNOWSME");
    says(&bucket.folder("wrong-key"), &["check the access key", "may not do this"], &["thewrongsecret"]);
}

fn a_bucket_that_does_not_exist_is_named(bucket: &Bucket) {
    let url = bucket.folder("nothing").replacen("://headwater", "://headwater-is-not-here", 1);
    if url.contains("headwater-is-not-here") {
        says(&url, &["there is no such bucket"], &[]);
    }
}

fn a_server_that_refuses_is_believed_at_once(bucket: &Bucket) {
    let Some((place, proxy)) = Place::new(bucket, "refusing").behind_a_proxy() else { return };
    for (fault, word) in [
        (
            Fault::Answer(
                403,
                "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>",
            ),
            "may not do this",
        ),
        (
            Fault::Answer(
                301,
                "<?xml version=\"1.0\"?><Error><Code>PermanentRedirect</Code><Message>elsewhere</Message>\
                 <Endpoint>s3.eu-west-1.amazonaws.com</Endpoint></Error>",
            ),
            "another region",
        ),
        (
            Fault::Answer(
                400,
                "<?xml version=\"1.0\"?><Error><Code>AuthorizationHeaderMalformed</Code><Message>the region \
                 'us-east-1' is wrong; expecting 'eu-west-1'</Message></Error>",
            ),
            "another region",
        ),
    ] {
        proxy.do_to_requests(Faults::all(fault));
        says(
            &place.url(),
            &[word],
            &["S3RVER", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq"],
        );
        assert!(proxy.tally().requests < 12, "it is not asked again and again: {:?}", proxy.tally());
    }
}

#[test]
fn an_option_that_is_not_known_is_refused_with_the_one_that_was_meant() {
    let Some(bucket) = Server::S3.bucket() else { return };
    let error = open(&bucket.with("deadlin", "1s").folder("options")).expect_err("it is not known");
    assert!(error.kind() == Kind::Invalid && error.to_string().contains("did you mean deadline"), "{error}");
}
