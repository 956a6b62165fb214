//! x
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]
use trueup_connector::*;
use trueup_event::StreamId;
use object_store::{memory::InMemory, path::Path as Key, ObjectStore, ObjectStoreExt};
use std::sync::Arc;
fn read(file: Vec<u8>) -> Result<usize, Error> {
    let store = InMemory::new();
    let key = Key::from("a.parquet");
    futures::executor::block_on(store.put(&key, file.into())).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let d = Dataset::open_in(store, "a.parquet")?;
    let cols: Vec<String> = d.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut r = ReadRequest::new(StreamId(0), TimeColumn{name: "at".into(), zone: Some("America/New_York".into()), epoch: Some(EpochUnit::Seconds)}, cols.clone());
    r.dictionary = cols.into_iter().step_by(2).collect();
    let _ = d.sample(3, None);
    let mut n = 0;
    for b in d.read(&r)? { n += b?.len(); }
    Ok(n)
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let whole = std::fs::read(&args[1]).unwrap();
    let rounds: u64 = args[2].parse().unwrap();
    let mut s = args.get(3).map_or(88172645463325252u64, |x| x.parse().unwrap());
    let mut rnd = move || { s ^= s << 13; s ^= s >> 7; s ^= s << 17; s };
    println!("whole {:?}", read(whole.clone()));
    let (mut ok, mut bad, mut panics) = (0, 0, std::collections::BTreeMap::new());
    std::panic::set_hook(Box::new(|_| {}));
    for _ in 0..rounds {
        let mut f = whole.clone();
        for _ in 0..1 + rnd() % 3 {
            let n = f.len() as u64;
            // half of the edits in the footer or page headers region
            let at = if rnd() % 2 == 0 { (n - 1 - rnd() % n.min(1500)) as usize } else { (rnd() % n) as usize };
            match rnd() % 6 {
                0 => f[at] ^= 1 << (rnd() % 8),
                1 => f[at] = 0xff,
                2 => f[at] = rnd() as u8,
                3 => { for i in at..(at + 5).min(f.len()) { f[i] = 0xff; } }
                4 => { f.remove(at); }
                _ => { let b = rnd() as u8; f.insert(at, b); }
            }
        }
        std::fs::write("/tmp/conn/last.parquet", &f).unwrap();
        match read(f) {
            Ok(_) => ok += 1,
            Err(e) => {
                bad += 1;
                if e.to_string().contains("gave up") {
                    let c = std::error::Error::source(&e).map(|s| s.to_string()).unwrap_or_default();
                    *panics.entry(c.chars().take(90).collect::<String>()).or_insert(0) += 1;
                }
            }
        }
    }
    println!("ok {ok} bad {bad} panics {panics:#?}");
}
