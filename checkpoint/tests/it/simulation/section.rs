//! Sections on their way into a draft.

use std::io::Write as _;

use headwater_checkpoint::Draft;
use headwater_wal::{Error, Kind, Result};

use super::model::Section;
use super::world::{INSIDE_BYTES_MAX, PART_BYTES, World};
use crate::fixture::noise;

/// How a section comes into a draft.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Write(usize),
    /// In small pieces.
    Pieces(usize),
    Keep,
    /// Kept by its revision if that is the same, and else written.
    Revised {
        same: bool,
        len: usize,
    },
}

/// Adds a section to the draft; `None` if it could not be kept, which is no harm.
pub(crate) fn add(
    world: &World,
    draft: &mut Draft<'_>,
    name: &str,
    how: How,
    known: Option<&Section>,
    ordinal: u32,
) -> Result<Option<Section>> {
    let fresh = world.model().number();
    let (id, mut called) = (draft.id(), false);
    let (bytes, revision) = match how {
        How::Write(len) => {
            let bytes = payload(fresh, len);
            draft.write(name, &bytes)?;
            (bytes, None)
        }
        How::Pieces(len) => {
            let bytes = payload(fresh, len);
            let mut section = draft.section(name)?;
            let written = bytes.chunks(37).try_for_each(|piece| section.write_all(piece));
            if let Err(error) = written {
                let cause = error.into_inner().and_then(|cause| cause.downcast::<Error>().ok());
                return Err(*cause.expect("the engine's own error"));
            }
            section.finish()?;
            (bytes, None)
        }
        How::Keep => {
            return match (draft.keep(name), known) {
                (Ok(()), Some(known)) => Ok(Some(known.clone())),
                (Ok(()), None) => panic!("kept what is not there: {name}"),
                (Err(error), None) => {
                    assert_eq!(error.kind(), Kind::NotThere);
                    Ok(None)
                }
                // The bytes of one that lies in the head could not be read.
                (Err(error), Some(known)) => {
                    world.explained(&error);
                    assert!(error.kind() != Kind::NotThere && known.parts.is_none(), "{error:?}");
                    Ok(None)
                }
            };
        }
        How::Revised { same, len } => {
            let revision = known.and_then(|known| known.revision).filter(|_| same).unwrap_or(fresh);
            let bytes = payload(fresh, len);
            let answer = draft.keep_or_write(name, revision, |into| {
                called = true;
                into.write_all(&bytes)
            });
            let same = known.filter(|known| known.revision == Some(revision));
            match (answer, same) {
                (Ok(()), Some(known)) => {
                    assert!(!called, "written although the revision is the same: {name}");
                    return Ok(Some(known.clone()));
                }
                (Ok(()), None) => assert!(called, "kept although the revision differs: {name}"),
                (Err(error), Some(_)) => {
                    world.explained(&error);
                    return Ok(None);
                }
                (Err(error), None) => return Err(error),
            }
            (bytes, Some(revision))
        }
    };
    let inside = bytes.len() <= INSIDE_BYTES_MAX;
    let parts = (!inside).then(|| (id, ordinal, bytes.len().div_ceil(PART_BYTES) as u32));
    Ok(Some(Section { bytes, revision, parts }))
}

/// Bytes that no others are; some of them can be compressed.
fn payload(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = noise(number, len);
    if number.is_multiple_of(3) {
        bytes.iter_mut().skip(8).for_each(|byte| *byte = number as u8);
    }
    bytes
}
