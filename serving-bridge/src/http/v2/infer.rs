//! Inference: each input is a column by its name, each row a question.
//!
//! A single question that cannot be answered is an error; among several, its row has the status
//! `refused` with the reason, and its numbers are null (NaN in binary).

use super::super::cells::Asked;
use super::super::{App, Failure, Received, Shared, answer};
use super::tensor::{Column, Input};
use super::{OUTPUTS, Target};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use trueup_learner::model::Scratch;

const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// The JSON of a request.
#[derive(Debug, Deserialize)]
struct Body<'a> {
    id: Option<String>,
    #[serde(borrow)]
    inputs: Vec<Input<'a>>,
    #[serde(default)]
    outputs: Option<Vec<Output>>,
    #[serde(default)]
    parameters: BodyParameters,
}

#[derive(Debug, Default, Deserialize)]
struct BodyParameters {
    #[serde(default)]
    binary_data_output: bool,
}

/// An output that is wanted.
#[derive(Debug, Deserialize)]
struct Output {
    name: String,
    #[serde(default)]
    parameters: OutputParameters,
}

#[derive(Debug, Default, Deserialize)]
struct OutputParameters {
    binary_data: Option<bool>,
}

/// The answers of all rows, by output.
#[derive(Debug, Default)]
struct Answers {
    answer: Vec<Option<f64>>,
    correction: Vec<Option<f64>>,
    status: Vec<&'static str>,
    reason: Vec<Cow<'static, str>>,
}

/// `POST .../infer`.
pub(super) async fn infer(
    State(app): Shared,
    target: Target,
    headers: HeaderMap,
    Received(body): Received,
) -> Result<Response, Failure> {
    let began = Instant::now();
    let target = target.again()?;
    let json_length = match headers.get(JSON_LENGTH) {
        None => None,
        Some(length) => {
            let length = length.to_str().ok().and_then(|length| length.parse::<usize>().ok());
            let length = length.filter(|length| *length <= body.len());
            let error = || Failure::invalid(format!("`{JSON_LENGTH}` does not fit the body"));
            Some(length.ok_or_else(error)?)
        }
    };
    let shared = Arc::clone(&app);
    let body_bytes = body.len();
    let reply = move || reply(&shared, &target, &body, json_length.unwrap_or(body_bytes));
    let reply = App::work(body_bytes, reply).await?;
    app.v2_seconds.observe(began.elapsed().as_secs_f64());
    Ok(reply.into_response())
}

/// What is replied: JSON, and where it was asked for, raw tensors behind it.
#[derive(Debug)]
struct Reply {
    json: Vec<u8>,
    binary: Option<Vec<u8>>,
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        match self.binary {
            None => ([(header::CONTENT_TYPE, "application/json")], self.json).into_response(),
            Some(binary) => {
                let length = self.json.len().to_string();
                let mut body = self.json;
                body.extend_from_slice(&binary);
                let kind = "application/octet-stream".to_owned();
                ([(header::CONTENT_TYPE, kind), (JSON_LENGTH, length)], body).into_response()
            }
        }
    }
}

fn reply(app: &App, target: &Target, body: &[u8], json_length: usize) -> Result<Reply, Failure> {
    let (json, mut binary) = body.split_at(json_length);
    let body: Body<'_> = serde_json::from_slice(json).map_err(|error| {
        Failure::invalid(format!("the body is no inference request: `{error}`"))
    })?;
    let columns = body.inputs.into_iter().map(|input| input.read(&mut binary));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    if !binary.is_empty() {
        let error = format!("bytes are left behind the last input: `{}`", binary.len());
        return Err(Failure::invalid(error));
    }
    let answers = answers(app, target, &columns)?;
    let outputs = outputs(body.outputs, body.parameters.binary_data_output)?;
    Ok(encode(target, body.id, &outputs, &answers))
}

