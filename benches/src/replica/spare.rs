//! Buffers that blocks were received in, to be used again: new memory is cleared twice, by the kernel and by us, page by
//! page, and of blocks of 1 MiB that is a third of what receiving them costs.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Buffers by their length. All their bytes are written, so that none has to be cleared.
#[derive(Debug, Default)]
pub(super) struct Spare {
    bytes: usize,
    buffers: BTreeMap<usize, Vec<Vec<u8>>>,
}

impl Spare {
    /// How long the buffer for a block is: at most an eighth longer than the block, or 64 bytes, so that blocks of about
    /// the same length can use each other's.
    pub(super) fn buffer_bytes(block_bytes: usize) -> usize {
        let step = (block_bytes.next_power_of_two() / 16).max(64);
        block_bytes.div_ceil(step) * step
    }

    /// The length of all of them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// One of this length, if there is one.
    pub(super) fn take(&mut self, buffer_bytes: usize) -> Option<Vec<u8>> {
        let buffers = self.buffers.get_mut(&buffer_bytes)?;
        let buffer = buffers.pop()?;
        if buffers.is_empty() {
            self.buffers.remove(&buffer_bytes);
        }
        self.bytes -= buffer_bytes;
        Some(buffer)
    }

    /// One of the longest, to make room.
    pub(super) fn take_longest(&mut self) -> Option<Vec<u8>> {
        let longest = *self.buffers.last_key_value()?.0;
        self.take(longest)
    }

    pub(super) fn put(&mut self, buffer: Vec<u8>) {
        self.bytes += buffer.len();
        self.buffers.entry(buffer.len()).or_default().push(buffer);
    }

    /// The buffer of a block that nobody else has any more.
    pub(super) fn of(block: Bytes, buffer_bytes: usize) -> Option<Vec<u8>> {
        block.is_unique().then(|| {
            let mut buffer = Vec::from(block);
            buffer.resize(buffer_bytes, 0);
            buffer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_hardly_longer_than_its_block() {
        for bytes in (0..5000).chain([1 << 20, (1 << 20) + 1, 256 << 20]) {
            let buffer = Spare::buffer_bytes(bytes);
            assert!(buffer >= bytes && buffer - bytes <= (bytes / 8).max(64), "{bytes} {buffer}");
        }
    }
}
