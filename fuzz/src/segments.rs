//! Segments: a walk ends, tells each byte at most once and in order, and reads no more than a few times as much as the
//! file holds; an outline says what the walk says.

use std::cell::Cell;
use std::convert::Infallible;

use headwater_wal::Position;
use headwater_wal::format::header::Header;
use headwater_wal::format::outline::Outline;
use headwater_wal::format::scan::{Seen, Source, WINDOW_BYTES, Walk};

use crate::lay::{self, lay};
use crate::take_u64;

/// Any bytes as a segment: as they are, behind a header that is right, and as orders of what to lay.
pub fn scan(bytes: &[u8]) {
    each_segment(bytes, |header, bytes| {
        let all = walk(header, bytes);
        check_order(&all);
    });
}

/// Any bytes as a segment whose outline is drawn.
pub fn outline(bytes: &[u8]) {
    each_segment(bytes, |header, bytes| {
        let asked = Cell::new(0);
        let source = Counted { bytes, asked: &asked };
        let outline = Outline::of(source, header, header.check()).unwrap_or_else(|never| match never {});
        check_asked(bytes, asked.get());
        let all = walk(header, bytes);
        let bad = all.iter().filter(|seen| matches!(seen, Seen::Bad(_))).count() as u64;
        let whole = all.iter().filter(|seen| matches!(seen, Seen::Whole { .. })).count() as u64;
        assert!(outline.bad_count >= bad, "{outline:?} {all:?}");
        assert!(outline.totals.groups <= whole, "{outline:?} {all:?}");
        assert!(outline.bad_count > 0 || outline.totals.groups == whole, "{outline:?} {all:?}");
        assert!(outline.bad_count > 0 || outline.beyond.end.is_none(), "{outline:?}");
        let alone = all.iter().any(|seen| matches!(seen, Seen::Frame(frame) if !frame.in_group));
        assert!(outline.bad_count > 0 || !alone, "{outline:?} {all:?}");
        assert!(outline.end >= header.base.plus(header.body()), "{outline:?}");
        assert!(outline.bad.iter().all(|bad| bad.range.start < bad.range.end), "{outline:?}");
    });
}

fn each_segment(bytes: &[u8], check: impl Fn(&Header, &[u8])) {
    let base = Position(take_u64(bytes.get(56..).unwrap_or_default()).0);
    if let Ok(header) = Header::decode(base, bytes) {
        check(&header, bytes);
    }
    let header = lay::header();
    check(&header, &[&header.encode(), bytes].concat());
    check(&header, &lay(bytes));
}

fn walk(header: &Header, bytes: &[u8]) -> Vec<Seen> {
    let asked = Cell::new(0);
    let mut walk = Walk::new(Counted { bytes, asked: &asked }, header);
    let mut all = Vec::new();
    while let Some(seen) = walk.next().unwrap_or_else(|never| match never {}) {
        all.push(seen);
        assert!(all.len() <= bytes.len() / 8 + 2, "the walk does not end: {all:?}");
    }
    check_asked(bytes, asked.get());
    all
}

fn check_asked(bytes: &[u8], asked: u64) {
    assert!(asked <= 48 * bytes.len() as u64 + 4096, "asked={asked} bytes={}", bytes.len());
}

fn check_order(all: &[Seen]) {
    let mut end = Position(0);
    for seen in all {
        let range = match seen {
            Seen::Group { at, .. } => *at..at.plus(48),
            Seen::Frame(frame) => frame.at..frame.end(),
            Seen::FooterHead { at, .. } => *at..at.plus(96),
            Seen::Footer { at, footer } => *at..at.plus(footer.footer_len()),
            Seen::Bad(bad) => bad.range.clone(),
            Seen::Whole { .. } => continue, // sums up what was told
        };
        assert!(end <= range.start && range.start < range.end, "{seen:?} after {end} in {all:?}");
        end = range.end;
    }
}

/// Memory that counts what it is asked for.
struct Counted<'a> {
    bytes: &'a [u8],
    asked: &'a Cell<u64>,
}

impl Source for Counted<'_> {
    type Error = Infallible;

    fn file_len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], Infallible> {
        assert!(len <= WINDOW_BYTES);
        self.asked.set(self.asked.get() + len as u64);
        self.bytes.bytes(offset, len)
    }
}
