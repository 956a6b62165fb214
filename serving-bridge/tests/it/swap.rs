//! Versions are swapped while they answer.

use crate::client::Running;
use crate::fixture::{MODEL, World, version};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use trueup_learner::model::Model;
use trueup_serving_bridge::ServerOptions;

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
fn a_bridge_that_followed_in_strides_answers_as_one_that_began_later() {
    let mut world = World::new(2_500);
    let first = world.promoted()[0];
    world.publish(0..first + 1);
    let followed = world.bridge_polling(std::time::Duration::from_secs(3_600));
    for stride in first + 1..world.told.versions.len() {
        if stride % 3 != 0 || !world.told.versions[stride].promote {
            continue;
        }
        let published = world.model.state().version_last() as usize;
        world.publish(published..stride + 1);
        assert_ne!(version(&followed.slot(MODEL).unwrap()), Some(stride as u64 + 1), "it sleeps");
        followed.wake();
        world.wait(&followed, |slot| version(slot) == Some(stride as u64 + 1));
        let flight = world.flights.last().unwrap();
        let expected = flight.answer_of(&world.model_of(stride)).to_bits();
        for bridge in [&followed, &world.bridge()] {
            let current = bridge.slot(MODEL).unwrap().current();
            let served = current.served.as_ref().unwrap();
            assert_eq!(served.version, stride as u64 + 1);
            assert_eq!(flight.answer_of(served.model()).to_bits(), expected, "{}", served.version);
        }
    }
}
