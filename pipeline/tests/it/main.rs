//! Tests of definitions as their users meet them: files in, objects and messages out.

mod infer;
mod keys;
mod mistakes;
mod round_trip;
mod shipped;

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use trueup_pipeline::{Project, Schemas};

/// The repository's root, which is itself a project.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the repository")
}

/// The shipped project, as messages name it.
fn project() -> Project {
    let text = std::fs::read_to_string(repository().join("trueup.toml")).expect("is shipped");
    Project::read(repository(), "trueup.toml", &text).expect("the shipped project is right")
}

/// The columns of the shipped data.
fn flights() -> Schemas {
    let zoned = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let departures = schema(&[
        ("trip_id", DataType::Int64),
        ("departed_at", zoned()),
        ("carrier", DataType::LargeUtf8),
        ("flight", DataType::Int32),
        ("tail_number", DataType::LargeUtf8),
        ("origin", DataType::LargeUtf8),
        ("destination", DataType::LargeUtf8),
        ("distance_miles", DataType::Float64),
        ("scheduled_departure_hour", DataType::Int32),
        ("day_of_week", DataType::Int32),
        ("departure_delay_minutes", DataType::Float64),
        ("eta_minutes", DataType::Float64),
    ]);
    let arrivals = schema(&[
        ("trip_id", DataType::Int64),
        ("arrived_at", zoned()),
        ("actual_minutes", DataType::Float64),
    ]);
    Schemas::from([("departures".into(), departures), ("arrivals".into(), arrivals)])
}

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let fields: Vec<Field> =
        columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
    Arc::new(Schema::new(fields))
}
