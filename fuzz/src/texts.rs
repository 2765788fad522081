//! Handles and names: what is read is written the same way.

use headwater_wal::Handle;
use headwater_wal::format::name;

/// Any bytes as a handle's bytes, and as its text.
pub fn handle(bytes: &[u8]) {
    if let Ok(handle) = Handle::from_bytes(bytes) {
        assert_eq!(&handle.to_bytes()[..], bytes);
        assert_eq!(handle.to_string().parse::<Handle>().expect("its own text"), handle);
        assert!(handle.end() >= handle.position());
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(handle) = text.parse::<Handle>()
    {
        assert_eq!(handle.to_string(), text);
    }
}

/// Any text as a segment's name, and as a claim's.
pub fn name(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(base) = name::parse_segment(text) {
        assert_eq!(name::segment(base), text);
    }
    if let Some(epoch) = name::parse_claim(text) {
        assert_eq!(name::claim(epoch), text);
    }
}
