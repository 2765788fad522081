//! The stores keep the store's contract, and the local one what it promises beyond it.
//!
//! Some facts need a process of their own: a mask, a limit, a mount, a killer. Such a test runs itself again, inside
//! what its wrapper sets up, and finds its folder in the environment then.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_wal::store::{Append, Entry, Local, Memory, Name, Room, Store, What, suite};
use headwater_wal::{Kind, Result};
use tempfile::TempDir;

use super::real::can;

const LOCK: &str = ".headwater-lock";
const FOLDER: &str = "HEADWATER_TEST_FOLDER";

#[test]
fn memory_conforms_as_objects() {
    suite::conforms(|| Arc::new(Memory::objects()));
}

#[test]
fn memory_conforms_as_growing_files() {
    suite::conforms(|| Arc::new(Memory::growing()));
}

#[test]
fn local_conforms() {
    let folder = TempDir::new().expect("a folder");
    let made = AtomicU64::new(0);
    suite::conforms(|| {
        let place = folder.path().join(format!("place-{}", made.fetch_add(1, Ordering::Relaxed)));
        Arc::new(Local::open(place).expect("a place"))
    });
}

/// A folder that goes when the test ends, and a store in a directory of it that is not there yet.
fn place() -> (TempDir, PathBuf, Local) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("log");
    let store = Local::open(&path).expect("a place");
    (folder, path, store)
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

fn put(store: &Local, text: &str, bytes: &'static str) -> Result<()> {
    store.put(&name(text), Bytes::from_static(bytes.as_bytes()))
}

fn read(store: &Local, text: &str) -> Result<Bytes> {
    store.read(&name(text), 0..u64::MAX)
}

fn kind<T>(result: Result<T>) -> Option<Kind> {
    result.err().map(|error| error.kind())
}

fn list(store: &Local) -> Vec<Entry> {
    store.list(&Name::ROOT).expect("a listing").flat_map(|page| page.expect("a page")).collect()
}

/// What really lies in a directory.
fn lies_in(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("a file").mode() & 0o7777
}

/// Where this process is the child of a test.
fn child_folder() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs one test again in a process of its own, behind the words of a wrapper.
fn child(test: &str, folder: &Path, wrapper: &[&str]) -> Output {
    let exe = env::current_exe().expect("this program");
    let mut words: Vec<String> = wrapper.iter().map(|&word| word.to_owned()).collect();
    words.push(exe.display().to_string());
    words.extend(["--exact".to_owned(), format!("store_local::{test}"), "--nocapture".to_owned()]);
    Command::new(&words[0]).args(&words[1..]).env(FOLDER, folder).output().expect("a child")
}

/// The same, as the last command of a shell script.
fn child_after(script: &str, test: &str, folder: &Path) -> Output {
    child(test, folder, &["sh", "-c", &format!("{script} && exec \"$0\" \"$@\"")])
}

fn must_pass(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the child ran its test");
}

#[test]
fn looking_creates_nothing() {
    let (folder, path, store) = place();
    assert_eq!(list(&store), []);
    assert_eq!(kind(read(&store, "a")), Some(Kind::NotThere));
    store.remove(&name("folder/a")).expect("nothing is gone already");
    assert_eq!(kind(store.append().expect("it grows").reopen(&name("a"))), Some(Kind::Invalid));
    assert_eq!(lies_in(folder.path()), [""; 0]);
    fs::create_dir(&path).expect("a directory");
    put(&store, "a", "bytes").expect("a put");
    let before = fs::metadata(&path).expect("a directory").mtime_nsec();
    assert_eq!((list(&store).len(), read(&store, "a").expect("a read").len()), (1, 5));
    assert_eq!(fs::metadata(&path).expect("a directory").mtime_nsec(), before);
    assert_eq!(lies_in(&path), ["a"]);
}

#[test]
fn a_path_is_a_directory_or_free() {
    let (folder, path, _) = place();
    fs::write(folder.path().join("file"), "x").expect("a file");
    assert_eq!(kind(Local::open(folder.path().join("file"))), Some(Kind::Invalid));
    assert_eq!(kind(Local::open("")), Some(Kind::Invalid));
    symlink(&path, folder.path().join("link")).expect("a link");
    fs::create_dir(&path).expect("a directory");
    let over_link = Local::open(folder.path().join("link")).expect("the operator's link");
    let deep = Local::open(path.join("not/there/yet %")).expect("a place");
    put(&over_link, "a", "x").expect("a put over the operator's link");
    drop(deep.own().expect("an owner makes the directories on the way"));
    assert_eq!(lies_in(&path), ["a", "not"]);
    assert!(deep.place().starts_with("file:///") && deep.place().ends_with("/log/not/there/yet%20%25"));
}

