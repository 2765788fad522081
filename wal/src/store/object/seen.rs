//! What is known of a failed request: from the store's answer where we saw it pass, else from the error and its causes.

use std::error::Error as StdError;

use object_store::Error;

/// As much of a failed request as its meaning hangs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) said: Said,
    /// Whether the request itself went out; credentials are asked for before. `None`: nobody looked.
    pub(super) sent: Option<bool>,
    /// The store, which was handed in, has tried more than once by itself: what is said here is of its last try only.
    pub(super) retried: bool,
    /// In words, without secrets.
    pub(super) text: String,
}

/// What the store, or the way to it, said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Said {
    /// An answer. `code` is the store's own word for it; `document`: there was a body, and no such word in it.
    Status {
        status: u16,
        code: String,
        document: bool,
    },
    Transport(Transport),
    /// A redirect that does not say where to.
    Redirect,
    Exists,
    NotFound,
    Permission,
    Credentials,
    Unsupported,
    Name,
    /// Nothing that is recognised.
    #[default]
    Nothing,
}

/// How there came to be no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    NoConnection,
    Certificate,
    NoAnswer,
    /// It was cut, on the way there or back.
    Lost,
}

/// What the crate beneath says of an answer other than success; a status follows.
const STATUS: &str = "Server returned non-2xx status code: ";
const BARE_REDIRECT: &str = "Received redirect without LOCATION";
/// What it says if it has asked more than once.
const RETRIED: &str = " retries, max_retries: ";
const CODE_BYTES_MAX: usize = 64;

impl Seen {
    /// No answer came in time.
    pub(super) fn no_answer(sent: Option<bool>) -> Self {
        Seen {
            said: Said::Transport(Transport::NoAnswer),
            sent,
            retried: false,
            text: "no answer came in time".into(),
        }
    }

    /// What an error says by itself.
    pub(super) fn of(error: &Error) -> Self {
        let text = deepest(error);
        let status = of_text(&text).filter(|said| is_about_the_object(said, error));
        let said = status.or_else(|| of_transport(&text)).unwrap_or(match error {
            Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => {
                Said::Exists
            }
            Error::NotFound { .. } => Said::NotFound,
            Error::PermissionDenied { .. } => Said::Permission,
            Error::Unauthenticated { .. } => Said::Credentials,
            Error::NotSupported { .. }
            | Error::NotImplemented { .. }
            | Error::UnknownConfigurationKey { .. } => Said::Unsupported,
            Error::InvalidPath { .. } => Said::Name,
            _ => Said::Nothing,
        });
        Seen { said, sent: None, retried: text.contains(RETRIED), text: plain(error) }
    }
}

/// Whether a status that is found in the words of an error is an answer to the request itself. What a server for
/// credentials says is passed on in the same words, but never as more than "generic": of those only what is plainly a
/// store's word about a bucket or about two requests at once counts.
fn is_about_the_object(said: &Said, error: &Error) -> bool {
    match said {
        Said::Status { status: 304 | 404 | 409 | 412, code, .. }
            if matches!(error, Error::Generic { .. }) =>
        {
            matches!(
                &**code,
                "NoSuchBucket"
                    | "BucketNotFound"
                    | "ContainerNotFound"
                    | "ContainerBeingDeleted"
                    | "ConditionalRequestConflict"
                    | "OperationAborted"
            )
        }
        _ => true,
    }
}

/// The status and the store's word for it, from the words of an error.
fn of_text(text: &str) -> Option<Said> {
    if text.contains(BARE_REDIRECT) {
        return Some(Said::Redirect);
    }
    let rest = &text[text.find(STATUS)? + STATUS.len()..];
    let status = rest.get(..3)?.parse().ok()?;
    let body = rest.split_once(": ").map_or("", |(_, body)| body);
    Some(of_answer(status, body))
}

/// A status and what came with it.
pub(super) fn of_answer(status: u16, body: &str) -> Said {
    let code = code_of(body).unwrap_or_default().to_owned();
    let document = code.is_empty() && !body.trim().is_empty();
    Said::Status { status, code, document }
}

/// The store's own word for what is wrong: S3, GCS and Azure write it in XML, here and there in JSON.
fn code_of(body: &str) -> Option<&str> {
    let between = |from: &str, to: &str| {
        let rest = &body[body.find(from)? + from.len()..];
        rest.get(..rest.find(to)?)
    };
    let code = between("<Code>", "</Code>").or_else(|| between("\"code\":\"", "\"")).map(str::trim)?;
    let plain = code.len() <= CODE_BYTES_MAX && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then_some(code).filter(|code| !code.is_empty())
}

/// How there came to be no answer, from the words of an error.
fn of_transport(text: &str) -> Option<Said> {
    // The words of the HTTP client that the crate beneath uses.
    let transport = match text {
        _ if !text.contains("HTTP error: ") => return None,
        _ if text.contains("(Connect)") && text.contains("certificate") => Transport::Certificate,
        _ if text.contains("(Connect)") => Transport::NoConnection,
        _ => Transport::Lost,
    };
    Some(Said::Transport(transport))
}

