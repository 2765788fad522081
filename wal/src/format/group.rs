//! The group header: what one sync or one put made durable together.

use super::frame::FRAME_HEADER_BYTES;
use super::handle::Position;
use super::seed::{Life, set_u32, set_u64, u32_at, u64_at};
use crate::clock::Time;

/// The length of a group header.
pub const GROUP_HEADER_BYTES: u64 = 48;

const LEN: usize = 48;
pub(super) const MAGIC: u32 = 0x5052_4748; // "HGRP"
const AT_CHECK: usize = 4;
const AT_LENGTH: usize = 8;
const AT_COUNT: usize = 12;
const AT_LEAST: usize = 16;
const AT_GREATEST: usize = 24;
const AT_ACKED: usize = 32;
const AT_FRAMES: usize = 40;
const AT_RESERVED: usize = 44;

/// A group header. It verifies by itself, whatever became of the frames behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupHeader {
    /// The whole group: this header, the frames, the zeros up to where the next thing begins.
    pub group_bytes: u32,
    /// How many frames there are. None: an idle writer's last word.
    pub count: u32,
    /// How many bytes the frames take.
    pub frames_bytes: u32,
    /// The least time of its records.
    pub least: Time,
    /// The greatest time of its records.
    pub greatest: Time,
    /// Everything below was acknowledged (in a log of durability `Process`: synced) when this group was handed over.
    pub acked: Position,
}

impl GroupHeader {
    /// Whether the header of a group at `position` can say this: what `encode` insists on and `decode` checks.
    fn is_sound(&self, position: Position) -> bool {
        let (whole, frames) = (u64::from(self.group_bytes), u64::from(self.frames_bytes));
        whole.is_multiple_of(8)
            && frames.is_multiple_of(8)
            && GROUP_HEADER_BYTES + frames <= whole
            && u64::from(self.count) * FRAME_HEADER_BYTES <= frames
            && (self.count > 0 || frames == 0)
            && self.acked <= position
    }

    /// The bytes of the header of a group at `position`; it must be one that condition G4 allows.
    pub fn encode(&self, life: Life, position: Position) -> [u8; LEN] {
        assert!(self.is_sound(position), "a group header that nobody could read back: {self:?}");
        let mut bytes = [0; LEN];
        set_u32(&mut bytes, 0, MAGIC);
        set_u32(&mut bytes, AT_LENGTH, self.group_bytes);
        set_u32(&mut bytes, AT_COUNT, self.count);
        set_u64(&mut bytes, AT_LEAST, self.least.0);
        set_u64(&mut bytes, AT_GREATEST, self.greatest.0);
        set_u64(&mut bytes, AT_ACKED, self.acked.0);
        set_u32(&mut bytes, AT_FRAMES, self.frames_bytes);
        let check = life.check(position, &bytes[AT_LENGTH..]);
        set_u32(&mut bytes, AT_CHECK, check);
        bytes
    }

    /// Reads a group header and its checksum; conditions G1 to G4 of the [specification](super).
    ///
    /// A group may run beyond the end of its file: then its header verifies and its word counts, and its body does
    /// not verify.
    pub fn decode(life: Life, position: Position, bytes: &[u8]) -> Option<(Self, u32)> {
        let bytes = bytes.get(..LEN)?; // G1
        if u32_at(bytes, 0) != MAGIC {
            return None; // G2
        }
        let check = u32_at(bytes, AT_CHECK);
        if check != life.check(position, &bytes[AT_LENGTH..]) {
            return None; // G3
        }
        let header = GroupHeader {
            group_bytes: u32_at(bytes, AT_LENGTH),
            count: u32_at(bytes, AT_COUNT),
            frames_bytes: u32_at(bytes, AT_FRAMES),
            least: Time(u64_at(bytes, AT_LEAST)),
            greatest: Time(u64_at(bytes, AT_GREATEST)),
            acked: Position(u64_at(bytes, AT_ACKED)),
        };
        let sound = header.is_sound(position) && u32_at(bytes, AT_RESERVED) == 0;
        sound.then_some((header, check)) // G4
    }
}
