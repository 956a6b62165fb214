//! What a linfa user may rely on.

use super::*;
use crate::artifact::{self, Cells};
use crate::learners::{LEARNERS, elastic_net, linear, segment};
use crate::state::Use;
use linfa::prelude::*;
use ndarray::{Array2, s};

/// A depot (category), a load (number), and how wrong an estimate was.
fn dataset(rows: usize) -> Dataset<f64, f64, ndarray::Ix1> {
    let depot = |row: usize| (row * 7 % 11 % 3) as f64;
    let load = |row: usize| (row * 31 % 17) as f64;
    let records = Array2::from_shape_fn((rows, 2), |(row, column)| match column {
        0 => load(row),
        _ => depot(row),
    });
    let target = |row: usize| {
        [400.0, -200.0, 50.0][depot(row) as usize] + 30.0 * load(row) + (row % 5) as f64
    };
    Dataset::new(records, Array1::from_shape_fn(rows, target))
}

/// Every kind, its windows and tables fitting a short dataset.
fn every() -> Vec<OnlineParams> {
    let adapted = LEARNERS.iter().map(|kind| match (kind.defaults)() {
        LearnerSpec::ElasticNet(params) => LearnerSpec::ElasticNet(elastic_net::ElasticNetParams {
            refit_every: Duration::from_micros(50_000_000),
            ..params
        }),
        LearnerSpec::Segment(params) => {
            LearnerSpec::Segment(segment::SegmentParams { segments_max: 64, ..params })
        }
        spec @ (LearnerSpec::Linear(_) | LearnerSpec::Rls(_)) => spec,
    });
    adapted.map(|spec| OnlineParams::new(spec).category("depot", 1)).collect()
}

fn bytes(model: &mut OnlineModel) -> Vec<u8> {
    [Use::Serving, Use::Training]
        .map(|part| artifact::encode(model.learner_mut(), part, Cells::Unpublished))
        .concat()
}

#[test]
fn two_halves_are_the_whole() {
    let whole = dataset(400);
    let half = |range: std::ops::Range<usize>| {
        let records = whole.records().slice(s![range.clone(), ..]).to_owned();
        Dataset::new(records, whole.targets().slice(s![range]).to_owned())
    };
    let (first, second) = (half(0..150), half(150..400));
    for params in every() {
        let mut at_once = params.fit(&whole).expect("it fits");
        let model = params.fit_with(None, &first).expect("it fits");
        let mut in_turn = params.fit_with(Some(model), &second).expect("it fits");
        assert_eq!(bytes(&mut in_turn), bytes(&mut at_once), "{params:?}");
        assert_eq!(in_turn.predict(&whole), at_once.predict(&whole), "{params:?}");
        assert_eq!(in_turn.rows(), 400);
    }
}

#[test]
fn metrics_of_linfa_take_the_answers() {
    let (training, validation) = (dataset(2000), dataset(300));
    for params in every() {
        let model = params.fit(&training).expect("it fits");
        let answers = model.predict(&validation);
        let r2 = answers.r2(&validation).expect("as many answers as targets");
        let least = if matches!(params.0.learner, LearnerSpec::Segment(_)) { 0.6 } else { 0.98 };
        assert!(r2 > least, "{params:?}: {r2}");
        let error = answers.mean_absolute_error(&validation).expect("not empty");
        assert!(error < 150.0, "{params:?}: {error}");
    }
}

#[test]
fn what_cannot_be_fitted_is_told() {
    let dataset = dataset(20);
    let plain = || OnlineParams::new(LearnerSpec::Linear(linear::LinearParams::default()));
    let told = |params: OnlineParams| params.fit(&dataset).expect_err("refused").to_string();
    assert_eq!(
        told(plain().category("depot", 2)),
        "category `depot` is column `2`, but records have `2` columns"
    );
    assert_eq!(
        told(plain().category("depot", 1).category("site", 1)),
        "category is declared twice: `site`"
    );
    assert_eq!(
        told(plain().objective(Objective::Quantile(1.0))),
        "quantile must be between 0 and 1"
    );
    assert_eq!(told(plain().row_every(Duration::ZERO)), "row_every must be above zero");
    let crossed = linear::LinearParams {
        crosses: vec![vec!["site".to_owned()]],
        ..linear::LinearParams::default()
    };
    assert_eq!(
        told(OnlineParams::new(LearnerSpec::Linear(crossed)).category("depot", 1)),
        "not a declared category feature: `site`"
    );
    let model = plain().fit(&dataset).expect("it fits");
    let wider = Dataset::new(Array2::zeros((3, 5)), Array1::zeros(3));
    let error = plain().fit_with(Some(model), &wider).expect_err("refused").to_string();
    assert_eq!(error, "model is for `2` columns, but records have `5`");
    let mut broken = dataset.clone();
    broken.targets[4] = f64::NAN;
    let error = plain().fit(&broken).expect_err("refused").to_string();
    assert_eq!(error, "target of row `4` is not finite");
}
