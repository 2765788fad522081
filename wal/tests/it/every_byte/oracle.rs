//! What must be said of a sample when a file of it is hurt, from how the sample was written alone.

use super::Hurt;
use super::sample::{File, HEADER, Sample};

/// What opening says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Clean,
    Torn,
    Damaged,
    Unsupported,
}

/// What must come of it.
#[derive(Debug)]
pub(crate) struct Expected {
    /// What opening says, which believes what a later segment says of an earlier one.
    pub(crate) quick: Said,
    /// What reading every byte says.
    pub(crate) full: Said,
    /// The records that a replay gives.
    pub(crate) kept: Vec<usize>,
    /// Whether acknowledged records are gone from the end.
    pub(crate) lost_at_end: bool,
}

/// What must be said.
pub(crate) fn expect(sample: &Sample, file: usize, hurt: Hurt) -> Expected {
    let hurt_file = &sample.files[file];
    let (quick, full) = said(hurt_file, hurt);
    let kept: Vec<usize> = (0..sample.records.len())
        .filter(|&at| sample.records[at].file != file || is_kept(sample, at, hurt))
        .collect();
    let lost_at_end = full != Said::Damaged && kept.last() != Some(&(sample.records.len() - 1));
    Expected { quick, full, kept, lost_at_end }
}

fn both(said: Said) -> (Said, Said) {
    (said, said)
}

fn said(file: &File, hurt: Hurt) -> (Said, Said) {
    match hurt {
        Hurt::Flip(at, bit) => said_of_flip(file, at, bit),
        // Nothing at all where a header should be: a crash between the name and the header, where names may come first.
        Hurt::Cut(0) if !file.whole => both(Said::Torn),
        Hurt::Cut(len) if len < HEADER => both(Said::Damaged),
        // A file put whole cannot be torn.
        Hurt::Cut(_) if file.whole => both(Said::Damaged),
        // Nothing behind the cut can tell, and what was cut between two groups leaves no trace.
        Hurt::Cut(len) => {
            let end = file.groups.last().unwrap().end;
            let between = file.groups.iter().any(|group| group.start == len || group.end == len);
            both(if between || (len > end && file.footer.is_none()) { Said::Clean } else { Said::Torn })
        }
    }
}

fn said_of_flip(file: &File, at: usize, bit: u8) -> (Said, Said) {
    if at < HEADER {
        // The version, 1, is read before the checksum: any other but 0 is a newer release's.
        let version = match at {
            12 => 1 ^ (1_u16 << bit),
            13 => 1 | (1_u16 << (8 + bit)),
            _ => 0,
        };
        return both(if version > 1 { Said::Unsupported } else { Said::Damaged });
    }
    let in_group = file.groups.iter().position(|group| group.contains(&at));
    match in_group {
        // Opening believes what proves the segment; who reads it finds out.
        Some(_) if file.proven => (Said::Clean, Said::Damaged),
        _ if file.whole => both(Said::Damaged),
        // The groups behind it say that it was acknowledged; of the last one nothing does.
        Some(group) if group + 1 < file.groups.len() => both(Said::Damaged),
        Some(_) => both(Said::Torn),
        // In the footer, or in what should be zeros behind the last group.
        None => both(Said::Torn),
    }
}

/// Whether a replay gives a record of the file that was hurt.
fn is_kept(sample: &Sample, record: usize, hurt: Hurt) -> bool {
    let record = &sample.records[record];
    let file = &sample.files[record.file];
    let group = file.groups.iter().find(|group| group.contains(&record.frame.start)).unwrap();
    match hurt {
        Hurt::Cut(len) => group.end <= len,
        Hurt::Flip(at, _) if at < HEADER => false,
        // Known to be part of the log, so a replay goes on behind what is damaged.
        Hurt::Flip(at, _) if file.proven && at < file.groups.last().unwrap().end => {
            !record.frame.contains(&at)
        }
        // The log ends at the first group that is not whole.
        Hurt::Flip(at, _) => group.end <= at,
    }
}
