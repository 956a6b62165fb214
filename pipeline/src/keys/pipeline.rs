//! The keys of `pipelines/NAME.toml`.

pub use super::publishing::{GATE, GUARD, JOIN, PUBLISH};
use super::{Choice, Key, Later, Need, Params, Section, Shape, Within, features, learner};

const QUESTION_EVENT: Key = Key {
    name: "event",
    shape: Shape::Event,
    need: Need::Required,
    example: "\"departures\"",
    about: "the analytics event, declared in trueup.toml",
};

/// The top of the file.
pub static ROOT: Section = Section {
    title: "the file",
    about: "One pipeline, named after its file: what is corrected, by what it learns, and when a \
            model may serve.",
    keys: &[
        Key {
            name: "unit",
            shape: Shape::Text,
            need: Need::Required,
            example: "\"minutes\"",
            about: "the unit of estimate, label, correction and every error",
        },
        Key {
            name: "reference",
            shape: Shape::List(&Shape::Column),
            need: Need::Default("[]"),
            example: "[\"vendor_eta\"]",
            about: "question columns with other models' estimates, scored beside ours",
        },
        Key {
            name: "question",
            shape: Shape::Table(&QUESTION),
            need: Need::Required,
            example: "{ event = \"departures\", join = \"trip_id\", estimate = \"eta_minutes\" }",
            about: "what the primary model answered, and when",
        },
        Key {
            name: "label",
            shape: Shape::Table(&LABEL),
            need: Need::Required,
            example: "{ event = \"arrivals\", join = \"trip_id\", value = \"actual_minutes\", \
                      wait = \"24h\" }",
            about: "what came true; usable from its own time on",
        },
        Key {
            name: "features",
            shape: Shape::Map { of: "feature", each: &FEATURE },
            need: Need::Default("{}"),
            example: "{ carrier = \"category\", distance_miles = \"number\" }",
            about: "what a correction may depend on; no column is used that is not named",
        },
        Key {
            name: "learner",
            shape: Shape::Table(&LEARNER),
            need: Need::Required,
            example: "{ kind = \"linear\" }",
            about: "what learns the correction",
        },
        Key {
            name: "challenger",
            shape: Shape::List(&Shape::Table(&CHALLENGER)),
            need: Need::Default("[]"),
            example: "[{ kind = \"segment\" }]",
            about: "learners that learn beside the main one; the gate may promote them",
        },
        Key {
            name: "gate",
            shape: Shape::Table(&GATE),
            need: Need::Default("{}"),
            example: "{ confidence = 0.95 }",
            about: "when a candidate may replace the champion",
        },
        Key {
            name: "publish",
            shape: Shape::Table(&PUBLISH),
            need: Need::Default("{}"),
            example: "{ every = \"1h\" }",
            about: "when candidates are made and how long they stay good",
        },
        Key {
            name: "join",
            shape: Shape::Table(&JOIN),
            need: Need::Default("{}"),
            example: "{ late = \"apply\" }",
            about: "how questions wait for their labels",
        },
    ],
    excludes: &[],
    later: &[
        Later {
            name: "query",
            remedy: "this build computes no SQL: compute the column before it is written to the \
                     event, and name it in [features]",
        },
        Later { name: "decide", remedy: "this build takes no decisions: remove it" },
        Later {
            name: "sink",
            remedy: "this build has no sinks: remove it; candidates go to the registry",
        },
    ],
    params: Params::None,
};

static FEATURE: Shape =
    Shape::Either(&[Shape::Choice(features::short), Shape::Table(&features::FEATURE)]);

