use headwater_stores::{
    open, plain,
    proxy::{Faults, Proxy},
};
use headwater_wal::*;
use std::time::Instant;
fn main() {
    let proxy = Proxy::start(plain::start().unwrap()).unwrap();
    proxy.do_to_requests(Faults::by(|r| {
        if std::env::var("SHOW").is_ok() {
            eprintln!("{} {}", r.method, &r.target[..r.target.len().min(150)]);
        }
        None
    }));
    let url = format!(
        "s3://headwater/x?aws_endpoint=http://{}&allow_http=true&aws_region=us-east-1&aws_access_key_id=S3RVER&aws_secret_access_key=S3RVER",
        proxy.address()
    );
    let options = || Options::from_text("record_bytes_max=64KiB&segment_bytes=64KiB&linger=4ms").unwrap();
    for life in 0..6 {
        let before = proxy.tally();
        let t = Instant::now();
        let opened = Log::open(open(&url).unwrap(), options()).unwrap();
        let t1 = t.elapsed();
        let r1 = proxy.tally().requests - before.requests;
        let log = opened.start(Position::START).unwrap();
        let t2 = t.elapsed();
        let r2 = proxy.tally().requests - before.requests;
        let n = log.replay(Position::START).unwrap().count();
        let t3 = t.elapsed();
        let r3 = proxy.tally().requests - before.requests;
        if life % 2 == 1 {
            log.retire_before(Time::MAX).unwrap();
        }
        let t4 = t.elapsed();
        let r4 = proxy.tally().requests - before.requests;
        let t = Instant::now();
        let before = proxy.tally();
        let tickets: Vec<_> = (0..4000)
            .map(|i| {
                if i % 40 == 39 {
                    std::thread::sleep(std::time::Duration::from_millis(4));
                }
                log.append(Time(i), format!("r{i}")).unwrap()
            })
            .collect();
        tickets.into_iter().for_each(|t| drop(t.wait().unwrap()));
        println!(
            "life {life}: open {t1:?} {r1}, start {t2:?} {r2}, replay {t3:?} {r3} of {n}, retire {t4:?} {r4}; appended {:?} puts {}",
            t.elapsed(),
            proxy.tally().puts - before.puts
        );
        std::mem::forget(log);
    }
}
