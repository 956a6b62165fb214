//! Whatever happens to the registry, nothing wrong is served.

use crate::client::Running;
use crate::fixture::{Flight, MODEL, World, version};
use serde_json::json;
use trueup_event::{Duration, EventTime};
use trueup_registry::RollbackTo;
use trueup_serving_bridge::{Answer, Bridge, Question, Reason, ServerOptions, Status};

fn ask(bridge: &Bridge, flight: &Flight) -> Answer {
    let columns = flight.columns();
    bridge.corrector(MODEL).unwrap().correct(&flight.question(&columns)).unwrap()
}

/// A world whose versions are all published but the last, with the flight asked last.
fn published() -> (World, Bridge, Flight) {
    let mut world = World::new(1_500);
    let all = world.told.versions.len();
    assert!(world.told.versions[all - 1].promote && world.told.versions[all - 2].promote);
    world.publish(0..all - 1);
    let flight = world.flights.last().unwrap().clone();
    let bridge = world.bridge();
    (world, bridge, flight)
}

#[test]
fn a_corrupt_newest_version_leaves_the_last_good_one_and_is_told() {
    let (mut world, bridge, flight) = published();
    let good = ask(&bridge, &flight);
    let newest = world.told.versions.len();
    // Damaged before the bridge looks: published under another folder's eyes.
    let slot = bridge.slot(MODEL).unwrap();
    let held = world.registry.clone();
    drop(bridge);
    world.publish(newest - 1..newest);
    world.damage_newest();
    let fresh = world.bridge();
    assert_eq!(ask(&fresh, &flight).status, Status::Primary(Reason::NotLoaded));
    assert!(fresh.slot(MODEL).unwrap().version_trouble().unwrap().contains("blobs/sha256"));
    let running = Running::start(fresh.clone(), ServerOptions::default());
    let reply = running.client().post("/v1/models/flight_eta:correct", &flight.json()).json();
    assert_eq!(reply["answers"][0]["reason"], "not_loaded", "its definition is whole");
    let reply = running.client().get("/readyz");
    assert_eq!(reply.status, 503);
    assert_eq!(reply.json()["models"][MODEL]["newest_version"]["ok"], json!(false));
    // Going back to the good one repairs it, and it stays when the damaged one is named again.
    world.promote(newest as u64 - 1);
    world.wait(&fresh, |slot| version(slot) == Some(newest as u64 - 1));
    assert_eq!(running.client().get("/readyz").status, 200);
    world.promote(newest as u64);
    world.wait(&fresh, |slot| slot.version_trouble().is_some());
    assert_eq!(ask(&fresh, &flight), good);
    let reply = running.client().get("/readyz");
    assert_eq!(reply.status, 200, "the last good version goes on");
    assert_eq!(reply.json()["models"][MODEL]["newest_version"]["ok"], json!(false));
    // A hold on a damaged version means that the one left is not wanted.
    world.promote(newest as u64 - 1);
    world.wait(&fresh, |slot| slot.version_trouble().is_none());
    world.roll_back(RollbackTo::Version(newest as u64));
    world.wait(&fresh, |slot| slot.version_trouble().is_some());
    assert_eq!(ask(&fresh, &flight).status, Status::Primary(Reason::NotLoaded));
    assert_eq!(version(&slot), Some(newest as u64 - 1), "what nobody follows stands still");
    // Nor does a version that is bad stand in for one that cannot be loaded.
    world.promote(newest as u64 - 1);
    world.wait(&fresh, |slot| version(slot) == Some(newest as u64 - 1));
    world.promote(newest as u64);
    world.wait(&fresh, |slot| slot.version_trouble().is_some());
    assert_eq!(ask(&fresh, &flight), good);
    world.quarantine(newest as u64 - 1);
    world.wait(&fresh, |slot| version(slot).is_none());
    drop(held);
}

#[test]
fn a_version_that_is_not_what_it_says_is_refused() {
    let (mut world, bridge, flight) = published();
    let good = ask(&bridge, &flight);
    let newest = world.told.versions.last().unwrap().clone();
    let refused =
        |world: &mut World, id: &str, change: &dyn Fn(&mut trueup_registry::NewVersion)| {
            let mut version = newest.clone();
            version.id = id.to_owned();
            change(&mut version);
            let before = bridge.slot(MODEL).unwrap().version_trouble();
            world.publish_one(version);
            world.wait(&bridge, |slot| slot.version_trouble() != before);
            assert_eq!(ask(&bridge, &flight), good);
            bridge.slot(MODEL).unwrap().version_trouble().unwrap()
        };
    let told = refused(&mut world, "a", &|version| {
        version.manifest["definition"]["limit"]["absolute"] = json!(1e9);
    });
    assert!(told.contains("has digest"), "{told}");
    let told = refused(&mut world, "b", &|version| version.manifest = json!({}));
    assert!(told.contains("cannot be read"), "{told}");
    let told = refused(&mut world, "c", &|version| version.lineage = 7);
    assert!(told.contains("no lineage `7`"), "{told}");
    let told = refused(&mut world, "d", &|version| version.serving.truncate(50));
    assert!(told.contains("does not fit"), "{told}");
    let told = refused(&mut world, "e", &|version| version.state_digest = "none".into());
    assert!(told.contains("state digest"), "{told}");
    let told = refused(&mut world, "f", &|version| {
        // Behind the header of a safetensors file come the tensors, those of eight bytes first.
        let header = u64::from_le_bytes(*version.serving.first_chunk().unwrap());
        let at = 8 + usize::try_from(header).unwrap();
        version.serving[at..at + 8].copy_from_slice(&f64::NAN.to_le_bytes());
    });
    assert!(told.contains("not finite"), "{told}");
    // The true one is taken after all of them.
    let number = world.publish_one(newest);
    world.wait(&bridge, |slot| version(slot) == Some(number));
    assert_eq!(bridge.slot(MODEL).unwrap().version_trouble(), None);
}

