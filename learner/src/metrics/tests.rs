//! Known answers of scikit-learn and River, and the laws of merging, fading and storing.

use super::*;

const ACTUAL: [f64; 4] = [3.0, -0.5, 2.0, 7.0];
const ESTIMATE: [f64; 4] = [2.5, 0.0, 2.0, 8.0];

fn close(found: Option<f64>, expected: f64) {
    let found = found.expect("a value");
    let places = 1e-12 * expected.abs().max(1.0);
    assert!((found - expected).abs() <= places, "found {found}, expected {expected}");
}

/// Errors between -60 and 60, skewed, from a fixed sequence.
fn stream(count: u64) -> impl Iterator<Item = f64> {
    (1..=count).map(|i| {
        let unit = (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 / (1_u64 << 53) as f64;
        60.0 * unit * unit * unit - 10.0 * unit
    })
}

fn errors(stream: impl Iterator<Item = f64>) -> Errors {
    let mut errors = Errors::new(0.01, &[5.0, 15.0]).expect("valid");
    stream.for_each(|error| errors.update(error));
    errors
}

#[test]
fn known_answers() {
    let mut errors = Errors::default();
    let mut relative = Relative::default();
    for (actual, estimate) in ACTUAL.into_iter().zip(ESTIMATE) {
        errors.update(actual - estimate);
        relative.update(actual, estimate);
    }
    close(errors.mae(), 0.5);
    close(errors.mse(), 0.375);
    close(errors.rmse(), 0.612_372_435_695_794_5);
    close(errors.bias(), -0.25);
    close(relative.mape_percent(), 32.738_095_238_095_24);
    close(relative.smape_percent(), 57.878_787_878_787_88);
    close(relative.r2(), 0.948_608_137_044_967_9);
}

#[test]
fn known_running_statistics() {
    let mut mean = EwMean::new(0.5);
    let mut fading = FadingMean::new(0.5);
    let values = [1.0, 3.0, 5.0, 4.0, 6.0, 8.0, 7.0, 9.0, 11.0];
    let means = [1.0, 2.0, 3.5, 3.75, 4.875, 6.4375, 6.718_75, 7.859_375, 9.429_687_5];
    for (value, expected) in values.into_iter().zip(means) {
        mean.update(value);
        fading.update(value);
        close(mean.get(), expected);
    }
    // (11 + 9/2 + 7/4 + ...) / (1 + 1/2 + 1/4 + ...), by hand.
    close(fading.get(), 4827.0 / 256.0 / (511.0 / 256.0));

    let mut moments = Moments::default();
    let variances = [0.0, 2.0, 1.0, 2.916_666_666_666_666_5, 7.7, 12.566_666_666_666_666];
    for (value, expected) in [3.0, 5.0, 4.0, 7.0, 10.0, 12.0].into_iter().zip(variances) {
        moments.update(value);
        close(moments.variance().or(Some(0.0)), expected);
    }
}

#[test]
fn empty_metrics_say_nothing() {
    for kind in METRICS {
        assert_eq!((kind.value)(&Errors::default()), None, "{}", kind.name);
        assert_eq!((kind.sketched)(&ErrorSketch::default()), None, "{}", kind.name);
        assert_eq!(find(kind.name).map(|found| found.name), Some(kind.name));
    }
    assert_eq!(Relative::default().smape_percent(), None);
    assert!(find("p42").is_none());
}

#[test]
fn errors_and_sketch_agree_with_sorted_errors() {
    let mut sizes: Vec<f64> = stream(20_000).map(f64::abs).collect();
    sizes.sort_by(f64::total_cmp);
    let errors = errors(stream(20_000));
    let mut sketch = ErrorSketch::default();
    stream(20_000).for_each(|error| sketch.update(error));
    for q in [0.01, 0.5, 0.9, 0.95, 0.99, 1.0] {
        let exact = sizes[((q * 20_000.0) as usize).max(1) - 1];
        let found = errors.quantile(q).expect("not empty");
        assert!((found - exact).abs() <= 0.006 + 0.0006 * exact, "p{q}: {found}, exactly {exact}");
        let found = sketch.quantile(q).expect("not empty");
        // The very largest is only known to be in its bucket, an eighth of an octave wide.
        let share = if q < 1.0 { 0.03 } else { 0.125 };
        assert!((found - exact).abs() <= 0.01 + share * exact, "p{q}: {found}, exactly {exact}");
    }
    for limit in [1.0, 5.0, 15.0, 30.0, 60.0] {
        let exact = sizes.iter().filter(|size| **size <= limit).count() as f64 / 20_000.0;
        let found = errors.share_within(limit).expect("not empty");
        assert!((found - exact).abs() <= 2e-3, "{limit}: {found}, exactly {exact}");
        let found = sketch.share_within(limit).expect("not empty");
        assert!((found - exact).abs() <= 5e-3, "{limit}: {found}, exactly {exact}");
    }
    let exact = sizes.iter().filter(|size| **size <= 5.0).count() as f64 / 20_000.0;
    assert_eq!(errors.share_within(5.0), Some(exact), "a declared limit is counted exactly");
    close(sketch.mae(), errors.mae().expect("not empty"));
    close(sketch.bias(), errors.bias().expect("not empty"));
    close(sketch.rmse(), errors.rmse().expect("not empty"));
}

#[test]
fn parts_merged_are_the_whole() {
    let whole = errors(stream(3000));
    let mut parts = errors(stream(1000));
    parts.merge(&errors(stream(3000).skip(1000)));
    for kind in METRICS {
        close((kind.value)(&parts), (kind.value)(&whole).expect("not empty"));
    }
    assert_eq!(parts.count(), whole.count());

    let mut sketches = [ErrorSketch::default(), ErrorSketch::default()];
    stream(1000).for_each(|error| sketches[0].update(error));
    stream(3000).skip(1000).for_each(|error| sketches[1].update(error));
    let [mut merged, second] = sketches;
    merged.merge(&second);
    let mut sketch = ErrorSketch::default();
    stream(3000).for_each(|error| sketch.update(error));
    for kind in METRICS {
        close((kind.sketched)(&merged), (kind.sketched)(&sketch).expect("not empty"));
    }

    let coarse = Errors::new(0.5, &[]).expect("valid");
    let mut mixed = coarse.clone();
    mixed.merge(&whole);
    let (found, exact) = (mixed.quantile(0.9), whole.quantile(0.9));
    assert!(found.zip(exact).is_some_and(|(a, b)| (a - b).abs() <= 0.5), "{found:?} {exact:?}");
}

#[test]
fn merged_moments_are_those_of_the_whole() {
    let mut whole = Moments::default();
    let mut parts = [Moments::default(); 2];
    for (i, value) in stream(1000).enumerate() {
        whole.update(value);
        parts[usize::from(i >= 300)].update(value);
    }
    let [mut merged, second] = parts;
    merged.merge(&second);
    merged.merge(&Moments::default());
    assert_eq!(merged.count(), 1000);
    close(merged.mean(), whole.mean().expect("not empty"));
    close(merged.variance(), whole.variance().expect("not empty"));
    let mut from_empty = Moments::default();
    from_empty.merge(&whole);
    assert_eq!(from_empty, whole);
}

#[test]
fn halving_keeps_means_and_shape() {
    let mut sketch = ErrorSketch::default();
    stream(20_000).for_each(|error| sketch.update(error));
    let before = sketch;
    sketch.halve();
    assert!((9_900..=10_000).contains(&sketch.count()), "{}", sketch.count());
    close(sketch.mae(), before.mae().expect("not empty"));
    close(sketch.bias(), before.bias().expect("not empty"));
    let (now, then) = (sketch.quantile(0.9), before.quantile(0.9));
    assert!(now.zip(then).is_some_and(|(a, b)| (a - b).abs() < 0.5), "{now:?} {then:?}");
    for _ in 0..40 {
        sketch.halve();
    }
    assert_eq!((sketch.count(), sketch.mae()), (0, None));
}

#[test]
fn bounds_are_as_wide_as_chance() {
    // Independent, where `stream` is spread evenly.
    let mut word = 0x5EED_u64;
    let mut error = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        let unit = (word >> 11) as f64 / (1_u64 << 53) as f64;
        60.0 * unit * unit * unit - 10.0 * unit
    };
    let mut whole = ErrorSketch::default();
    let mut parts = [ErrorSketch::default(); 200];
    for i in 0..200 * 400 {
        let error = error();
        whole.update(error);
        parts[i / 400].update(error);
    }
    for kind in METRICS {
        let truth = (kind.sketched)(&whole).expect("not empty");
        let mut held = 0;
        let (mut values, mut widths) = (Moments::default(), Moments::default());
        for part in &parts {
            let [lower, upper] = (kind.bounds)(part, 2.0).expect("not empty");
            held += u32::from((lower..=upper).contains(&truth));
            widths.update(upper - lower);
            values.update((kind.sketched)(part).expect("not empty"));
        }
        assert!((174..=200).contains(&held), "{}: {held} of 200 held {truth}", kind.name);
        let deviation = values.variance().expect("many").sqrt();
        if deviation > 0.0 {
            let errors = widths.mean().expect("many") / deviation;
            // The upper bound of a tail reaches its bucket's end.
            let widest = if kind.name == "p99" { 8.0 } else { 5.5 };
            assert!((3.0..widest).contains(&errors), "{}: {errors} standard errors", kind.name);
        }
        assert_eq!((kind.bounds)(&ErrorSketch::default(), 2.0), None, "{}", kind.name);
    }
}

