//! The keys of `pipelines/NAME.toml` that say how labels are awaited and when a model may serve:
//! `[gate]`, `[publish]` and `[join]`.

use super::{Choice, Key, Need, Params, Section, Shape, Within, learner};

/// `[gate]`.
pub static GATE: Section = Section {
    title: "[gate]",
    about: "When a candidate may replace the champion.",
    keys: &[
        Key {
            name: "improve",
            shape: Shape::Choice(improvements),
            need: Need::Default("\"mae\""),
            example: "\"mae\"",
            about: "what must get better, against the champion and against no correction",
        },
        Key {
            name: "confidence",
            shape: Shape::Number(Within::Share),
            need: Need::Default("0.95"),
            example: "0.95",
            about: "the confidence of an admission, valid however often the gate looks",
        },
        Key {
            name: "independent",
            shape: Shape::Column,
            need: Need::Optional("the join key"),
            example: "\"trip_id\"",
            about: "the question column whose every value has one vote, of whole numbers or texts",
        },
        Key {
            name: "units_min",
            shape: Shape::Count,
            need: Need::Default("200"),
            example: "200",
            about: "the fewest independent units before the gate looks for the first time",
        },
        Key {
            name: "guard",
            shape: Shape::List(&Shape::Table(&GUARD)),
            need: Need::Default("[]"),
            example: "[{ metric = \"p95\", worse_by = 0.5, per = \"origin\" }]",
            about: "what must not get worse",
        },
        Key {
            name: "change_max",
            shape: Shape::Number(Within::Positive),
            need: Need::Default("1.0"),
            example: "1.0",
            about: "the largest mean change of the correction from one refresh to the next, as a \
                    multiple of the champion's mean absolute error",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::None,
};

/// A guard of `[gate]`.
pub static GUARD: Section = Section {
    title: "gate.guard",
    about: "A metric that a candidate must not make worse.",
    keys: &[
        Key {
            name: "metric",
            shape: Shape::Choice(learner::metrics),
            need: Need::Required,
            example: "\"p95\"",
            about: "the metric",
        },
        Key {
            name: "worse_by",
            shape: Shape::Number(Within::NotNegative),
            need: Need::Required,
            example: "0.5",
            about: "by how much it may be worse, in the metric's own unit",
        },
        Key {
            name: "per",
            shape: Shape::Category,
            need: Need::Optional("the whole stream is guarded"),
            example: "\"origin\"",
            about: "the category feature whose every value is guarded apart",
        },
        Key {
            name: "questions_min",
            shape: Shape::Count,
            need: Need::Default("100"),
            example: "100",
            about: "the fewest scored questions before the guard judges",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::None,
};

/// `[publish]`.
pub static PUBLISH: Section = Section {
    title: "[publish]",
    about: "When candidates are made and how long they stay good.",
    keys: &[
        Key {
            name: "every",
            shape: Shape::Duration(Within::Positive),
            need: Need::Default("\"1h\""),
            example: "\"1h\"",
            about: "the event time between two candidates",
        },
        Key {
            name: "every_labels",
            shape: Shape::Count,
            need: Need::Optional("`every` holds"),
            example: "5000",
            about: "the number of matured labels between two candidates, in place of `every`",
        },
        Key {
            name: "promote",
            shape: Shape::Choice(promotions),
            need: Need::Default("\"automatic\""),
            example: "\"shadow\"",
            about: "what a passed gate leads to",
        },
        Key {
            name: "expires",
            shape: Shape::Duration(Within::Positive),
            need: Need::Default("\"6h\""),
            example: "\"6h\"",
            about: "a version whose last label is older than this answers no more: the primary \
                    estimate is served",
        },
        Key {
            name: "serving_delay",
            shape: Shape::Duration(Within::NotNegative),
            need: Need::Default("\"0s\""),
            example: "\"30s\"",
            about: "the time from publishing to serving that a replay assumes",
        },
        Key {
            name: "base_every",
            shape: Shape::Count,
            need: Need::Default("168"),
            example: "168",
            about: "every how many versions the artifact is a whole base instead of a delta",
        },
    ],
    excludes: &[["every", "every_labels"]],
    later: &[],
    params: Params::None,
};

/// `[join]`.
pub static JOIN: Section = Section {
    title: "[join]",
    about: "How questions wait for their labels.",
    keys: &[
        Key {
            name: "pending_max",
            shape: Shape::Count,
            need: Need::Default("1000000"),
            example: "1000000",
            about: "the most questions, and the most labels, kept waiting at once; beyond it the \
                    oldest are evicted and counted",
        },
        Key {
            name: "late",
            shape: Shape::Choice(lateness),
            need: Need::Default("\"drop\""),
            example: "\"apply\"",
            about: "what happens to events behind the watermark",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::None,
};

fn improvements() -> Vec<Choice> {
    vec![Choice { name: "mae", about: "the mean absolute error" }]
}

fn promotions() -> Vec<Choice> {
    vec![
        Choice { name: "automatic", about: "the candidate serves" },
        Choice { name: "shadow", about: "it is scored, never served" },
        Choice { name: "manual", about: "it waits for a person's word" },
    ]
}

fn lateness() -> Vec<Choice> {
    vec![
        Choice { name: "drop", about: "they are dead letters" },
        Choice { name: "apply", about: "they are taken at their place in merge order" },
    ]
}
