//! A short run of every decoder over damaged bytes: the same bytes each time, a few seconds in all.
//!
//! It finds what a careless change breaks; what is hard to find is for `fuzz/`, which runs the same
//! checks under libFuzzer for as long as one likes.

#[allow(unreachable_pub, reason = "a crate of its own elsewhere")]
#[path = "../../fuzz/src/lib.rs"]
mod decoders;

use decoders::{DECODERS, Decoder};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Words that parsers trip over, put in place of others.
const TRAPS: [&str; 16] = [
    "-1",
    "0",
    "1e999",
    "nan",
    "inf",
    "9223372036854775808",
    "0x8000000000000000",
    "0.1",
    "true",
    "\"\"",
    "[]",
    "{}",
    "\"\u{e9}\u{1f600}\"",
    "1970-01-01",
    "\"9999999999999w\"",
    "${",
];

/// Two in five damages hit the end of the file, where formats keep what they need first.
const END_BYTES: usize = 1500;

/// A seeded generator (splitmix64, Steele et al. 2014).
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }

    fn place(&mut self, len: usize) -> usize {
        let from = if self.below(5) < 2 { len.saturating_sub(END_BYTES) } else { 0 };
        from + self.below(len - from)
    }
}

/// One of `seeds`, damaged in a few places.
fn damaged(seeds: &[Vec<u8>], draws: &mut Draws) -> Vec<u8> {
    let mut bytes = seeds[draws.below(seeds.len())].clone();
    for _ in 0..=draws.below(3) {
        let other = &seeds[draws.below(seeds.len())];
        damage(&mut bytes, other, draws);
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, other: &[u8], draws: &mut Draws) {
    let at = draws.place(bytes.len());
    match draws.below(10) {
        0 => bytes[at] ^= 1 << draws.below(8),
        1 => bytes[at] = draws.below(256) as u8,
        2 => bytes[at] = bytes[at].wrapping_add(1),
        3 => bytes[at..].iter_mut().take(5).for_each(|byte| *byte = 0xFF),
        4 => bytes.insert(at, draws.below(256) as u8),
        5 => drop(bytes.drain(at..(at + 1 + draws.below(20)).min(bytes.len()))),
        6 => bytes.truncate(at),
        7 => {
            let from = draws.below(other.len());
            let until = (from + 1 + draws.below(200)).min(other.len());
            bytes.splice(at..at, other[from..until].iter().copied());
        }
        8 => replace_word(bytes, at, TRAPS[draws.below(TRAPS.len())].as_bytes()),
        _ => {
            let from = draws.below(other.len());
            let word = other[word_at(other, from)].to_vec();
            replace_word(bytes, at, &word);
        }
    }
}

fn replace_word(bytes: &mut Vec<u8>, at: usize, word: &[u8]) {
    let range = word_at(bytes, at);
    bytes.splice(range, word.iter().copied());
}

/// The word around a place, quotes included.
fn word_at(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_\".-".contains(byte);
    let start = bytes[..at].iter().rposition(|byte| !is_word(byte)).map_or(0, |place| place + 1);
    let end = bytes[at..].iter().position(|byte| !is_word(byte)).map_or(bytes.len(), |n| at + n);
    start..end
}

/// Feeds a decoder its seeds and `rounds` damaged ones; both sound and refused inputs must come up.
fn smoke(name: &str, rounds: usize) {
    let decoder = named(name);
    smoke_from(decoder, &(decoder.seeds)(), rounds);
}

fn named(name: &str) -> &'static Decoder {
    DECODERS.iter().find(|decoder| decoder.name == name).expect("it is listed")
}

fn smoke_from(decoder: &Decoder, seeds: &[Vec<u8>], rounds: usize) {
    let name = decoder.name;
    for (number, seed) in seeds.iter().enumerate() {
        assert!(feed(decoder, seed), "seed {number} of `{name}` is refused");
    }
    let mut draws = Draws(20_130_101);
    let accepted = (0..rounds).filter(|_| feed(decoder, &damaged(seeds, &mut draws))).count();
    assert!(accepted > 0, "`{name}` refused everything");
    assert!(accepted < rounds, "`{name}` accepted everything");
}

/// Whether a decoder accepts the bytes. Where it breaks its promise, they are kept.
fn feed(decoder: &Decoder, bytes: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (decoder.check)(bytes))).unwrap_or_else(|_| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(decoder.name);
        std::fs::write(&file, bytes).expect("the folder for temporary files can be written");
        panic!("`{}` broke its promise on the bytes in {}", decoder.name, file.display());
    })
}

#[test]
fn artifact() {
    smoke("artifact", 10_000);
}

#[test]
fn checkpoint() {
    smoke("checkpoint", 4_000);
}

#[test]
fn duration() {
    smoke("duration", 200_000);
}

#[test]
fn parquet() {
    smoke("parquet", 4_000);
}

#[test]
fn parquet_of_another_writer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/samples/flights");
    let file = std::fs::read(folder.join("arrivals.parquet")).expect("the sample is shipped");
    smoke_from(named("parquet"), &[file], 60);
}

#[test]
fn pipeline_toml() {
    smoke("pipeline_toml", 10_000);
}

#[test]
fn project_toml() {
    smoke("project_toml", 20_000);
}

#[test]
#[should_panic(expected = "broke its promise")]
fn a_panic_is_noticed() {
    let check = |bytes: &[u8]| bytes.len() / bytes.len().saturating_sub(3) > 0;
    feed(&Decoder { name: "faulty", check, seeds: Vec::new }, b"abc");
}
