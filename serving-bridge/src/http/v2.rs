//! Open Inference Protocol V2 over HTTP, with Triton's extensions where they are cheap.
//!
//! A model's inputs are the columns of its questions and its outputs what is answered: see
//! [`infer`]. `{version}` is the number of the version that answers now, the alias that is
//! followed, or at least four digits with which its digest begins; another version is not loaded.

mod infer;
mod tensor;

use super::{App, Failure, Shared, definition, health};
use crate::definition::{Definition, Holds};
use crate::slot::{Current, Slot};
use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a route of this protocol does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Server,
    Live,
    Ready,
    Index,
    Model,
    ModelReady,
    Config,
    Stats,
    AllStats,
    Infer,
}

/// The handler of a route.
pub(super) fn handler(endpoint: Endpoint) -> MethodRouter<Arc<App>> {
    match endpoint {
        Endpoint::Server => get(server),
        Endpoint::Live => get(health::live),
        Endpoint::Ready => get(ready),
        Endpoint::Index => post(index),
        Endpoint::Model => get(model),
        Endpoint::ModelReady => get(model_ready),
        Endpoint::Config => get(config),
        Endpoint::Stats => get(stats),
        Endpoint::AllStats => get(all_stats),
        Endpoint::Infer => post(infer::infer),
    }
}

const PLATFORM: &str = "trueup";

/// The parts of a path.
#[derive(Debug, Deserialize)]
struct Named {
    name: String,
    version: Option<String>,
}

/// The model that a path names, with what answers at this moment.
#[derive(Debug)]
struct Target {
    slot: Arc<Slot>,
    current: Arc<Current>,
    version: Option<String>,
}

impl FromRequestParts<Arc<App>> for Target {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let named = Path::<Named>::from_request_parts(parts, app).await;
        let Path(Named { name, version }) =
            named.map_err(|_| Failure::new(StatusCode::NOT_FOUND, "no such path"))?;
        let slot = app.slot(&name)?;
        Self { current: slot.current(), slot, version }.checked()
    }
}

impl Target {
    /// The same, with what answers now: for after the body has come.
    fn again(self) -> Result<Self, Failure> {
        Self { current: self.slot.current(), ..self }.checked()
    }

    /// Refuses a version that is not the one that answers.
    fn checked(self) -> Result<Self, Failure> {
        const DIGITS_MIN: usize = 4;
        let Some(version) = self.version.as_deref() else { return Ok(self) };
        if version == self.slot.alias() {
            return Ok(self);
        }
        let loaded = match &self.current.served {
            Ok(served) => {
                let is_number = version.parse() == Ok(served.version);
                let is_digest =
                    version.len() >= DIGITS_MIN && served.digest.to_string().starts_with(version);
                if is_number || is_digest {
                    return Ok(self);
                }
                format!("version {}", served.version)
            }
            Err(reason) => format!("none ({})", reason.name()),
        };
        let shown: String = version.chars().take(64).collect();
        let error = format!("loaded is {loaded}, asked is another version: `{shown}`");
        Err(Failure::new(StatusCode::NOT_FOUND, error))
    }

    fn definition(&self) -> Result<&Definition, Failure> {
        definition(&self.slot, &self.current)
    }

    /// The number of the version that answers, as the protocol has it.
    fn loaded(&self) -> Option<String> {
        self.current.served.as_ref().ok().map(|served| served.version.to_string())
    }
}

/// The protocol's type of a column.
const fn datatype(holds: Holds) -> &'static str {
    match holds {
        Holds::Number => "FP64",
        Holds::Category | Holds::Time | Holds::Zone => "BYTES",
    }
}

/// What a model answers, with its type.
const OUTPUTS: [(&str, &str); 4] =
    [("answer", "FP64"), ("correction", "FP64"), ("status", "BYTES"), ("reason", "BYTES")];

async fn server() -> Response {
    #[derive(Serialize)]
    struct Server {
        name: &'static str,
        version: &'static str,
        extensions: [&'static str; 4],
    }
    let (name, version) = ("trueup", env!("CARGO_PKG_VERSION"));
    let extensions =
        ["binary_tensor_data", "model_repository", "model_configuration", "statistics"];
    Json(Server { name, version, extensions }).into_response()
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
}

fn told(ready: bool) -> Response {
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready })).into_response()
}

async fn ready(State(app): Shared) -> Response {
    told(app.is_ready())
}

async fn model_ready(target: Target) -> Response {
    told(health::unready(&target.slot).is_none())
}

async fn model(target: Target) -> Result<Json<Value>, Failure> {
    let definition = target.definition()?;
    let inputs = definition.columns().iter();
    let inputs = inputs.map(|column| tensor(&column.name, datatype(column.holds)));
    let outputs = OUTPUTS.map(|(name, datatype)| tensor(name, datatype));
    Ok(Json(json!({
        "name": target.slot.model(),
        "versions": target.loaded().into_iter().collect::<Vec<_>>(),
        "platform": PLATFORM,
        "inputs": inputs.collect::<Vec<_>>(),
        "outputs": outputs,
    })))
}

fn tensor(name: &str, datatype: &str) -> Value {
    json!({ "name": name, "datatype": datatype, "shape": [-1] })
}

async fn config(target: Target) -> Result<Json<Value>, Failure> {
    let definition = target.definition()?;
    let tensor = |name: &str, datatype: &str| {
        let datatype = if datatype == "BYTES" { "STRING" } else { datatype };
        json!({ "name": name, "data_type": format!("TYPE_{datatype}"), "dims": [-1] })
    };
    let inputs = definition.columns().iter();
    let inputs = inputs.map(|column| tensor(&column.name, datatype(column.holds)));
    Ok(Json(json!({
        "name": target.slot.model(),
        "platform": PLATFORM,
        "backend": PLATFORM,
        "max_batch_size": 0,
        "input": inputs.collect::<Vec<_>>(),
        "output": OUTPUTS.map(|(name, datatype)| tensor(name, datatype)),
    })))
}

async fn stats(target: Target) -> Json<Value> {
    Json(json!({ "model_stats": [counted(&target.slot)] }))
}

async fn all_stats(State(app): Shared) -> Json<Value> {
    let slots = app.bridge.slots();
    Json(json!({ "model_stats": slots.values().map(|slot| counted(slot)).collect::<Vec<_>>() }))
}

fn counted(slot: &Slot) -> Value {
    let (answered, refused) = slot.metrics.counts();
    let current = slot.current();
    let version = current.served.as_ref().map_or(String::new(), |s| s.version.to_string());
    json!({
        "name": slot.model(),
        "version": version,
        "inference_count": answered,
        "execution_count": answered,
        "refused_count": refused,
    })
}

async fn index(State(app): Shared) -> Json<Value> {
    let slots = app.bridge.slots();
    let models = slots.values().map(|slot| {
        let current = slot.current();
        let version = current.served.as_ref().map_or(String::new(), |s| s.version.to_string());
        let unready = health::unready(slot);
        let state = if unready.is_none() { "READY" } else { "UNAVAILABLE" };
        let reason = unready.unwrap_or_default();
        json!({ "name": slot.model(), "version": version, "state": state, "reason": reason })
    });
    Json(models.collect())
}
