//! What a receiver and a driver in two processes say to each other: this page is the specification, version 1, and its
//! only statement.
//!
//! A receiver calls, the driver replies, on one connection, in turn. Each says one frame at a time.
//!
//! All integers are little-endian; bytes called zero are reserved. Where a position may be missing, all ones stand for
//! none. The first 24 bytes are the same in every version, so that a frame of a newer one can be replied to.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 4 | length | of what follows the check: 24 to [`BODY_BYTES_MAX`] |
//! | 4 | 4 | check | CRC-32C of the length's four bytes and of what follows the check |
//! | 8 | 1 | version | 1 |
//! | 9 | 1 | kind | which call or reply, below |
//! | 10 | 6 | zero | |
//! | 16 | 8 | number | of the call; its reply has the same |
//! | 24 | 8 | driver | for which driver it is, or from which one: whatever number both sides were given |
//! | 32 | | | as the kind says, and nothing behind it |
//!
//! **1, settled?** stream (4), receiver (4), identity of the receiver's log (8).
//!
//! **2, report**: how many blocks (4: 1 to [`BLOCKS_MAX`]), zero (4), the blocks.
//!
//! **3, pass over**: a block.
//!
//! **4, released?** as 1.
//!
//! **129, settled**: the position, or none (8).
//!
//! **130, reported**: how many answers (4, [`BLOCKS_MAX`] at most), zero (4), the answers.
//!
//! **131, passed over**: an answer.
//!
//! **132, released**: the position below which nothing is needed (8).
//!
//! **255, failed**: the error's kind (1), zero (1), how many bytes of text (2, [`TEXT_BYTES_MAX`] at most), zero (4), the
//! text, as UTF-8. Kinds: 1 closed, 2 damaged, 3 exists, 4 fenced, 5 full, 6 invalid, 7 locked, 8 not there, 9 retired,
//! 10 unavailable, 11 unknown, 12 unsupported. One that is not known is read as unavailable.
//!
//! A block:
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 4 | stream | |
//! | 4 | 4 | receiver | |
//! | 8 | 40 | handle | as [`Handle::to_bytes`](headwater_wal::Handle::to_bytes) gives it |
//! | 48 | 8 | previous | the position of the block before it in its log, or none |
//! | 56 | 8 | number | which of its epoch's blocks it is |
//! | 64 | 4 | records | how many it has |
//! | 68 | 4 | ranges | how many follow, [`RANGES_MAX`] at most |
//! | 72 | 20 each | range | partition (4), from (8), to (8) |
//!
//! An answer: what it is (1), zero (3), how many ends follow (4), a position or none (8), the ends: partition (4), end (8).
//! 1 taken, 2 passed over, 3 refused, 4 early, 5 full. Only a refused one has ends, `RANGES_MAX` at most; only an early one
//! has a position.
//!
//! # Conditions
//!
//! - W1 The length is between its bounds: nothing is allocated by one that is not.
//! - W2 The check is that of the bytes.
//! - W3 The version is 1. A greater one is "unsupported".
//! - W4 The kind is one of those that are listened for.
//! - W5 Counts are between their bounds, and what they count is there.
//! - W6 Every field has a value that it can have; zeros are zeros.
//! - W7 Nothing follows the last field.

use headwater_wal::receiver::blocks::{RANGES_MAX, SourceRange};
use headwater_wal::receiver::{self, Answer, End, ReceiverLog, Report};
use headwater_wal::{Error, Kind, Position, Result};

use crate::journal::fields::{Fields, put_position, put_u16, put_u32, put_u64};

/// The version of what is said.
pub const VERSION: u8 = 1;

/// The length and the check, before a frame's body.
pub const HEAD_BYTES: usize = 8;

/// The most blocks that one call reports.
pub const BLOCKS_MAX: usize = 64;

/// The most bytes of an error's text; more is cut off.
pub const TEXT_BYTES_MAX: usize = 4096;