#[test]
fn files_are_private_whatever_the_mask() {
    if let Some(folder) = child_folder() {
        let store = Local::open(folder.join("above/log")).expect("a place");
        let _guard = store.own().expect("a free place");
        put(&store, "folder/a", "x").expect("a put");
        store.create(&name("b"), b"x", 4096, Room::Written).expect("a create");
        store.reserve(4096).expect("a reserve");
        return;
    }
    let folder = TempDir::new().expect("a folder");
    must_pass(&child_after("umask 0", "files_are_private_whatever_the_mask", folder.path()));
    let path = folder.path().join("above/log");
    for (inner, expected) in
        [("..", 0o700), (".", 0o700), ("folder", 0o700), ("folder/a", 0o600), ("b", 0o600)]
    {
        assert_eq!(mode(&path.join(inner)), expected, "{inner}");
    }
    assert_eq!(mode(&path.join(LOCK)), 0o600);
    assert_eq!(mode(&path.join(".headwater-reserve")), 0o600);
}

#[test]
fn a_directory_open_to_all_is_refused() {
    let (_folder, path, store) = place();
    fs::create_dir(&path).expect("a directory");
    for (mode, expected) in [(0o777, Some(Kind::Invalid)), (0o1777, Some(Kind::Invalid)), (0o770, None)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
        assert_eq!(kind(store.own()), expected, "{mode:o}");
    }
}

#[test]
fn what_is_no_file_is_left_alone() {
    let (folder, path, store) = place();
    let guard = store.own().expect("a free place");
    let outside = folder.path().join("outside");
    fs::write(&outside, "secret").expect("a file outside");
    fs::create_dir(folder.path().join("elsewhere")).expect("a folder outside");
    symlink(&outside, path.join("link")).expect("a link");
    symlink(folder.path().join("nowhere"), path.join("dangling")).expect("a link to nothing");
    symlink(folder.path().join("elsewhere"), path.join("linked")).expect("a link to a folder");
    fs::create_dir(path.join("folder")).expect("a folder");
    let _socket = UnixListener::bind(path.join("socket")).expect("a socket");
    assert!(Command::new("mkfifo").arg(path.join("pipe")).status().expect("mkfifo").success());
    let before = lies_in(&path);

    for text in ["link", "dangling", "pipe", "folder", "socket", "linked/a", "linked"] {
        // Each of these would hang, follow or fail otherwise.
        assert_eq!(kind(read(&store, text)), Some(Kind::Invalid), "{text}");
        assert_eq!(kind(store.reopen(&name(text))), Some(Kind::Invalid), "{text}");
        assert_eq!(kind(store.remove(&name(text))), Some(Kind::Invalid), "{text}");
        assert_eq!(kind(store.set_aside(&name(text), &name("aside"))), Some(Kind::Invalid), "{text}");
        let taken = if text == "linked/a" { Kind::Invalid } else { Kind::Exists };
        assert_eq!(kind(put(&store, text, "x")), Some(taken), "{text}");
        assert_eq!(kind(store.create(&name(text), b"x", 1, Room::Written)), Some(taken), "{text}");
    }
    assert_eq!(kind(store.list(&name("linked")).map(|_| ())), Some(Kind::Invalid));
    store.sync_names().expect("links are no folders");
    drop(guard);
    drop(store.own().expect("nor does a sweep mind them"));

    assert_eq!(lies_in(&path), before);
    assert_eq!(lies_in(&folder.path().join("elsewhere")), [""; 0]);
    assert!(!folder.path().join("nowhere").exists());
    assert_eq!(fs::read(&outside).expect("the file outside"), b"secret");
    let whats: Vec<(String, What)> = list(&store).into_iter().map(|entry| (entry.name, entry.what)).collect();
    let expected = [
        ("dangling", What::Other("a link")),
        ("folder", What::Folder),
        ("link", What::Other("a link")),
        ("linked", What::Other("a link")),
        ("pipe", What::Other("a pipe")),
        ("socket", What::Other("a socket")),
    ];
    assert_eq!(whats, expected.map(|(text, what)| (text.to_owned(), what)));
}

