//! The names of objects in a folder of checkpoints, each beside its parser.

use headwater_wal::store::Name;

use crate::Id;

/// The folder of the parts.
pub(crate) const PARTS: &str = "parts";

const DIGITS: usize = 20; // of the greatest u64
const SHORT_DIGITS: usize = 10; // of the greatest u32
const HEAD: &str = ".ckpt";
const CLAIM: &str = ".epoch";
const PART: &str = ".part";

/// What was first written as one section by one checkpoint: in parts of consecutive ordinals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin {
    pub(crate) id: Id,
    pub(crate) section: u32,
}

pub(crate) fn head(id: Id) -> Name {
    named(format!("{:0DIGITS$}-{:0DIGITS$}{HEAD}", id.epoch, id.number))
}

pub(crate) fn parse_head(text: &str) -> Option<Id> {
    let (epoch, number) = text.strip_suffix(HEAD)?.split_once('-')?;
    let id = Id { epoch: epoch.parse().ok()?, number: number.parse().ok()? };
    // One spelling only.
    (head(id).as_str() == text).then_some(id)
}

pub(crate) fn claim(epoch: u64) -> Name {
    named(format!("{epoch:0DIGITS$}{CLAIM}"))
}

pub(crate) fn parse_claim(text: &str) -> Option<u64> {
    let epoch = text.strip_suffix(CLAIM)?.parse().ok()?;
    (claim(epoch).as_str() == text).then_some(epoch)
}

pub(crate) fn part(of: Origin, part: u32) -> Name {
    let Origin { id: Id { epoch, number }, section } = of;
    named(format!(
        "{PARTS}/{epoch:0DIGITS$}-{number:0DIGITS$}-{section:0SHORT_DIGITS$}-{part:0SHORT_DIGITS$}{PART}"
    ))
}

/// The part whose name in its folder this is.
pub(crate) fn parse_part(text: &str) -> Option<(Origin, u32)> {
    let mut words = text.strip_suffix(PART)?.split('-');
    let id = Id { epoch: words.next()?.parse().ok()?, number: words.next()?.parse().ok()? };
    let of = Origin { id, section: words.next()?.parse().ok()? };
    let ordinal = words.next()?.parse().ok()?;
    (part(of, ordinal).as_str().strip_prefix(PARTS)?.strip_prefix('/')? == text).then_some((of, ordinal))
}

pub(crate) fn parts() -> Name {
    named(PARTS.to_owned())
}

fn named(text: String) -> Name {
    Name::new(text).expect("digits and dashes are a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Id = Id { epoch: 3, number: 7 };

    #[test]
    fn names_sort_as_checkpoints_do_and_have_one_spelling() {
        let newer = Id { epoch: 10, number: 0 };
        assert!(head(ID) < head(newer));
        assert_eq!(parse_head(head(newer).as_str()), Some(newer));
        assert_eq!(parse_claim(claim(9).as_str()), Some(9));
        let of = Origin { id: ID, section: u32::MAX };
        let name = part(of, 4);
        assert_eq!(parse_part(name.as_str().split_once('/').unwrap().1), Some((of, 4)));
        for foreign in
            ["3-7.ckpt", "x.ckpt", "00000000000000000003-00000000000000000007", "", "3.epoch", "1-2-3-4.part"]
        {
            assert_eq!(parse_head(foreign), None, "{foreign}");
            assert_eq!(parse_claim(foreign), None, "{foreign}");
            assert_eq!(parse_part(foreign), None, "{foreign}");
        }
    }
}
