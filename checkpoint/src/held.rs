//! What logs hold, as whoever resumes from a checkpoint knows it.

use std::ops::Range;

use headwater_wal::{Error, Kind, Position, Result};

use crate::checkpoint::Checkpoint;

/// What there is of the logs that checkpoints have positions in. A checkpoint is only of use where each of its logs
/// still has everything from its position on.
#[derive(Clone, Debug, Default)]
pub struct Held {
    logs: Vec<(String, Range<Position>)>,
    rebuilds: bool,
}

impl Held {
    /// Nothing is known of any log: positions are not looked at, and that there is no checkpoint is no error.
    pub fn nothing() -> Held {
        Held::default()
    }

    /// This log begins and ends here ([`Log::range`](headwater_wal::Log::range)).
    #[must_use]
    pub fn log(mut self, name: impl Into<String>, range: Range<Position>) -> Held {
        self.logs.push((name.into(), range));
        self
    }

    /// The caller can do without any checkpoint, from the logs alone: that there is none is no error then.
    #[must_use]
    pub fn rebuilds(mut self) -> Held {
        self.rebuilds = true;
        self
    }

    /// Why the checkpoint is of no use: something that it needs is retired. `Err`: a log ends before the checkpoint's
    /// position in it, so it has lost what was acknowledged, and no older checkpoint would mend that.
    pub(crate) fn lacks(&self, checkpoint: &Checkpoint) -> Result<Option<Error>> {
        for (name, range) in &self.logs {
            let Some(position) = checkpoint.position(name) else { continue };
            let id = checkpoint.id();
            if position > range.end {
                let message = format!(
                    "the checkpoint has the effects of records that its log does not hold; check the log, or accept the \
                     loss by removing the checkpoint: checkpoint={id} log={name} position={position} log_ends={}",
                    range.end
                );
                return Err(Error::new(Kind::Damaged, message));
            }
            if position < range.start {
                let message = format!(
                    "records that the checkpoint needs are retired: checkpoint={id} log={name} position={position} \
                     log_begins={}",
                    range.start
                );
                return Ok(Some(Error::new(Kind::Retired, message)));
            }
        }
        Ok(None)
    }

    /// Why there being no checkpoint of use is an error, if it is one.
    pub(crate) fn forbids_none(&self) -> Option<String> {
        let lived = |range: &Range<Position>| range.start > Position::START || range.start < range.end;
        let some = self.logs.iter().find(|(_, range)| !self.rebuilds && lived(range))?;
        let (name, range) = some;
        Some(format!("log={name} log_begins={} log_ends={}", range.start, range.end))
    }
}
