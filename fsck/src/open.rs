//! Segments that are open under a lease: not all of such a file can be read, and nobody else may touch it.

use headwater_wal::format::name;
use headwater_wal::store::{Name, Store, What, leasing};
use headwater_wal::{Because, Error, Kind, Result, Survey};

/// What is to be done about one.
pub(crate) const REMEDY: &str = "stop the writer; starting the log ends the lease, and where it cannot start, `hdfs debug recoverLease` \
                                 does";

/// A segment that is open, if there is one. Of what a look has found sealed nobody is asked.
pub(crate) fn open_segment(store: &dyn Store, survey: &Survey) -> Result<Option<Name>> {
    let Some((_, leases)) = leasing(store) else { return Ok(None) };
    let segments = survey.chain().segments();
    for page in store.list(&Name::ROOT)? {
        for entry in page? {
            let (Some(base), What::File(_)) = (name::parse_segment(&entry.name), entry.what) else {
                continue;
            };
            let known = segments.binary_search_by_key(&base, |segment| segment.base);
            if known.is_ok_and(|at| segments[at].sealed) {
                continue;
            }
            let file = Name::new(entry.name)?;
            match leases.is_open(&file) {
                Ok(true) => return Ok(Some(file)),
                Err(error) if error.kind() != Kind::NotThere => return Err(error),
                _ => {}
            }
        }
    }
    Ok(None)
}

/// What to tell of a log of which a segment is open, so that not all of it shows; nothing, if none is.
pub fn being_written(survey: &Survey) -> Option<String> {
    let aside = survey.aside().iter().find(|aside| aside.because == Because::Open).map(|aside| aside.base);
    let last = || survey.chain().segments().last().filter(|_| survey.is_open()).map(|segment| segment.base);
    let file = name::segment(aside.or_else(last)?);
    Some(format!(
        "{file} is being written under a lease, and cannot be read behind position {} before it is closed",
        survey.end()
    ))
}

/// The refusal of whatever needs all of a log.
pub(crate) fn refusal(store: &dyn Store, file: &Name) -> Error {
    let message = format!(
        "a segment is open under a lease: it is being written, or its writer died, and nobody can read it before the lease \
         ends: {REMEDY}: place={}",
        store.place()
    );
    Error::new(Kind::Unavailable, message).at(file.as_str(), 0)
}
