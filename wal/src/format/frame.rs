//! frames
pub(crate) const FRAME_HEADER_BYTES: u64 = 32;
/// How many bytes a frame takes with a payload of so many stored bytes, its padding included.
pub fn frame_len(stored_len: u32) -> u64 {
    (FRAME_HEADER_BYTES + u64::from(stored_len)).next_multiple_of(8)
}
