//! Where a daemon stands, over HTTP: for probes, Prometheus and people.

use super::status::Phase;
use super::{Handle, now_micros};
use crate::failure::Failure;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use std::net::SocketAddr;
use tokio::sync::oneshot;

/// The server; dropped, it ends.
pub(crate) struct Server {
    _stop: oneshot::Sender<()>,
}

/// Begins to answer.
pub(crate) fn serve(address: SocketAddr, handle: &Handle) -> Result<Server, Failure> {
    let runtime = trueup_connector::runtime()?;
    let bound = runtime.block_on(tokio::net::TcpListener::bind(address));
    let listener = bound.map_err(|error| {
        let message = format!("cannot listen on `{address}`: {error}");
        Failure::Operation(anyhow::anyhow!(message), Some("choose another `--listen`".to_owned()))
    })?;
    let (stop, stopped) = oneshot::channel::<()>();
    if let Ok(address) = listener.local_addr() {
        // The port may have been left to the system.
        let address = *handle.address.get_or_init(|| address);
        tracing::info!(%address, "status and metrics");
    }
    let routes = Router::new()
        .route("/healthz", get(async || Json(json!({ "live": true }))))
        .route("/readyz", get(ready))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .with_state(handle.clone());
    runtime.spawn(async move {
        let until = async {
            let _ = stopped.await;
        };
        if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(until).await {
            tracing::error!("status is not answered any more: {error}");
        }
    });
    Ok(Server { _stop: stop })
}

async fn ready(State(handle): State<Handle>) -> Response {
    let reasons = match handle.status() {
        None => vec!["it waits for the first events".to_owned()],
        Some(status) => {
            let mut reasons = Vec::new();
            if status.phase != Phase::Running {
                reasons.push("it does not run".to_owned());
            }
            if status.is_silent(now_micros()) {
                reasons.push("it has been silent for more than 10 s".to_owned());
            }
            reasons.extend(status.registry_fault);
            reasons
        }
    };
    let is_ready = reasons.is_empty();
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({ "ready": is_ready, "reasons": reasons }))).into_response()
}

async fn status(State(handle): State<Handle>) -> Response {
    match handle.status() {
        Some(status) => Json(status).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": "not yet begun" })))
            .into_response(),
    }
}

async fn metrics(State(handle): State<Handle>) -> Response {
    let text = handle.status().map_or(String::new(), |status| status.metrics(now_micros()));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
