//! A writer's claim of its epoch.

use bytes::Bytes;

use super::fields::{Put, prologue};
use super::name;

const MAGIC: [u8; 8] = *b"\x89HWEPC\r\n";

/// What a claim says. Two claims of one epoch are told apart by comparing all their bytes, so nothing decodes one.
pub(crate) struct Claim {
    pub(crate) epoch: u64,
    pub(crate) identity: u64,
    pub(crate) token: [u8; 16],
}

impl Claim {
    pub(crate) fn encode(&self) -> Bytes {
        let mut fields = Put::default();
        fields.u64(self.identity).bytes(&self.token);
        prologue(&MAGIC, [0, 0], &name::claim(self.epoch), &fields.0).into()
    }
}
