//! What a failed request means: a table, from what was seen of it to what the caller may conclude.
//!
//! | seen | put | read, remove | list |
//! |---|---|---|---|
//! | 412, 304, 409 | the name is taken | tried again | tried again |
//! | 409 of a conflicting request | tried again, has not landed | tried again | tried again |
//! | 403, 401, 400, other 4xx, redirects | refused | refused | refused |
//! | 403 of a put that would overwrite | the name is taken | | |
//! | 404 of an object | refused | not there | refused |
//! | 404 of a bucket | refused | refused | refused |
//! | 404 without the store's own words | tried again | tried again | tried again |
//! | 416 | refused | begins beyond the end | |
//! | 429, 503 that asks to slow down | tried again, has not landed | tried again | tried again |
//! | 400 of a body that was cut or changed on its way | tried again, has not landed | tried again | tried again |
//! | 501, "not supported" | refused | refused | refused |
//! | 408, other 5xx | tried again, may have landed | tried again | tried again |
//! | no connection | tried again, has not landed | tried again | tried again |
//! | no answer, a lost connection, anything not recognised | tried again, may have landed | tried again | tried again |
//!
//! What was said before the request was sent, by whoever gives out credentials, is about them: a 404 there must not pass
//! for an object that is not there.

use super::seen::{Said, Seen, Transport};

/// Which call it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Put,
    /// Reading, and removing: both end where there is no such object.
    Read,
    List,
}

/// What may be concluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The name is taken.
    Taken,
    /// There is no such object.
    NotThere,
    /// The object ends before the range begins.
    Beyond,
    /// It will not be done, whoever asks again; what to do about it.
    Refused(&'static str),
    /// It may be done another time.
    Passing(Landed),
}

/// Whether a try may have done, or may yet do, what it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landed {
    No,
    Maybe,
}

const NOT_SENT: Verdict = Verdict::Passing(Landed::No);
const IN_DOUBT: Verdict = Verdict::Passing(Landed::Maybe);

const CREDENTIALS: &str = "the store does not know these credentials; check the access key and its secret";
const NO_CREDENTIALS: &str =
    "no credentials can be had; give keys as options or environment variables, or this machine a role";
const EXPIRED: &str = "the credentials have expired; renew them";
const CLOCK: &str = "this machine's clock is too far from the store's; set it";
const PERMISSION: &str =
    "these credentials may not do this; allow reading, listing, putting and deleting under the prefix";
const BUCKET: &str = "there is no such bucket or container; create it, or correct the URL";
const REGION: &str = "the bucket is in another region or behind another endpoint; set `region` or `endpoint`";
const CERTIFICATE: &str =
    "the endpoint's certificate is not trusted; correct the endpoint or install its certificate";
const UNSUPPORTED: &str =
    "the store cannot do this; a log needs put-if-absent, ranged reads, listing and deleting";
const TOO_LARGE: &str = "the store takes no object of that size; set a smaller `segment_bytes`";
const BAD_REQUEST: &str = "the store does not understand the request; check the endpoint and the options";
const NAME: &str = "the store cannot hold this name; give another prefix";
const NOTHING_HERE: &str = "the store finds nothing under this address; check endpoint, account and bucket";

/// Judges one failed try.
pub(super) fn judge(call: Call, seen: &Seen) -> Verdict {
    if seen.sent == Some(false) {
        return of_credentials(&seen.said);
    }
    let put = call == Call::Put;
    match &seen.said {
        Said::Status { status, code, document } => of_status(call, *status, code, *document),
        Said::Transport(Transport::Certificate) => Verdict::Refused(CERTIFICATE),
        Said::Transport(Transport::NoConnection) => NOT_SENT,
        Said::Transport(_) => IN_DOUBT,
        Said::Redirect => Verdict::Refused(REGION),
        Said::Exists if put => Verdict::Taken,
        Said::NotFound if call == Call::Read => Verdict::NotThere,
        Said::NotFound => Verdict::Refused(NOTHING_HERE),
        Said::Permission => Verdict::Refused(PERMISSION),
        Said::Credentials => Verdict::Refused(CREDENTIALS),
        Said::Unsupported => Verdict::Refused(UNSUPPORTED),
        Said::Name => Verdict::Refused(NAME),
        Said::Exists | Said::Nothing => IN_DOUBT,
    }
}

