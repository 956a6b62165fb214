//! Versions are swapped while they answer.

use crate::client::Running;
use crate::fixture::{MODEL, World, version};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use trueup_learner::model::Model;
use trueup_serving_bridge::{ServerOptions, Status};

/// The models of all published versions, by number.
fn models(world: &World) -> BTreeMap<u64, Model> {
    world.promoted().into_iter().map(|place| (place as u64 + 1, world.model_of(place))).collect()
}

#[test]
fn under_swaps_each_answer_is_that_of_exactly_one_published_version() {
    let mut world = World::new(2_500);
    let first = world.promoted()[0];
    world.publish(0..first + 1);
    let (bridge, models) = (world.bridge(), models(&world));
    let flights: Vec<_> = world.flights[world.flights.len() - 40..].to_vec();
    let running = Running::start(bridge.clone(), ServerOptions::default());
    let is_over = AtomicBool::new(false);
    let (corrector, is_over) = (bridge.corrector(MODEL).unwrap(), &is_over);
    // The flights are of the newest versions' time: older ones hold by being fresh for six hours.
    std::thread::scope(|scope| {
        let in_process = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !is_over.load(Ordering::Relaxed) {
                for flight in &flights {
                    let columns = flight.columns();
                    let answer = corrector.correct(&flight.question(&columns)).unwrap();
                    let Some(version) = answer.version else { continue };
                    let expected = flight.answer_of(&models[&version]);
                    assert_eq!(answer.answer.to_bits(), expected.to_bits(), "{answer:?}");
                    seen.insert(version);
                }
            }
            seen
        });
        let over_http = scope.spawn(|| {
            let mut client = running.client();
            let mut seen = BTreeSet::new();
            while !is_over.load(Ordering::Relaxed) {
                for flight in &flights {
                    let reply = client.post("/v1/models/flight_eta:correct", &flight.json());
                    assert_eq!(reply.status, 200);
                    let reply = reply.json();
                    if reply["answers"][0]["status"] != "corrected" {
                        continue;
                    }
                    let version = reply["version"].as_u64().unwrap();
                    let expected = flight.answer_of(&models[&version]);
                    let answer = reply["answers"][0]["answer"].as_f64().unwrap();
                    assert_eq!(answer.to_bits(), expected.to_bits(), "{reply}");
                    seen.insert(version);
                }
            }
            seen
        });
        for place in first + 1..world.told.versions.len() {
            world.publish(place..place + 1);
            if world.told.versions[place].promote {
                world.wait(&bridge, |slot| version(slot) == Some(place as u64 + 1));
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        is_over.store(true, Ordering::Relaxed);
        for seen in [in_process.join().unwrap(), over_http.join().unwrap()] {
            assert!(seen.len() > 5, "answers by {seen:?}");
        }
    });
}

#[test]
fn a_bridge_that_followed_answers_as_one_that_began_later() {
    let mut world = World::new(2_500);
    let promoted = world.promoted();
    world.publish(0..promoted[0] + 1);
    let followed = world.bridge();
    for place in promoted[0] + 1..world.told.versions.len() {
        world.publish(place..place + 1);
        world.wait(&followed, |slot| {
            !world.told.versions[place].promote || version(slot) == Some(place as u64 + 1)
        });
    }
    let began = world.bridge();
    for flight in &world.flights[world.flights.len() - 50..] {
        let columns = flight.columns();
        let [a, b] = [&followed, &began]
            .map(|bridge| bridge.corrector(MODEL).unwrap().correct(&flight.question(&columns)));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!((a.status, a.answer.to_bits()), (Status::Corrected, b.answer.to_bits()));
        assert_eq!((a.version, a.digest), (b.version, b.digest));
    }
}
