//! A little encoder of its own, made with the tables of the specification; it also tells what each byte is.

use std::fmt::Write as _;

/// A file, field by field.
pub(crate) struct Lay {
    pub(crate) name: String,
    fields: Vec<(&'static str, Vec<u8>)>,
}

impl Lay {
    pub(crate) fn new(name: String, magic: &[u8; 8]) -> Lay {
        Lay { name, fields: vec![("magic", magic.to_vec())] }
    }

    pub(crate) fn put(&mut self, what: &'static str, bytes: impl AsRef<[u8]>) -> &mut Lay {
        self.fields.push((what, bytes.as_ref().to_vec()));
        self
    }

    pub(crate) fn u16(&mut self, what: &'static str, value: u16) -> &mut Lay {
        self.put(what, value.to_le_bytes())
    }

    pub(crate) fn u32(&mut self, what: &'static str, value: u32) -> &mut Lay {
        self.put(what, value.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, what: &'static str, value: u64) -> &mut Lay {
        self.put(what, value.to_le_bytes())
    }

    pub(crate) fn text(&mut self, what: &'static str, text: &str) -> &mut Lay {
        self.put(what, [&[text.len() as u8], text.as_bytes()].concat())
    }

    /// Takes the fields of the other one behind its magic.
    pub(crate) fn append(&mut self, other: Lay) -> &mut Lay {
        self.fields.extend(other.fields.into_iter().skip(1));
        self
    }

    /// Fills the seeded checksum in, which covers the bytes up to `end`.
    pub(crate) fn seal(&mut self, end: usize) {
        let bytes = self.bytes();
        let check = crc(&[self.name.as_bytes(), &bytes[8..12], &bytes[16..end]].concat());
        let field = self.fields.iter_mut().find(|(what, _)| *what == "checksum").expect("there is one");
        field.1 = check.to_le_bytes().to_vec();
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.fields.iter().flat_map(|(_, bytes)| bytes).copied().collect()
    }

    /// Every byte with its offset and what it is.
    pub(crate) fn listing(&self) -> String {
        let (mut text, mut at) = (format!("{}\n", self.name), 0);
        for (what, bytes) in &self.fields {
            for line in bytes.chunks(24) {
                let hex: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
                let what = if line.as_ptr() == bytes.as_ptr() { what } else { "" };
                writeln!(text, "{at:6}  {hex:48}  {what}").unwrap();
                at += line.len();
            }
        }
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

/// CRC-32C, a bit at a time.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg()))
    })
}
