//! Little-endian fields one behind the other, read without believing any length.

use bytes::Bytes;
use headwater_wal::format::HANDLE_BYTES;
use headwater_wal::{Handle, Position};

/// What stands for "there is none" where a position may be missing.
pub(crate) const NOWHERE: u64 = u64::MAX;

/// Fields that are read in their order. Everything is `None` from the first one that is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn position(&mut self) -> Option<Position> {
        self.u64().map(Position).filter(|&position| position <= Position::LIMIT)
    }

    /// A position that may be missing.
    pub(crate) fn position_or_none(&mut self) -> Option<Option<Position>> {
        match Fields(self.0).u64()? {
            NOWHERE => self.u64().map(|_| None),
            _ => self.position().map(Some),
        }
    }

    pub(crate) fn handle(&mut self) -> Option<Handle> {
        let handle = Handle::from_bytes(self.bytes(HANDLE_BYTES)?).ok()?;
        (handle.position() < Position::LIMIT).then_some(handle)
    }

    /// Reserved bytes, which are zero.
    pub(crate) fn zeros(&mut self, len: usize) -> Option<()> {
        self.bytes(len)?.iter().all(|&byte| byte == 0).then_some(())
    }

    /// Bytes of the caller's own, copied.
    pub(crate) fn own(&mut self, len: usize) -> Option<Bytes> {
        self.bytes(len).map(Bytes::copy_from_slice)
    }

    /// So many things, each of at least `least` bytes. Room is made only once it is proven that they can be there.
    pub(crate) fn many<T>(
        &mut self,
        count: usize,
        least: usize,
        mut one: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.0.len() < count.checked_mul(least)? {
            return None;
        }
        let mut many = Vec::with_capacity(count);
        for _ in 0..count {
            many.push(one(self)?);
        }
        Some(many)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub(crate) fn put_u16(bytes: &mut Vec<u8>, value: u16) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u32(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u64(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_position(bytes: &mut Vec<u8>, position: Option<Position>) {
    put_u64(bytes, position.map_or(NOWHERE, |position| position.0));
}
