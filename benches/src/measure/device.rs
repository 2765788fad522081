//! The device that a folder lies on, and what it was made to do: the one witness that no contestant can talk to.

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

/// The whole disks below a folder's file system.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its file system.
    pub file_system: String,
    /// How that is mounted.
    pub mount_options: String,
    /// Names as in `/proc/diskstats`; none if the file system has no block device that can be found.
    pub disks: Vec<String>,
}

/// Counts since the machine was started, of everything that uses the device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Read from it.
    pub read_bytes: u64,
    /// Written to it.
    pub written_bytes: u64,
    /// Flushes of its cache.
    pub flushes: u64,
}

impl Device {
    /// The device below a folder.
    pub fn of(folder: &Path) -> Result<Device> {
        let folder = folder.canonicalize()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        // The last of the longest: a later mount hides an earlier one.
        let mount = mounts
            .lines()
            .filter_map(Mount::parse)
            .filter(|mount| folder.starts_with(&mount.at))
            .max_by_key(|mount| mount.at.as_os_str().len())
            .ok_or_else(|| Error::other("/proc/self/mountinfo names no file system for the folder"))?;
        let mut disks = Vec::new();
        if let Some(name) =
            fs::canonicalize(&mount.source).ok().and_then(|path| Some(path.file_name()?.to_owned()))
        {
            whole_disks(&Path::new("/sys/class/block").join(name), &mut disks);
        }
        Ok(Device { file_system: mount.file_system, mount_options: mount.options, disks })
    }

    /// What the disks did so far; none if there are none to ask, or their kernel counts no flushes (before 5.5).
    pub fn counts(&self) -> Option<Counts> {
        let stats = fs::read_to_string("/proc/diskstats").ok()?;
        let mut sum = Counts::default();
        for disk in &self.disks {
            let line = stats.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let line = line.into_iter().find(|line| line.get(2) == Some(&disk.as_str()))?;
            let field = |number: usize| line.get(number)?.parse::<u64>().ok();
            sum.read_bytes += field(5)? * 512;
            sum.written_bytes += field(9)? * 512;
            sum.flushes += field(18)?;
        }
        (!self.disks.is_empty()).then_some(sum)
    }

    /// Whether single writes can be made durable without a flush, so that flushes do not witness `O_DSYNC`.
    pub fn forces_unit_access(&self) -> bool {
        self.disks.iter().any(|disk| queue(disk, "fua") == "1")
    }

    /// For the head of a report.
    pub fn describe(&self) -> String {
        let disks: Vec<String> = self.disks.iter().map(|disk| {
            let size = fs::read_to_string(format!("/sys/class/block/{disk}/size")).unwrap_or_default();
            let gib = size.trim().parse::<u64>().unwrap_or(0) / (2 * 1024 * 1024);
            let model = fs::read_to_string(format!("/sys/class/block/{disk}/device/model")).unwrap_or_default();
            let kind = if queue(disk, "rotational") == "1" { "rotating" } else { "not rotating" };
            let sector = queue(disk, "logical_block_size");
            let (cache, fua, scheduler) = (queue(disk, "write_cache"), queue(disk, "fua"), queue(disk, "scheduler"));
            let model = if model.trim().is_empty() { "(no model)" } else { model.trim() };
            format!("{disk} {model} {gib} GiB, {kind}, sector {sector}, cache {cache}, fua {fua}, scheduler {scheduler}")
        }).collect();
        if disks.is_empty() {
            "none that could be found: flushes are not counted".into()
        } else {
            disks.join("; ")
        }
    }
}

impl Counts {
    /// What came since these.
    pub fn since(self, before: Counts) -> Counts {
        Counts {
            read_bytes: self.read_bytes.saturating_sub(before.read_bytes),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
            flushes: self.flushes.saturating_sub(before.flushes),
        }
    }
}

/// A line of `/proc/self/mountinfo`.
struct Mount {
    at: PathBuf,
    options: String,
    file_system: String,
    source: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Mount> {
        let (left, right) = line.split_once(" - ")?;
        let left: Vec<&str> = left.split(' ').collect();
        let mut right = right.split(' ');
        Some(Mount {
            at: left.get(4)?.replace("\\040", " ").into(),
            options: (*left.get(5)?).into(),
            file_system: right.next()?.into(),
            source: right.next()?.into(),
        })
    }
}

/// Down through mappers and partitions: flushes are counted for whole disks only.
fn whole_disks(block: &Path, found: &mut Vec<String>) {
    let Ok(real) = block.canonicalize() else { return };
    let below: Vec<PathBuf> =
        fs::read_dir(real.join("slaves")).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    if !below.is_empty() {
        below.iter().for_each(|slave| whole_disks(slave, found));
        return;
    }
    let whole = if real.join("partition").exists() { real.parent().unwrap_or(&real) } else { &real };
    let Some(name) = whole.file_name().map(|name| name.to_string_lossy().into_owned()) else { return };
    if !found.contains(&name) {
        found.push(name);
    }
}

fn queue(disk: &str, what: &str) -> String {
    let text = fs::read_to_string(format!("/sys/class/block/{disk}/queue/{what}")).unwrap_or_default();
    text.trim().into()
}
