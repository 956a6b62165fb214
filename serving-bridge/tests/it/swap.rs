//! Versions are swapped while they answer.

use crate::fixture::{MODEL, World};
use trueup_event::EventTime;
use trueup_registry::{AliasName, ModelName};
use trueup_serving_bridge::{Corrector, Question};

#[test]
fn trains() {
    let mut world = World::new(2_000);
    let n = world.told.versions.len();
    world.publish(0..n);
    let model = ModelName::new(MODEL).unwrap();
    let corrector = Corrector::open(world.registry.clone(), model, AliasName::champion()).unwrap();
    eprintln!("{n} {:?}", world.promoted());
    let flight = world.flights.last().unwrap();
    let answer = corrector.correct(&Question { time: Some(EventTime::from_micros(flight.time)), estimate: flight.estimate, columns: &flight.columns() });
    eprintln!("{answer:?} {:?}", corrector.slot().version_trouble());
    panic!();
}
