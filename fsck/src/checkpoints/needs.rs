//! Whether a log still holds what checkpoints need of it.

use std::ops::Range;

use headwater_checkpoint::Object;
use headwater_wal::Position;

use super::{State, Survey};
use crate::{Finding, Severity};

/// What is wrong between the checkpoints and a log that begins and ends here: what they need of it is retired, or was
/// never there. `log`: its name, as the checkpoints have it.
pub fn needs(survey: &Survey, log: &str, range: Range<Position>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for head in survey.heads().iter().filter(|head| head.state.counts()) {
        let stated = head.stated.iter().flat_map(|stated| &stated.positions);
        for (_, position) in stated.filter(|(name, _)| name == log) {
            let what = match *position {
                position if position < range.start => {
                    format!(
                        "what it needs is retired: it is replayed from {position}, and the log begins at {}",
                        range.start
                    )
                }
                position if position > range.end => {
                    format!(
                        "the log has lost what it knows: it is replayed from {position}, and the log ends at {}",
                        range.end
                    )
                }
                _ => continue,
            };
            let newest = head.state == State::Newest;
            findings.push(Finding {
                severity: if newest { Severity::Damaged } else { Severity::Lost },
                file: Some(Object::Head(head.id).name().to_string()),
                offset: None,
                range: None,
                what: format!("{what}: log={}", log.escape_debug()),
                lost: format!("checkpoint {}, as one to restore from", head.id),
                remedy: match newest {
                    true => "put what the log has lost back from a copy, if there is one; resuming is refused without it",
                    false => "nothing: newer ones do without it",
                }
                .into(),
                next: None,
            });
        }
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}
