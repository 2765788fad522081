//! Reading the two ends of segments: header and footer, many at once where the medium can.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Found, Looking};
use crate::error::{Error, Kind, Result};
use crate::format::Position;
use crate::format::footer::{self, Footer, TRAILER_BYTES};
use crate::format::header::{self, HEADER_BYTES, Header, HeaderFault};
use crate::format::name;
use crate::log::source::{Ranged, segment_name};
use crate::store::{Fetch, Name, Store, What, leasing};

/// So much of a file's end is read at once.
const LAST_BYTES: u64 = 4096;

/// Where a read is a request, a file of so many bytes is read whole.
const WHOLE_BYTES: u64 = 16 * 1024;

/// How many files are read ahead.
const AHEAD: usize = 64;

/// The ends of a file, which are on their way.
struct Begun {
    head: Fetch,
    /// From which offset on; none if it comes with the head.
    last: Option<(u64, Fetch)>,
}

impl Begun {
    fn new(store: &dyn Store, base: Position, len: u64) -> Option<Self> {
        let name = segment_name(base);
        if len <= WHOLE_BYTES {
            return Some(Begun { head: store.fetch(&name, 0..len.max(HEADER_BYTES))?, last: None });
        }
        let last_at = len - LAST_BYTES;
        let head = store.fetch(&name, 0..HEADER_BYTES)?;
        Some(Begun { head, last: Some((last_at, store.fetch(&name, last_at..len)?)) })
    }

    /// The bytes. What did not come is read by its name, and that answer counts.
    fn wait(self) -> Option<(Bytes, Last)> {
        let head = self.head.wait().ok()?;
        let last = match self.last {
            None => Last { at: 0, bytes: head.clone() },
            Some((at, last)) => Last { at, bytes: last.wait().ok()? },
        };
        Some((head, last))
    }
}

/// The end of a file, as far as it is there already.
struct Last {
    at: u64,
    bytes: Bytes,
}

impl Looking<'_> {
    /// Reads header and footer of every file.
    pub(super) fn read_all(&mut self, files: &[(Position, u64)]) -> Result<()> {
        let mut begun: VecDeque<Option<Begun>> = VecDeque::new();
        let mut coming = files.iter();
        for &(base, len) in files {
            while begun.len() < AHEAD
                && let Some(&(base, len)) = coming.next()
            {
                begun.push_back(Begun::new(self.store, base, len));
            }
            let found = self.read_ends(base, len, begun.pop_front().flatten())?;
            self.found.push(found);
        }
        Ok(())
    }

    /// Reads the header, and the footer that the file's last bytes point at.
    ///
    /// On a medium of leases a file whose ends do not show may be open. It is asked for behind the read, so if it is not,
    /// it may have been closed in between, and is read once more, with the length that it has by then.
    fn read_ends(&self, base: Position, len: u64, begun: Option<Begun>) -> Result<Found> {
        let found = self.read_ends_once(base, len, begun);
        let Some((_, leases)) = leasing(self.store) else { return found };
        match found {
            Ok(found) if found.header.is_ok() && found.footer.is_some() => Ok(found),
            Err(error) if error.kind() != Kind::NotThere => Err(error),
            found => {
                if leases.is_open(&segment_name(base))? {
                    let header = found.map_or(Err(HeaderFault::Short), |found| found.header);
                    return Ok(Found { base, len, header, footer: None, open: true });
                }
                self.read_ends_once(base, self.len_now(base)?, None)
            }
        }
    }

    /// The length of a closed file.
    fn len_now(&self, base: Position) -> Result<u64> {
        let before = name::segment(Position(base.0.saturating_sub(1)));
        let pages = match base {
            Position::START => self.store.list(&Name::ROOT)?,
            _ => self.store.list_after(&Name::ROOT, &before)?,
        };
        for page in pages {
            for entry in page? {
                match entry.what {
                    What::File(len) if name::parse_segment(&entry.name) == Some(base) => return Ok(len),
                    _ if name::parse_segment(&entry.name).is_some_and(|other| other > base) => break,
                    _ => {}
                }
            }
        }
        Err(Error::new(Kind::NotThere, "a file went while it was looked at"))
    }

    fn read_ends_once(&self, base: Position, len: u64, begun: Option<Begun>) -> Result<Found> {
        let name = segment_name(base);
        let file = Ranged::open(self.store, &name)?;
        let (head, last) = match begun.and_then(Begun::wait) {
            Some((head, last)) => (head, Some(last)),
            None => (file.read(0..HEADER_BYTES)?, None),
        };
        let header = match Header::decode(base, &head) {
            Ok(header) => Ok((header, u32::from_le_bytes([head[8], head[9], head[10], head[11]]))),
            Err(HeaderFault::Newer(version)) => {
                file.confirm()?;
                let message = format!(
                    "a segment of format version {version}, this release reads up to version {}; if no newer release \
                     wrote here, the header is damaged: run `wal-inspect check {}`",
                    header::VERSION,
                    self.store.place()
                );
                return Err(Error::new(Kind::Unsupported, message).at(name.as_str(), 0));
            }
            Err(fault) => Err(fault),
        };
        let footer = match &header {
            Ok((header, _)) => read_footer(&file, header, len, last)?,
            Err(_) => None,
        };
        if footer.is_none() {
            file.confirm()?;
        }
        Ok(Found { base, len, header, footer, open: false })
    }
}

fn read_footer(
    file: &Ranged<'_>,
    header: &Header,
    len: u64,
    last: Option<Last>,
) -> Result<Option<(Position, Footer)>> {
    let (life, body) = (header.life(), header.body());
    let Some(trailer_at) = len.checked_sub(TRAILER_BYTES).filter(|&at| at >= body) else {
        return Ok(None);
    };
    // Of most footers all is read with their trailer.
    let Last { at: last_at, bytes: last } = match last {
        Some(last) => last,
        None => {
            let at = len.saturating_sub(LAST_BYTES).max(body);
            Last { at, bytes: file.read(at..len)? }
        }
    };
    if (last.len() as u64) < len - last_at {
        // It is another file than was listed, or it was trimmed: whoever looks begins again.
        return Err(Error::new(Kind::NotThere, "a file changed while it was looked at"));
    }
    let trailer = &last[(trailer_at - last_at) as usize..];
    let Some(footer_len) = footer::footer_len(life, header.base.plus(trailer_at), trailer) else {
        return Ok(None);
    };
    let Some(at) = len.checked_sub(footer_len).filter(|&at| at >= body) else { return Ok(None) };
    let bytes = match at.checked_sub(last_at) {
        Some(from) => last.slice(from as usize..),
        None => file.read(at..len)?,
    };
    let position = header.base.plus(at);
    let footer = Footer::decode(life, position, &bytes)
        .filter(|footer| footer.decode_index(life, position, &bytes).is_some());
    Ok(footer.map(|footer| (position, footer)))
}
