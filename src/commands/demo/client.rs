//! A client that asks the server of the demonstration, as an application would.

use crate::failure::Failure;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use trueup_connector::Dataset;
use trueup_event::EventTime;

/// Asks one question again and again.
pub(super) struct Asker {
    address: SocketAddr,
    model: String,
    estimate: String,
    time: String,
    columns: Map<String, Value>,
}

/// What came back.
pub(super) struct Answered {
    text: String,
    took: Duration,
}

impl Asker {
    /// One that asks the first question of a data set, as if it were asked now.
    pub(super) fn new(
        address: SocketAddr,
        model: &str,
        estimate: &str,
        time: &str,
        dataset: &Dataset,
    ) -> Result<Self, Failure> {
        let row = dataset.sample(1, None)?;
        let mut columns = Map::new();
        for (field, column) in row.schema().fields().iter().zip(row.columns()) {
            if let Some(value) = value(column.as_ref()) {
                columns.insert(field.name().clone(), value);
            }
        }
        let (model, estimate, time) = (model.to_owned(), estimate.to_owned(), time.to_owned());
        Ok(Self { address, model, estimate, time, columns })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The question in a line.
    pub(super) fn question(&self) -> String {
        let shown = self.columns.iter().filter(|(name, _)| **name != self.time).take(6);
        let shown: Vec<_> = shown.map(|(name, value)| format!("{name} {value}")).collect();
        shown.join(", ").replace('"', "")
    }

    pub(super) fn ask(&self, time: Option<EventTime>) -> Result<Answered, Failure> {
        let mut question = self.columns.clone();
        if let Some(time) = time {
            question.insert(self.time.clone(), json!(time.to_string()));
        }
        let began = Instant::now();
        let answer = self.post(&Value::Object(question))?;
        let took = began.elapsed();
        let version = &answer["version"];
        let first = &answer["answers"][0];
        let text = match first["status"].as_str() {
            Some("corrected") => {
                let (estimate, corrected) = (&self.columns[&self.estimate], &first["answer"]);
                let corrected = corrected.as_f64().unwrap_or(f64::NAN);
                format!("{estimate} -> {corrected:.1} by version {version}")
            }
            Some(status) => format!("{status}: {}", first["reason"].as_str().unwrap_or("")),
            None => "no version yet".to_owned(),
        };
        Ok(Answered { text, took })
    }

    fn post(&self, question: &Value) -> Result<Value, Failure> {
        let body = question.to_string();
        let (model, address) = (&self.model, self.address);
        let request = format!(
            "POST /v1/models/{model}:correct HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).map_err(anyhow::Error::from)?;
        stream.write_all(request.as_bytes()).map_err(anyhow::Error::from)?;
        let mut response = String::new();
        stream.read_to_string(&mut response).map_err(anyhow::Error::from)?;
        let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok(serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

/// The first value of a column as JSON; none if it is null or has no form there.
fn value(column: &dyn Array) -> Option<Value> {
    if column.is_null(0) {
        return None;
    }
    match column.data_type() {
        DataType::Utf8 => Some(json!(column.as_string::<i32>().value(0))),
        DataType::Boolean => Some(json!(column.as_boolean().value(0))),
        kind if kind.is_numeric() => {
            let number = arrow::compute::cast(column, &DataType::Float64).ok()?;
            let number = number.as_primitive::<Float64Type>().value(0);
            let is_whole = kind.is_integer() && number.abs() < 1e15;
            Some(if is_whole { json!(number as i64) } else { json!(number) })
        }
        _ => {
            let text = arrow::util::display::array_value_to_string(column, 0).ok()?;
            Some(json!(text))
        }
    }
}

impl std::fmt::Display for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:.1} ms)", self.text, self.took.as_secs_f64() * 1e3)
    }
}
