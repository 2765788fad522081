//! The folder that a run works in, and the disk that it lies on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::args::Args;

/// What our folders are called, before the number of the process that made them.
const PREFIX: &str = "headwater-peers-";

/// The folder of this run, which goes with it.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) path: PathBuf,
}

impl Root {
    /// Makes the folder, and removes those of runs that were killed: their processes live no more.
    pub(crate) fn make(dir: &Path) -> Result<Root> {
        fs::create_dir_all(dir)?;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
            if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let path = dir.canonicalize()?.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Root { path })
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("{} could not be removed: {error}", self.path.display());
        }
    }
}

/// Refuses a disk that a run could fill: what was measured on the way there would say nothing.
pub(crate) fn enough_room(args: &Args, dir: &Path) -> Result<()> {
    let disk = rustix::fs::statvfs(dir)?;
    let mib = disk.f_bavail * disk.f_frsize / (1024 * 1024);
    let needed = if args.small { 512 } else { 6 * 1024 } + 8 * args.log_mib;
    let dir = dir.display();
    let refusal =
        format!("{dir} has room for {mib} MiB, and this run may need {needed}; --dir names another folder");
    (mib >= needed).then_some(()).ok_or_else(|| refusal.into())
}
