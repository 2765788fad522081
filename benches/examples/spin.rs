//! Spins.
fn main() {
    let mode = std::env::args().nth(1).unwrap();
    let reading =
        headwater_benches::reading::Reading::new(std::path::Path::new("/tmp/rb"), 256 << 10, 1024, 64 << 20)
            .unwrap();
    if mode == "open" {
        let reading = headwater_benches::reading::Reading::new(
            std::path::Path::new("/tmp/rb"),
            64 << 10,
            1024,
            64 << 10,
        )
        .unwrap();
        for _ in 0..10 {
            println!("{:.1?} of {} segments", reading.open(), reading.log().chain().segments().len());
        }
        return;
    }
    if mode == "pair" {
        let gb = reading.bytes() as f64 / 1e9;
        let mut v: Vec<(f64, f64)> = (0..41).map(|_| (gb / reading.bare_replay().as_secs_f64(), gb / reading.replay().as_secs_f64())).collect();
        v.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
        let best = v.iter().fold((0.0f64, 0.0f64), |m, x| (m.0.max(x.0), m.1.max(x.1)));
        println!("median ratio {:.3} ({:.2} {:.2}) best {:.2} {:.2}", v[20].1 / v[20].0, v[20].0, v[20].1, best.0, best.1);
        return;
    }
    let mut best = f64::MAX;
    for round in 0..200 {
        let took = match mode.as_str() {
            "replay" => reading.replay(),
            "bare" => reading.bare_replay(),
            "reads" => reading.reads(200_000, round),
            "barereads" => reading.bare_reads(200_000, round),
            "many" => reading.read_many(),
            _ => panic!(),
        };
        best = best.min(took.as_secs_f64());
    }
    println!("{mode} best {:.2} GB/s, {:.3} M/s of 200k", reading.bytes() as f64 / 1e9 / best, 0.2 / best);
}
