//! Listings, a page of at most a thousand at a time.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::bucket::{Bucket, MODIFIED};
use crate::http::Head;

const PAGE: usize = 1000;

/// The answer to a listing of the second kind: keys in order, and below a delimiter only once what lies before it.
pub(super) fn answer(bucket: &Bucket, name: &str, query: &BTreeMap<String, String>) -> (Head, Bytes) {
    let text = |key: &str| query.get(key).map_or("", String::as_str);
    let root = format!("{name}/");
    let (prefix, delimiter) = (format!("{root}{}", text("prefix")), text("delimiter"));
    let page = query.get("max-keys").and_then(|max| max.parse().ok()).unwrap_or(PAGE).min(PAGE);
    // A token is the last key or prefix that was told.
    let after = text("continuation-token").max(text("start-after"));
    let mut from = Bound::Included(prefix.clone());
    if format!("{root}{after}") >= prefix && !after.is_empty() {
        from = Bound::Excluded(format!("{root}{after}"));
    }
    let (mut keys, mut folders, mut last, mut more) = (String::new(), String::new(), String::new(), false);
    let objects = bucket.objects();
    let mut told = 0;
    while let Some((path, bytes)) = objects.range::<String, _>((from.clone(), Bound::Unbounded)).next() {
        if !path.starts_with(&prefix) {
            break;
        }
        let cut = (!delimiter.is_empty()).then(|| path[prefix.len()..].find(delimiter)).flatten();
        let end = cut.map_or(path.len(), |cut| prefix.len() + cut + delimiter.len());
        let what = &path[root.len()..end];
        // Behind all that lies in a folder: no key has a greater character than this one.
        from =
            Bound::Excluded(if cut.is_some() { format!("{}\u{10ffff}", &path[..end]) } else { path.clone() });
        if cut.is_some() && what <= after {
            continue;
        }
        if told == page {
            more = true;
            break;
        }
        told += 1;
        last = what.to_owned();
        if cut.is_some() {
            folders.push_str(&format!("<CommonPrefixes><Prefix>{what}</Prefix></CommonPrefixes>"));
        } else {
            let size = bytes.len();
            keys.push_str(&format!(
                "<Contents><Key>{what}</Key><LastModified>{MODIFIED}</LastModified><ETag>\"plain\"</ETag>\
                 <Size>{size}</Size></Contents>"
            ));
        }
    }
    let next =
        if more { format!("<NextContinuationToken>{last}</NextContinuationToken>") } else { String::new() };
    let body = format!(
        "<?xml version=\"1.0\"?><ListBucketResult><Name>{name}</Name><KeyCount>{told}</KeyCount>\
         <IsTruncated>{more}</IsTruncated>{next}{keys}{folders}</ListBucketResult>"
    );
    (Head::answer(200, "OK").with("Content-Type", "application/xml"), body.into())
}
