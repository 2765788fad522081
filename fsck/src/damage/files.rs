//! The files of a log or of checkpoints, as something may befall them: behind the back of every store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_wal::store::sim::Sim;
use headwater_wal::store::{Entry, Local, Memory, Name, Store, What};

use super::Shape;

/// Where files lie that something may befall. Every call panics where the medium itself fails: what is damaged here is made
/// for it.
#[derive(Clone, Debug)]
pub enum Files {
    /// A folder on disk.
    Folder(PathBuf),
    /// The memory of this process, of either shape.
    Memory(Memory),
    /// A simulated medium of leases.
    Leases(Sim),
}

impl Files {
    /// Nothing yet, on a medium of this shape.
    pub(super) fn of(shape: Shape) -> Files {
        match shape {
            Shape::Disk => Files::Memory(Memory::growing()),
            Shape::Objects | Shape::Summarised => Files::Memory(Memory::objects()),
            Shape::Leases => {
                let sim = Sim::leases(1);
                sim.set_page(1000);
                Files::Leases(sim)
            }
        }
    }

    /// A store of these files, as a process has that begins now.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Files::Folder(path) => Arc::new(Local::open(path).expect("a folder")),
            Files::Memory(memory) => Arc::new(memory.clone()),
            Files::Leases(sim) => sim.store(),
        }
    }

    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Files::Folder(path) => Some(path),
            Files::Memory(_) | Files::Leases(_) => None,
        }
    }

    /// The names of all files, those in folders too, in order. Of a folder on disk also names that no store shows.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        match self {
            Files::Folder(path) => below(path, "", &mut names),
            Files::Memory(memory) => listed(memory, &Name::ROOT, &mut names),
            Files::Leases(sim) => names = sim.names(),
        }
        names.sort();
        names
    }

    /// The bytes of a file; nothing if it is not there or not a file.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Files::Folder(path) => {
                let path = path.join(name);
                let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
                is_file.then(|| fs::read(path).ok()).flatten()
            }
            Files::Memory(memory) => memory.read(&Name::new(name).ok()?, 0..u64::MAX).ok().map(Vec::from),
            Files::Leases(sim) => sim.has(name).then(|| sim.read_raw(name)),
        }
    }

    /// A file of that name has these bytes now, whatever was there.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        match self {
            Files::Folder(path) => {
                let path = path.join(name);
                fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                fs::write(path, bytes).expect("a file");
            }
            Files::Memory(memory) => {
                let name = Name::new(name).expect("a name");
                memory.remove(&name).expect("memory");
                memory.put(&name, bytes.to_vec().into()).expect("memory");
            }
            Files::Leases(sim) => sim.write_raw(name, bytes),
        }
    }

    /// The file is gone.
    pub fn remove(&self, name: &str) {
        match self {
            Files::Folder(path) => _ = fs::remove_file(path.join(name)),
            Files::Memory(memory) => memory.remove(&Name::new(name).expect("a name")).expect("memory"),
            Files::Leases(sim) if sim.has(name) => sim.remove_file(name),
            Files::Leases(_) => {}
        }
    }

    /// Changes the bytes of a file that is there.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(mut bytes) = self.read(name) {
            change(&mut bytes);
            self.write(name, &bytes);
        }
    }

    /// Everything that can be told of them: what was changed shows in this.
    pub fn bytes(&self) -> Vec<(String, Option<Vec<u8>>)> {
        self.names().into_iter().map(|name| (name.clone(), self.read(&name))).collect()
    }
}

fn below(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.file_type().expect("its type").is_dir() {
            true => below(&entry.path(), &format!("{name}/"), names),
            false => names.push(name),
        }
    }
}

fn listed(store: &Memory, folder: &Name, names: &mut Vec<String>) {
    for page in store.list(folder).expect("memory") {
        for Entry { name, what } in page.expect("memory") {
            let name = folder.join(&name).expect("a name");
            match what {
                What::Folder => listed(store, &name, names),
                _ => names.push(name.to_string()),
            }
        }
    }
}
