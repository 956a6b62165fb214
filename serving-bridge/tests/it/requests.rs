//! What a request may get wrong, and what it may leave out.

use crate::client::{Client, Reply, Running};
use crate::fixture::{MODEL, World};
use serde_json::{Value, json};
use trueup_event::EventTime;
use trueup_serving_bridge::{Question, Refused, ServerOptions, Status, Value as Column};

const CORRECT: &str = "/v1/models/flight_eta:correct";
const INFER: &str = "/v2/models/flight_eta/infer";

struct Ready {
    running: Running,
    world: World,
    question: Value,
}

fn ready() -> Ready {
    let mut world = World::new(1_500);
    world.publish(0..world.told.versions.len());
    let running = Running::start(world.bridge(), ServerOptions::default());
    let question = world.flights.last().unwrap().json();
    Ready { running, world, question }
}

/// The question with one column changed.
fn with(question: &Value, column: &str, value: Value) -> Value {
    let mut question = question.clone();
    question[column] = value;
    question
}

fn without(question: &Value, column: &str) -> Value {
    let mut question = question.clone();
    question.as_object_mut().unwrap().remove(column);
    question
}

#[test]
fn what_is_unusual_is_answered_and_told() {
    let Ready { running, world, question } = ready();
    let mut client = running.client();
    let mut answer = |question: &Value| {
        let reply = client.post(CORRECT, question);
        assert_eq!(reply.status, 200, "{:?}", reply.json());
        let answer = reply.json()["answers"][0].clone();
        assert_eq!(answer["status"], "corrected", "{answer}");
        assert!(answer["answer"].is_f64());
        answer
    };
    let usual = answer(&question);
    assert_eq!(usual["missing"], json!([]));
    assert!(usual.get("unknown").is_none());
    // A value never seen.
    assert_eq!(answer(&with(&question, "origin", json!("XYZ")))["missing"], json!([]));
    // A column that is not sent is one that is null.
    let absent = answer(&without(&question, "distance_miles"));
    assert_eq!(absent["missing"], json!(["distance_miles"]));
    assert_eq!(answer(&with(&question, "distance_miles", Value::Null)), absent);
    assert_ne!(absent["answer"], usual["answer"]);
    // A column that the definition does not know.
    let unknown = answer(&with(&question, "color", json!({ "deep": [1] })));
    assert_eq!((&unknown["unknown"], &unknown["answer"]), (&json!(["color"]), &usual["answer"]));
    // All features missing.
    let bare = json!({ "eta_minutes": 100.0, "departed_at": question["departed_at"] });
    assert_eq!(answer(&bare)["missing"].as_array().unwrap().len(), 5);
    // Without its time a question is asked now, long after the last label.
    let reply = running.client().post(CORRECT, &without(&question, "departed_at")).json();
    let answer = &reply["answers"][0];
    assert_eq!((&answer["status"], &answer["reason"]), (&json!("primary"), &json!("expired")));
    assert_eq!(answer["missing"], json!([]));
    assert_eq!(answer["answer"].as_f64(), Some(world.flights.last().unwrap().estimate));
}

/// Every question that is refused, with what the refusal says.
fn refused(question: &Value) -> Vec<(Value, &'static str)> {
    vec![
        (without(question, "eta_minutes"), "estimate is missing: `eta_minutes`"),
        (with(question, "eta_minutes", Value::Null), "estimate is missing"),
        (with(question, "eta_minutes", json!("NaN")), "being a text: `eta_minutes`"),
        (with(question, "eta_minutes", json!([1.0])), "being an array: `eta_minutes`"),
        (with(question, "departed_at", json!("yesterday")), "in column `departed_at`: `yesterday`"),
        (with(question, "departed_at", json!("2013-01-01T10:00:00")), "with an offset"),
        (with(question, "departed_at", json!(1_700_000_000)), "being an integer: `departed_at`"),
        (with(question, "carrier", json!(1.5)), "as a category, being a float: `carrier`"),
        (with(question, "carrier", json!({})), "being an object: `carrier`"),
        (with(question, "distance_miles", json!("far")), "as a number, being a text"),
    ]
}