#[test]
fn a_pipe_swapped_in_does_not_block() {
    let (folder, path, _) = place();
    put(&Local::open(&path).expect("a place"), "file", "ours").expect("a put");
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe")).status().expect("mkfifo").success());
    fs::hard_link(path.join("file"), path.join("a")).expect("a second name");
    let (done, finished) = mpsc::channel();
    let reader = path.clone();
    thread::spawn(move || {
        let store = Local::open(reader).expect("the same place");
        for _ in 0..20_000 {
            match read(&store, "a") {
                Ok(bytes) => assert_eq!(bytes, "ours"),
                Err(error) => assert_eq!(error.kind(), Kind::Invalid, "{error:?}"),
            }
        }
        done.send(()).expect("the test waits");
    });
    let patience = Instant::now() + Duration::from_secs(30);
    let swap = folder.path().join("swap");
    while finished.try_recv().is_err() {
        assert!(Instant::now() < patience, "the reader is stuck, or has failed");
        for other in [folder.path().join("pipe"), path.join("file")] {
            fs::hard_link(other, &swap).expect("another file");
            fs::rename(&swap, path.join("a")).expect("in the place of the one before");
            // Where both are one file nothing was renamed.
            let _ = fs::remove_file(&swap);
        }
    }
}

#[test]
fn a_link_swapped_in_while_reading_is_not_followed() {
    let (folder, path, store) = place();
    put(&store, "a", "ours").expect("a put");
    fs::write(folder.path().join("outside"), "secret").expect("a file outside");
    let (file, link, stop) = (folder.path().join("file"), folder.path().join("link"), AtomicBool::new(false));
    let followed = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                symlink(folder.path().join("outside"), &link).expect("a link");
                fs::rename(&link, path.join("a")).expect("the link in the file's place");
                fs::write(&file, "ours").expect("a file");
                fs::rename(&file, path.join("a")).expect("the file in the link's place");
            }
        });
        let reads = (0..20_000).map(|_| read(&store, "a"));
        let followed = reads.into_iter().find(|answer| match answer {
            Ok(bytes) => bytes != "ours",
            Err(error) => error.kind() != Kind::Invalid,
        });
        stop.store(true, Ordering::Relaxed);
        followed
    });
    assert!(followed.is_none(), "{followed:?}");
}

#[test]
fn foreign_names_are_listed_and_left_alone() {
    let (_folder, path, store) = place();
    let guard = store.own().expect("a free place");
    for text in [".hidden", "two words", "new\nline", "umlaut-\u{e4}", "lost+found"] {
        fs::write(path.join(text), "x").expect("a foreign file");
    }
    fs::create_dir(path.join("a folder")).expect("a foreign folder");
    fs::write(path.join("a folder/.headwater-new-1-1"), "x").expect("a file in it");
    fs::write(path.join("a"), "x").expect("a file of a good name");
    let before = lies_in(&path);
    drop(guard);
    drop(store.own().expect("free again"));
    let listed = list(&store);
    for entry in &listed {
        let foreign = matches!(entry.what, What::Other(_));
        assert_eq!(foreign, entry.name != "a", "{entry:?}");
    }
    assert_eq!(listed.len(), 7, "all but the lock: {listed:?}");
    assert_eq!(lies_in(&path), before);
    assert_eq!(lies_in(&path.join("a folder")), [".headwater-new-1-1"]);
}

#[test]
fn a_lock_excludes_other_processes_and_names_its_holder() {
    if let Some(folder) = child_folder() {
        let error = Local::open(folder).expect("a place").own().expect_err("it is taken");
        eprintln!("answer: {error}");
        return;
    }
    let (_folder, path, store) = place();
    let guard = store.own().expect("a free place");
    let output = child("a_lock_excludes_other_processes_and_names_its_holder", &path, &["env"]);
    must_pass(&output);
    let answer = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(answer.contains("locked: ") && answer.contains(&format!("pid={} ", process::id())), "{answer}");
    assert!(answer.contains(" host=") && answer.contains(" since=2"), "{answer}");

    let other = Local::open(&path).expect("the same place");
    assert_eq!(kind(other.own()), Some(Kind::Locked), "nor may another store of this process");
    assert_eq!(kind(other.sync_names()), Some(Kind::Invalid), "who has not got the guard owns nothing");
    put(&other, "a", "x").expect("a put needs no owner");
    assert_eq!(read(&store, "a").expect("a read beside it"), "x");
    drop(guard);
    drop(other.own().expect("free again"));
}

