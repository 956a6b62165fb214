//! How long an answer takes in the process, with the nine features of the flights.
//!
//! `cargo bench -p trueup-serving-bridge --bench answers`

#![allow(clippy::unwrap_used)]

#[path = "../tests/it/fixture.rs"]
mod fixture;

use divan::Bencher;
use fixture::{MODEL, World};
use trueup_event::EventTime;
use trueup_registry::{AliasName, ModelName};
use trueup_serving_bridge::{Corrector, Question, Status};

fn main() {
    divan::main();
}

#[divan::bench]
fn correct(bencher: Bencher<'_, '_>) {
    let mut world = World::new(2_000);
    let newest = world.told.versions.len();
    world.publish(0..newest);
    let model = ModelName::new(MODEL).unwrap();
    let corrector = Corrector::open(world.registry.clone(), model, AliasName::champion()).unwrap();
    let flights: Vec<_> = world.flights[world.flights.len() - 200..].to_vec();
    let columns: Vec<_> = flights.iter().map(|flight| flight.columns()).collect();
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % flights.len();
        let question = Question {
            time: Some(EventTime::from_micros(flights[next].time)),
            estimate: flights[next].estimate,
            columns: &columns[next],
        };
        let answer = corrector.correct(&question).unwrap();
        assert_eq!(answer.status, Status::Corrected);
        answer
    });
}
