//! Known answers of River 0.26.1, and what holds for every detector of the table.

use super::*;

/// Python's `random.Random(12345)`: `choices([0, 1], k=1000) + choices(range(4, 8), k=1000)`.
const RIVER_STREAM: &str = include_str!("../../tests/data/river_drift_stream.txt");

fn river_stream() -> Vec<f64> {
    let digits = RIVER_STREAM.bytes().filter(u8::is_ascii_digit);
    let values: Vec<f64> = digits.map(|digit| f64::from(digit - b'0')).collect();
    assert_eq!(values.len(), 2000);
    values
}

/// A uniform stream whose mean jumps by 0.3, up and down, every 1500 values.
fn jumping_stream() -> Vec<f64> {
    let mut word = 1_u64;
    let next = |i: usize| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let uniform = (word >> 11) as f64 / (1_u64 << 53) as f64;
        uniform + if (i / 1500).is_multiple_of(2) { 0.0 } else { 0.3 }
    };
    (0..6000).map(next).collect()
}

fn alarms(mut detector: DriftDetector, stream: &[f64]) -> Vec<usize> {
    let fires = |(i, value): (usize, &f64)| detector.update(*value).map(|_| i);
    stream.iter().enumerate().filter_map(fires).collect()
}

fn built(params: DriftParams) -> DriftDetector {
    params.build().expect("valid parameters")
}

#[test]
fn river_finds_the_same_first_change() {
    let stream = river_stream();
    for (name, index) in [("adwin", 1023), ("page_hinkley", 1006), ("kswin", 1016)] {
        let params = (find(name).expect("listed").params)();
        assert_eq!(alarms(built(params), &stream).first(), Some(&index), "{name}");
    }
    // KSWIN draws a sample, by another generator than River's: other seeds are near.
    for seed in 0..100 {
        let params = DriftParams::Kswin(KswinParams { seed, ..KswinParams::default() });
        let found = alarms(built(params), &stream);
        assert!(matches!(found[..], [1013..=1017]), "seed {seed}: {found:?}");
    }
}

#[test]
fn page_hinkley_known_answers() {
    let stream: Vec<f64> = (0..300).map(|i| if i < 100 { 0.0 } else { 1.0 }).collect();
    let falling: Vec<f64> = stream.iter().map(|value| -value).collect();
    for (threshold, index) in [(5.0, 105), (20.0, 122), (50.0, 166)] {
        let with = |direction| {
            let params = PageHinkleyParams { threshold, direction, ..PageHinkleyParams::default() };
            built(DriftParams::PageHinkley(params))
        };
        assert_eq!(alarms(with(Direction::Up), &stream).first(), Some(&index));
        assert_eq!(alarms(with(Direction::Down), &falling).first(), Some(&index));
        assert_eq!(alarms(with(Direction::Down), &stream).first(), None);
        assert_eq!(alarms(with(Direction::Up), &falling).first(), None);
    }
    // River's alarms after the first, too: both start anew.
    let params = PageHinkleyParams { threshold: 10.0, ..PageHinkleyParams::default() };
    let found = alarms(built(DriftParams::PageHinkley(params)), &jumping_stream());
    assert_eq!(found, [1518, 2366, 3033, 3404, 4422, 4534, 5759]);
}

#[test]
fn adwin_follows_river_to_the_last_alarm() {
    // River's window itself; its Python wrapper empties it after the first alarm.
    let stream = jumping_stream();
    let expected = [1567, 1599, 1631, 1663, 1823, 3103, 3135, 3199, 3487, 4575, 4607, 4735];
    let default = AdwinParams::default();
    assert_eq!(alarms(built(DriftParams::Adwin(default)), &stream), expected);
    let eager = AdwinParams { delta: 0.3, every: 1, buckets_max: 3, side_min: 3, values_min: 5 };
    let expected = [1521, 1522, 1523, 1524, 1537, 3026, 3029, 3102, 4520, 4521, 4522, 4525, 4535];
    assert_eq!(alarms(built(DriftParams::Adwin(eager)), &stream), expected);

    let mut adwin = Adwin::new(default);
    for value in river_stream() {
        adwin.update(value);
    }
    assert_eq!(adwin.width(), 1008);
    assert_eq!(adwin.mean(), Some(5480.0 / 1008.0));
    let variance = adwin.variance().expect("not empty") * 1008.0;
    assert!((variance - 1_403.936_507_936_509).abs() < 1e-6, "{variance}");
}

#[test]
fn a_stored_detector_goes_on_as_if_unbroken() {
    let stream = jumping_stream();
    for kind in DETECTORS {
        let mut unbroken = built((kind.params)());
        let mut resumed = unbroken.clone();
        for (i, value) in stream.iter().enumerate() {
            if i % 500 == 3 {
                let bytes = postcard::to_allocvec(&resumed).expect("writes");
                resumed = postcard::from_bytes(&bytes).expect("reads");
            }
            assert_eq!(unbroken.update(*value), resumed.update(*value), "{} at {i}", kind.name);
        }
        assert_eq!(unbroken, resumed, "{}", kind.name);
    }
}

#[test]
fn a_steady_stream_raises_no_alarm() {
    let steady: Vec<f64> = jumping_stream()[..1500].repeat(4);
    for kind in DETECTORS {
        assert_eq!(alarms(built((kind.params)()), &steady).first(), None, "{}", kind.name);
    }
}

#[test]
fn parameters_out_of_range_are_refused() {
    for params in [
        DriftParams::Adwin(AdwinParams { delta: 0.0, ..AdwinParams::default() }),
        DriftParams::Adwin(AdwinParams { every: 0, ..AdwinParams::default() }),
        DriftParams::Kswin(KswinParams { window: 50, ..KswinParams::default() }),
        DriftParams::Kswin(KswinParams { alpha: f64::NAN, ..KswinParams::default() }),
        DriftParams::PageHinkley(PageHinkleyParams { alpha: 1.1, ..PageHinkleyParams::default() }),
    ] {
        assert!(params.build().is_err(), "{params:?}");
    }
    let params = PageHinkleyParams { threshold: -1.0, ..PageHinkleyParams::default() };
    let refusal = DriftParams::PageHinkley(params).build().expect_err("out of range");
    let text = "`threshold` of drift detector `page_hinkley` must be 0 or more: `-1`";
    assert_eq!(refusal.to_string(), text);
}
