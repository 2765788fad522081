//! Fields one after the other, in both directions. Nothing is read that is not there.

use headwater_wal::format::frame::Codec;
use headwater_wal::store::Name;

use super::{TEXT_BYTES_MAX, VERSION};

/// Fields being written.
#[derive(Default)]
pub(super) struct Put(pub(super) Vec<u8>);

impl Put {
    pub(super) fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        assert!(text.len() <= TEXT_BYTES_MAX, "a text that was not checked");
        self.u8(text.len() as u8).bytes(text.as_bytes())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// Fields being read: `None` where the bytes end too early.
pub(super) struct Take<'a>(pub(super) &'a [u8]);

impl<'a> Take<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.bytes(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let len = self.u8()?;
        std::str::from_utf8(self.bytes(len.into())?).ok().map(str::to_owned)
    }
}

/// The first bytes of every object: magic, version, two bytes of its own, and the checksum of those and of what follows.
pub(super) const PROLOGUE_BYTES: usize = 16;

/// An object's first bytes: the prologue, and the fields behind it that its checksum covers.
pub(super) fn prologue(magic: &[u8; 8], own: [u8; 2], name: &Name, fields: &[u8]) -> Vec<u8> {
    let mut put = Put(Vec::with_capacity(PROLOGUE_BYTES + fields.len()));
    let check = seeded(name, own, fields);
    put.bytes(magic).u16(VERSION).bytes(&own).u32(check).bytes(fields);
    put.0
}

/// What is wrong with an object's first bytes.
pub(super) enum Wrong {
    Magic,
    /// Of a newer release: as what this one knows, they do not verify.
    Newer(u16),
    Check,
}

/// The two bytes of its own that an object has in its prologue, if that and the fields behind it verify.
pub(super) fn verified(magic: &[u8; 8], name: &Name, head: &[u8]) -> Result<[u8; 2], Wrong> {
    let (prologue, fields) = head.split_at(PROLOGUE_BYTES);
    let mut take = Take(prologue);
    let mut read = || Some((take.bytes(8)?, take.u16()?, [take.u8()?, take.u8()?], take.u32()?));
    let (found, version, own, check) = read().expect("a prologue has all its fields");
    if found != magic {
        return Err(Wrong::Magic);
    }
    // Where all but the version is as this release writes it, it is the version that has rotted.
    match (version, seeded(name, own, fields) == check) {
        (VERSION, true) => Ok(own),
        (VERSION, false) | (_, true) | (0, _) => Err(Wrong::Check),
        (newer, false) => Err(Wrong::Newer(newer)),
    }
}

/// A checksum that continues the name's and that of the version there is.
fn seeded(name: &Name, own: [u8; 2], fields: &[u8]) -> u32 {
    let [low, high] = VERSION.to_le_bytes();
    let named = crc32c::crc32c_append(crc32c::crc32c(name.as_str().as_bytes()), &[low, high, own[0], own[1]]);
    crc32c::crc32c_append(named, fields)
}

pub(super) fn codec_code(codec: Codec) -> u8 {
    match codec {
        Codec::Raw => 0,
        Codec::Zstd => 1,
        Codec::Other(code) => code,
    }
}

pub(super) fn codec_of(code: u8) -> Codec {
    match code {
        0 => Codec::Raw,
        1 => Codec::Zstd,
        other => Codec::Other(other),
    }
}
