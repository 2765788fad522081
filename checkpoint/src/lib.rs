//! Checkpoints of a driver's state: what it knew, and from where its logs have to be replayed.
//!
//! ```
//! use std::io::Write;
//! use std::sync::Arc;
//!
//! use headwater_checkpoint::{Checkpoints, Content, Held, Options, Owner, Writer};
//! use headwater_wal::Position;
//! use headwater_wal::store::Memory;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(Memory::objects()); // or `Local::open(directory)?`
//! let checkpoints = Checkpoints::open(store); // looks, and changes nothing
//! let owner = Owner::alone(&checkpoints)?; // or `Owner::of(&journal)`
//! let options = Options::default().content(Content::new("word counts", 1));
//! let (mut writer, latest) = Writer::start(checkpoints.clone(), owner, options, &Held::nothing())?;
//! assert!(latest.checkpoint.is_none());
//!
//! let mut draft = writer.draft()?;
//! draft.write("counts", b"to be 2")?;
//! let mut words = draft.section("words")?; // of any length: it goes out as it comes in
//! words.write_all(b"to be or not")?;
//! words.finish()?;
//! draft.publish(&[("journal", Position(4096))])?; // durable, and the newest
//!
//! let mut draft = writer.draft()?;
//! draft.write("counts", b"to be 3")?;
//! draft.keep("words")?; // neither read nor written
//! draft.publish(&[("journal", Position(8192))])?;
//!
//! let newest = checkpoints.latest(&Held::nothing())?.checkpoint.expect("it was published");
//! assert_eq!(newest.position("journal"), Some(Position(8192)));
//! assert_eq!(checkpoints.read_section(&newest, "words")?.read_all(1 << 20)?, b"to be or not");
//! # Ok(())
//! # }
//! ```
//!
//! Beside checkpoints there are the driver's [`journal`]; [`resume`], which brings both back after any end, and says what
//! receivers may remove of their logs; [`receive`], how receivers report, in the driver's process or from others; and
//! [`sink`], where outputs go, each once.
//!
//! # What holds
//!
//! - A checkpoint is there whole or not at all. It is a small *head*, put under a name that was free, once all that it
//!   names is durable; before, there is none. [`format`](mod@format) states every byte.
//! - Its name is its writer's epoch and a number, so the greatest is the newest, whatever clocks did. The epoch is the
//!   journal's: [`Owner::of`].
//! - A section that has not changed is shared with the checkpoint before ([`Draft::keep`]), and with no other.
//! - One that does not verify, lacks a part, or needs what its logs no longer hold is reported and passed over
//!   ([`Latest::passed_over`]). None at all beside logs that hold records is an error, never a fresh start ([`Held`]).
//! - Of two writers the one of the newer epoch stays. The other one is told `Fenced` by its next checkpoint, however late
//!   it wakes; nothing that it still sweeps is of any use to the newer one.
//! - Every section is verified as it is read, before a byte of it is handed out.
//! - What is kept no longer is swept after each checkpoint; what a crash leaves, after the first one of the next epoch.
//!
//! What is not noticed: a store that has lost the newest checkpoint without a trace (the one before is the newest then,
//! and the journal has what lies between, for as long as that one is kept); bytes that were changed on purpose, with
//! their checksums.
//!
//! # Beside the work
//!
//! [`Background`] writes in a thread of its own: newest state wins, bounded by bytes, a [`Ticket`] for each.
//!
//! # When the application has changed
//!
//! [`Options::content`] says what the sections are, and in which version of the application's own. It is in each head, so
//! a newer application sees what it is given before it decodes a byte: [`Checkpoint::content`]. The example
//! `checkpoint_upgrade` reads an older version and goes on in its own.

mod background;
mod checkpoint;
mod checkpoints;
mod draft;
pub mod format;
mod held;
pub mod journal;
mod options;
pub mod receive;
pub mod resume;
mod section;
mod sections;
pub mod sink;
mod sweep;
mod upload;
mod writer;

pub use background::{Background, Captured, Status, Ticket};
pub use checkpoint::{Checkpoint, Content, Id, Object, Section};
pub use checkpoints::{Checkpoints, Latest};
pub use draft::{Draft, SectionWriter};
pub use held::Held;
pub use options::Options;
pub use section::SectionReader;
pub use writer::{Owner, Writer};
