//! The document and the router say the same.

use crate::client::Running;
use crate::fixture::{MODEL, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use trueup_serving_bridge::ServerOptions;
use trueup_serving_bridge::http::{OPENAPI, routes};

#[test]
fn every_route_is_documented_and_every_documented_route_answers() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut documented = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        documented.extend(methods.as_object().unwrap().keys().map(|m| (m.to_uppercase(), path)));
    }
    let routed: Vec<_> =
        routes().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    let routed: BTreeSet<_> = routed.iter().map(|(method, path)| (method.clone(), path)).collect();
    assert_eq!(documented, routed);

    let mut world = World::new(1_500);
    world.publish(0..world.told.versions.len());
    let running = Running::start(world.bridge(), ServerOptions::default());
    let mut client = running.client();
    let flight = world.flights.last().unwrap();
    for (method, path) in documented {
        let address = path.replace("{name}", MODEL).replace("{version}", "champion");
        let body = match path.rsplit(['/', ':']).next().unwrap() {
            "correct" => flight.json(),
            "infer" => json!({ "inputs": [{ "name": "eta_minutes", "datatype": "FP64",
                "shape": [1], "data": [flight.estimate] }] }),
            _ => Value::Null,
        };
        let reply = client.request(&method, &address, &[], body.to_string().as_bytes()).unwrap();
        assert_eq!(
            reply.status,
            200,
            "{method} {address}: {}",
            String::from_utf8_lossy(&reply.body)
        );
        let media = &document["paths"][path][method.to_lowercase()]["responses"]["200"]["content"];
        let kind = reply.header("content-type").unwrap().split(';').next().unwrap().to_owned();
        assert!(media.get(&kind).is_some(), "{method} {path} is documented as {kind}");
        if kind == "application/json" {
            let schema = &media[&kind]["schema"];
            check(&document, schema, &reply.json(), path);
        }
    }
}

/// A reply has the fields that its schema wants, and no others.
fn check(document: &Value, schema: &Value, found: &Value, at: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => document.pointer(name.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    if let Some(items) = found.as_array() {
        items.iter().for_each(|item| check(document, &schema["items"], item, at));
    }
    let (Some(found), Some(known)) = (found.as_object(), schema["properties"].as_object()) else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(found.contains_key(name.as_str().unwrap()), "{at}: no {name}");
    }
    for (name, value) in found {
        let schema = known.get(name).unwrap_or_else(|| panic!("{at}: `{name}` is not documented"));
        check(document, schema, value, at);
    }
}
