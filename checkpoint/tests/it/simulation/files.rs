//! The names of the files, told a second time.

use headwater_checkpoint::Id;

pub(crate) fn head(id: Id) -> String {
    format!("{:020}-{:020}.ckpt", id.epoch, id.number)
}

pub(crate) fn claim(epoch: u64) -> String {
    format!("{epoch:020}.epoch")
}

pub(crate) fn part(of: Id, section: u32, part: u32) -> String {
    format!("parts/{:020}-{:020}-{section:010}-{part:010}.part", of.epoch, of.number)
}

/// The epoch of whoever put it.
pub(crate) fn epoch_of(name: &str) -> u64 {
    let name = name.strip_prefix("parts/").unwrap_or(name);
    name[..20].parse().expect("every name begins with its epoch")
}