#[test]
fn a_question_that_cannot_be_answered_is_refused_with_its_reason() {
    let Ready { running, question, .. } = ready();
    let mut client = running.client();
    let refused = refused(&question);
    for (question, why) in &refused {
        let reply = client.post(CORRECT, question);
        assert_eq!(reply.status, 400, "{question}");
        assert!(reply.error().contains(why), "{} has no {why}", reply.error());
    }
    // Among others, it alone is refused.
    let mut questions: Vec<_> = refused.iter().map(|(question, _)| question.clone()).collect();
    questions.push(question);
    let reply = client.post(CORRECT, &json!({ "questions": questions }));
    assert_eq!(reply.status, 200);
    let answers = reply.json()["answers"].as_array().unwrap().clone();
    let (last, others) = answers.split_last().unwrap();
    assert_eq!(last["status"], "corrected");
    for (answer, (_, why)) in others.iter().zip(&refused) {
        assert_eq!((&answer["status"], &answer["answer"]), (&json!("refused"), &Value::Null));
        assert!(answer["reason"].as_str().unwrap().contains(why), "{answer}");
    }
}

#[test]
fn in_the_process_no_estimate_but_a_finite_one_is_answered() {
    let Ready { world, .. } = ready();
    let corrector = world.bridge().corrector(MODEL).unwrap();
    let time = Some(EventTime::from_micros(world.flights.last().unwrap().time));
    for estimate in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = corrector.correct(&Question { time, estimate, columns: &[] }).unwrap_err();
        assert!(matches!(refused, Refused::Estimate(_)), "{refused}");
    }
    let columns = [("distance_miles", Column::Number(f64::NAN))];
    let question = Question { time, estimate: 1.0, columns: &columns };
    assert!(matches!(corrector.correct(&question), Err(Refused::Value(_))));
    let columns = [("departed_at", Column::Text("long ago"))];
    let question = Question { time, estimate: 1.0, columns: &columns };
    assert!(matches!(corrector.correct(&question), Err(Refused::Value(_))));
    // Times at both ends of what can be.
    for (time, status) in [(i64::MIN, None), (i64::MAX, Some("primary"))] {
        let time = Some(EventTime::from_micros(time));
        let answer = corrector.correct(&Question { time, estimate: 1.0, columns: &[] });
        assert_eq!(answer.ok().map(|answer| answer.status.name()), status);
    }
    let answer = corrector.correct(&Question { time, estimate: 1e300, columns: &[] }).unwrap();
    assert!(answer.answer.is_finite() && answer.status == Status::Corrected);
}

#[test]
fn bodies_that_are_no_requests_are_errors_and_the_connection_goes_on() {
    let Ready { running, question, .. } = ready();
    let mut client = running.client();
    let deep = "[".repeat(200);
    let twice = "{\"eta_minutes\":1,\"eta_minutes\":2}";
    let both = json!({ "questions": [], "eta_minutes": 1.0 }).to_string();
    let huge = "{\"eta_minutes\":1e999}";
    let bodies = [
        "",
        "{",
        "[]",
        "1",
        "{\"questions\":1}",
        "{\"questions\":[1]}",
        "\u{0}",
        &deep,
        twice,
        &both,
        huge,
        "{\"eta_minutes\":NaN}",
    ];
    for body in bodies {
        let reply = client.request("POST", CORRECT, &[], body.as_bytes()).unwrap();
        assert_eq!(reply.status, 400, "{body}: {:?}", reply.json());
        assert!(!reply.error().is_empty());
    }
    let reply = client.request("POST", CORRECT, &[], b"{\"carrier\":\"\xff\"}").unwrap();
    assert_eq!(reply.status, 400);
    assert_eq!(client.post(CORRECT, &json!({ "questions": [] })).json()["answers"], json!([]));
    assert_eq!(client.post(CORRECT, &question).status, 200);
}

#[test]
fn limits_hold() {
    let Ready { running, .. } = ready();
    let many = |count: usize| {
        let questions = vec![json!({ "eta_minutes": 1 }); count];
        running.client().post(CORRECT, &json!({ "questions": questions }))
    };
    assert_eq!(many(10_000).json()["answers"].as_array().unwrap().len(), 10_000);
    let reply = many(10_001);
    assert_eq!(reply.status, 413);
    assert!(reply.error().contains("at most 10000 questions"), "{}", reply.error());
    let inputs = json!([{ "name": "eta_minutes", "datatype": "FP64", "shape": [10_001],
        "data": vec![1.0; 10_001] }]);
    assert_eq!(running.client().post(INFER, &json!({ "inputs": inputs })).status, 413);
    let body = vec![b' '; (1 << 20) + 1];
    // The reply may be lost: the server does not read what is too much.
    if let Ok(reply) = running.client().request("POST", CORRECT, &[], &body) {
        assert_eq!(reply.status, 413);
    }
    let long = "x".repeat(20 << 10);
    let reply = running.client().request("GET", "/healthz", &[("x-long", &long)], b"").unwrap();
    assert_eq!(reply.status, 431);
    assert_eq!(running.client().get("/healthz").status, 200);
}

