//! Each thing that a check of checkpoints finds, in words: what it is, what it costs, and what to do.

use std::error::Error as _;

use headwater_checkpoint::{Id, Object};
use headwater_wal::Error;

use super::survey::{Objects, State, Survey};
use crate::{Finding, Severity};

/// So many checkpoints are named in a text.
const NAMED_IN_TEXT_MAX: usize = 10;

const COPY: &str = "put the object back from a copy, if there is one, and check again";

fn told(severity: Severity, file: String, what: String) -> Finding {
    Finding {
        severity,
        file: Some(file),
        offset: None,
        range: None,
        what,
        lost: String::new(),
        remedy: String::new(),
        next: None,
    }
}

/// A head that does not verify.
pub(super) fn damaged_head(survey: &Survey, id: Id, error: &Error) -> Finding {
    let without = match survey.newest {
        Some(newest) if newest > id => {
            "without one it takes no more than room, and is swept once it is kept no longer".to_owned()
        }
        Some(newest) => format!(
            "without one it is passed over, and {newest} is restored from, for as long as the logs hold what that one needs"
        ),
        None => "without one there is no checkpoint left to restore from, and the state has to be rebuilt from the logs, if \
                 they still hold everything"
            .to_owned(),
    };
    Finding {
        offset: error.site().map(|site| site.offset),
        lost: format!("checkpoint {id}"),
        remedy: format!("{COPY}; {without}"),
        next: Some(format!("wal-inspect checkpoints {} list", survey.place)),
        ..told(Severity::Damaged, Object::Head(id).name().to_string(), words(error))
    }
}

/// A head or a part that a newer release wrote.
pub(super) fn unsupported(error: &Error, ids: &[Id]) -> Finding {
    let file = error.site().map(|site| site.name.clone()).unwrap_or_default();
    Finding {
        offset: error.site().map(|site| site.offset),
        lost: format!("nothing: {} cannot be read by this release", some(ids)),
        remedy:
            "use the release that wrote it; do not remove it, for what older checkpoints need may be retired"
                .into(),
        ..told(Severity::Unsupported, file, words(error))
    }
}

/// A section that cannot be read, by an object of it.
pub(super) struct BadSection<'a> {
    pub(super) file: String,
    pub(super) offset: Option<u64>,
    pub(super) what: String,
    /// Its name, where that is known.
    pub(super) section: Option<String>,
    /// Whose section it is, newest first.
    pub(super) of: &'a [Id],
}

pub(super) fn bad_section(survey: &Survey, bad: BadSection<'_>) -> Finding {
    let section = bad.section.map_or("a section".to_owned(), |name| format!("section {name:?}"));
    Finding {
        offset: bad.offset,
        lost: format!("{section} of {}", some(bad.of)),
        remedy: format!(
            "{COPY}; where there is none, an application that runs must write this section anew in its next checkpoint, and \
             not keep it; one that restores gets an error, and has to fall back to a checkpoint that is whole, or to rebuild \
             from the logs"
        ),
        next: bad.of.first().map(|id| format!("wal-inspect checkpoints {} show {id}", survey.place)),
        ..told(Severity::Damaged, bad.file, bad.what)
    }
}

/// A kept checkpoint that is not there.
pub(super) fn gone(id: Id) -> Finding {
    let what = "the newest checkpoint was to be kept together with this one, which is not there: it was removed by hand, or \
                lost, or pruned by a newer checkpoint that is gone itself";
    Finding {
        lost: format!("checkpoint {id}, as one to fall back on"),
        remedy: "nothing: the newest does without it".into(),
        ..told(Severity::Lost, format!("{} (missing)", Object::Head(id).name()), what.into())
    }
}

/// A head that does not count.
pub(super) fn beside(id: Id, state: State) -> Finding {
    let what = match state {
        State::Dead => {
            "is not among those that the newest checkpoint keeps: its writer was replaced, or it was passed over"
        }
        _ => "is kept no longer, and not removed yet",
    };
    set_aside(Object::Head(id).name().to_string(), what.into())
}

pub(super) fn litter(litter: Objects) -> Finding {
    let Objects { count, bytes } = litter;
    let what = format!("{count} objects of {bytes} bytes that no checkpoint that counts is known to name");
    set_aside(Object::PARTS.into(), what)
}

fn set_aside(file: String, what: String) -> Finding {
    Finding {
        remedy:
            "nothing: the writer of checkpoints sweeps it after the next one; if it stays, `Writer::unswept` says why"
                .into(),
        ..told(Severity::SetAside, file, what)
    }
}

pub(super) fn foreign(name: String) -> Finding {
    Finding {
        remedy: "move it away, if nobody needs it here".into(),
        ..told(Severity::Foreign, name, "not of checkpoints; it was neither opened nor changed".into())
    }
}

/// An error without its kind and its place, which a finding has by themselves, and with what caused it.
pub(super) fn words(error: &Error) -> String {
    let mut text = error.to_string();
    if let Some(site) = error.site() {
        let place = format!(" file={} offset={}", site.name, site.offset);
        text.truncate(text.strip_suffix(place.as_str()).map_or(text.len(), str::len));
    }
    let mut text = text.strip_prefix(&format!("{}: ", error.kind())).unwrap_or(&text).to_owned();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn some(ids: &[Id]) -> String {
    let named: Vec<String> = ids.iter().take(NAMED_IN_TEXT_MAX).map(Id::to_string).collect();
    let more = match ids.len().saturating_sub(NAMED_IN_TEXT_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = if ids.len() == 1 { "checkpoint" } else { "checkpoints" };
    format!("{what} {}{more}", named.join(", "))
}
