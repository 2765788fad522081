//! Where everything of a run lies, and how its processes find one another.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use headwater::checkpoint::resume::Root;
use headwater::store::{Memory, Store};
use headwater::{Error, Kind};

use crate::Result;

/// The directory of a run, and where the run keeps what must last.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    dir: PathBuf,
    store: Option<String>,
}

impl Place {
    /// Without a URL all of it lies in the directory.
    pub(crate) fn new(dir: impl Into<PathBuf>, store: Option<String>) -> Place {
        Place { dir: dir.into(), store }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the driver and the receivers keep: on a medium, or in the memory of each for itself.
    pub(crate) fn root(&self, on_medium: bool) -> Root {
        if on_medium {
            return match &self.store {
                Some(url) => Root::at(url),
                None => Root::local(&self.dir),
            };
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
        self.dir.join("files")
    }

    /// Says where somebody listens. Whoever reads it meanwhile reads what was there before.
    pub(crate) fn tell(&self, who: &str, address: SocketAddr) -> Result<()> {
        let file = self.dir.join(format!("{who}.address"));
        let new = self.dir.join(format!("{who}.address.{}", std::process::id()));
        std::fs::write(&new, address.to_string())?;
        Ok(std::fs::rename(new, file)?)
    }

    /// Where somebody listens, or listened last.
    pub(crate) fn find(&self, who: &str) -> headwater::Result<SocketAddr> {
        let text = std::fs::read_to_string(self.dir.join(format!("{who}.address"))).unwrap_or_default();
        text.parse()
            .map_err(|_| Error::new(Kind::Unavailable, format!("{who} has not said where it listens")))
    }
}
