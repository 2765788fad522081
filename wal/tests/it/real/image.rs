//! A small file system in a file, mounted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// A mounted file system of its own. It is unmounted when this goes, also when its test fails.
#[derive(Debug)]
pub(super) struct Image {
    folder: TempDir,
    options: &'static str,
    mounted: bool,
}

impl Image {
    /// Makes one of a kind, such as `ext4`, and mounts it.
    pub(super) fn make(kind: &str) -> Image {
        let image = Image::make_in(TempDir::new().expect("a folder"), kind);
        // It has its room: a machine that is full says so here, and not as a fault of what is tested.
        let file = fs::File::options().write(true).open(image.file()).expect("the image");
        let len = file.metadata().expect("its length").len();
        let allotted = rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, len);
        allotted.unwrap_or_else(|error| panic!("no {len} bytes for {}: {error}", image.file().display()));
        image
    }

    /// The same, in a folder of the caller's choice, as sparse as its maker leaves it.
    pub(super) fn make_in(folder: TempDir, kind: &str) -> Image {
        // Each about as small as its maker allows.
        let (mib, words, options): (u64, &[&str], _) = match kind {
            "ext4" => (32, &["mkfs.ext4", "-q", "-F", "-m", "0"], "loop"),
            "ext4 without a journal" => {
                (32, &["mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "^has_journal"], "loop")
            }
            "xfs" => (300, &["mkfs.xfs", "-q", "-f"], "loop,nouuid"),
            "btrfs" => (128, &["mkfs.btrfs", "-q", "-f", "--mixed"], "loop"),
            other => panic!("no such kind: {other}"),
        };
        let image = Image { folder, options, mounted: false };
        let file = fs::File::create(image.file()).and_then(|file| file.set_len(mib << 20));
        file.expect("a file for the image");
        run(Command::new(words[0]).args(&words[1..]).arg(image.file()));
        image.mount()
    }

    fn mount(mut self) -> Image {
        fs::create_dir_all(self.at()).expect("a place to mount at");
        run(Command::new("mount").args(["-o", self.options]).arg(self.file()).arg(self.at()));
        self.mounted = true;
        self.fill_file();
        self
    }

    /// The file that takes the room; there from the beginning, for a full disk may have no room for a name.
    fn fill_file(&self) -> fs::File {
        let file = fs::File::options().create(true).append(true).open(self.at().join("fill"));
        file.expect("a file to fill the disk with")
    }

    /// The file it lies in.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Where it is mounted.
    pub(super) fn at(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// What a power cut would leave now: everything that the file system has handed to its device and nothing that it
    /// only has in memory. Not yet mounted.
    pub(super) fn cut(&self) -> Cut {
        let copy = Image { folder: TempDir::new().expect("a folder"), options: self.options, mounted: false };
        // The copy takes a moment; it is a state that there was if nothing has changed at its end.
        loop {
            run(Command::new("cp").arg("--sparse=always").arg(self.file()).arg(copy.file()));
            let same = Command::new("cmp").arg("-s").arg(self.file()).arg(copy.file()).status();
            if same.expect("cmp runs").success() {
                return Cut(copy);
            }
        }
    }

    /// Unmounts it, mounts it again: nothing is left in the machine's memory.
    pub(super) fn forget(mut self) -> Image {
        self.unmount();
        self.mount()
    }

    pub(super) fn unmount(&mut self) {
        if self.mounted {
            run(Command::new("umount").arg(self.at()));
            self.mounted = false;
        }
    }

    /// Takes all the room there is, and keeps it, in the file `fill`.
    pub(super) fn fill(&self) {
        let file = self.fill_file();
        for piece in [1 << 20, 1 << 16, 1 << 12, 1 << 10] {
            while grow(&file, piece).is_ok() {}
        }
    }

    /// Gives all of it free.
    pub(super) fn free(&self) {
        self.fill_file().set_len(0).expect("room that was taken");
    }

    /// Gives so much of it free.
    pub(super) fn free_some(&self, bytes: u64) {
        let file = self.fill_file();
        let len = file.metadata().expect("a file").len();
        file.set_len(len.saturating_sub(bytes)).expect("a shorter file");
    }
}

/// Takes so many bytes more, really, or none.
fn grow(file: &fs::File, piece: u64) -> io::Result<()> {
    let len = file.metadata()?.len();
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), len, piece)?;
    Ok(())
}

/// What a power cut left.
#[derive(Debug)]
pub(super) struct Cut(Image);

impl Cut {
    /// The machine comes up again.
    pub(super) fn mount(self) -> Image {
        self.0.mount()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.mounted {
            unmount(&self.at());
        }
    }
}

/// Unmounts, whatever still holds it: a child that was killed may take a moment to go.
pub(super) fn unmount(at: &Path) {
    for _ in 0..20 {
        if Command::new("umount").arg("-q").arg(at).status().is_ok_and(|status| status.success()) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let _ = Command::new("umount").arg("-l").arg(at).status();
}

/// Runs a command that must do well.
pub(super) fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
