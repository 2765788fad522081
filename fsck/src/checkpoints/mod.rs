//! Looks into a folder of checkpoints, and checks it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_checkpoint::{Checkpoints, Held, Options, Owner, Writer};
//! use headwater_fsck::{Depth, checkpoints};
//! use headwater_wal::store::{Memory, Store};
//!
//! let store: Arc<dyn Store> = Arc::new(Memory::objects());
//! let folder = Checkpoints::open(store.clone());
//! let owner = Owner::alone(&folder)?;
//! let (mut writer, _) = Writer::start(folder, owner, Options::default(), &Held::nothing())?;
//! let mut draft = writer.draft()?;
//! draft.write("state", b"all of it")?;
//! let id = draft.publish(&[])?;
//!
//! assert_eq!(checkpoints::survey(&store)?.newest(), Some(id));
//! let report = checkpoints::check(&store, Depth::Full)?;
//! assert!(report.is_sound());
//! println!("{report}");
//! # Ok::<(), headwater_wal::Error>(())
//! ```

mod check;
mod find;
mod look;
mod needs;
mod report;
mod survey;
mod sweep;
mod told;

pub use check::{check, verify};
pub use find::{FOLDER, is_below, is_here};
pub use needs::needs;
pub use report::{Checked, Report};
pub use survey::{Head, Objects, State, Stated, Survey, survey};
pub use sweep::{Sweep, sweep, sweepable};