#[test]
fn words_tell_sketches_apart() {
    let mut sketch = ErrorSketch::default();
    let words = |sketch: &ErrorSketch| sketch.words().collect::<Vec<_>>();
    let empty = words(&sketch);
    sketch.update(1.0);
    let one = words(&sketch);
    assert_ne!(empty, one);
    assert_eq!(one.len(), 1 + 4 + 28 * 8 / 2);
    sketch.update(-1.0);
    assert_ne!(one, words(&sketch));
}

#[test]
fn hostile_errors_saturate() {
    let mut errors = Errors::default();
    let mut sketch = ErrorSketch::default();
    for error in [f64::MAX, -f64::MAX, f64::INFINITY, f64::NAN, 1e300, 5e-324, -0.0] {
        errors.update(error);
    }
    for error in [1e100, -1e100, 5e-324, -0.0, 1e-3] {
        sketch.update(error);
    }
    for kind in METRICS {
        assert!((kind.value)(&errors).is_some_and(f64::is_finite), "{}", kind.name);
        assert!((kind.sketched)(&sketch).is_some_and(f64::is_finite), "{}", kind.name);
    }
    assert_eq!(sketch.quantile(1.0), Some(0.001 * (1_u64 << 28) as f64), "the largest told apart");
    assert!(Errors::new(f64::NAN, &[]).is_err());
    assert!(Errors::new(0.01, &[-1.0]).is_err());
    assert!(Errors::new(0.01, &[1.0; 5]).is_err());
}

