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
