//! x
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]
use std::time::Instant;
use trueup_connector::*;
use trueup_event::StreamId;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn rss() -> String {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS")).map(|l| l.split_whitespace().nth(1).unwrap().to_string()).collect::<Vec<_>>().join("/")
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let loc = &args[1];
    let time = &args[2];
    let budget: usize = args.get(3).map_or(128 << 20, |s| s.parse().unwrap());
    for _ in 0..args.get(4).map_or(3, |s| s.parse().unwrap()) {
        let (t, c) = (Instant::now(), cpu());
        let d = Dataset::open(loc, std::path::Path::new(".")).unwrap();
        let cols: Vec<String> = d.schema().fields().iter().map(|f| f.name().clone()).collect();
        let mut r = ReadRequest::new(StreamId(0), TimeColumn::new(time.as_str()), cols.clone());
        r.dictionary = cols;
        r.sort_budget_bytes = budget;
        let open = t.elapsed();
        let (mut rows, mut batches, mut first) = (0, 0, None);
        let mut sum = 0i64;
        for b in d.read(&r).unwrap() {
            let b = b.unwrap();
            first.get_or_insert(t.elapsed());
            rows += b.len();
            batches += 1;
            for t in b.times.iter() { sum = sum.wrapping_mul(31).wrapping_add(*t); }
        }
        println!("rows {rows} batches {batches} open {open:?} first {first:?} wall {:?} cpu {:.2}s rss {} sum {sum:x}", t.elapsed(), cpu() - c, rss());
    }
}
