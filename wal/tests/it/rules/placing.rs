//! Objects as a writer with several puts in flight would leave them.

use headwater_wal::Position;
use headwater_wal::format::footer::Footer;
use headwater_wal::format::group::GroupHeader;
use headwater_wal::format::header::{HEADER_BYTES, Header};
use headwater_wal::format::scan::{Seen, Walk};
use headwater_wal::format::totals::Totals;

use super::{Place, name};

/// The objects that a writer puts at `from` and behind, none of which says that anything from `from` on was
/// acknowledged. They are taken from the life of a writer on `ahead`, which may be as it likes.
pub(super) fn in_flight_behind(ahead: &Place, from: Position, count: usize) -> Vec<(Position, Vec<u8>)> {
    let log = ahead.start();
    log.fill(count, 100);
    let chain = log.chain();
    let bases: Vec<Position> = chain
        .segments()
        .iter()
        .filter(|segment| !segment.begins_epoch && segment.base >= from)
        .map(|segment| segment.base)
        .collect();
    // The writer of the log at hand begins at `from` itself, in the epoch before.
    let mut at = from;
    let mut previous = None;
    bases
        .iter()
        .map(|&base| {
            let bytes = ahead.sim.read_raw(&name(base));
            let (moved, before) = at_epoch(&bytes, base, at, from, chain.segments()[0].epoch, previous);
            previous = Some(before);
            let place = at;
            at = at.plus(moved.len() as u64);
            (place, moved)
        })
        .collect()
}

type Before = headwater_wal::format::header::Previous;

/// An object as the writer of `epoch` would have put it at `to`, with `acked`.
fn at_epoch(
    bytes: &[u8],
    base: Position,
    to: Position,
    acked: Position,
    epoch: u64,
    previous: Option<Before>,
) -> (Vec<u8>, Before) {
    let old = Header::decode(base, &bytes[..HEADER_BYTES as usize]).unwrap();
    let mut header = Header { base: to, acked, epoch, previous: previous.or(old.previous), ..old.clone() };
    header.previous = header.previous.filter(|previous| previous.end <= to);
    let life = header.life();
    let mut out = header.encode().to_vec();
    let mut totals = Totals::new(header.check());
    let mut walk = Walk::new(bytes, &old);
    let mut end = to;
    while let Some(seen) = walk.next().unwrap() {
        let place = |at: Position| to.plus(at.since(base));
        let offset = |at: Position| at.since(base) as usize;
        match seen {
            Seen::Group { at, header, .. } => {
                let header = GroupHeader { acked, ..header };
                let encoded = header.encode(life, place(at));
                totals.group(place(at), &header, word(&encoded[4..8]));
                out.extend_from_slice(&encoded);
            }
            Seen::Frame(frame) => {
                let encoded = frame.header.encode(life, place(frame.at));
                totals.frame(&frame.header, word(&encoded[0..4]));
                out.extend_from_slice(&encoded);
                out.extend_from_slice(&bytes[offset(frame.at) + encoded.len()..offset(frame.end())]);
            }
            Seen::Whole { end: at, .. } => out.resize(offset(at), 0),
            Seen::Footer { at, .. } => {
                end = place(at);
                let footer: Footer = totals.footer(end, None, acked, header.begins, header.time);
                out.extend_from_slice(&footer.encode(life, end, &totals.index));
            }
            other => panic!("a sound object: {other:?}"),
        }
    }
    (out, Before { base: to, end, seal: totals.seal })
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().unwrap())
}
