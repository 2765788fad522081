//! Where everything of a run lies, and how its processes find one another.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use headwater::checkpoint::resume::Root;
use headwater::store::{Memory, Store};
use headwater::{Error, Kind};

use crate::Result;

/// The directory of a run.
#[derive(Clone, Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(dir: impl Into<PathBuf>) -> Place {
        Place(dir.into())
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// What the driver and the receivers keep: on disk, or in the memory of each for itself.
    pub(crate) fn root(&self, on_disk: bool) -> Root {
        if on_disk {
            return Root::local(&self.0);
        }
        let folders: Mutex<Vec<(String, Arc<Memory>)>> = Mutex::default();
        Root::new(move |name| {
            let mut folders = folders.lock().expect("nobody panics with it");
            if let Some((_, folder)) = folders.iter().find(|(of, _)| of == name.as_str()) {
                return Ok(folder.clone() as Arc<dyn Store>);
            }
            let folder = Arc::new(Memory::growing());
            folders.push((name.as_str().to_owned(), folder.clone()));
            Ok(folder)
        })
    }

    /// Where a source puts files.
    pub(crate) fn files(&self) -> PathBuf {
        self.0.join("files")
    }

    /// Says where somebody listens. Whoever reads it meanwhile reads what was there before.
    pub(crate) fn tell(&self, who: &str, address: SocketAddr) -> Result<()> {
        let file = self.0.join(format!("{who}.address"));
        let new = self.0.join(format!("{who}.address.{}", std::process::id()));
        std::fs::write(&new, address.to_string())?;
        Ok(std::fs::rename(new, file)?)
    }

    /// Where somebody listens, or listened last.
    pub(crate) fn find(&self, who: &str) -> headwater::Result<SocketAddr> {
        let text = std::fs::read_to_string(self.0.join(format!("{who}.address"))).unwrap_or_default();
        text.parse()
            .map_err(|_| Error::new(Kind::Unavailable, format!("{who} has not said where it listens")))
    }
}
