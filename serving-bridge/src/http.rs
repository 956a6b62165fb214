//! The bridge over HTTP: routes, limits and errors of all its protocols.
//!
//! A request is never answered by two versions: whatever it asks is answered by the one that stood
//! in the slot when its last byte had come. Every error is JSON: `{"error": "…"}`.

mod cells;
mod health;
mod native;
pub(crate) mod server;
mod v2;

use crate::bridge::Bridge;
use crate::definition::Definition;
use crate::question::{Answer, Refused};
use crate::slot::{Current, Slot};
use axum::Router;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use bytes::Bytes;
use cells::Asked;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use prometheus_client::metrics::histogram::Histogram;
use serde::Serialize;
use server::ServerOptions;
use std::sync::Arc;
use trueup_learner::model::Scratch;

/// The document that describes every route.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Bodies above this size are worked on beside the threads that serve small requests.
const SMALL_BODY_BYTES: usize = 8 * 1024;

/// What every handler needs.
#[derive(Debug)]
pub(crate) struct App {
    bridge: Bridge,
    options: ServerOptions,
    native_seconds: Histogram,
    v2_seconds: Histogram,
}

type Shared = axum::extract::State<Arc<App>>;

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Correct,
    Models,
    Live,
    Ready,
    Metrics,
    OpenApi,
    V2(v2::Endpoint),
}

/// Every route: its method, its path as the document has it, and what it does.
const ROUTES: &[(Method, &str, Endpoint)] = &[
    (Method::POST, "/v1/models/{name}:correct", Endpoint::Correct),
    (Method::GET, "/v1/models", Endpoint::Models),
    (Method::GET, "/healthz", Endpoint::Live),
    (Method::GET, "/readyz", Endpoint::Ready),
    (Method::GET, "/metrics", Endpoint::Metrics),
    (Method::GET, "/openapi.json", Endpoint::OpenApi),
    (Method::GET, "/v2", Endpoint::V2(v2::Endpoint::Server)),
    (Method::GET, "/v2/", Endpoint::V2(v2::Endpoint::Server)),
    (Method::GET, "/v2/health/live", Endpoint::V2(v2::Endpoint::Live)),
    (Method::GET, "/v2/health/ready", Endpoint::V2(v2::Endpoint::Ready)),
    (Method::POST, "/v2/repository/index", Endpoint::V2(v2::Endpoint::Index)),
    (Method::GET, "/v2/models/stats", Endpoint::V2(v2::Endpoint::AllStats)),
    (Method::GET, "/v2/models/{name}", Endpoint::V2(v2::Endpoint::Model)),
    (Method::GET, "/v2/models/{name}/ready", Endpoint::V2(v2::Endpoint::ModelReady)),
    (Method::GET, "/v2/models/{name}/config", Endpoint::V2(v2::Endpoint::Config)),
    (Method::GET, "/v2/models/{name}/stats", Endpoint::V2(v2::Endpoint::Stats)),
    (Method::POST, "/v2/models/{name}/infer", Endpoint::V2(v2::Endpoint::Infer)),
    (Method::GET, "/v2/models/{name}/versions/{version}", Endpoint::V2(v2::Endpoint::Model)),
    (
        Method::GET,
        "/v2/models/{name}/versions/{version}/ready",
        Endpoint::V2(v2::Endpoint::ModelReady),
    ),
    (
        Method::GET,
        "/v2/models/{name}/versions/{version}/config",
        Endpoint::V2(v2::Endpoint::Config),
    ),
    (Method::GET, "/v2/models/{name}/versions/{version}/stats", Endpoint::V2(v2::Endpoint::Stats)),
    (Method::POST, "/v2/models/{name}/versions/{version}/infer", Endpoint::V2(v2::Endpoint::Infer)),
];

/// Every route, as method and path.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|(method, path, _)| (method.as_str(), *path))
}

/// The service of all routes.
pub(crate) fn router(bridge: Bridge, options: ServerOptions) -> Router {
    let native_seconds = bridge.telemetry().protocol("native");
    let v2_seconds = bridge.telemetry().protocol("v2_http");
    let mut router = Router::new();
    for (_, path, endpoint) in ROUTES {
        // The router knows no suffix behind a parameter: the handler takes it apart.
        router = router.route(&path.replace("{name}:correct", "{call}"), handler(*endpoint));
    }
    router
        .fallback(|| async { Failure::new(StatusCode::NOT_FOUND, "no such path") })
        .method_not_allowed_fallback(|| async {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "the path has no such method")
        })
        .with_state(Arc::new(App { bridge, options, native_seconds, v2_seconds }))
}

fn handler(endpoint: Endpoint) -> MethodRouter<Arc<App>> {
    match endpoint {
        Endpoint::Correct => post(native::correct),
        Endpoint::Models => get(native::models),
        Endpoint::Live => get(health::live),
        Endpoint::Ready => get(health::ready),
        Endpoint::Metrics => get(health::metrics),
        Endpoint::OpenApi => {
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) })
        }
        Endpoint::V2(endpoint) => v2::handler(endpoint),
    }
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    error: String,
}

impl Failure {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }

    fn invalid(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: String,
        }
        (self.status, axum::Json(Body { error: self.error })).into_response()
    }
}

/// A request's whole body, within the limits of size and time.
#[derive(Debug)]
struct Received(Bytes);

impl FromRequest<Arc<App>> for Received {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        let max = app.options.body_bytes_max;
        let body = Limited::new(request.into_body(), max).collect();
        let body = tokio::time::timeout(app.options.read_timeout, body).await.map_err(|_| {
            Failure::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
        })?;
        match body {
            Ok(body) => Ok(Self(body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                let error = format!("the body is larger than {max} bytes");
                Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, error))
            }
            Err(error) => Err(Failure::invalid(format!("the body cannot be read: `{error}`"))),
        }
    }
}

impl App {
    fn slot(&self, model: &str) -> Result<Arc<Slot>, Failure> {
        self.bridge.slot(model).ok_or_else(|| {
            let shown: String = model.chars().take(64).collect();
            Failure::new(StatusCode::NOT_FOUND, format!("no such model: `{shown}`"))
        })
    }

    /// Refuses more questions than a request may have.
    fn check_questions(&self, count: usize) -> Result<(), Failure> {
        let max = self.options.questions_max;
        if count <= max {
            return Ok(());
        }
        let error = format!("a request has at most {max} questions, this one: `{count}`");
        Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, error))
    }

    /// Does the work of a request: at once if it is small, else where it holds up no other.
    async fn work<T: Send + 'static>(
        body_bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        if body_bytes <= SMALL_BODY_BYTES {
            return work();
        }
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// Answers one question, and counts it.
fn answer(
    slot: &Slot,
    current: &Current,
    asked: &Result<Asked<'_>, Refused>,
    scratch: &mut Scratch,
) -> Result<Answer, Refused> {
    let answer = match asked {
        Ok(asked) => current.answer(&asked.question(), crate::bridge::now, scratch),
        Err(refused) => Err(refused.clone()),
    };
    slot.metrics.count(&answer);
    answer
}

/// The definition by which the questions of a model are read.
fn definition<'c>(slot: &Slot, current: &'c Current) -> Result<&'c Definition, Failure> {
    current.definition.as_deref().ok_or_else(|| {
        let why = slot.version_trouble().or_else(|| slot.registry_trouble());
        let why = why.unwrap_or_else(|| "nothing was published".to_owned());
        let error = format!("no version of model `{}` is loaded yet: {why}", slot.model());
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, error)
    })
}
