//! Floor 1, the bytes: this page is the specification of the format, version 1, and its only statement.
//!
//! # Overview
//!
//! A log is one address space. Its bytes lie in *segments*, files whose names are their first positions, and the
//! position of anything is its segment's base plus its offset in that file. A segment is a header, *groups*, and, once
//! it is sealed, a footer. A group is a header and *frames*; it is what one sync or one put made durable, and is kept or
//! cut whole. A frame is a record. Positions go up and have gaps; a segment or an epoch may begin beyond the end of the
//! one before.
//!
//! ```text
//! 00000000000000000000.wal   header | group | group | ... | footer
//!                                     group: header | frame | frame | ... | zeros
//! ```
//!
//! Files are of two kinds, by a flag in the header. A *growing* file is made of zeros, and groups are written into it
//! and synced; until it is sealed it ends anywhere. A file put *whole* is complete, with its footer, when it appears,
//! and so cannot be torn. A medium without growing files makes each group a segment of its own.
//!
//! All integers are little-endian. Times are milliseconds since 1970, UTC. Everything begins at an offset that is a
//! multiple of 8. Bytes that are called reserved, and padding, are zero.
//!
//! **Checksums** are CRC-32C. Each one but that of a payload is *seeded*: it goes on from the CRC-32C of 24 bytes,
//! the short identity of the log (the first 8 of its 16 bytes), the epoch and the position of the thing itself, so
//! that a right thing in a wrong place does not verify. They are proof against accidents, not against an author of
//! payloads who knows identity, epoch and position beforehand.
//!
//! **Sectors.** A write of 512 aligned bytes is assumed to happen wholly or not at all, whatever happens to the power.
//! The header is a sector of its own. In a growing file groups begin on blocks of 512 bytes or a multiple, so no write
//! touches a sector that holds anything acknowledged before. What a starting writer keeps it writes once more, byte
//! for byte, because a page cache may show what a failed sync has lost; sectors that were durable are then written
//! over with the same bytes, and that is safe under this assumption only: a medium that tears a sector could lose one
//! that was acknowledged.
//!
//! # Segment header
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 8 | magic | `89 48 57 53 45 47 0D 0A` |
//! | 8 | 4 | check | of the bytes from 12 on, seeded with the identity, epoch and base stated here |
//! | 12 | 2 | version | 1 |
//! | 14 | 1 | durability | 0: an acknowledgement outlives a power cut; 1: only the process |
//! | 15 | 1 | flags | 1: begins an epoch; 2: put whole; 4: its time rests on a jump of the clock that is not confirmed |
//! | 16 | 16 | identity | of the log |
//! | 32 | 16 | token | random bytes of the writer |
//! | 48 | 8 | epoch | of the writer |
//! | 56 | 8 | base | the segment's own position |
//! | 64 | 8 | time | the engine's, when the header was made |
//! | 72 | 8 | acked | everything below was acknowledged by then |
//! | 80 | 8 | previous base | where the segment before begins; the greatest integer: there is none |
//! | 88 | 8 | previous end | where its groups end; what lies behind is cut; 0 if there is none |
//! | 96 | 4 | previous seal | its digest up to there; 0 if there is none |
//! | 100 | 4 | block | groups begin at multiples of it, the first one at the first such offset behind the header |
//! | 104 | 8 | begins | where the log begins: everything below was retired |
//! | 112 | 8 | in flight | from what is acknowledged to the end of what is handed over: never more than this |
//! | 120 | 4 | lost count | how many ranges follow |
//! | 124 | 4 | reserved | |
//! | 128 | 384 | lost | of an epoch begun after an accepted loss: start and end of each lost range, 8 bytes each |
//!
//! It is valid if
//! - H1: there are 512 bytes;
//! - H2: the magic is right;
//! - H3: the version is 1 (a greater one is "unsupported");
//! - H4: the checksum is right;
//! - H5: the base is the one in the file's name;
//! - H6: durability and flags are known; the block is a power of two from 8 to 2^24; in flight is at most 2^40; there
//!   are at most 24 lost ranges; reserved bytes, and those behind the last lost range, are zero;
//! - H7: epoch and base are below 2^62; acked, begins and the previous end are at most the base; the previous base is below
//!   the base and at most the previous end;
//! - H8: the lost ranges are not empty, go up, do not overlap, and end at or below 2^62: what was promised and is
//!   lost may lie beyond the base.
//!
//! # Group header
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 4 | magic | `HGRP` |
//! | 4 | 4 | check | of the bytes from 8 on, seeded |
//! | 8 | 4 | group bytes | this header, the frames and the zeros behind them: the next thing begins there |
//! | 12 | 4 | count | of the frames; 0: the last word of a writer that fell idle |
//! | 16 | 8 | least | no record of a caller in this group has a smaller time |
//! | 24 | 8 | greatest | nor any a greater one |
//! | 32 | 8 | acked | everything below was acknowledged when this group was handed to the device |
//! | 40 | 4 | frames bytes | how many the frames take |
//! | 44 | 4 | reserved | |
//!
//! A group header verifies by itself, and what it says of acked counts, whatever became of the rest. In a log of
//! durability "process", acked means synced, here and everywhere. The header is valid if
//! - G1: there are 48 bytes;
//! - G2: the magic is right;
//! - G3: the checksum is right;
//! - G4: group bytes and frames bytes are multiples of 8; the header and the frames fit into the group, and as many
//!   frame headers as it counts into the frames; without frames they take no bytes; acked is at most the group's own
//!   position.
//!
//! The group is valid if also
//! - G5: behind the header lie as many valid frames as it counts, one behind the other, and they take exactly its
//!   frames bytes;
//! - G6: the file holds all of the group;
//! - G7: zeros lie behind the frames up to its end;
//! - G8: no record of a caller in it has a time outside least and greatest.
//!
//! # Frame
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 4 | check | of the header's bytes from 4 on, seeded |
//! | 4 | 1 | mark | `F7`: zeros are never a frame |
//! | 5 | 1 | codec | in the low four bits, 0: raw, 1: zstd; 80 (hexadecimal) is added if the record is the log's own |
//! | 6 | 1 | kind | the caller's; of the log's own records, 1: a retire mark |
//! | 7 | 1 | reserved | |
//! | 8 | 4 | stored | the payload's length in the file |
//! | 12 | 4 | raw | its length as it was appended |
//! | 16 | 4 | payload check | of the stored payload, not seeded, so that any thread can make it |
//! | 20 | 4 | index | which frame of its group this is, from 0 |
//! | 24 | 8 | time | the record's |
//!
//! The stored payload follows, and zeros up to the next multiple of 8. The header's checksum covers the payload's, so a
//! length is proven before it is used, and a payload that rots costs one record. The header is valid if
//! - F1: there are 32 bytes;
//! - F2: the mark is right;
//! - F3: the checksum is right;
//! - F4: stored and raw are at most 2^30, and equal in a raw frame; the reserved bits and bytes are zero.
//!
//! The frame is valid if also
//! - F5: the file holds as many payload bytes as stored says, and the payload's checksum is right;
//! - F6: the padding is zero;
//! - F7: in a group whose header is valid: index is one more than that of the frame before; the last frame ends where
//!   the frames end, and every other one leaves room for the headers of those behind it.
//!
//! A compressed payload is one zstd frame, without a dictionary. It is expanded if
//! - C1: raw is at most what the reader wants;
//! - C2: the stored bytes are one zstd frame and nothing else;
//! - C3: that frame states its content's length, and it is raw, and no more than 2^15 times stored;
//! - C4: it expands to exactly that.
//!
//! **Retire mark**: a record of the log's own, of kind 1, raw, with eight bytes of payload: where the log begins from
//! now on. It is acknowledged before anything is removed. The log begins at the greatest position that any valid
//! header, footer or acknowledged mark states. The log's own records of kinds that are not known are passed over.
//!
//! # Footer
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 4 | magic | `HFTR` |
//! | 4 | 4 | check | of the bytes from 8 to 96, seeded |
//! | 8 | 4 | index count | entries of the index |
//! | 12 | 4 | seal | the digest of the segment |
//! | 16 | 8 | next | where the next segment begins |
//! | 24 | 8 | records | of callers |
//! | 32 | 8 | groups | those without frames too |
//! | 40 | 8 | least | of those of the groups with frames; the greatest integer if there are none |
//! | 48 | 8 | greatest | of those of the groups with frames; 0 if there are none |
//! | 56 | 8 | sealed at | the engine's time: the segment's age is counted from here |
//! | 64 | 8 | acked | everything below was acknowledged when the footer was handed over |
//! | 72 | 8 | begins | where the log began then |
//! | 80 | 8 | payload bytes | raw, of the callers' records; the greatest integer if they are more |
//! | 88 | 4 | index check | of the index, seeded with the footer's position |
//! | 92 | 4 | reserved | |
//!
//! An **index entry** stands for a stretch of groups. A group with frames begins one if none has begun, or if it lies
//! 64 KiB or more behind the beginning of the last; groups without frames are left out.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 8 | position | of the first group of the stretch |
//! | 8 | 8 | least | of those of its groups |
//! | 16 | 8 | greatest | of those of its groups |
//!
//! The **trailer** follows the index. In a file that was put whole or has been trimmed it is the last thing, and leads
//! to the rest.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 8 | footer bytes | head, index and trailer |
//! | 8 | 4 | check | of the bytes from 0 to 8, seeded with the trailer's position |
//! | 12 | 4 | magic | `HEND` |
//!
//! The **seal** is one CRC-32C over the checksums of the group headers and frame headers, in order, four bytes each,
//! going on from the checksum in the segment header; those checksums cover everything else. The footer's head verifies
//! by itself, and what it says of acked counts, if
//! - T1: there are 96 bytes;
//! - T2: the magic is right;
//! - T3: the checksum is right;
//! - T4: next is not before the footer's end nor beyond 2^62; acked and begins are at most the footer's own position;
//!   reserved bytes are zero.
//!
//! The footer is valid if also
//! - T5: the file holds all of it, and there is at most one entry for each 64 KiB begun before the footer;
//! - T6: the index's checksum is right;
//! - T7: the positions in the index go up by 64 KiB or more, and lie before the footer;
//! - T8: the trailer's magic and checksum are right, and it states the footer's length;
//! - T9: what it states of seal, records, groups, times, payload bytes and index is what the groups add up to. Who has
//!   not read the groups cannot check this one.
//!
//! # How a segment ends
//!
//! Behind the last group lies a footer, or nothing but zeros, or the file's end. Behind a footer nothing but zeros lies
//! up to the file's end. Anything else does not verify, and the judge says what that means.
//!
//! # The chain
//!
//! The log is the chain of its segments. All have the same identity and durability. One follows another if it begins
//! where that one says that the next begins (*next* in its footer), or if it begins an epoch and lies where that one's
//! valid part ends, or, after an accepted loss, behind every segment there was; and if it names the base of the one
//! before, the end of its groups, and its seal up to there. A missing, doubled or swapped segment therefore shows.
//!
//! An epoch's **first segment** has the flag, is put whole, and holds no groups. It cuts: what the segment before it
//! holds behind *previous end*, and every segment of an older epoch from its base up to the *next* of its own footer,
//! is dead. The epoch's records begin at that *next*, beyond anything that the replaced writer could have had in
//! flight. Only a first segment has a greater epoch than the one before it; its other fields are those of any header.
//!
//! # The judge
//!
//! H is the start of the first thing in the chain of which anything does not verify, or where the next thing would
//! begin. The log is *damaged* at H if a promise that the caller knows of lies beyond it; if any header or footer beyond
//! it that verifies by itself says that a position beyond H was acknowledged; if H lies inside a file that was put
//! whole; or if the last header beyond it that verifies ends farther from H than the writer may have had in flight.
//! Otherwise it is *torn* at H if anything but zeros lies there or beyond, else *clean*. What is torn was never
//! acknowledged: groups in flight together may land in any order. [`judge`] holds both tables.
//!
//! # Names
//!
//! A segment's name is its base in 20 decimal digits and `.wal`, so names sort as positions do; an epoch's claim, on
//! media without a lock, is `epoch/` and 20 digits; what repair takes away goes to `quarantine/`, and while one is not
//! finished, `repair.unfinished` says so, as `salvage.unfinished` does where a salvage is not. A name has one
//! spelling, and states less than 2^62. Others are foreign: they are reported and left alone. [`Handle`] states the bytes and the text of handles.
//!
//! # Versions
//!
//! A release reads every version up to its own, and its files for ever. A greater version is "unsupported", never
//! "damaged", and is told before the checksum is, whose place may have changed; so rot in the version's two bytes is
//! called "unsupported" too. Codecs above 1 are "unsupported" one record at a time.
//!
//! # What no log can see
//!
//! - Rot in a group that was acknowledged after the newest thing on disk was handed over looks torn, until something
//!   points at it: a checkpoint, a handle in the journal, or the empty group that an idle writer leaves.
//! - If the newest segments are gone as whole files, or an older copy of all files was put in their place, the log
//!   ends earlier and says nothing.
//! - A record with another payload of the same checksum at the same place: one in 2^32 accidents that get that far.

pub mod codec;
pub mod footer;
pub mod frame;
pub mod group;
pub mod handle;
pub mod header;
pub mod judge;
pub mod name;
pub mod outline;
pub mod scan;
pub mod seed;
pub mod summary;
pub mod totals;

pub use handle::{HANDLE_BYTES, Handle, Identity, Position, Unsettled};
pub use header::Durability;
