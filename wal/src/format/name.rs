//! The names of a log's files, each built and parsed side by side. One spelling only: what prints differently is a
//! foreign name.

use super::handle::Position;
use super::header::EPOCH_LIMIT;

const DIGITS: usize = 20; // of the greatest u64
const SEGMENT_SUFFIX: &str = ".wal";

/// The folder of the claims: one small object an epoch, on media without a lock.
pub const CLAIMS: &str = "epoch";

/// The folder where repair, and `start` where it must, move what they take away.
pub const QUARANTINE: &str = "quarantine";

/// The mark of a repair that is not finished: while it lies in a log's folder, the log does not start.
pub const UNFINISHED: &str = "repair.unfinished";

/// The same of a log that a salvage has not filled yet.
pub const UNFILLED: &str = "salvage.unfinished";

/// The folder of the summaries, on media without growing files.
pub const SUMMARIES: &str = "summary";

/// The name of the segment that begins at `base`: its position in a fixed width, so that names sort as positions do.
pub fn segment(base: Position) -> String {
    format!("{:0DIGITS$}{SEGMENT_SUFFIX}", base.0)
}

/// The base of the segment of that name, if it is one.
pub fn parse_segment(name: &str) -> Option<Position> {
    digits(name.strip_suffix(SEGMENT_SUFFIX)?).map(Position).filter(|&base| base < Position::LIMIT)
}

/// The name of an epoch's claim, in the folder [`CLAIMS`].
pub fn claim(epoch: u64) -> String {
    format!("{epoch:0DIGITS$}")
}

/// The epoch of the claim of that name, if it is one.
pub fn parse_claim(name: &str) -> Option<u64> {
    digits(name).filter(|&epoch| epoch < EPOCH_LIMIT)
}

/// The name of the summary that ends at `end`, in the folder [`SUMMARIES`]: the newest comes first.
pub fn summary(end: Position) -> String {
    format!("{:0DIGITS$}", Position::LIMIT.0 - 1 - end.0)
}

/// Where the summary of that name ends, if it is one.
pub fn parse_summary(name: &str) -> Option<Position> {
    Some(Position((Position::LIMIT.0 - 1).checked_sub(digits(name)?)?))
}

fn digits(text: &str) -> Option<u64> {
    let plain = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_positions_and_have_one_spelling() {
        assert!(segment(Position(9)) < segment(Position(10)));
        let last = Position(Position::LIMIT.0 - 1);
        assert_eq!(parse_segment(&segment(last)), Some(last));
        assert_eq!(parse_segment(&segment(Position::LIMIT)), None);
        assert_eq!(parse_claim(&claim(7)), Some(7));
        assert_eq!(parse_claim(&claim(EPOCH_LIMIT)), None);
        assert!(summary(Position(10)) < summary(Position(9)), "the newest comes first");
        assert_eq!(
            [Position(0), last].map(|end| parse_summary(&summary(end))),
            [Some(Position(0)), Some(last)]
        );
        assert_eq!(parse_summary(&claim(Position::LIMIT.0)), None);
        for foreign in
            ["1.wal", "+0000000000000000001.wal", "99999999999999999999.wal", "x", "00000000000000000001.WAL"]
        {
            assert_eq!(parse_segment(foreign), None, "{foreign}");
        }
    }
}