#[test]
fn rollback_hold_and_no_version_are_obeyed() {
    let (mut world, bridge, flight) = published();
    let newest = world.told.versions.len() as u64;
    let first = world.promoted()[0] as u64 + 1;
    world.roll_back(RollbackTo::Version(first));
    world.wait(&bridge, |slot| version(slot) == Some(first));
    // It is far too old, and held all the same.
    let late =
        Flight { time: flight.time + Duration::from_hours(1_000).micros(), ..flight.clone() };
    assert_eq!(ask(&bridge, &late).version, Some(first));
    assert_eq!(ask(&bridge, &late).answer, late.answer_of(&world.model_of(first as usize - 1)));
    world.publish(newest as usize - 1..newest as usize);
    world.promote(newest);
    world.wait(&bridge, |slot| version(slot) == Some(newest));
    assert_eq!(ask(&bridge, &late).status, Status::Primary(Reason::Expired));
    world.roll_back(RollbackTo::Primary);
    world.wait(&bridge, |slot| version(slot).is_none());
    let answer = ask(&bridge, &flight);
    assert_eq!(answer.status, Status::Primary(Reason::Withdrawn));
    assert_eq!((answer.answer, answer.correction), (flight.estimate, 0.0));
    // A damaged version after that is no reason to say that this is on purpose.
    world.damage_newest();
    world.promote(newest);
    world.wait(&bridge, |slot| slot.version_trouble().is_some());
    assert_eq!(ask(&bridge, &flight).status, Status::Primary(Reason::NotLoaded));
    world.roll_back(RollbackTo::Primary);
    world.wait(&bridge, |slot| slot.version_trouble().is_none());
    // On purpose: ready, and questions are still read.
    let running = Running::start(bridge.clone(), ServerOptions::default());
    assert_eq!(running.client().get("/v2/health/ready").status, 200);
    let reply = running.client().post("/v1/models/flight_eta:correct", &flight.json()).json();
    assert_eq!(reply["answers"][0]["reason"], "withdrawn");
}

#[test]
fn a_version_answers_until_its_last_label_is_too_old() {
    let (world, bridge, flight) = published();
    let until = world.told.versions[world.told.versions.len() - 2].trained_until_micros;
    let limit = until + Duration::from_hours(6).micros();
    for (time, status) in
        [(limit, Status::Corrected), (limit + 1, Status::Primary(Reason::Expired))]
    {
        assert_eq!(ask(&bridge, &Flight { time, ..flight.clone() }).status, status);
    }
}

#[test]
fn a_registry_that_goes_away_leaves_what_answers() {
    let (world, bridge, flight) = published();
    let good = ask(&bridge, &flight);
    std::fs::remove_dir_all(world.folder.path()).unwrap();
    world.wait(&bridge, |slot| slot.registry_trouble().is_some());
    assert_eq!(ask(&bridge, &flight), good);
    assert!(bridge.metrics_text().contains("trueup_registry_reachable{model=\"flight_eta\"} 0"));
}

#[test]
fn an_empty_registry_is_waited_for() {
    let mut world = World::new(1_500);
    let bridge = world.bridge();
    let running = Running::start(bridge.clone(), ServerOptions::default());
    let mut client = running.client();
    let reply = client.get("/readyz");
    assert_eq!((reply.status, &reply.json()["models"]), (503, &json!({})));
    assert_eq!(client.get("/v2/health/live").json(), json!({ "live": true }));
    // Candidates that the gate refused: a model without a champion.
    let first = world.promoted()[0];
    world.publish(0..first);
    while bridge.slot(MODEL).is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    world.wait(&bridge, |slot| slot.current().definition.is_some());
    let flight = world.flights[world.flights.len() / 2].clone();
    let reply = client.post("/v1/models/flight_eta:correct", &flight.json()).json();
    assert_eq!(
        (&reply["version"], &reply["answers"][0]["reason"]),
        (&json!(null), &json!("no_version"))
    );
    assert_eq!(client.get("/readyz").status, 503);
    world.publish(first..first + 1);
    world.wait(&bridge, |slot| version(slot) == Some(first as u64 + 1));
    assert_eq!(client.get("/readyz").status, 200);
    let reply = client.get("/v1/models").json();
    assert_eq!(reply["models"][0]["version"], json!(first + 1));
}

#[test]
fn what_is_counted_is_told() {
    let (_world, bridge, flight) = published();
    let nan = Question { time: None, estimate: f64::NAN, columns: &[] };
    assert!(bridge.corrector(MODEL).unwrap().correct(&nan).is_err());
    ask(&bridge, &flight);
    let now = Question { time: Some(EventTime::MAX), estimate: 1.0, columns: &[] };
    bridge.corrector(MODEL).unwrap().correct(&now).unwrap();
    let text = bridge.metrics_text();
    for line in [
        "trueup_answers_total{model=\"flight_eta\",status=\"corrected\"} 1",
        "trueup_answers_total{model=\"flight_eta\",status=\"primary\"} 1",
        "trueup_answers_total{model=\"flight_eta\",status=\"refused\"} 1",
        "trueup_fallback_total{model=\"flight_eta\",reason=\"expired\"} 1",
        "trueup_swaps_total{model=\"flight_eta\"} 1",
        "trueup_publish_to_serve_seconds_count{model=\"flight_eta\"} 1",
        "trueup_model_staleness_seconds{model=\"flight_eta\"} ",
        "trueup_model_info{model=\"flight_eta\",version=\"",
        "trueup_registry_reachable{model=\"flight_eta\"} 1",
        "trueup_build_info{version=\"",
        "# EOF",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
}