/// The longest body that there is: a report of as many blocks as it may have, with as many ranges as they may have.
pub const BODY_BYTES_MAX: usize = LABEL_BYTES + 8 + BLOCKS_MAX * (BLOCK_BYTES + RANGES_MAX * RANGE_BYTES);

/// The version, the kind, and whose it is: what every body begins with.
const LABEL_BYTES: usize = 24;
const BLOCK_BYTES: usize = 72;
const RANGE_BYTES: usize = 20;
const ANSWER_BYTES: usize = 16;
const END_BYTES: usize = 12;

const AT_NUMBER: usize = HEAD_BYTES + 8;

const SETTLED: u8 = 1;
const REPORT: u8 = 2;
const PASS_OVER: u8 = 3;
const RELEASED: u8 = 4;
const REPLY: u8 = 128; // with the kind of the call
const FAILED: u8 = 255;

/// Whose a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The number of the call.
    pub number: u64,
    /// For which driver it is, or from which one.
    pub driver: u64,
}

/// What a receiver asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Which block of a log is the last settled one?
    Settled(ReceiverLog),
    /// These blocks are durable.
    Report(Vec<Report>),
    /// This block is to be passed over.
    PassOver(Report),
    /// Below which position of a log is nothing needed?
    Released(ReceiverLog),
}

/// What a driver says to it.
#[derive(Clone, Debug)]
pub enum Reply {
    /// To [`Call::Settled`].
    Settled(Option<Position>),
    /// To [`Call::Report`].
    Reported(Vec<Answer>),
    /// To [`Call::PassOver`].
    PassedOver(Answer),
    /// To [`Call::Released`].
    Released(Position),
    /// To any of them.
    Failed(Error),
}

/// How long a frame's body is, by its first bytes.
pub fn body_len(head: [u8; HEAD_BYTES]) -> Result<usize> {
    let [a, b, c, d, ..] = head;
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    if (LABEL_BYTES..=BODY_BYTES_MAX).contains(&len) {
        return Ok(len);
    }
    Err(wrong(0, &format!("its length is none: bytes={len}"))) // W1
}

/// The number of the call, of a frame that verifies, of whatever version.
pub fn number(frame: &[u8]) -> Option<u64> {
    checked(frame).ok()?;
    Fields(frame.get(AT_NUMBER..)?).u64()
}

impl Call {
    /// The frame of it. `Invalid` if it has more of something than a call may have.
    pub fn frame(&self, label: Label) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        let kind = match self {
            Call::Settled(log) => {
                put_log(&mut body, *log);
                SETTLED
            }
            Call::Report(blocks) => {
                bounded("blocks", blocks.len(), 1..=BLOCKS_MAX)?;
                put_count(&mut body, blocks.len());
                blocks.iter().try_for_each(|block| put_block(&mut body, block))?;
                REPORT
            }
            Call::PassOver(block) => {
                put_block(&mut body, block)?;
                PASS_OVER
            }
            Call::Released(log) => {
                put_log(&mut body, *log);
                RELEASED
            }
        };
        Ok(frame(kind, label, &body))
    }

    /// Reads the frame of a call. `Unsupported`: a newer release says it. `Damaged`, with what and where: it is none.
    pub fn read(frame: &[u8]) -> Result<(Label, Call)> {
        let (kind, label, mut fields) = open(frame)?;
        let call = match kind {
            SETTLED => log(&mut fields).map(Call::Settled),
            REPORT => many(&mut fields, 1, BLOCK_BYTES, block).map(Call::Report),
            PASS_OVER => block(&mut fields).map(Call::PassOver),
            RELEASED => log(&mut fields).map(Call::Released),
            _ => return Err(wrong(HEAD_BYTES + 1, &format!("it is no call: kind={kind}"))), // W4
        };
        Ok((label, close(frame, &fields, call)?))
    }
}

