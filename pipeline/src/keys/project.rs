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
                    partitions or without) or an object store's address; or a table that says more",
        },
        Key {
            name: "record",
            shape: Shape::Table(&RECORD),
            need: Need::Optional("live runs record nothing"),
            example: "{ keep = \"90d\" }",
            about: "records the streams of live runs as Parquet files, so that they can be \
                    replayed",
        },
    ],
    excludes: &[],
    later: &[
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

/// `[environment.NAME] record`.
pub static RECORD: Section = Section {
    title: "record",
    about: "What is recorded of the streams of live runs.",
    keys: &[
        Key {
            name: "keep",
            shape: Shape::Duration(Within::Positive),
            need: Need::Optional("recordings are kept for good"),
            example: "\"90d\"",
            about: "how long a recording is kept after its events arrived",
        },
        Key {
            name: "drop",
            shape: Shape::List(&Shape::Column),
            need: Need::Default("[]"),
            example: "[\"rider_id\"]",
            about: "columns that are not recorded",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::None,
};

static LOCATION: Shape = Shape::Either(&[Shape::Text, Shape::Table(&STREAM)]);

/// A location that is no text.
pub static STREAM: Section = Section {
    title: "a location",
    about: "Where an event lives, with what a live run needs to know. A text is the same as \
            `files` alone.",
    keys: &[
        Key {
            name: "files",
            shape: Shape::Text,
            need: Need::Optional("the event lives in a log"),
            example: "\"incoming/departures\"",
            about: "Parquet files: a path, a pattern, a folder or an address. A replay reads them \
                    as one data set; a live run waits for new ones and reads them as they come",
        },
        Key {
            name: "log",
            shape: Shape::Text,
            need: Need::Optional("the event lives in files"),
            example: "\"departures\"",
            about: "a topic of the embedded log in the environment's `state`; `trueup append` \
                    writes to it",
        },
        Key {
            name: "idle",
            shape: Shape::Duration(Within::Positive),
            need: Need::Default("\"30s\""),
            example: "\"30s\"",
            about: "how long a live run waits for a silent partition before it goes on without it",
        },
    ],
    excludes: &[["files", "log"]],
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
