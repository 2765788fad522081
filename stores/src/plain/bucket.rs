//! The objects, and what is asked of them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;

use super::list;
use crate::http::Head;

/// Of all objects, since nothing here depends on it.
pub(super) const MODIFIED: &str = "2026-01-01T00:00:00.000Z";
const MODIFIED_FIELD: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// By path, with the name of the bucket.
    pub(super) objects: Mutex<BTreeMap<String, Bytes>>,
}

fn error(status: u16, code: &str) -> (Head, Bytes) {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>");
    (Head::answer(status, code).with("Content-Type", "application/xml"), body.into())
}

fn ok(status: u16) -> Head {
    Head::answer(status, "OK").with("Last-Modified", MODIFIED_FIELD).with("ETag", "\"plain\"")
}

impl Bucket {
    pub(super) fn answer(&self, head: &Head, body: Vec<u8>) -> (Head, Bytes) {
        let (path, query) = head.target().split_once('?').unwrap_or((head.target(), ""));
        let path = decoded(path).trim_start_matches('/').to_owned();
        let query: BTreeMap<String, String> = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (decoded(key), decoded(&value.replace('+', " "))))
            .collect();
        let is_bucket = !path.trim_end_matches('/').contains('/');
        match head.method() {
            "PUT" if is_bucket => (ok(200), Bytes::new()),
            "PUT" => self.put(path, body.into(), head.field("if-none-match").is_some()),
            "GET" if is_bucket => list::answer(self, path.trim_end_matches('/'), &query),
            "GET" => self.get(&path, head.field("range"), true),
            "HEAD" => self.get(&path, None, false),
            "DELETE" => {
                self.objects().remove(&path);
                (ok(204), Bytes::new())
            }
            "POST" if is_bucket && query.contains_key("delete") => {
                self.delete(path.trim_end_matches('/'), &body)
            }
            _ => error(501, "NotImplemented"),
        }
    }

    pub(super) fn objects(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().expect("nobody panics with it")
    }

    fn put(&self, path: String, bytes: Bytes, if_absent: bool) -> (Head, Bytes) {
        let mut objects = self.objects();
        if if_absent && objects.contains_key(&path) {
            return error(412, "PreconditionFailed");
        }
        objects.insert(path, bytes);
        (ok(200), Bytes::new())
    }

    fn get(&self, path: &str, range: Option<&str>, wants_bytes: bool) -> (Head, Bytes) {
        let Some(bytes) = self.objects().get(path).cloned() else { return error(404, "NoSuchKey") };
        if !wants_bytes {
            return (ok(200).with("Content-Length", bytes.len()), Bytes::new());
        }
        let len = bytes.len() as u64;
        let Some(range) = range.and_then(|range| range.strip_prefix("bytes=")) else {
            return (ok(200), bytes);
        };
        let (from, to) = range.split_once('-').unwrap_or((range, ""));
        let (from, to) = match (from.parse::<u64>(), to.parse::<u64>()) {
            (Ok(from), to) => (from, to.map_or(len, |to| to.saturating_add(1).min(len))),
            (Err(_), Ok(last)) => (len.saturating_sub(last), len),
            (Err(_), Err(_)) => (0, len),
        };
        if from >= to {
            return error(416, "InvalidRange");
        }
        let head = ok(206).with("Content-Range", format!("bytes {from}-{}/{len}", to - 1));
        (head, bytes.slice(from as usize..to as usize))
    }

    fn delete(&self, bucket: &str, body: &[u8]) -> (Head, Bytes) {
        let text = String::from_utf8_lossy(body);
        let mut answer = String::from("<?xml version=\"1.0\"?><DeleteResult>");
        let mut objects = self.objects();
        for part in text.split("<Key>").skip(1) {
            let key = part.split("</Key>").next().unwrap_or("");
            objects.remove(&format!("{bucket}/{key}"));
            answer.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
        }
        answer.push_str("</DeleteResult>");
        (Head::answer(200, "OK").with("Content-Type", "application/xml"), answer.into())
    }
}

/// Text whose bytes may be written as `%20`.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