#[test]
fn tensors_that_do_not_fit_are_errors() {
    let Ready { running, question, .. } = ready();
    let mut client = running.client();
    let input = |name: &str, datatype: &str, shape: Value, data: Value| {
        let mut input = json!({ "name": name, "datatype": datatype, "shape": shape });
        input["data"] = data;
        input
    };
    let eta = || input("eta_minutes", "FP64", json!([1]), json!([100.0]));
    let mut infer = |inputs: Value| client.post(INFER, &json!({ "inputs": inputs }));
    let check = |reply: Reply, why: &str| {
        assert_eq!(reply.status, 400);
        assert!(reply.error().contains(why), "{} has no {why}", reply.error());
    };
    check(infer(json!([input("eta", "FP64", json!([1]), json!([1]))])), "no input `eta`");
    check(infer(json!([input("eta_minutes", "FP16", json!([1]), json!([1]))])), "FP16");
    check(infer(json!([input("eta_minutes", "FP64", json!([2]), json!([1]))])), "shape says `2`");
    check(infer(json!([input("eta_minutes", "FP64", json!([1, 2]), json!([1, 2]))])), "shape");
    check(infer(json!([input("eta_minutes", "FP64", json!([1]), json!(["a"]))])), "datatype");
    check(infer(json!([input("eta_minutes", "INT64", json!([1]), json!([1.5]))])), "datatype");
    check(infer(json!([eta(), input("origin", "BYTES", json!([2]), json!(["a", "b"]))])), "length");
    check(infer(json!([eta(), eta()])), "sent twice");
    check(infer(json!([{ "name": "eta_minutes", "datatype": "FP64", "shape": [1] }])), "`data`");
    let raw = json!({ "name": "eta_minutes", "datatype": "FP64", "shape": [1],
        "parameters": { "binary_data_size": 8 } });
    check(infer(json!([raw])), "wants more bytes than came");
    // Shapes [n] and [n, 1], nested or not, and null.
    let time = &question["departed_at"];
    let time = input("departed_at", "BYTES", json!([2, 1]), json!([[time], [time]]));
    let etas = input("eta_minutes", "FP32", json!([2]), json!([100.0, null]));
    let reply = infer(json!([time, etas])).json();
    assert_eq!(reply["outputs"][2]["data"], json!(["corrected", "refused"]), "{reply}");
    assert_eq!(reply["outputs"][0]["data"][1], Value::Null);
    let wanted = json!({ "inputs": [eta()], "outputs": [{ "name": "status" }] });
    let reply = client.post(INFER, &wanted).json();
    assert_eq!(reply["outputs"].as_array().unwrap().len(), 1);
    let wanted = json!({ "inputs": [eta()], "outputs": [{ "name": "wisdom" }] });
    check(client.post(INFER, &wanted), "no output `wisdom`");
    lengths(&mut client);
}

/// The header of the binary extension must fit the body.
fn lengths(client: &mut Client) {
    for length in ["x", "-1", "1000000"] {
        let header = [("Inference-Header-Content-Length", length)];
        let reply = client.request("POST", INFER, &header, b"{\"inputs\":[]}").unwrap();
        assert_eq!(reply.status, 400);
    }
    let header = [("Inference-Header-Content-Length", "13")];
    let reply = client.request("POST", INFER, &header, b"{\"inputs\":[]}xx").unwrap();
    assert!(reply.error().contains("left behind"), "{}", reply.error());
}

#[test]
fn a_version_is_named_by_number_alias_or_digest() {
    let Ready { running, world, .. } = ready();
    let mut client = running.client();
    let newest = world.model.state().versions().values().next_back().unwrap();
    let (number, digest) = (newest.summary.version.to_string(), &newest.summary.state_digest);
    for version in [&number, "champion", &digest[..4], &digest[..64]] {
        let reply = client.get(&format!("/v2/models/flight_eta/versions/{version}"));
        assert_eq!(reply.json()["versions"], json!([number]), "{version}");
    }
    for version in ["1", "0", "-1", "challenger", &digest[..3], "%2e%2e"] {
        let reply = client.get(&format!("/v2/models/flight_eta/versions/{version}"));
        assert_eq!(reply.status, 404, "{version}");
        assert!(reply.error().contains(&format!("loaded is version {number}")));
    }
    assert_eq!(client.get("/v2/models/nobody").status, 404);
    assert_eq!(client.post("/v1/models/nobody:correct", &json!({})).status, 404);
    assert_eq!(client.post("/v1/models/flight_eta", &json!({})).status, 404);
    assert_eq!(client.get(CORRECT).status, 405);
    assert_eq!(client.get("/nowhere").status, 404);
}
