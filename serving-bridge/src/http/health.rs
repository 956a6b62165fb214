//! Whether the process lives, whether it is ready, and what it counted.

use super::{App, Shared};
use crate::question::Reason;
use crate::slot::Slot;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;

/// `GET /healthz`.
pub(super) async fn live() -> Response {
    #[derive(Serialize)]
    struct Live {
        live: bool,
    }
    Json(Live { live: true }).into_response()
}

/// One check.
#[derive(Serialize)]
struct Check {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Check {
    fn of(reason: Option<String>) -> Self {
        Self { ok: reason.is_none(), reason }
    }
}

/// The checks of one model. A registry that cannot be read does not make a model unready: the
/// version that answers goes on, and grows stale in the end.
#[derive(Serialize)]
struct Checks {
    version_loaded: Check,
    staleness: Check,
    registry_reachable: Check,
    newest_version: Check,
}

impl Checks {
    fn of(app: &App, slot: &Slot) -> Self {
        Self {
            version_loaded: Check::of(unready(slot)),
            staleness: Check::of(stale(app, slot)),
            registry_reachable: Check::of(slot.registry_trouble()),
            newest_version: Check::of(slot.version_trouble()),
        }
    }

    const fn is_ready(&self) -> bool {
        self.version_loaded.ok && self.staleness.ok
    }
}

/// Why a model cannot answer as its alias says; that the alias names no version on purpose is fine.
pub(super) fn unready(slot: &Slot) -> Option<String> {
    let current = slot.current();
    match current.served.as_ref().err()? {
        Reason::Withdrawn => None,
        Reason::NoVersion => Some(format!("alias `{}` has never named a version", slot.alias())),
        Reason::NotLoaded | Reason::Expired => {
            let why = slot.version_trouble().or_else(|| slot.registry_trouble());
            Some(why.unwrap_or_else(|| "no version is loaded yet".to_owned()))
        }
    }
}

fn stale(app: &App, slot: &Slot) -> Option<String> {
    let max = app.options.staleness_max?;
    let current = slot.current();
    let served = current.served.as_ref().ok()?;
    let age = crate::bridge::now().since(served.trained_until).micros();
    let is_stale = !served.is_held && i128::from(age) > max.as_micros().cast_signed();
    let at = served.trained_until;
    is_stale.then(|| format!("the last label in version {} is of `{at}`", served.version))
}

impl App {
    /// Whether requests may be sent here.
    pub(super) fn is_ready(&self) -> bool {
        let slots = self.bridge.slots();
        !slots.is_empty() && slots.values().all(|slot| Checks::of(self, slot).is_ready())
    }
}

/// `GET /readyz`.
pub(super) async fn ready(State(app): Shared) -> Response {
    #[derive(Serialize)]
    struct Ready {
        ready: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        models: BTreeMap<String, Checks>,
    }
    let slots = app.bridge.slots();
    let models: BTreeMap<_, _> =
        slots.iter().map(|(name, slot)| (name.clone(), Checks::of(&app, slot))).collect();
    let reason = models.is_empty().then(|| {
        let trouble = app.bridge.registry_trouble();
        trouble.unwrap_or_else(|| "the registry has no model yet".to_owned())
    });
    let ready = reason.is_none() && models.values().all(Checks::is_ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, reason, models })).into_response()
}

/// `GET /metrics`.
pub(super) async fn metrics(State(app): Shared) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.bridge.metrics_text()).into_response()
}
