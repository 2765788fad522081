//! What receivers and their driver say to each other: any bytes as a frame.

use headwater_checkpoint::receive::wire::{self, Call, HEAD_BYTES, Reply};

/// Makes length and check of a frame right.
fn seal(body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_le_bytes();
    let check = crc32c::crc32c_append(crc32c::crc32c(&len), body);
    [&len[..], &check.to_le_bytes(), body].concat()
}

fn read(frame: &[u8]) {
    let (call, reply) = (Call::read(frame), Reply::read(frame));
    assert!(call.is_err() || reply.is_err(), "a call is no reply");
    if let Ok((label, call)) = call {
        assert_eq!(wire::number(frame), Some(label.number));
        assert_eq!(call.frame(label).expect("it was one"), frame, "{call:?}");
    }
    if let Ok((label, reply)) = reply {
        let again = reply.frame(label).expect("it was one");
        match reply {
            // An unknown kind becomes a known one.
            Reply::Failed(_) => assert_eq!(again[33..], frame[33..]),
            _ => assert_eq!(again, frame, "{reply:?}"),
        }
    }
}

/// Any bytes as a frame, as what follows its check, and as the fields of each kind.
pub fn report(bytes: &[u8]) {
    if let Some(head) = bytes.first_chunk::<HEAD_BYTES>() {
        assert!(
            wire::body_len(*head).is_ok_and(|len| len <= wire::BODY_BYTES_MAX)
                || wire::body_len(*head).is_err()
        );
    }
    read(bytes);
    read(&seal(bytes));
    for kind in [1, 2, 3, 129, 130, 131, 255] {
        let label = [&[1, kind][..], &[0; 6], &7_u64.to_le_bytes(), &9_u64.to_le_bytes()].concat();
        read(&seal(&[&label[..], bytes].concat()));
    }
}