impl Reply {
    /// The frame of it. `Invalid` if it has more of something than a reply may have.
    pub fn frame(&self, label: Label) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        let kind = match self {
            Reply::Settled(position) => {
                put_position(&mut body, *position);
                REPLY + SETTLED
            }
            Reply::Reported(answers) => {
                bounded("answers", answers.len(), 0..=BLOCKS_MAX)?;
                put_count(&mut body, answers.len());
                answers.iter().try_for_each(|answer| put_answer(&mut body, answer))?;
                REPLY + REPORT
            }
            Reply::PassedOver(answer) => {
                put_answer(&mut body, answer)?;
                REPLY + PASS_OVER
            }
            Reply::Released(position) => {
                put_position(&mut body, Some(*position));
                REPLY + RELEASED
            }
            Reply::Failed(error) => {
                put_error(&mut body, error);
                FAILED
            }
        };
        Ok(frame(kind, label, &body))
    }

    /// Reads the frame of a reply; errors as of [`Call::read`].
    pub fn read(frame: &[u8]) -> Result<(Label, Reply)> {
        const SETTLED_REPLY: u8 = REPLY + SETTLED;
        const REPORT_REPLY: u8 = REPLY + REPORT;
        const PASS_OVER_REPLY: u8 = REPLY + PASS_OVER;
        const RELEASED_REPLY: u8 = REPLY + RELEASED;
        let (kind, label, mut fields) = open(frame)?;
        let reply = match kind {
            SETTLED_REPLY => fields.position_or_none().map(Reply::Settled),
            REPORT_REPLY => many(&mut fields, 0, ANSWER_BYTES, answer).map(Reply::Reported),
            PASS_OVER_REPLY => answer(&mut fields).map(Reply::PassedOver),
            RELEASED_REPLY => fields.position().map(Reply::Released),
            FAILED => error(&mut fields).map(Reply::Failed),
            _ => return Err(wrong(HEAD_BYTES + 1, &format!("it is no reply: kind={kind}"))), // W4
        };
        Ok((label, close(frame, &fields, reply)?))
    }
}

fn wrong(at: usize, what: &str) -> Error {
    Error::new(Kind::Damaged, format!("a frame between receiver and driver is wrong: {what} at={at}"))
}

fn bounded(what: &str, count: usize, bounds: std::ops::RangeInclusive<usize>) -> Result<()> {
    if bounds.contains(&count) {
        return Ok(());
    }
    Err(Error::new(Kind::Invalid, format!("{what} cannot be so many: count={count} bounds={bounds:?}")))
}

fn frame(kind: u8, label: Label, fields: &[u8]) -> Vec<u8> {
    let len = LABEL_BYTES + fields.len();
    assert!(len <= BODY_BYTES_MAX, "its parts are bounded");
    let mut frame = Vec::with_capacity(HEAD_BYTES + len);
    put_u32(&mut frame, len as u32);
    put_u32(&mut frame, 0);
    frame.extend_from_slice(&[VERSION, kind, 0, 0, 0, 0, 0, 0]);
    put_u64(&mut frame, label.number);
    put_u64(&mut frame, label.driver);
    frame.extend_from_slice(fields);
    let check = check(&frame);
    frame[4..HEAD_BYTES].copy_from_slice(&check.to_le_bytes());
    frame
}

/// The check of a frame that is as long as its head at least.
fn check(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[HEAD_BYTES..])
}

/// The body of a frame that is whole and verifies.
fn checked(frame: &[u8]) -> Result<&[u8]> {
    let Some((head, body)) = frame.split_first_chunk::<HEAD_BYTES>() else {
        return Err(wrong(frame.len(), "it ends in its head")); // W1
    };
    let len = body_len(*head)?;
    if body.len() != len {
        let message = format!("it is not as long as it says: bytes={} length={len}", body.len());
        return Err(wrong(0, &message)); // W1
    }
    let [_, _, _, _, check @ ..] = *head;
    if u32::from_le_bytes(check) != self::check(frame) {
        return Err(wrong(4, "its check is that of other bytes")); // W2
    }
    Ok(body)
}