/// What was said before the request was sent, by whoever gives out credentials: nothing of it is about the object.
fn of_credentials(said: &Said) -> Verdict {
    match said {
        Said::Status { status: 408 | 429, .. } => NOT_SENT,
        Said::Status { status: 400..=499, .. } | Said::Permission | Said::Credentials | Said::NotFound => {
            Verdict::Refused(NO_CREDENTIALS)
        }
        Said::Unsupported => Verdict::Refused(UNSUPPORTED),
        Said::Name => Verdict::Refused(NAME),
        _ => NOT_SENT,
    }
}

fn of_status(call: Call, status: u16, code: &str, document: bool) -> Verdict {
    let put = call == Call::Put;
    match (status, code) {
        (_, "RequestTimeTooSkewed") => Verdict::Refused(CLOCK),
        (_, "ExpiredToken" | "TokenRefreshRequired" | "ExpiredTokenException") => Verdict::Refused(EXPIRED),
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "AuthenticationFailed") => {
            Verdict::Refused(CREDENTIALS)
        }
        (
            _,
            "NoSuchBucket" | "ContainerNotFound" | "BucketNotFound" | "InvalidBucketName"
            | "ContainerDisabled",
        ) => Verdict::Refused(BUCKET),
        (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException") => {
            Verdict::Refused(REGION)
        }
        // Of these the store itself says that it did nothing.
        (
            _,
            "SlowDown" | "ServerBusy" | "RequestLimitExceeded" | "TooManyRequests" | "BandwidthLimitExceeded",
        )
        | (_, "Throttling" | "ThrottlingException" | "rateLimitExceeded" | "userRateLimitExceeded") => {
            NOT_SENT
        }
        (400, "RequestTimeout" | "BadDigest" | "Md5Mismatch" | "IncompleteBody")
        | (400, "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" | "Crc64Mismatch") => NOT_SENT,
        (409, "ConditionalRequestConflict" | "OperationAborted") => NOT_SENT,
        (409, "ContainerBeingDeleted" | "AccountBeingCreated" | "BucketNotEmpty") => Verdict::Refused(BUCKET),
        // A shared access signature that may create and not overwrite.
        (403, "UnauthorizedBlobOverwrite") if put => Verdict::Taken,
        // Whatever else a 409 may mean: if nothing lies there, whoever reads it back finds that out.
        (412 | 409 | 304, _) if put => Verdict::Taken,
        (412 | 409 | 304, _) => IN_DOUBT,
        (307, _) => NOT_SENT,
        (300..=399, _) => Verdict::Refused(REGION),
        (401, _) => Verdict::Refused(CREDENTIALS),
        (403, _) => Verdict::Refused(PERMISSION),
        // A proxy whose servers are away may say 404 too, and means nothing by it.
        (404, "") if document => IN_DOUBT,
        (404, _) if call == Call::Read => Verdict::NotThere,
        (404, _) => Verdict::Refused(NOTHING_HERE),
        (408, _) => IN_DOUBT,
        (413, _) | (_, "EntityTooLarge" | "RequestBodyTooLarge") => Verdict::Refused(TOO_LARGE),
        (416, _) if call == Call::Read => Verdict::Beyond,
        (429, _) => NOT_SENT,
        (405 | 501, _) | (_, "NotImplemented") => Verdict::Refused(UNSUPPORTED),
        (400..=499, _) => Verdict::Refused(BAD_REQUEST),
        _ => IN_DOUBT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, code: &str) -> Seen {
        Seen { said: Said::Status { status, code: code.into(), document: false }, ..Seen::default() }
    }

    fn said(said: Said) -> Seen {
        Seen { said, ..Seen::default() }
    }

    #[test]
    fn every_row_of_the_table_holds() {
        use Call::{List, Put, Read};
        use Verdict::{Beyond, NotThere, Refused, Taken};
        let rows = [
            (status(412, "PreconditionFailed"), Taken, IN_DOUBT, IN_DOUBT),
            (status(304, ""), Taken, IN_DOUBT, IN_DOUBT),
            (status(409, ""), Taken, IN_DOUBT, IN_DOUBT),
            (status(409, "BlobAlreadyExists"), Taken, IN_DOUBT, IN_DOUBT),
            (status(409, "ConditionalRequestConflict"), NOT_SENT, NOT_SENT, NOT_SENT),
            (status(409, "OperationAborted"), NOT_SENT, NOT_SENT, NOT_SENT),
            (status(409, "ContainerBeingDeleted"), Refused(BUCKET), Refused(BUCKET), Refused(BUCKET)),
            (status(403, "AccessDenied"), Refused(PERMISSION), Refused(PERMISSION), Refused(PERMISSION)),
            (status(403, "UnauthorizedBlobOverwrite"), Taken, Refused(PERMISSION), Refused(PERMISSION)),
            (
                status(403, "SignatureDoesNotMatch"),
                Refused(CREDENTIALS),
                Refused(CREDENTIALS),
                Refused(CREDENTIALS),
            ),
            (status(403, "RequestTimeTooSkewed"), Refused(CLOCK), Refused(CLOCK), Refused(CLOCK)),
            (status(400, "ExpiredToken"), Refused(EXPIRED), Refused(EXPIRED), Refused(EXPIRED)),
            (status(401, ""), Refused(CREDENTIALS), Refused(CREDENTIALS), Refused(CREDENTIALS)),
            (status(404, "NoSuchKey"), Refused(NOTHING_HERE), NotThere, Refused(NOTHING_HERE)),
            (status(404, "BlobNotFound"), Refused(NOTHING_HERE), NotThere, Refused(NOTHING_HERE)),
            (status(404, ""), Refused(NOTHING_HERE), NotThere, Refused(NOTHING_HERE)),
            (status(404, "NoSuchBucket"), Refused(BUCKET), Refused(BUCKET), Refused(BUCKET)),
            (status(404, "ContainerNotFound"), Refused(BUCKET), Refused(BUCKET), Refused(BUCKET)),
            (
                said(Said::Status { status: 404, code: String::new(), document: true }),
                IN_DOUBT,
                IN_DOUBT,
                IN_DOUBT,
            ),
            (status(301, "PermanentRedirect"), Refused(REGION), Refused(REGION), Refused(REGION)),
            (status(302, ""), Refused(REGION), Refused(REGION), Refused(REGION)),
            (status(307, "TemporaryRedirect"), NOT_SENT, NOT_SENT, NOT_SENT),
            (status(400, "AuthorizationHeaderMalformed"), Refused(REGION), Refused(REGION), Refused(REGION)),
            (status(400, "RequestTimeout"), NOT_SENT, NOT_SENT, NOT_SENT),
            (status(400, "BadDigest"), NOT_SENT, NOT_SENT, NOT_SENT),
            (
                status(400, "InvalidArgument"),
                Refused(BAD_REQUEST),
                Refused(BAD_REQUEST),
                Refused(BAD_REQUEST),
            ),
            (status(400, "EntityTooLarge"), Refused(TOO_LARGE), Refused(TOO_LARGE), Refused(TOO_LARGE)),
            (status(413, ""), Refused(TOO_LARGE), Refused(TOO_LARGE), Refused(TOO_LARGE)),
            (status(416, "InvalidRange"), Refused(BAD_REQUEST), Beyond, Refused(BAD_REQUEST)),
            (
                status(405, "MethodNotAllowed"),
                Refused(UNSUPPORTED),
                Refused(UNSUPPORTED),
                Refused(UNSUPPORTED),
            ),
            (status(501, "NotImplemented"), Refused(UNSUPPORTED), Refused(UNSUPPORTED), Refused(UNSUPPORTED)),
            (status(429, ""), NOT_SENT, NOT_SENT, NOT_SENT),
            (status(503, "SlowDown"), NOT_SENT, NOT_SENT, NOT_SENT),
            (status(503, "ServerBusy"), NOT_SENT, NOT_SENT, NOT_SENT),
            (status(403, "rateLimitExceeded"), NOT_SENT, NOT_SENT, NOT_SENT),
            (status(503, ""), IN_DOUBT, IN_DOUBT, IN_DOUBT),
            (status(503, "ServiceUnavailable"), IN_DOUBT, IN_DOUBT, IN_DOUBT),
            (status(500, "InternalError"), IN_DOUBT, IN_DOUBT, IN_DOUBT),
            (status(500, "OperationTimedOut"), IN_DOUBT, IN_DOUBT, IN_DOUBT),
            (status(502, ""), IN_DOUBT, IN_DOUBT, IN_DOUBT),
            (status(504, ""), IN_DOUBT, IN_DOUBT, IN_DOUBT),
            (status(408, ""), IN_DOUBT, IN_DOUBT, IN_DOUBT),
            (status(200, "InternalError"), IN_DOUBT, IN_DOUBT, IN_DOUBT),
            (said(Said::Transport(Transport::NoConnection)), NOT_SENT, NOT_SENT, NOT_SENT),
            (said(Said::Transport(Transport::NoAnswer)), IN_DOUBT, IN_DOUBT, IN_DOUBT),
            (said(Said::Transport(Transport::Lost)), IN_DOUBT, IN_DOUBT, IN_DOUBT),
            (
                said(Said::Transport(Transport::Certificate)),
                Refused(CERTIFICATE),
                Refused(CERTIFICATE),
                Refused(CERTIFICATE),
            ),
            (said(Said::Redirect), Refused(REGION), Refused(REGION), Refused(REGION)),
            (said(Said::Exists), Taken, IN_DOUBT, IN_DOUBT),
            (said(Said::NotFound), Refused(NOTHING_HERE), NotThere, Refused(NOTHING_HERE)),
            (said(Said::Permission), Refused(PERMISSION), Refused(PERMISSION), Refused(PERMISSION)),
            (said(Said::Credentials), Refused(CREDENTIALS), Refused(CREDENTIALS), Refused(CREDENTIALS)),
            (said(Said::Unsupported), Refused(UNSUPPORTED), Refused(UNSUPPORTED), Refused(UNSUPPORTED)),
            (said(Said::Name), Refused(NAME), Refused(NAME), Refused(NAME)),
            (said(Said::Nothing), IN_DOUBT, IN_DOUBT, IN_DOUBT),
        ];
        for (seen, put, read, list) in rows {
            assert_eq!(judge(Put, &seen), put, "put: {seen:?}");
            assert_eq!(judge(Read, &seen), read, "read: {seen:?}");
            assert_eq!(judge(List, &seen), list, "list: {seen:?}");
        }
    }

    #[test]
    fn what_is_said_before_the_request_was_sent_says_nothing_of_the_object() {
        let before = |seen: Seen| Seen { sent: Some(false), ..seen };
        for call in [Call::Put, Call::Read, Call::List] {
            for code in [404, 403, 409, 412, 416] {
                assert_eq!(
                    judge(call, &before(status(code, ""))),
                    Verdict::Refused(NO_CREDENTIALS),
                    "{code}"
                );
            }
            for code in [429, 408, 500, 503, 304] {
                assert_eq!(judge(call, &before(status(code, ""))), NOT_SENT, "{code}");
            }
            for said in [
                Said::Transport(Transport::NoAnswer),
                Said::Transport(Transport::Lost),
                Said::Nothing,
                Said::Exists,
            ] {
                assert_eq!(judge(call, &before(Seen { said, ..Seen::default() })), NOT_SENT);
            }
        }
    }
}