/// How a request came to no answer. The kind `Request` is not taken at its word, "not sent": it stands also for a
/// connection that was closed before the answer was whole.
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
pub(super) fn transport(error: &object_store::client::HttpError) -> Transport {
    use object_store::client::HttpErrorKind;
    match error.kind() {
        HttpErrorKind::Connect if deepest(error).contains("certificate") => Transport::Certificate,
        HttpErrorKind::Connect => Transport::NoConnection,
        HttpErrorKind::Timeout => Transport::NoAnswer,
        _ => Transport::Lost,
    }
}

/// An error's words and those of its causes.
fn deepest(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

/// An error in words that can be shown: of a store's answer only the status and its own word for it, since the rest may
/// repeat what was sent; else what the causes say, without the queries and users of URLs.
pub(super) fn plain(error: &(dyn StdError + 'static)) -> String {
    let text = deepest(error);
    match of_text(&text) {
        Some(said) => in_words(&said),
        None => without_secrets_of_urls(&text),
    }
}

/// What was said, in words.
pub(super) fn in_words(said: &Said) -> String {
    match said {
        Said::Status { status, document: true, .. } => {
            format!("the answer was {status}, in words that are not a store's: is there a proxy before it?")
        }
        Said::Status { status, code, .. } if code.is_empty() => format!("the store answered {status}"),
        Said::Status { status, code, .. } => format!("the store answered {status} {code}"),
        Said::Redirect => "the store answered with a redirect to nowhere".into(),
        other => format!("{other:?}"),
    }
}

/// Leaves out what follows the question mark of a URL, and who is named before its host.
fn without_secrets_of_urls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = url.find(|c: char| c.is_whitespace() || "\"'<>)".contains(c)).unwrap_or(url.len());
        let (url, behind) = url.split_at(end);
        let (url, asked) = url.split_once('?').map_or((url, false), |(url, _)| (url, true));
        let (authority, path) = url.find('/').map_or((url, ""), |slash| url.split_at(slash));
        shown.push_str(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
        shown.push_str(path);
        shown.push_str(if asked { "?..." } else { "" });
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn a_status_is_found_in_the_words_of_an_error() {
        let conflict = "Error performing PUT http://h/b/k in 3ms - Server returned non-2xx status code: 409 Conflict: \
                        <?xml version=\"1.0\"?><Error><Code>ConditionalRequestConflict</Code></Error>";
        let says = |status, code: &str, document| Said::Status { status, code: code.into(), document };
        for (error, said) in [
            (generic(conflict), says(409, "ConditionalRequestConflict", false)),
            (generic("Server returned non-2xx status code: 503 Service Unavailable: "), says(503, "", false)),
            (generic("Server returned non-2xx status code: 404 Not Found: no role"), Said::Nothing),
            (generic("Server returned non-2xx status code: 409 Conflict: "), Said::Nothing),
            (
                generic("Server returned non-2xx status code: 404 Not Found: <Code>NoSuchBucket</Code>"),
                says(404, "NoSuchBucket", false),
            ),
            (
                Error::NotFound {
                    path: "p".into(),
                    source: "Server returned non-2xx status code: 404 Not Found: 404 page not found".into(),
                },
                says(404, "", true),
            ),
            (
                generic("HTTP error: e: client error (Connect): refused"),
                Said::Transport(Transport::NoConnection),
            ),
            (generic("HTTP error: e: closed early"), Said::Transport(Transport::Lost)),
            (
                generic("HTTP error: e: client error (Connect): invalid peer certificate: UnknownIssuer"),
                Said::Transport(Transport::Certificate),
            ),
            (
                generic("Server returned non-2xx status code: 429 Too: {\"code\":\"SlowDown\"}"),
                says(429, "SlowDown", false),
            ),
            (generic("Received redirect without LOCATION, this normally"), Said::Redirect),
            (generic("Server returned non-2xx status code: what"), Said::Nothing),
            (generic("something else"), Said::Nothing),
            (
                Error::AlreadyExists { path: "p".into(), source: conflict.into() },
                says(409, "ConditionalRequestConflict", false),
            ),
            (Error::AlreadyExists { path: "p".into(), source: "taken".into() }, Said::Exists),
            (Error::Precondition { path: "p".into(), source: "taken".into() }, Said::Exists),
            (Error::NotFound { path: "p".into(), source: "gone".into() }, Said::NotFound),
            (Error::PermissionDenied { path: "p".into(), source: "no".into() }, Said::Permission),
            (Error::Unauthenticated { path: "p".into(), source: "no".into() }, Said::Credentials),
            (Error::NotSupported { source: "no".into() }, Said::Unsupported),
            (Error::NotImplemented { operation: "o".into(), implementer: "i".into() }, Said::Unsupported),
        ] {
            assert_eq!(Seen::of(&error).said, said, "{error}");
        }
    }

    #[test]
    fn what_is_shown_of_an_error_repeats_no_query_no_user_and_no_body() {
        let error = generic("Error performing PUT https://me:pass@host:9000/b/k?sig=abc%2F&se=1 - timed out");
        let shown = plain(&error);
        assert_eq!(shown, "Generic S3 error: Error performing PUT https://host:9000/b/k?... - timed out");
        let error = generic(
            "Server returned non-2xx status code: 403 Forbidden: <Code>SignatureDoesNotMatch</Code><StringToSign>abc",
        );
        assert_eq!(plain(&error), "the store answered 403 SignatureDoesNotMatch");
    }
}