#[test]
fn a_lock_ends_with_its_process_however_that_ends() {
    if let Some(folder) = child_folder() {
        let store = Local::open(folder).expect("a place");
        let _guard = store.own().expect("a free place");
        process::abort();
    }
    let (_folder, path, store) = place();
    let output = child("a_lock_ends_with_its_process_however_that_ends", &path, &["env"]);
    assert!(!output.status.success() && path.join(LOCK).exists());
    drop(store.own().expect("the holder is dead"));
}

#[test]
fn an_owner_notices_that_its_lock_or_its_directory_is_gone() {
    type Case = (&'static str, fn(&Path));
    let cases: [Case; 6] = [
        ("lock removed", |path| fs::remove_file(path.join(LOCK)).expect("a remove")),
        ("lock replaced", |path| {
            fs::write(path.join("new"), "").expect("a file");
            fs::rename(path.join("new"), path.join(LOCK)).expect("a rename");
        }),
        ("lock replaced by a link", |path| {
            fs::rename(path.join(LOCK), path.join("old")).expect("a rename");
            symlink("old", path.join(LOCK)).expect("a link");
        }),
        ("directory moved", |path| fs::rename(path, path.with_extension("old")).expect("a rename")),
        ("directory replaced", |path| {
            fs::rename(path, path.with_extension("old")).expect("a rename");
            fs::create_dir(path).expect("a directory");
        }),
        ("directory removed", |path| fs::remove_dir_all(path).expect("a remove")),
    ];
    for (what, meddle) in cases {
        let (_folder, path, store) = place();
        let guard = store.own().expect("a free place");
        guard.check().expect("nothing has happened");
        meddle(&path);
        assert_eq!(kind(guard.check()), Some(Kind::Fenced), "{what}");
        let error = guard.check().expect_err("it stays so").to_string();
        assert!(error.contains("stop this log") && error.contains("file:///"), "{error}");
    }
}

#[test]
fn a_fenced_owner_writes_where_it_locked_and_nowhere_else() {
    let (_folder, path, store) = place();
    let _guard = store.own().expect("a free place");
    fs::rename(&path, path.with_extension("old")).expect("a rename");
    fs::create_dir(&path).expect("a directory");
    store.create(&name("a"), b"x", 1, Room::Written).expect("a create in the directory that is held");
    assert_eq!(lies_in(&path), [""; 0]);
    fs::remove_dir_all(path.with_extension("old")).expect("a remove");
    assert_eq!(kind(store.create(&name("b"), b"x", 1, Room::Written)), Some(Kind::Unavailable));
}

#[test]
fn only_an_owner_sweeps_what_a_crash_left() {
    let (_folder, path, store) = place();
    drop(store.own().expect("a free place"));
    DirBuilder::new().recursive(true).mode(0o700).create(path.join("epoch/sub")).expect("folders");
    let left = [".headwater-new-1-1", "epoch/.headwater-new-77-0", "epoch/sub/.headwater-new-x"];
    for leaf in left {
        fs::write(path.join(leaf), "half").expect("a leftover");
    }
    fs::create_dir(path.join(".headwater-new-folder")).expect("a folder, so not ours");
    fs::create_dir(path.join("inner")).expect("a place of its own");
    fs::write(path.join("inner").join(LOCK), "").expect("its lock");
    fs::write(path.join("inner/.headwater-new-1-1"), "busy").expect("its owner's business");
    put(&store, "a", "x").expect("a put sweeps nothing");
    assert_eq!(list(&store).len(), 3, "leftovers are not shown");
    assert!(left.iter().all(|leaf| path.join(leaf).exists()), "readers and putters leave them");
    let guard = store.own().expect("a free place");
    assert!(!left.iter().any(|leaf| path.join(leaf).exists()), "the owner sweeps");
    assert_eq!(lies_in(&path), [LOCK, ".headwater-new-folder", "a", "epoch", "inner"]);
    assert!(path.join("inner/.headwater-new-1-1").exists());
    drop(guard);
}

#[test]
fn a_file_size_limit_is_a_full_disk() {
    if let Some(folder) = child_folder() {
        let store = Local::open(folder).expect("a place");
        let _guard = store.own().expect("a free place");
        assert_eq!(kind(store.create(&name("a"), b"head", 1 << 20, Room::Written)), Some(Kind::Full));
        assert_eq!(kind(store.put(&name("b"), vec![1; 1 << 20].into())), Some(Kind::Full));
        assert_eq!(kind(store.reserve(1 << 20)), Some(Kind::Full));
        return;
    }
    let (_folder, path, store) = place();
    must_pass(&child_after("trap '' XFSZ && ulimit -f 64", "a_file_size_limit_is_a_full_disk", &path));
    assert_eq!(lies_in(&path), [LOCK], "nothing is left behind");
    drop(store.own().expect("free again"));
}

#[test]
fn a_full_disk_leaves_nothing_behind_and_ends() {
    if let Some(folder) = child_folder() {
        fill_and_free(&folder);
        return;
    }
    let mount = "mount -t tmpfs -o size=1m,mode=700 none \"$HEADWATER_TEST_FOLDER\"";
    let folder = TempDir::new().expect("a folder");
    for unshare in ["unshare -m", "unshare -rm"] {
        let words: Vec<&str> = unshare.split(' ').chain(["sh", "-c"]).collect();
        let probe = Command::new(words[0]).args(&words[1..]).arg(mount).env(FOLDER, folder.path()).output();
        if probe.is_ok_and(|probe| probe.status.success()) {
            let script = format!("{mount} && exec \"$0\" \"$@\"");
            let words: Vec<&str> = words.into_iter().chain([&script[..]]).collect();
            return must_pass(&child("a_full_disk_leaves_nothing_behind_and_ends", folder.path(), &words));
        }
    }
    eprintln!("skipped: this user may not mount a small file system");
}

fn fill_and_free(folder: &Path) {
    let store = Local::open(folder).expect("a place");
    let guard = store.own().expect("a free place");
    store.create(&name("a"), b"head", 600_000, Room::Written).expect("there is room for one");
    store.reserve(200_000).expect("and for a reserve");
    let before = lies_in(folder);
    for _ in 0..3 {
        assert_eq!(kind(store.create(&name("b"), b"head", 400_000, Room::Written)), Some(Kind::Full));
        assert_eq!(kind(store.put(&name("folder/b"), vec![1; 400_000].into())), Some(Kind::Full));
        assert_eq!(kind(store.reserve(600_000)), Some(Kind::Full));
    }
    fs::remove_dir(folder.join("folder")).expect("the folder was made, and is empty");
    assert_eq!(lies_in(folder), before, "nothing is left behind, and the smaller reserve is kept");
    store.release().expect("a release");
    store.create(&name("b"), b"head", 400_000, Room::Written).expect("the reserve was room enough");
    assert_eq!(kind(store.create(&name("c"), b"head", 400_000, Room::Written)), Some(Kind::Full));
    store.remove(&name("a")).expect("a full disk can be cleaned");
    store.create(&name("c"), b"head", 400_000, Room::Written).expect("and then there is room");

    // A log has to start on a disk without a byte to spare, so as to retire.
    drop(guard);
    fs::write(folder.join("rest"), vec![0; 1 << 20]).expect_err("no room for this, but for a part of it");
    let _guard = store.own().expect("taking over needs no room");
    store.remove(&name("b")).expect("a remove");

    // What a removed file keeps is room for whatever needs it.
    for file in ["c", "rest"] {
        store.remove(&name(file)).expect("a remove");
    }
    for needs in ["put", "reserve"] {
        store.create(&name("d"), b"head", 600_000, Room::Allotted).expect("there is room for one");
        assert!(store.recycle(&name("d")).expect("a removal"));
        match needs {
            "put" => store.put(&name("e"), vec![1; 700_000].into()).expect("there is room"),
            _ => store.reserve(700_000).expect("there is room"),
        }
        store.remove(&name("e")).expect("a remove");
    }
}

/// A file of so many bytes, all of them written.
fn written(store: &Local, text: &str, len: usize) {
    let tail = store.create(&name(text), b"", 1 << 20, Room::Written).expect("a new file");
    tail.write(0, &[&vec![7; len]]).expect("a write");
    tail.sync().expect("a sync");
    tail.trim(len as u64).expect("a trim");
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("it is there").ino()
}

#[test]
fn a_removed_file_leaves_its_room_to_the_next_of_its_length() {
    let (_folder, path, store) = place();
    let _guard = store.own().expect("a free place");
    for room in [Room::Written, Room::Allotted] {
        written(&store, "old", 900_000);
        let old = inode(&path.join("old"));
        assert!(store.recycle(&name("old")).expect("a removal"));
        store.ahead(1 << 20, room).expect("room");
        store.create(&name("new"), b"head", 1 << 20, room).expect("a new file");
        assert_eq!(inode(&path.join("new")), old, "its blocks are used again");
        let bytes = fs::read(path.join("new")).expect("its bytes");
        assert!(bytes.starts_with(b"head") && bytes.len() == 1 << 20 && !bytes[4..].contains(&7));
        let free = fs::metadata(path.join("new")).expect("it is there").blocks() * 512;
        assert!(free >= 1 << 20, "no later write needs room: {free}");
        store.remove(&name("new")).expect("a removal");
    }
}

#[test]
fn removed_files_take_no_more_room_than_before_and_none_that_is_needed() {
    let (_folder, path, store) = place();
    let kept = || lies_in(&path).iter().filter(|leaf| leaf.starts_with(".headwater-new-")).count();
    let guard = store.own().expect("a free place");
    let recycle = |text: &str| store.recycle(&name(text)).expect("a removal");
    for at in 0..6 {
        written(&store, &at.to_string(), 600_000);
    }
    written(&store, "short", 500_000);
    put(&store, "folder/a", "x").expect("a put");
    assert!(!recycle("short") && !recycle("folder/a"), "what would save little is not kept");
    let done: Vec<bool> = (0..6).map(|at| recycle(&at.to_string())).collect();
    assert_eq!((done, kept()), (vec![true, true, true, false, false, false], 3), "as many as were made");
    assert!(path.join("3").exists(), "who is told that it was not done removes it");
    store.ahead(2 << 20, Room::Written).expect("room");
    assert_eq!(kept(), 1, "of another length is what is to come: they went");
    store.ahead(0, Room::Written).expect("nothing to do");
    written(&store, "last", 600_000);
    assert!(recycle("last") && kept() == 1);
    drop(guard);
    assert_eq!(kept(), 0, "with the owner goes what it kept");
    assert_eq!(kind(store.recycle(&name("3"))), Some(Kind::Invalid), "only an owner removes so");
}

#[test]
fn a_removed_file_that_somebody_keeps_under_another_name_stays_as_it_is() {
    let (_folder, path, store) = place();
    let _guard = store.own().expect("a free place");
    for room in [Room::Written, Room::Allotted] {
        written(&store, "old", 900_000);
        fs::hard_link(path.join("old"), path.join("copy")).expect("a second name");
        assert!(store.recycle(&name("old")).expect("a removal"));
        store.create(&name("new"), b"head", 1 << 20, room).expect("a new file");
        assert!(fs::read(path.join("copy")).expect("its bytes") == vec![7; 900_000]);
        assert_ne!(inode(&path.join("new")), inode(&path.join("copy")));
        ["new", "copy"].into_iter().for_each(|file| store.remove(&name(file)).expect("a removal"));
    }
}

#[test]
fn the_name_of_a_removed_file_is_durably_gone_before_its_bytes_change() {
    const TEST: &str = "the_name_of_a_removed_file_is_durably_gone_before_its_bytes_change";
    if let Some(folder) = child_folder() {
        let store = Local::open(folder).expect("a place");
        let _guard = store.own().expect("a free place");
        written(&store, "old", 900_000);
        assert!(store.recycle(&name("old")).expect("a removal"));
        store.ahead(1 << 20, Room::Allotted).expect("room");
        return;
    }
    if !can(&["strace"], false) {
        return;
    }
    let ((_folder, path, _), traces) = (place(), TempDir::new().expect("a folder"));
    let trace = traces.path().join("trace").display().to_string();
    let changes = "trace=renameat2,fsync,fdatasync,ftruncate,fallocate,pwrite64,pwritev,pwritev2";
    must_pass(&child(TEST, &path, &["strace", "-f", "-y", "-qq", "-o", &trace, "-e", changes]));
    let trace = fs::read_to_string(trace).expect("a trace");
    let mut lines =
        trace.lines().skip_while(|line| !line.contains("renameat2(") || !line.contains("\"old\""));
    assert!(lines.next().is_some(), "it loses its name: {trace}");
    let next = lines.next().expect("and is used again");
    assert!(
        next.contains("fsync(") && next.contains(&format!("{}>", path.display())),
        "the folder first: {next}"
    );
    assert!(lines.any(|line| line.contains("fallocate(")), "then its bytes: {trace}");
}
