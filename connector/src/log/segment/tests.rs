//! Damage anywhere leaves the longest sound beginning.

use super::super::frame::{Encoded, encode};
use super::*;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use std::sync::Arc;

/// How much of the end is cut and damaged, byte by byte.
const TAIL_BYTES: usize = 64 << 10;

/// Frames of some hundred rows, and where each one ends.
fn frames() -> (Vec<u8>, Vec<Prefix>) {
    let (mut bytes, mut ends, mut offset) = (Vec::new(), Vec::new(), 1000);
    ends.push(Prefix { bytes: 0, next_offset: offset });
    while bytes.len() < TAIL_BYTES {
        let count = 1 + offset % 13;
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count as i64));
        let texts = (0..count).map(|n| Some("x".repeat((n * 31) as usize % 150)));
        let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
        let rows = RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap();
        assert_eq!(encode(&rows, offset, 7, &mut bytes).unwrap(), Encoded::Whole);
        offset += count;
        ends.push(Prefix { bytes: bytes.len() as u64, next_offset: offset });
    }
    (bytes, ends)
}

fn sound(bytes: &[u8]) -> Prefix {
    sound_prefix(&mut &bytes[..], 1000, &mut |_, _| Ok(())).unwrap()
}

/// The last end that is not after `at`.
fn last_end(ends: &[Prefix], at: usize) -> Prefix {
    ends[ends.partition_point(|end| end.bytes <= at as u64) - 1]
}

#[test]
fn a_segment_cut_at_any_byte_keeps_all_whole_frames() {
    let (bytes, ends) = frames();
    assert!(ends.len() > 40);
    for cut in 0..=bytes.len() {
        assert_eq!(sound(&bytes[..cut]), last_end(&ends, cut), "{cut}");
    }
}

#[test]
fn a_damaged_byte_ends_the_segment_before_its_frame() {
    let (mut bytes, ends) = frames();
    for at in 0..bytes.len() {
        let flip = 1 << (at % 8);
        bytes[at] ^= flip;
        assert_eq!(sound(&bytes), last_end(&ends, at), "{at}");
        bytes[at] ^= flip;
    }
    assert_eq!(sound(&bytes), *ends.last().unwrap());
}

#[test]
fn frames_of_another_place_and_zeros_end_the_segment() {
    let (bytes, ends) = frames();
    let whole = *ends.last().unwrap();
    let mut zeros = bytes.clone();
    zeros.resize(bytes.len() + 5000, 0);
    assert_eq!(sound(&zeros), whole);
    let twice = [&bytes[..], &bytes[..]].concat();
    assert_eq!(sound(&twice), whole);
}
