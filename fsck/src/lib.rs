//! Looks into Headwater's logs, journals and checkpoints, and checks them.
//!
//! Whatever looks, checks or plans never creates, changes, locks or fences anything, also beside a live writer (promise
//! P7): the only calls it makes of a [`Store`](headwater_wal::store::Store) are `list` and `read`. [`repair`] and
//! [`salvage`] write, and say what.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_fsck::{Depth, check};
//! use headwater_wal::store::{Memory, Store};
//! use headwater_wal::{Log, Options, Position, Time};
//!
//! let store: Arc<dyn Store> = Arc::new(Memory::growing());
//! let log = Log::open(store.clone(), Options::default())?.start(Position::START)?;
//! log.append(Time(0), "a block")?.wait()?;
//! log.close()?;
//!
//! let report = check(&*store, Position::START, Depth::Full)?;
//! assert!(report.is_sound());
//! println!("{report}");
//! # Ok::<(), headwater_wal::Error>(())
//! ```
//!
//! What is damaged is repaired by a plan, which can be read before anything is written:
//!
//! ```
//! # use std::sync::Arc;
//! # use headwater_fsck::{Consent, Depth, check, plan, repair, salvage};
//! # use headwater_wal::store::{Memory, Store};
//! # use headwater_wal::{Log, Options, Position, Time};
//! # let store: Arc<dyn Store> = Arc::new(Memory::growing());
//! # let log = Log::open(store.clone(), Options::default())?.start(Position::START)?;
//! # log.append(Time(0), "a block")?.wait()?;
//! # log.close()?;
//! let report = check(&*store, Position::START, Depth::Full)?;
//! let plan = plan(&store, &report)?;
//! println!("{plan}");
//! if !plan.loses_data() {
//!     println!("{}", repair(&store, &plan, Consent::SafeOnly)?);
//! }
//!
//! let new: Arc<dyn Store> = Arc::new(Memory::growing());
//! println!("{}", salvage(&store, &new)?); // or copies what can be read into a new log
//! # Ok::<(), headwater_wal::Error>(())
//! ```
//!
//! The program `wal-inspect` (feature `cli`) shows the same to people and, as JSON lines, to other programs.

mod check;
pub mod checkpoints;
mod clean;
#[cfg(all(feature = "damage", unix))]
pub mod damage;
mod explain;
mod file;
mod find;
mod finding;
pub mod journal;
mod listing;
mod lost;
mod open;
mod plan;
mod repair;
mod report;
mod root;
mod salvage;
mod seek;
mod stats;
mod timeline;
mod walk;
mod wanted;

pub use check::check;
pub use clean::{Cleaned, Cleaning, clean_log, clean_root};
pub use explain::{Explained, Lies, explain};
pub use file::File;
pub use find::{find, is_log, logs_below};
pub use finding::{Finding, Severity};
pub use headwater_wal::Depth;
pub use listing::{Listing, NEWEST, Unread, WHOLE_MAX, list};
pub use open::being_written;
pub use plan::{Consent, Plan, Step, plan};
pub use repair::{Repaired, repair, repair_with};
pub use report::Report;
pub use root::{Against, Here, Part, root, what_is_here};
pub use salvage::{Salvaged, salvage, salvage_telling};
pub use seek::{Goal, Place, before_last, seek};
pub use stats::{GAPS_MAX, Gap, HOURS_MAX, Sizes, Stats, Sum, stats};
pub use timeline::{Marks, timeline};
pub use wanted::Wanted;