#[test]
fn stored_errors_come_back_equal_and_damage_is_refused() {
    for before in [Errors::new(0.5, &[2.0]).expect("valid"), errors(stream(500))] {
        let text = serde_json::to_string(&before.histogram()).expect("writes");
        let after: ErrorHistogram = serde_json::from_str(&text).expect("reads");
        assert_eq!(&after, before.histogram());
        assert_eq!(serde_json::to_string(&after).expect("writes"), text, "same bytes");

        let mut stored: serde_json::Value = serde_json::from_str(&text).expect("reads");
        let length = stored["counts"].as_array().map_or(0, Vec::len);
        for place in 0..length {
            // A flip in the counts themselves may still be a histogram; checkpoints carry digests.
            let intact = stored["counts"][place].clone();
            stored["counts"][place] = (intact.as_u64().unwrap_or(0) ^ 0x80).into();
            let read = serde_json::from_value::<ErrorHistogram>(stored.clone());
            assert!(read.is_err() || place >= 32, "byte {place} flipped");
            stored["counts"][place] = intact;
        }
        stored["counts"].as_array_mut().map(Vec::pop);
        assert!(serde_json::from_value::<ErrorHistogram>(stored).is_err(), "cut short");
    }
}

#[test]
fn a_paired_comparison_names_the_one_that_errs_less() {
    let mut better = Paired::new(1000.0, 0.05);
    let mut equal = Paired::new(1000.0, 0.05);
    for (i, error) in stream(5000).enumerate() {
        better.update(error + 0.5 * error.signum(), error);
        let other = if i % 2 == 0 { 0.3 } else { -0.3 };
        equal.update(error.abs() + 1.0 + other, error.abs() + 1.0);
        if i == 100 {
            assert_eq!(better.verdict(), PairedVerdict::Undecided, "too early");
        }
    }
    assert_eq!(better.verdict(), PairedVerdict::Second);
    close(better.mean(), 0.5);
    assert_eq!(equal.verdict(), PairedVerdict::Undecided);
    let mut swapped = Paired::new(1000.0, 0.05);
    stream(5000).for_each(|error| swapped.update(error, error + 0.5 * error.signum()));
    assert_eq!(swapped.verdict(), PairedVerdict::First);
}
