//! The keys of `trueup.toml`.

use super::{Choice, Key, Later, Need, Params, Section, Shape, Within};

/// The top of the file.
pub static ROOT: Section = Section {
    title: "the file",
    about: "A project: its analytics events, and the environments in which they live.",
    keys: &[
        Key {
            name: "default_environment",
            shape: Shape::Text,
            need: Need::Default("\"local\""),
            example: "\"local\"",
            about: "the environment that is used when a command names none",
        },
        Key {
            name: "event",
            shape: Shape::Map { of: "event", each: &Shape::Table(&EVENT) },
            need: Need::Required,
            example: "{ departures = { time = \"departed_at\" } }",
            about: "the analytics events, wherever they live",
        },
        Key {
            name: "environment",
            shape: Shape::Map { of: "environment", each: &Shape::Table(&ENVIRONMENT) },
            need: Need::Required,
            example: "{ local = { events = { departures = \"data/departures.parquet\" } } }",
            about: "where the events live, and where state is kept",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::None,
};

/// `[event.NAME]`.
pub static EVENT: Section = Section {
    title: "[event.NAME]",
    about: "What is true of an analytics event wherever it lives.",
    keys: &[
        Key {
            name: "time",
            shape: Shape::Column,
            need: Need::Required,
            example: "\"departed_at\"",
            about: "the column with the time at which it happened; rows where it is null have not \
                    happened yet",
        },
        Key {
            name: "disorder",
            shape: Shape::Duration(Within::NotNegative),
            need: Need::Default("\"5m\""),
            example: "\"5m\"",
            about: "how much later than a younger one an event may still arrive",
        },
        Key {
            name: "zone",
            shape: Shape::ZoneOrOffset,
            need: Need::Optional("the columns' own zones"),
            example: "\"UTC\"",
            about: "the time zone of times that have none: an IANA name, or an offset such as \
                    `+02:00`",
        },
        Key {
            name: "epoch",
            shape: Shape::Choice(epochs),
            need: Need::Optional("no time is a number"),
            example: "\"ms\"",
            about: "what times that are whole numbers count since 1970-01-01T00:00:00Z",
        },
        Key {
            name: "future_max",
            shape: Shape::Duration(Within::Positive),
            need: Need::Default("\"5m\""),
            example: "\"5m\"",
            about: "how far an event may be ahead of its record's own timestamp",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::None,
};

/// `[environment.NAME]`.
pub static ENVIRONMENT: Section = Section {
    title: "[environment.NAME]",
    about: "A place in which pipelines run. `${NAME}` in its texts is replaced by the environment \
            variable NAME.",
    keys: &[
        Key {
            name: "state",
            shape: Shape::Text,
            need: Need::Default("\".trueup\""),
            example: "\".trueup\"",
            about: "the folder of registry, checkpoints and recordings",
        },
        Key {
            name: "events",
            shape: Shape::Map { of: "event", each: &LOCATION },
            need: Need::Default("{}"),
            example: "{ departures = \"data/departures.parquet\" }",
            about: "where each event lives: a Parquet file, a pattern, a folder (with `dt=*` \
                    partitions or without) or an object store's address",
        },
    ],
    excludes: &[],
    later: &[
        Later {
            name: "record",
            remedy: "this build records no live streams: remove it, and replay Parquet files",
        },
        Later {
            name: "kafka",
            remedy: "Kafka is not available in this build yet: use a Parquet location",
        },
        Later {
            name: "kinesis",
            remedy: "Kinesis is not available in this build yet: use a Parquet location",
        },
    ],
    params: Params::None,
};

static LOCATION: Shape = Shape::Either(&[Shape::Text, Shape::Table(&STREAM)]);

/// A location that is no text.
pub static STREAM: Section = Section {
    title: "a location",
    about: "A live stream. This build reads Parquet locations alone, which are texts.",
    keys: &[],
    excludes: &[],
    later: &[
        Later {
            name: "kafka",
            remedy: "Kafka is not available in this build yet: use a Parquet location, such as \
                     `departures = \"data/departures/*.parquet\"`",
        },
        Later {
            name: "kinesis",
            remedy: "Kinesis is not available in this build yet: use a Parquet location, such as \
                     `departures = \"data/departures/*.parquet\"`",
        },
    ],
    params: Params::None,
};

fn epochs() -> Vec<Choice> {
    vec![
        Choice { name: "s", about: "seconds" },
        Choice { name: "ms", about: "milliseconds" },
        Choice { name: "us", about: "microseconds" },
        Choice { name: "ns", about: "nanoseconds" },
    ]
}
