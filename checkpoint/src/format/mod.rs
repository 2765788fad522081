//! The bytes of checkpoints, and nothing else states them.
//!
//! A folder of checkpoints holds three kinds of objects. Each is put whole under a name that was free, and never
//! changed. `E`, `N`: an epoch and a number, in twenty digits; `S`, `P`: a section's and a part's ordinal, in ten.
//!
//! | name | object |
//! |---|---|
//! | `E.epoch` | a **claim**: the writer of epoch `E` has begun |
//! | `E-N.ckpt` | a **head**: checkpoint `N` of epoch `E` |
//! | `parts/E-N-S-P.part` | a **part** of a section that was first written by checkpoint `E-N` |
//!
//! Names sort as epochs and numbers do. All numbers are little-endian. A checksum is CRC-32C; where it is *seeded*, it
//! begins with the object's name as above, then bytes 8
//! to 12 of the object. *Texts* are UTF-8, at most 255 bytes, led by a byte with their length.
//!
//! # Claim
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `\x89HWEPC\r\n` |
//! | 8 | 2 | version, 1 |
//! | 10 | 2 | zero |
//! | 12 | 4 | seeded checksum of bytes 16 to 40 |
//! | 16 | 8 | identity: the short one of the log that the checkpoints belong to |
//! | 24 | 16 | the writer's token, which no other writer has |
//!
//! It counts by its name, also where it does not verify: who finds one of a newer epoch has been replaced.
//!
//! # Head
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `\x89HWCKP\r\n` |
//! | 8 | 2 | version, 1 |
//! | 10 | 2 | zero |
//! | 12 | 4 | seeded checksum of bytes 16 to 64 |
//! | 16 | 8 | identity |
//! | 24 | 8 | epoch |
//! | 32 | 8 | number |
//! | 40 | 8 | time at which it was put, milliseconds since 1970 UTC; for people |
//! | 48 | 8 | length of the object |
//! | 56 | 4 | length of the table |
//! | 60 | 4 | checksum of the table |
//! | 64 | | the table |
//! | | | the sections that lie inside, as stored, in the order of the table, and nothing behind them |
//!
//! The table, in this order:
//!
//! - the content's type, a text; the application's version of it, 8 bytes;
//! - positions: 2 bytes with their count; of each the log, a text, and the position, 8 bytes; logs ascend;
//! - the chain: 2 bytes with its count; of each head epoch and number, 8 bytes each; newest first. These heads are kept
//!   together with this one. The first is the one that this one follows;
//! - sections: 4 bytes with their count; of each the name, a text; a byte that is 1 if a revision follows, else 0, and the
//!   revision, 8 bytes; its length, 8 bytes; a byte that says where it lies:
//!   - 0: inside. Codec, 1 byte; stored length, 4; checksum of the stored bytes, 4; of the section, 4;
//!   - 1: in parts. Epoch and number of the checkpoint that wrote them, 8 bytes each; the section's ordinal there, 4; the
//!     count of parts, 4; of each part its length, 4, stored length, 4, and checksum of the stored bytes, 4.
//!
//! Codecs: 0, as they are; 1, one zstd frame.
//!
//! # Part
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `\x89HWPRT\r\n` |
//! | 8 | 2 | version, 1 |
//! | 10 | 1 | codec |
//! | 11 | 1 | zero |
//! | 12 | 4 | seeded checksum of bytes 16 to 64 |
//! | 16 | 8 | identity |
//! | 24 | 8 | epoch |
//! | 32 | 8 | number |
//! | 40 | 4 | the section's ordinal |
//! | 44 | 4 | the part's ordinal |
//! | 48 | 4 | length |
//! | 52 | 4 | stored length |
//! | 56 | 4 | checksum of the stored bytes |
//! | 60 | 4 | checksum of the bytes |
//! | 64 | | the bytes as stored, and nothing behind them |
//!
//! # When they are valid
//!
//! A head: K1 64 bytes or more; K2 the magic, K3 a version that is known, K4 the zeros; K5 the checksum; K6 epoch and
//! number are those of its name; K7 the table is no longer than [`TABLE_BYTES_MAX`], and K8 its checksum verifies; K9 it
//! decodes to its last byte, texts are UTF-8, logs ascend, names of sections differ, parts have lengths above 0 that add
//! up to the section's, none longer than [`PART_BYTES_MAX`] nor stored longer than that, and a section inside is no longer
//! than [`INSIDE_BYTES_MAX`]; K10 the chain descends, below
//! the head's own epoch and number; K11 the object is as long as it says, which is what preamble, table and sections
//! inside add up to, and the latter to no more than [`INSIDE_BYTES_MAX`].
//!
//! A section inside: K12 its stored bytes verify; K13 they expand to its length, and K14 that verifies.
//!
//! A part: Q1 64 bytes or more; Q2 the magic, Q3 a version and a codec that are known, Q4 the zero; Q5 the checksum;
//! Q6 epoch, number and ordinals are those of its name; Q7 it ends with its stored bytes, and Q8 these verify; Q9 they
//! expand to its length, and Q10 that verifies; Q11 lengths and checksum are those that the head states of it.
//!
//! A version or a codec that is not known is `Unsupported`, not damage; but a version is damage where all the rest
//! verifies as version 1.

mod claim;
mod fields;
mod head;
pub(crate) mod name;
mod part;

pub(crate) use claim::Claim;
pub(crate) use head::{PREAMBLE_BYTES, Preamble, decode_table, encode, inside};
pub(crate) use part::{PART_HEADER_BYTES, PartHeader, open, seal};

/// The longest table of a head.
pub const TABLE_BYTES_MAX: u32 = 32 << 20;

/// The longest part: what a section is cut into, and what reading one takes of memory.
pub const PART_BYTES_MAX: u32 = 64 << 20;

/// The most bytes of sections that lie inside a head, all together.
pub const INSIDE_BYTES_MAX: u32 = 4 << 20;

/// The longest text: a section's name, a log's, a content's type.
pub const TEXT_BYTES_MAX: usize = 255;

/// The only version there is.
const VERSION: u16 = 1;
