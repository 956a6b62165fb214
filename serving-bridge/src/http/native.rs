//! The bridge's own protocol: questions as JSON objects, with the columns of the definition's
//! question event.

use super::cells::{Asked, Cell, Name};
use super::{App, Failure, Received, Shared, answer, definition};
use crate::definition::Definition;
use crate::question::{Refused, Status};
use crate::slot::{Current, Slot};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use trueup_learner::model::Scratch;

/// One question: its columns in the order sent.
type Row<'a> = Vec<(Cow<'a, str>, Cell<'a>)>;

/// `{"questions": [{…}, …]}`, or one question alone.
#[derive(Debug)]
enum Body<'a> {
    One(Row<'a>),
    Many(Vec<Row<'a>>),
}

impl<'de> Deserialize<'de> for Body<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a question, or an object with `questions`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut row = Row::new();
        let mut questions = None;
        while let Some(Name(name)) = items.next_key()? {
            if name == "questions" {
                let many: Vec<Question<'de>> = items.next_value()?;
                questions = Some(many.into_iter().map(|question| question.0).collect());
            } else {
                row.push((name, items.next_value()?));
            }
        }
        match questions {
            None => Ok(Body::One(row)),
            Some(questions) if row.is_empty() => Ok(Body::Many(questions)),
            Some(_) => Err(serde::de::Error::custom("`questions` stands beside other columns")),
        }
    }
}

struct Question<'a>(Row<'a>);

impl<'de> Deserialize<'de> for Question<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor).map(Self)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a question: an object of columns")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut row = Row::new();
        while let Some(Name(name)) = items.next_key()? {
            row.push((name, items.next_value()?));
        }
        Ok(row)
    }
}

/// What is replied.
#[derive(Serialize)]
struct Reply<'a> {
    model: &'a str,
    version: Option<u64>,
    digest: Option<String>,
    answers: Vec<Told<'a>>,
}

/// One answer.
#[derive(Serialize)]
struct Told<'a> {
    answer: Option<f64>,
    estimate: Option<f64>,
    correction: Option<f64>,
    status: &'static str,
    reason: Option<Cow<'static, str>>,
    missing: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<&'a str>,
}

impl Told<'_> {
    fn refused(refused: &Refused) -> Self {
        Self {
            answer: None,
            estimate: None,
            correction: None,
            status: "refused",
            reason: Some(Cow::Owned(refused.to_string())),
            missing: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

/// `POST /v1/models/{name}:correct`.
pub(super) async fn correct(
    State(app): Shared,
    Path(call): Path<String>,
    Received(body): Received,
) -> Result<Response, Failure> {
    let began = Instant::now();
    let Some(model) = call.strip_suffix(":correct") else {
        return Err(Failure::new(StatusCode::NOT_FOUND, "no such path"));
    };
    let slot = app.slot(model)?;
    let shared = Arc::clone(&app);
    let reply = App::work(body.len(), move || reply(&shared, &slot, &body)).await?;
    app.native_seconds.observe(began.elapsed().as_secs_f64());
    Ok(([(header::CONTENT_TYPE, "application/json")], reply).into_response())
}

fn reply(app: &App, slot: &Slot, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let current = slot.current();
    let definition = definition(slot, &current)?;
    let body: Body<'_> = serde_json::from_slice(body)
        .map_err(|error| Failure::invalid(format!("the body is no question: `{error}`")))?;
    let mut scratch = Scratch::default();
    let answers = match &body {
        Body::One(row) => {
            let told = tell(slot, &current, definition, row, &mut scratch);
            vec![told.map_err(|refused| Failure::invalid(refused.to_string()))?]
        }
        Body::Many(rows) => {
            app.check_questions(rows.len())?;
            rows.iter()
                .map(|row| {
                    tell(slot, &current, definition, row, &mut scratch)
                        .unwrap_or_else(|refused| Told::refused(&refused))
                })
                .collect()
        }
    };
    let served = current.served.as_ref().ok();
    let reply = Reply {
        model: slot.model(),
        version: served.map(|served| served.version),
        digest: served.map(|served| served.digest.to_string()),
        answers,
    };
    Ok(serde_json::to_vec(&reply).expect("numbers and texts have a JSON form"))
}

fn tell<'a>(
    slot: &Slot,
    current: &Current,
    definition: &'a Definition,
    row: &'a Row<'a>,
    scratch: &mut Scratch,
) -> Result<Told<'a>, Refused> {
    let cells = row.iter().map(|(name, cell)| (&**name, cell));
    let asked = Asked::read(definition, cells);
    let answer = answer(slot, current, &asked, scratch)?;
    let asked = asked?;
    Ok(Told {
        answer: Some(answer.answer),
        estimate: Some(answer.estimate),
        correction: Some(answer.correction),
        status: answer.status.name(),
        reason: match answer.status {
            Status::Corrected => None,
            Status::Primary(reason) => Some(Cow::Borrowed(reason.name())),
        },
        missing: definition.missing(&asked.question()),
        unknown: asked.unknown,
    })
}

/// `GET /v1/models`.
pub(super) async fn models(State(app): Shared) -> Response {
    #[derive(Serialize)]
    struct Model {
        name: String,
        alias: String,
        version: Option<u64>,
        digest: Option<String>,
        trained_until: Option<String>,
        is_held: bool,
        reason: Option<&'static str>,
    }
    #[derive(Serialize)]
    struct Models {
        models: Vec<Model>,
    }
    let slots = app.bridge.slots();
    let models = slots.values().map(|slot| {
        let current = slot.current();
        let served = current.served.as_ref();
        Model {
            name: slot.model().to_owned(),
            alias: slot.alias().to_owned(),
            version: served.ok().map(|served| served.version),
            digest: served.ok().map(|served| served.digest.to_string()),
            trained_until: served.ok().map(|served| served.trained_until.to_string()),
            is_held: served.is_ok_and(|served| served.is_held),
            reason: served.err().map(|reason| reason.name()),
        }
    });
    Json(Models { models: models.collect() }).into_response()
}
