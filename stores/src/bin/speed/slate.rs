//! 64 tasks that append 1 KiB and wait until it is durable, beside SlateDB, which puts a log on object stores too.
//!
//! Each runs as it comes, and with other intervals at which it puts. Both go through the same proxy to the
//! same server, in turns; each turn has a folder of its own.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_stores::open;
use headwater_stores::servers::Bucket;
use headwater_wal::{Log, Options, Position, Time};
use object_store::aws::AmazonS3Builder;
use slatedb::Db;
use slatedb::config::Settings;
use tokio::runtime::Runtime;

use super::Result;
use super::far::Far;
use super::figures::{goal, median, milli, noise};

const TASKS: u64 = 64;
pub(super) fn row(small: bool) -> Result<()> {
    let far = Far::named()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (rounds, seconds) = if small { (1, 1) } else { (5, 3) };
    let during = Duration::from_secs(seconds);
    println!("  1 KiB from {TASKS} tasks, awaiting durability, medians of {rounds} rounds of {seconds} s");
    let lingers = [25, 5].map(Duration::from_millis);
    let flushes = [None, Some(lingers[0]), Some(lingers[1])];
    let (mut ours, mut theirs) = (lingers.map(|_| Vec::new()), flushes.map(|_| Vec::new()));
    for _ in 0..rounds {
        for (at, linger) in lingers.into_iter().enumerate() {
            ours[at].push(headwater(&far, &runtime, during, linger)?);
        }
        for (at, flush) in flushes.into_iter().enumerate() {
            theirs[at].push(slatedb(&far, &runtime, during, flush)?);
        }
    }
    let [slow, quick] = ours;
    let slow = show("headwater, linger 25 ms (its default)", &slow);
    let quick = show("headwater, linger 5 ms", &quick);
    let [theirs, theirs_slow, theirs_quick] = theirs;
    let theirs = show("slatedb 0.18.0, flush_interval 100 ms (its default)", &theirs);
    let theirs_slow = show("slatedb 0.18.0, flush_interval 25 ms", &theirs_slow);
    let theirs_quick = show("slatedb 0.18.0, flush_interval 5 ms", &theirs_quick);
    for (name, ours, theirs) in [
        ("defaults", slow, theirs),
        ("5 ms beside its default", quick, theirs),
        ("25 ms each", slow, theirs_slow),
        ("5 ms each", quick, theirs_quick),
    ] {
        goal(small, &format!("throughput, times slatedb's, {name}"), ours.0 / theirs.0, ">=", 3.0);
        goal(small, &format!("latency, of slatedb's, {name}"), ours.1 / theirs.1, "<=", 0.5);
    }
    Ok(())
}

/// Acknowledged a second, the median time to it, and puts a second.
type Figures = [f64; 3];

fn show(name: &str, figures: &[Figures]) -> (f64, f64) {
    let of = |at: usize| median(figures.iter().map(|figures| figures[at]).collect());
    println!("  {name}: {:.0} a second, median {:.1} ms, {:.0} puts a second", of(0), of(1), of(2));
    (of(0), of(1))
}

fn headwater(far: &Far, runtime: &Runtime, during: Duration, linger: Duration) -> Result<Figures> {
    let options = Options::default().linger(linger);
    let log = Log::open(open(&far.folder("ours").1)?, options)?.start(Position::START)?;
    let log = Arc::new(log);
    let shared = log.clone();
    let figures = runtime.block_on(tasks(far, during, move |_, record| {
        let log = shared.clone();
        async move {
            let _ = log.append_async(0, Time(1), record).await?.await?;
            Ok(())
        }
    }))?;
    log.close()?;
    Ok(figures)
}

fn slatedb(far: &Far, runtime: &Runtime, during: Duration, flush: Option<Duration>) -> Result<Figures> {
    let (bucket, folder) = (&far.far, far.folder("theirs").0);
    let folder = folder.split('?').next().and_then(|place| place.rsplit('/').next()).expect("a folder");
    let (bucket_name, text) = (bucket.place().trim_start_matches("s3://"), |key| text(bucket, key));
    let store = AmazonS3Builder::new()
        .with_bucket_name(bucket_name)
        .with_endpoint(text("endpoint"))
        .with_region(text("region"))
        .with_access_key_id(text("access_key_id"))
        .with_secret_access_key(text("secret_access_key"))
        .with_allow_http(true)
        .build()?;
    let mut settings = Settings::default();
    settings.flush_interval = flush.or(settings.flush_interval);
    runtime.block_on(async {
        let db = Arc::new(Db::builder(folder, Arc::new(store)).with_settings(settings).build().await?);
        let shared = db.clone();
        let figures = tasks(far, during, move |number, record| {
            let db = shared.clone();
            async move {
                db.put_bytes(Bytes::copy_from_slice(&number.to_be_bytes()), record)
                    .await?
                    .await_durable()
                    .await?;
                Ok(())
            }
        })
        .await?;
        db.close().await?;
        Ok(figures)
    })
}

fn text<'a>(bucket: &'a Bucket, option: &str) -> &'a str {
    bucket.option(option).unwrap_or("")
}

/// Tasks that append, wait, and append again for so long.
async fn tasks<F, A>(far: &Far, during: Duration, append: F) -> Result<Figures>
where
    F: Fn(u64, Bytes) -> A,
    A: Future<Output = Result<()>> + Send + 'static,
    F: Clone + Send + 'static,
{
    let (numbers, record) = (Arc::new(AtomicU64::new(0)), Bytes::from(noise(1024, 4)));
    let (began, puts) = (Instant::now(), far.proxy.tally().puts);
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (numbers, record, append) = (numbers.clone(), record.clone(), append.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while began.elapsed() < during {
                    let appended = Instant::now();
                    append(numbers.fetch_add(1, Ordering::Relaxed), record.clone()).await?;
                    times.push(milli(appended.elapsed()));
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let took = began.elapsed().as_secs_f64();
    let puts = far.proxy.tally().puts - puts;
    Ok([times.len() as f64 / took, median(times), puts as f64 / took])
}
