use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::Kind;
use headwater_wal::store::object::Bucket;
use headwater_wal::store::{Entry, Name, Store, Survives, What, suite};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::in_memory;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[test]
fn a_store_in_memory_conforms_with_and_without_a_prefix() {
    for prefix in ["", "prefix", "deep/prefix/"] {
        suite::conforms(|| Arc::new(in_memory(prefix).0));
    }
}

#[test]
fn a_directory_behind_the_same_crate_conforms() {
    let folders = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    suite::conforms(|| {
        number.set(number.get() + 1);
        let folder = folders.path().join(number.get().to_string());
        std::fs::create_dir(&folder).unwrap();
        let store = LocalFileSystem::new_with_prefix(folder).unwrap();
        Arc::new(Bucket::new(Arc::new(store), "prefix").unwrap())
    });
}

#[test]
fn what_a_bucket_is_shows_in_its_place_and_in_what_it_survives() {
    let (bucket, _) = in_memory("a/b");
    assert_eq!((bucket.place(), bucket.survives()), ("memory:/a/b".into(), Survives::Nothing));
    assert_eq!(bucket.clone().surviving(Survives::Machine).survives(), Survives::Machine);
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    let bucket = Bucket::new(store, "x").unwrap();
    assert!(bucket.place().starts_with("file:///") && bucket.place().ends_with("/x"), "{}", bucket.place());
    assert_eq!(bucket.survives(), Survives::Kill);
    assert_eq!(Bucket::new(Arc::new(InMemory::new()), "a//b").unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn two_prefixes_of_one_store_know_nothing_of_each_other() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let one = Bucket::new(store.clone(), "logs/one").unwrap();
    let other = Bucket::new(store, "logs/one-more").unwrap();
    one.put(&name("a"), Bytes::from_static(b"1")).unwrap();
    other.put(&name("a"), Bytes::from_static(b"2")).unwrap();
    assert_eq!(one.read(&name("a"), 0..9).unwrap(), "1");
    let names =
        |bucket: &Bucket| bucket.list(&Name::ROOT).unwrap().map(Result::unwrap).collect::<Vec<_>>().concat();
    assert_eq!(names(&one), [Entry { name: "a".into(), what: What::File(1) }]);
    one.remove(&name("a")).unwrap();
    assert_eq!(other.read(&name("a"), 0..9).unwrap(), "2");
}

#[test]
fn foreign_names_are_listed_and_never_opened() {
    let (bucket, store) = in_memory("p");
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        for foreign in ["p/.hidden", "p/a b", "p/\u{e4}", "p/x:y/z", "p/ok", "p"] {
            store.put(&Path::parse(foreign).unwrap(), "x".into()).await.unwrap();
        }
    });
    let found: Vec<Entry> =
        bucket.list(&Name::ROOT).unwrap().map(Result::unwrap).collect::<Vec<_>>().concat();
    let names: Vec<&str> = found.iter().map(|entry| &*entry.name).collect();
    assert_eq!(names, [".hidden", "a b", "ok", "x:y", "\u{e4}"]);
    for entry in &found {
        assert_eq!(matches!(entry.what, What::Other(_)), entry.name != "ok", "{entry:?}");
    }
}

/// Every blocking call, once.
fn use_it(bucket: &Bucket, folder: &str) {
    let at = |text: &str| name(&format!("{folder}/{text}"));
    bucket.put(&at("a"), Bytes::from_static(b"0123456789")).unwrap();
    assert_eq!(bucket.put(&at("a"), Bytes::new()).unwrap_err().kind(), Kind::Exists);
    assert_eq!(bucket.read(&at("a"), 2..4).unwrap(), "23");
    assert_eq!(bucket.fetch(&at("a"), 2..4).unwrap().wait().unwrap(), "23");
    assert_eq!(bucket.list(&name(folder)).unwrap().count(), 1);
    bucket.remove(&at("a")).unwrap();
}

#[test]
fn every_call_works_inside_a_callers_runtime_of_any_shape_and_drops_there() {
    for shape in ["one thread", "many threads", "a local set"] {
        let mut builder = match shape {
            "many threads" => tokio::runtime::Builder::new_multi_thread(),
            _ => tokio::runtime::Builder::new_current_thread(),
        };
        let runtime = builder.enable_all().build().unwrap();
        let work = async {
            let (bucket, _) = in_memory("p");
            use_it(&bucket, "directly");
            let moved = bucket.clone();
            tokio::spawn(async move { use_it(&moved, "spawned") }).await.unwrap();
            tokio::task::spawn_blocking({
                let bucket = bucket.clone();
                move || use_it(&bucket, "blocking")
            })
            .await
            .unwrap();
            drop(bucket.fetch(&name("x"), 0..1));
            drop(bucket); // and its threads with it, unless another test has some
        };
        if shape == "a local set" {
            tokio::task::LocalSet::new().block_on(&runtime, work);
        } else {
            runtime.block_on(work);
        }
    }
}
