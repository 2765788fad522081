//! HDFS itself is killed while appends come in, and a writer that holds a lease.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use headwater_stores::cluster::{Cluster, Node};
use headwater_stores::servers::Server;
use headwater_wal::{Handle, Kind, Log, Position, Time, Unsettled};

use super::alone;
use super::place::Place;

/// What is written beside the kills, each record by one of so many threads.
const THREADS: u64 = 4;

/// What the threads were told.
#[derive(Default)]
struct Told {
    acked: Vec<(String, Handle)>,
    unsettled: Vec<(String, Unsettled)>,
}

/// Appends from several threads, one after the other each, until it is told to stop or the log has failed.
fn append(log: &Log, stop: &AtomicBool, acked: &AtomicU64, from: u64) -> Told {
    let one = |thread: u64| {
        let mut told = Told::default();
        for number in from.. {
            let record = format!("{thread}-{number}");
            let Ok(ticket) = log.append(Time(1), record.clone()) else { break };
            match ticket.wait() {
                Ok(handle) => told.acked.push((record, handle)),
                Err(error) => {
                    assert!(matches!(error.kind(), Kind::Unknown | Kind::Closed), "{error:?}");
                    told.unsettled.extend(error.unsettled().map(|unsettled| (record, *unsettled)));
                    break;
                }
            }
            acked.fetch_add(1, Ordering::Relaxed);
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        told
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || one(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it appends")).fold(
            Told::default(),
            |all, told| Told {
                acked: [all.acked, told.acked].concat(),
                unsettled: [all.unsettled, told.unsettled].concat(),
            },
        )
    })
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Lets threads append while `meanwhile` does something to the cluster.
fn appending(log: &Log, from: u64, meanwhile: impl FnOnce(&dyn Fn() -> u64)) -> Told {
    let (stop, acked) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let told = scope.spawn(|| append(log, &stop, &acked, from));
        let count = || acked.load(Ordering::Relaxed);
        wait_until("appends are acknowledged", || count() > 50);
        meanwhile(&count);
        stop.store(true, Ordering::Relaxed);
        told.join().expect("they end")
    })
}

#[test]
fn what_was_acknowledged_is_found_whatever_is_killed() {
    if Server::Hdfs.bucket().is_none() {
        return;
    }
    let mut cluster = Cluster::start().expect("it starts");
    a_name_node_that_comes_back_is_waited_for(&mut cluster);
    a_data_node_that_goes_ends_the_log_and_a_restart_settles(&mut cluster);
}

fn a_name_node_that_comes_back_is_waited_for(cluster: &mut Cluster) {
    let mut place = Place::new(&cluster.bucket(), "name-node");
    let log = place.start();
    let told = appending(&log, 0, |acked| {
        for _ in 0..2 {
            cluster.kill(Node::Name).expect("it is killed");
            thread::sleep(Duration::from_secs(1));
            cluster.restart(Node::Name).expect("it starts");
            let before = acked();
            wait_until("it goes on", || acked() > before + 50);
        }
    });
    assert!(log.failure().is_none(), "it has waited: {:?}", log.failure());
    assert!(told.unsettled.is_empty());
    log.close().expect("it closes");
    place.acked.extend(told.acked);
    let there = place.agrees(&place.start());
    assert_eq!(there, place.acked.len());
    println!("a NameNode was killed twice; {there} acknowledged, each found once");
}

fn a_data_node_that_goes_ends_the_log_and_a_restart_settles(cluster: &mut Cluster) {
    let mut place = Place::new(&cluster.bucket(), "data-node").asking(&[("attempt", "4s")]);
    let log = place.start();
    let told = appending(&log, 0, |_| {
        cluster.kill(Node::Data).expect("it is killed");
        wait_until("the log hears of it", || log.failure().is_some());
        cluster.restart(Node::Data).expect("it starts");
    });
    assert!(log.append(Time(1), "late").is_err(), "nothing more is taken in");
    drop(log);
    cluster.ready().expect("it is ready");
    place.acked.extend(told.acked);
    let log = place.start();
    for (record, unsettled) in told.unsettled {
        match log.settle(&unsettled) {
            Ok(handle) => drop(place.acked.insert(record, handle)),
            Err(error) => assert_eq!(error.kind(), Kind::NotThere, "{error:?}"),
        }
    }
    assert_eq!(place.agrees(&log), place.acked.len(), "what is there was acknowledged or settled");
    log.close().expect("it closes");
    println!("the only DataNode was killed; {} records, each found once", place.acked.len());
}

#[test]
#[ignore = "a part that another test lets a process of its own play"]
fn appends_until_it_is_killed() {
    let Some(part) = alone::part() else { return };
    let (folder, said) = part.split_once(' ').expect("two words");
    let mut said = fs::File::create(said).expect("a file");
    let log = Place::at(folder).start();
    for number in 0.. {
        let handle =
            log.append(Time(1), format!("{number}")).expect("it is taken in").wait().expect("it is safe");
        writeln!(said, "{number} {}", handle.position()).expect("it is said");
    }
}

#[test]
fn what_a_writer_was_told_that_is_killed_holding_a_lease_is_found() {
    let Some(bucket) = Server::Hdfs.bucket() else { return };
    let said = std::env::temp_dir().join(format!("headwater-lease-{}", std::process::id()));
    let place = Place::new(&bucket, "lease");
    let mut found = 0;
    for kill in 1..=3 {
        let part = format!("{} {}", place.url(), said.display());
        let mut child = alone::begin("cluster::appends_until_it_is_killed", &part);
        let lines = || fs::read_to_string(&said).map_or(0, |said| said.lines().count());
        wait_until("it appends", || lines() > 20 * kill);
        child.kill().expect("it is killed");
        child.wait().expect("it has ended");
        let said_now = fs::read_to_string(&said).expect("what it said");
        fs::remove_file(&said).expect("it is removed");
        let log = place.start();
        let there: Vec<_> =
            log.replay(Position::START).expect("a replay begins").map(|r| r.expect("a record")).collect();
        let life: Vec<String> = there[found..]
            .iter()
            .map(|r| format!("{} {}", super::place::text(r), r.handle.position()))
            .collect();
        let acked: Vec<&str> = said_now.lines().filter(|line| line.contains(' ')).collect();
        let whole = acked.len() - usize::from(!said_now.ends_with('\n'));
        assert!(life.len() >= whole && life.iter().zip(&acked[..whole]).all(|(there, acked)| there == acked));
        found = there.len();
        log.close().expect("it closes");
    }
    println!("a writer was killed 3 times holding a lease; {found} records");
}

/// Two of the log's tools on a folder of HDFS would need a build of their own; what they call is here.
#[test]
fn a_check_of_a_log_on_hdfs_finds_nothing_wrong() {
    let Some(bucket) = Server::Hdfs.bucket() else { return };
    let mut place = Place::new(&bucket, "check");
    let log = place.start();
    place.write(&log, 0..100);
    let beside =
        headwater_wal::Log::open(place.store(), place.options.clone()).expect("a look beside a writer");
    assert_eq!(beside.survey().damage_count(), 0, "{}", beside.survey());
    log.close().expect("it closes");
    let survey =
        headwater_wal::look(&*place.store(), Position::START, headwater_wal::Depth::Full).expect("a look");
    assert_eq!((survey.damage_count(), survey.is_open()), (0, false), "{survey}");
}