fn answers(app: &App, target: &Target, columns: &[Column<'_>]) -> Result<Answers, Failure> {
    let definition = target.definition()?;
    let rows = columns.first().map_or(0, |column| column.cells.len());
    if let Some(other) = columns.iter().find(|column| column.cells.len() != rows) {
        let (name, found) = (&other.name, other.cells.len());
        return Err(Failure::invalid(format!(
            "inputs differ in length: {rows} and {found} in `{name}`"
        )));
    }
    app.check_questions(rows)?;
    if let Some(column) = columns.iter().find(|column| definition.place(&column.name).is_none()) {
        let known = definition.columns().iter().map(|column| column.name.as_str());
        let known = known.collect::<Vec<_>>().join("`, `");
        let name = column.name.chars().take(64).collect::<String>();
        return Err(Failure::invalid(format!("no input `{name}`; inputs are `{known}`")));
    }
    let mut scratch = Scratch::default();
    let mut answers = Answers::default();
    for row in 0..rows {
        let cells = columns.iter().map(|column| (&*column.name, &column.cells[row]));
        let asked = Asked::read(definition, cells);
        match answer(&target.slot, &target.current, &asked, &mut scratch) {
            Ok(answer) => {
                let reason = answer.reason().map_or("", |reason| reason.name());
                answers.answer.push(Some(answer.answer));
                answers.correction.push(Some(answer.correction));
                answers.status.push(answer.status.name());
                answers.reason.push(Cow::Borrowed(reason));
            }
            Err(refused) if rows == 1 => return Err(Failure::invalid(refused.to_string())),
            Err(refused) => {
                answers.answer.push(None);
                answers.correction.push(None);
                answers.status.push("refused");
                answers.reason.push(Cow::Owned(refused.to_string()));
            }
        }
    }
    Ok(answers)
}

/// Which outputs are wanted, and which of them in binary.
fn outputs(
    wanted: Option<Vec<Output>>,
    binary: bool,
) -> Result<Vec<(&'static str, &'static str, bool)>, Failure> {
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
        return Ok(OUTPUTS.map(|(name, datatype)| (name, datatype, binary)).to_vec());
    };
    wanted
        .into_iter()
        .map(|output| {
            let known = OUTPUTS.iter().find(|(name, _)| *name == output.name);
            let (name, datatype) = known.ok_or_else(|| {
                let known = OUTPUTS.map(|(name, _)| name).join("`, `");
                let name = output.name.chars().take(64).collect::<String>();
                Failure::invalid(format!("no output `{name}`; outputs are `{known}`"))
            })?;
            Ok((*name, *datatype, output.parameters.binary_data.unwrap_or(binary)))
        })
        .collect()
}

#[derive(Serialize)]
struct Told<'a> {
    model_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    parameters: Map<String, Value>,
    outputs: Vec<ToldOutput<'a>>,
}

#[derive(Serialize)]
struct ToldOutput<'a> {
    name: &'static str,
    datatype: &'static str,
    shape: [usize; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<ToldData<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ToldData<'a> {
    Numbers(&'a [Option<f64>]),
    Words(&'a [&'static str]),
    Texts(&'a [Cow<'static, str>]),
}

impl ToldData<'_> {
    fn write_raw(&self, bytes: &mut Vec<u8>) {
        let mut text = |text: &str| {
            let length = u32::try_from(text.len()).expect("reasons are short");
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        match self {
            Self::Words(words) => words.iter().for_each(|word| text(word)),
            Self::Texts(texts) => texts.iter().for_each(|reason| text(reason)),
            Self::Numbers(numbers) => {
                for number in *numbers {
                    bytes.extend_from_slice(&number.unwrap_or(f64::NAN).to_le_bytes());
                }
            }
        }
    }
}

fn encode(
    target: &Target,
    id: Option<String>,
    wanted: &[(&'static str, &'static str, bool)],
    answers: &Answers,
) -> Reply {
    let rows = answers.status.len();
    let mut binary = Vec::new();
    let mut outputs = Vec::with_capacity(wanted.len());
    for (name, datatype, is_binary) in wanted.iter().copied() {
        let data = match name {
            "answer" => ToldData::Numbers(&answers.answer),
            "correction" => ToldData::Numbers(&answers.correction),
            "status" => ToldData::Words(&answers.status),
            _ => ToldData::Texts(&answers.reason),
        };
        let mut output = ToldOutput { name, datatype, shape: [rows], parameters: None, data: None };
        if is_binary {
            let before = binary.len();
            data.write_raw(&mut binary);
            output.parameters = Some(json!({ "binary_data_size": binary.len() - before }));
        } else {
            output.data = Some(data);
        }
        outputs.push(output);
    }
    let is_binary = wanted.iter().any(|(_, _, is_binary)| *is_binary);
    let told = Told {
        model_name: target.slot.model(),
        model_version: target.loaded(),
        id,
        parameters: lineage(target),
        outputs,
    };
    let json = serde_json::to_vec(&told).expect("numbers and texts have a JSON form");
    Reply { json, binary: is_binary.then_some(binary) }
}

/// Which weights answered.
fn lineage(target: &Target) -> Map<String, Value> {
    let mut parameters = Map::new();
    if let Ok(served) = &target.current.served {
        parameters.insert("digest".into(), served.digest.to_string().into());
        parameters.insert("trained_until".into(), served.trained_until.to_string().into());
        parameters.insert("definition".into(), served.definition().digest().into());
    }
    parameters
}
