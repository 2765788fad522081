//! The options by which records are asked for, which several verbs share.

use headwater_fsck::Wanted;
use headwater_wal::{Position, Time};

use crate::failure::Failure;
use crate::when::When;

#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    /// The first position of interest
    #[arg(long, value_name = "POS")]
    from: Option<u64>,
    /// The first position of no interest any more
    #[arg(long, value_name = "POS")]
    to: Option<u64>,
    /// Only records of this time or a later one: 2026-11-21T10:00Z, `2h ago`, or milliseconds
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Only records of an earlier time
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// Only records of these kinds, the caller's own byte: 7, or 7,8
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<u8>,
}

impl Asked {
    pub(crate) fn wanted(&self) -> Result<Wanted, Failure> {
        let wanted = Wanted {
            from: Position(self.from.unwrap_or(0)),
            to: Position(self.to.unwrap_or(u64::MAX)),
            since: self.since.map_or(Time(0), |when| when.0),
            until: self.until.map_or(Time::MAX, |when| when.0),
            kinds: self.kind.clone(),
        };
        if wanted.from >= wanted.to {
            let message = format!("nothing lies between --from {} and --to {}", wanted.from, wanted.to);
            return Err(Failure::Usage(message));
        }
        if wanted.since >= wanted.until {
            let message =
                format!("nothing lies between --since {} and --until {}", wanted.since, wanted.until);
            return Err(Failure::Usage(message));
        }
        Ok(wanted)
    }
}
