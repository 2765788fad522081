//! Floor 3: the log. It decides and acts, in whatever thread calls it, and knows no clock and no randomness.

mod ahead;
mod chain;
mod feed;
mod fence;
mod flight;
mod follow;
mod kept;
mod look;
mod many;
mod options;
mod parts;
mod read;
mod reader;
mod record;
mod replay;
mod segment;
mod source;
mod start;
mod summaries;
mod survey;
mod sweep;
mod window;

pub use chain::{Chain, Segment};
pub use follow::Follow;
pub use look::{Depth, look};
pub use options::{Compression, Options};
pub use read::Record;
pub use reader::Reader;
pub use replay::Replay;
pub use survey::{Aside, Because, Damage, Survey, Torn};

pub(crate) use flight::Flight;
pub(crate) use kept::Kept;
pub(crate) use look::look_near;
pub(crate) use many::Many;
pub(crate) use parts::Parts;
pub(crate) use read::{locate, locate_surely, read, read_at};
pub(crate) use record::Prepared;
pub(crate) use segment::{Failed, Unsynced, Writer};
pub(crate) use start::{Given, Started, claimed_above, start, sweep};
pub(crate) use summaries::{Facts, put as put_summary};
pub(crate) use sweep::Sweep;