/// `[question]`.
pub static QUESTION: Section = Section {
    title: "[question]",
    about: "What the primary model answered, and when.",
    keys: &[
        QUESTION_EVENT,
        Key {
            name: "join",
            shape: Shape::Column,
            need: Need::Required,
            example: "\"trip_id\"",
            about: "the column that joins a question to its label; it may repeat",
        },
        Key {
            name: "id",
            shape: Shape::Column,
            need: Need::Optional("the join key and the event time together"),
            example: "\"request_id\"",
            about: "the column that tells repeated questions of one key apart",
        },
        Key {
            name: "estimate",
            shape: Shape::Column,
            need: Need::Required,
            example: "\"eta_minutes\"",
            about: "the column with the primary model's estimate",
        },
        Key {
            name: "served_answer",
            shape: Shape::Column,
            need: Need::Optional("what the champion of that moment would have answered is scored"),
            example: "\"shown_eta_minutes\"",
            about: "the column with the answer that was really served",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::None,
};

/// `[label]`.
pub static LABEL: Section = Section {
    title: "[label]",
    about: "What came true. A label is usable from its own event time on, never before.",
    keys: &[
        Key { example: "\"arrivals\"", ..QUESTION_EVENT },
        Key {
            name: "join",
            shape: Shape::Column,
            need: Need::Required,
            example: "\"trip_id\"",
            about: "the column that joins a label to its question",
        },
        Key {
            name: "value",
            shape: Shape::Either(&[Shape::Column, Shape::Table(&ELAPSED)]),
            need: Need::Required,
            example: "\"actual_minutes\"",
            about: "the column with what came true, or the time between two columns",
        },
        Key {
            name: "wait",
            shape: Shape::Duration(Within::Positive),
            need: Need::Required,
            example: "\"24h\"",
            about: "how long after its question a label is waited for; later ones are counted as \
                    expired",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::None,
};

/// A label's value that is the time between two columns.
pub static ELAPSED: Section = Section {
    title: "label.value",
    about: "The time from one column to another, in the pipeline's unit.",
    keys: &[
        Key {
            name: "from",
            shape: Shape::Column,
            need: Need::Required,
            example: "\"departed_at\"",
            about: "the start: a time column of the label event, or else of the question event",
        },
        Key {
            name: "until",
            shape: Shape::Column,
            need: Need::Required,
            example: "\"arrived_at\"",
            about: "the end: a time column of the label event",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::None,
};

const KIND: Key = Key {
    name: "kind",
    shape: Shape::Choice(learner::kinds),
    need: Need::Required,
    example: "\"linear\"",
    about: "which learner it is",
};

/// `[learner]`.
pub static LEARNER: Section = Section {
    title: "[learner]",
    about: "What learns the correction. The kind's own parameters stand beside these keys.",
    keys: &[
        KIND,
        Key {
            name: "objective",
            shape: Shape::Either(&[Shape::Choice(objectives), Shape::Table(&QUANTILE)]),
            need: Need::Default("\"median\""),
            example: "\"median\"",
            about: "what is learned of the distribution of what comes true",
        },
        Key {
            name: "correction",
            shape: Shape::Choice(corrections),
            need: Need::Default("\"additive\""),
            example: "\"multiplicative\"",
            about: "how a correction is applied to the estimate",
        },
        Key {
            name: "limit",
            shape: Shape::Table(&LIMIT),
            need: Need::Default("{}"),
            example: "{ absolute = 45, relative = 0.3, floor = 0 }",
            about: "how far an answer may leave the estimate; beyond it, the nearest allowed \
                    answer is given",
        },
    ],
    excludes: &[],
    later: &[Later {
        name: "intervals",
        remedy: "this build answers with a point, not an interval: remove it, or learn a quantile \
                 with `objective = { quantile = 0.9 }`",
    }],
    params: Params::Learner,
};

/// `objective` as a table.
pub static QUANTILE: Section = Section {
    title: "learner.objective",
    about: "A quantile of what comes true.",
    keys: &[Key {
        name: "quantile",
        shape: Shape::Number(Within::Share),
        need: Need::Required,
        example: "0.8",
        about: "the probability with which the truth stays below the answer",
    }],
    excludes: &[],
    later: &[],
    params: Params::None,
};

/// `limit`.
pub static LIMIT: Section = Section {
    title: "learner.limit",
    about: "How far an answer may leave the estimate.",
    keys: &[
        Key {
            name: "absolute",
            shape: Shape::Number(Within::NotNegative),
            need: Need::Optional("no such bound"),
            example: "45",
            about: "this much is always allowed, in the unit",
        },
        Key {
            name: "relative",
            shape: Shape::Number(Within::NotNegative),
            need: Need::Optional("no such bound"),
            example: "0.3",
            about: "allowed as a share of the estimate; with `absolute` too, the larger holds",
        },
        Key {
            name: "floor",
            shape: Shape::Number(Within::Any),
            need: Need::Optional("no floor"),
            example: "0",
            about: "no answer is below this",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::None,
};

/// `[[challenger]]`.
pub static CHALLENGER: Section = Section {
    title: "[[challenger]]",
    about: "A learner that learns beside the main one, with the same objective, correction and \
            limit.",
    keys: &[KIND],
    excludes: &[],
    later: &[],
    params: Params::Learner,
};

fn objectives() -> Vec<Choice> {
    vec![
        Choice { name: "median", about: "the middle: least absolute error, robust" },
        Choice { name: "mean", about: "the mean: least squared error, no bias" },
    ]
}

fn corrections() -> Vec<Choice> {
    vec![
        Choice { name: "additive", about: "the correction is added" },
        Choice {
            name: "multiplicative",
            about: "the estimate is multiplied; estimate and truth must be above 0",
        },
    ]
}