/// The kind of a frame, whose it is, and what is left to read.
fn open(frame: &[u8]) -> Result<(u8, Label, Fields<'_>)> {
    let body = checked(frame)?;
    let mut fields = Fields(body);
    let mut read = || {
        let (version, kind, zeros) = (fields.u8()?, fields.u8()?, fields.bytes(6)?);
        Some((version, kind, zeros, Label { number: fields.u64()?, driver: fields.u64()? }))
    };
    let (version, kind, zeros, label) = read().ok_or_else(|| wrong(HEAD_BYTES, "it has no label"))?;
    if version > VERSION {
        let message = format!("a newer release says it: version={version} known={VERSION}");
        return Err(Error::new(Kind::Unsupported, message)); // W3
    }
    if version != VERSION {
        return Err(wrong(HEAD_BYTES, "its version is none")); // W3
    }
    if zeros.iter().any(|&byte| byte != 0) {
        return Err(wrong(HEAD_BYTES + 2, "reserved bytes are not zero")); // W6
    }
    Ok((kind, label, fields))
}

/// What was read, if all of it was there and nothing more is.
fn close<T>(frame: &[u8], rest: &Fields<'_>, read: Option<T>) -> Result<T> {
    let at = frame.len() - rest.0.len();
    match read {
        None => Err(wrong(at, "a field is not there, or cannot have this value")), // W5, W6
        Some(_) if !rest.is_empty() => Err(wrong(at, "something follows the last field")), // W7
        Some(read) => Ok(read),
    }
}

fn put_count(body: &mut Vec<u8>, count: usize) {
    put_u32(body, count as u32);
    put_u32(body, 0);
}

fn many<T>(
    fields: &mut Fields<'_>,
    least: usize,
    each: usize,
    one: fn(&mut Fields<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut ahead = *fields;
    let count = ahead.u32()? as usize;
    if !(least..=BLOCKS_MAX).contains(&count) {
        return None; // W5
    }
    ahead.zeros(4)?; // W6
    *fields = ahead;
    fields.many(count, each, one)
}

fn put_log(body: &mut Vec<u8>, log: ReceiverLog) {
    put_u32(body, log.stream);
    put_u32(body, log.receiver);
    put_u64(body, log.identity);
}

fn log(fields: &mut Fields<'_>) -> Option<ReceiverLog> {
    Some(ReceiverLog { stream: fields.u32()?, receiver: fields.u32()?, identity: fields.u64()? })
}

fn put_block(body: &mut Vec<u8>, block: &Report) -> Result<()> {
    bounded("the ranges of a block", block.ranges.len(), 0..=RANGES_MAX)?;
    put_u32(body, block.stream);
    put_u32(body, block.receiver);
    body.extend_from_slice(&block.handle.to_bytes());
    put_position(body, block.previous);
    put_u64(body, block.number);
    put_u32(body, block.records);
    put_u32(body, block.ranges.len() as u32);
    for range in &block.ranges {
        put_u32(body, range.partition);
        put_u64(body, range.from);
        put_u64(body, range.to);
    }
    Ok(())
}

fn block(fields: &mut Fields<'_>) -> Option<Report> {
    let (stream, receiver) = (fields.u32()?, fields.u32()?);
    let (handle, previous) = (fields.handle()?, fields.position_or_none()?);
    let (number, records) = (fields.u64()?, fields.u32()?);
    let count = bounded_count(fields, RANGES_MAX)?;
    let range = |fields: &mut Fields<'_>| {
        Some(SourceRange { partition: fields.u32()?, from: fields.u64()?, to: fields.u64()? })
    };
    let ranges = fields.many(count, RANGE_BYTES, range)?;
    Some(Report { stream, receiver, handle, previous, number, records, ranges })
}

