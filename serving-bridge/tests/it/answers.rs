//! Answers over every protocol are those of the core, to the last bit.

use crate::client::{Client, Running};
use crate::fixture::{Flight, MODEL, World, version};
use serde_json::{Value, json};
use trueup_serving_bridge::ServerOptions;

const CORRECT: &str = "/v1/models/flight_eta:correct";
const INFER: &str = "/v2/models/flight_eta/infer";

/// The answer of the bridge's own protocol.
fn native(client: &mut Client, flight: &Flight) -> f64 {
    let reply = client.post(CORRECT, &flight.json()).json();
    assert_eq!(reply["answers"][0]["status"], "corrected", "{reply}");
    reply["answers"][0]["answer"].as_f64().unwrap()
}

/// The flights as tensors of JSON.
fn tensors(flights: &[&Flight]) -> Value {
    let rows: Vec<_> = flights.iter().map(|flight| flight.json()).collect();
    let column = |name: &str, datatype: &str| {
        let data: Vec<_> = rows.iter().map(|row| row[name].clone()).collect();
        json!({ "name": name, "datatype": datatype, "shape": [rows.len()], "data": data })
    };
    json!([
        column("eta_minutes", "FP64"),
        column("departed_at", "BYTES"),
        column("carrier", "BYTES"),
        column("origin", "BYTES"),
        column("destination", "BYTES"),
        column("distance_miles", "INT64"),
        column("departure_delay_minutes", "FP64"),
    ])
}

fn output<'r>(reply: &'r Value, name: &str) -> &'r Value {
    reply["outputs"].as_array().unwrap().iter().find(|output| output["name"] == name).unwrap()
}

#[test]
fn every_protocol_answers_as_the_core_served() {
    let mut world = World::new(2_500);
    let all = world.told.versions.len();
    world.publish(0..all);
    let bridge = world.bridge();
    let running = Running::start(bridge.clone(), ServerOptions::default());
    let mut client = running.client();
    let promoted = world.promoted();
    let mut asked = 0;
    for place in [promoted[0], promoted[promoted.len() / 2], all - 2] {
        let number = place as u64 + 1;
        world.promote(number);
        world.wait(&bridge, |slot| version(slot) == Some(number));
        let served = |flight: &&Flight| {
            world.told.served.get(&flight.key).is_some_and(|(_, version)| *version == number)
        };
        let flights: Vec<_> = world.flights.iter().filter(served).collect();
        let body = json!({ "id": "7", "inputs": tensors(&flights) });
        let reply = client.post(INFER, &body).json();
        assert_eq!(
            (&reply["id"], &reply["model_version"]),
            (&json!("7"), &json!(number.to_string()))
        );
        let corrector = bridge.corrector(MODEL).unwrap();
        for (row, flight) in flights.iter().enumerate() {
            let expected = world.told.served[&flight.key].0.to_bits();
            let columns = flight.columns();
            let answer = corrector.correct(&flight.question(&columns)).unwrap().answer;
            assert_eq!(answer.to_bits(), expected, "in the process");
            assert_eq!(native(&mut client, flight).to_bits(), expected, "natively");
            let answer = output(&reply, "answer")["data"][row].as_f64().unwrap();
            assert_eq!(answer.to_bits(), expected, "by V2");
            let correction = output(&reply, "correction")["data"][row].as_f64().unwrap();
            assert_eq!(correction.to_bits(), (answer - flight.estimate).to_bits());
            asked += 1;
        }
    }
    assert!(asked > 60, "{asked}");
}

/// A binary request: JSON, and the bytes of the tensors behind it.
fn binary(flights: &[&Flight]) -> (Vec<u8>, usize) {
    let mut raw = Vec::new();
    let mut inputs = tensors(flights);
    for input in inputs.as_array_mut().unwrap() {
        let before = raw.len();
        for value in input["data"].as_array().unwrap() {
            match input["datatype"].as_str().unwrap() {
                "FP64" => raw.extend_from_slice(&value.as_f64().unwrap().to_le_bytes()),
                "INT64" => raw.extend_from_slice(&value.as_i64().unwrap().to_le_bytes()),
                _ => {
                    let text = value.as_str().unwrap();
                    raw.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
                    raw.extend_from_slice(text.as_bytes());
                }
            }
        }
        input["parameters"] = json!({ "binary_data_size": raw.len() - before });
        input.as_object_mut().unwrap().remove("data");
    }
    let head = json!({ "inputs": inputs, "parameters": { "binary_data_output": true } });
    let mut body = head.to_string().into_bytes();
    let length = body.len();
    body.extend_from_slice(&raw);
    (body, length)
}

#[test]
fn binary_tensors_carry_the_same_answers_as_json() {
    let mut world = World::new(2_000);
    world.publish(0..world.told.versions.len());
    let running = Running::start(world.bridge(), ServerOptions::default());
    let mut client = running.client();
    let flights: Vec<_> = world.flights[world.flights.len() - 5..].iter().collect();
    let json = client.post(INFER, &json!({ "inputs": tensors(&flights) })).json();
    let (body, length) = binary(&flights);
    let header = [("Inference-Header-Content-Length", &*length.to_string())];
    let reply = client.request("POST", INFER, &header, &body).unwrap();
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let length: usize = reply.header("inference-header-content-length").unwrap().parse().unwrap();
    let (head, mut raw) = reply.body.split_at(length);
    let head: Value = serde_json::from_slice(head).unwrap();
    for name in ["answer", "correction", "status", "reason"] {
        let size = output(&head, name)["parameters"]["binary_data_size"].as_u64().unwrap();
        let mut bytes = raw.split_off(..usize::try_from(size).unwrap()).unwrap();
        for expected in output(&json, name)["data"].as_array().unwrap() {
            if let Some(expected) = expected.as_f64() {
                let found = bytes.split_off(..8).unwrap();
                assert_eq!(found, expected.to_le_bytes());
            } else {
                let length = bytes.split_off(..4).unwrap();
                let length = u32::from_le_bytes(length.try_into().unwrap());
                let found = bytes.split_off(..length as usize).unwrap();
                assert_eq!(found, expected.as_str().unwrap().as_bytes());
            }
        }
        assert!(bytes.is_empty());
    }
    assert!(raw.is_empty());
}
