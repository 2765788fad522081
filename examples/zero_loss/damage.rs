//! What happens to disks while their processes are dead.

use std::path::Path;

use headwater::store::Name;

use crate::Result;
use crate::place::Place;

/// The disk of a receiver's machine is gone, and another machine goes on.
pub(crate) fn disk_dies(dir: &Path, receiver: u32) -> Result<()> {
    let log = dir.join(format!("received/0/{receiver}"));
    if !log.exists() {
        return Ok(());
    }
    let lost = (0..).map(|number| dir.join(format!("lost-{receiver}-{number}"))).find(|lost| !lost.exists());
    Ok(std::fs::rename(log, lost.ok_or("no name is left")?)?)
}

/// A bit of the newest checkpoint turns over, unless there is none older to go back to.
pub(crate) fn newest_rots(place: &Place) -> Result<()> {
    let store = place.root(true).checkpoints()?;
    let mut heads = Vec::new();
    for page in store.list(&Name::ROOT)? {
        heads.extend(page?.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(".ckpt")));
    }
    let Some(newest) = heads.pop().filter(|_| !heads.is_empty()) else { return Ok(()) };
    let newest = Name::new(newest)?;
    let mut bytes = store.read(&newest, 0..u64::MAX)?.to_vec();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    store.remove(&newest)?;
    Ok(store.put(&newest, bytes.into())?)
}
