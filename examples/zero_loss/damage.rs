//! What happens to disks while their processes are dead.

use std::path::Path;

use crate::Result;

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
pub(crate) fn newest_rots(dir: &Path) -> Result<()> {
    let mut heads: Vec<_> = match dir.join("checkpoints").read_dir() {
        Ok(names) => names.filter_map(|name| Some(name.ok()?.path())).collect(),
        Err(_) => return Ok(()),
    };
    heads.retain(|path| path.extension().is_some_and(|extension| extension == "ckpt"));
    heads.sort();
    let Some(newest) = heads.pop().filter(|_| !heads.is_empty()) else { return Ok(()) };
    let mut bytes = std::fs::read(&newest)?;
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    Ok(std::fs::write(newest, bytes)?)
}