fn bounded_count(fields: &mut Fields<'_>, most: usize) -> Option<usize> {
    let mut ahead = *fields;
    let count = ahead.u32().map(|count| count as usize).filter(|&count| count <= most)?; // W5
    *fields = ahead;
    Some(count)
}

const TAKEN: u8 = 1;
const PASSED_OVER: u8 = 2;
const REFUSED: u8 = 3;
const EARLY: u8 = 4;
const FULL: u8 = 5;

fn put_answer(body: &mut Vec<u8>, answer: &Answer) -> Result<()> {
    let (what, ends, position): (u8, &[End], _) = match answer {
        Answer::Taken => (TAKEN, &[], None),
        Answer::PassedOver => (PASSED_OVER, &[], None),
        Answer::Refused(ends) => (REFUSED, ends, None),
        Answer::Early(settled) => (EARLY, &[], *settled),
        Answer::Full => (FULL, &[], None),
    };
    bounded("the ends of an answer", ends.len(), 0..=RANGES_MAX)?;
    body.extend_from_slice(&[what, 0, 0, 0]);
    put_u32(body, ends.len() as u32);
    put_position(body, position);
    for end in ends {
        put_u32(body, end.partition);
        put_u64(body, end.end);
    }
    Ok(())
}

fn answer(fields: &mut Fields<'_>) -> Option<Answer> {
    let mut ahead = *fields;
    let what = ahead.u8()?;
    ahead.zeros(3)?; // W6
    let most = if what == REFUSED { RANGES_MAX } else { 0 };
    let count = bounded_count(&mut ahead, most)?;
    let position = ahead.position_or_none()?;
    let sound = (TAKEN..=FULL).contains(&what) && (what == EARLY || position.is_none());
    if !sound {
        return None; // W6
    }
    *fields = ahead;
    let one = |fields: &mut Fields<'_>| Some(receiver::End { partition: fields.u32()?, end: fields.u64()? });
    let ends = fields.many(count, END_BYTES, one)?;
    Some(match what {
        TAKEN => Answer::Taken,
        PASSED_OVER => Answer::PassedOver,
        REFUSED => Answer::Refused(ends),
        EARLY => Answer::Early(position),
        _ => Answer::Full,
    })
}

const KINDS: [Kind; 12] = [
    Kind::Closed,
    Kind::Damaged,
    Kind::Exists,
    Kind::Fenced,
    Kind::Full,
    Kind::Invalid,
    Kind::Locked,
    Kind::NotThere,
    Kind::Retired,
    Kind::Unavailable,
    Kind::Unknown,
    Kind::Unsupported,
];

/// Its text is all that an error says, with its causes; where a record lies whose outcome is not known does not cross.
fn put_error(body: &mut Vec<u8>, error: &Error) {
    let kind = if KINDS.contains(&error.kind()) { error.kind() } else { Kind::Unavailable };
    let code = KINDS.iter().zip(1..).find(|(known, _)| **known == kind).map_or(0, |(_, code)| code);
    let text = format!("{error:?}");
    let text = text.strip_prefix(&format!("{}: ", error.kind())).unwrap_or(&text);
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    body.extend_from_slice(&[code, 0]);
    put_u16(body, text.len() as u16);
    put_u32(body, 0);
    body.extend_from_slice(text.as_bytes());
}

fn error(fields: &mut Fields<'_>) -> Option<Error> {
    let mut ahead = *fields;
    let code = usize::from(ahead.u8()?);
    ahead.zeros(1)?; // W6
    let len = ahead.u16().map(usize::from).filter(|&len| len <= TEXT_BYTES_MAX)?; // W5
    ahead.zeros(4)?; // W6
    let text = std::str::from_utf8(ahead.bytes(len)?).ok()?;
    *fields = ahead;
    let kind = code.checked_sub(1).and_then(|at| KINDS.get(at)).copied().unwrap_or(Kind::Unavailable);
    Some(Error::new(kind, text))
}
