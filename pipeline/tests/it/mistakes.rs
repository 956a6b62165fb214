//! Mistakes, each with the message it gets: file, line, column, the line itself, and the remedy.

use crate::{flights, project, schema};
use arrow::datatypes::{DataType, Schema, TimeUnit};
use insta::assert_snapshot;
use std::path::Path;
use std::sync::Arc;
use trueup_pipeline::{Definition, Diagnostics, Project, Schemas};

pub(crate) const DEFINITION: &str = r#"unit = "minutes"

[question]
event    = "departures"
join     = "trip_id"
estimate = "eta_minutes"

[label]
event = "arrivals"
join  = "trip_id"
value = "actual_minutes"
wait  = "24h"

[features]
carrier = "category"
origin  = "category"
distance_miles = "number"
hour = { time = "departed_at", as = "hour_of_week", zone = "America/New_York" }

[learner]
kind    = "linear"
crosses = [["carrier", "origin"]]

[gate]
guard = [{ metric = "p95", worse_by = 0.5, per = "origin" }]

[publish]
every = "1h"
"#;

const PROJECT: &str = r#"default_environment = "local"

[event.departures]
time     = "departed_at"
disorder = "5m"

[event.arrivals]
time = "arrived_at"

[environment.local]
state = "${HOME}/state"
events.departures = "departures.parquet"
events.arrivals   = "arrivals.parquet"
"#;

/// A slip of the pen: what it is, what stood there, and what stands there now.
pub(crate) type Mistake = (&'static str, &'static str, &'static str);

/// Wrong by the definition's text alone.
pub(crate) const SHAPE: &[Mistake] = &[
    ("a key misspelt", "join     =", "jion     ="),
    ("a key of another section", "estimate = \"eta_minutes\"", "@\nwait = \"1h\""),
    ("a key of nowhere", "unit = \"minutes\"", "@\nspeed = 3"),
    (
        "a section forgotten",
        "[learner]\nkind    = \"linear\"\ncrosses = [[\"carrier\", \"origin\"]]",
        "",
    ),
    ("no wait", "wait  = \"24h\"\n", ""),
    ("a wait without its unit", "\"24h\"", "24"),
    ("a wait of nothing", "\"24h\"", "\"0s\""),
    ("a unit of no time", "\"24h\"", "\"24 hours\""),
    ("an empty text", "\"trip_id\"\nestimate", "\"\"\nestimate"),
    ("a kind of feature misspelt", "carrier = \"category\"", "carrier = \"categorical\""),
    ("a feature form without its edges", "\"number\"", "{ as = \"bucket\" }"),
    ("edges that do not ascend", "\"number\"", "{ as = \"bucket\", edges = [10, 5] }"),
    ("a zone that is none", "America/New_York", "America/NewYork"),
    ("a time without a zone", ", zone = \"America/New_York\"", ""),
    ("a key of another form", "as = \"hour_of_week\"", "@, edges = [1]"),
    ("a learner misspelt", "\"linear\"", "\"linaer\""),
    ("a parameter of another learner", "kind    = \"linear\"", "@\nhalf_life = \"7d\""),
    ("a parameter of another type", "kind    = \"linear\"", "@\nl2 = \"small\""),
    ("a quantile beyond one", "kind    = \"linear\"", "@\nobjective = { quantile = 80 }"),
    ("an objective misspelt", "kind    = \"linear\"", "@\nobjective = \"meadian\""),
    ("intervals", "kind    = \"linear\"", "@\nintervals = [0.8, 0.9]"),
    ("a query", "unit = \"minutes\"", "@\nquery = \"select 1\""),
    ("a metric misspelt", "\"p95\"", "\"p59\""),
    ("a certainty", "[gate]", "@\nconfidence = 1.0"),
    (
        "a guard that is no list",
        "[{ metric = \"p95\", worse_by = 0.5, per = \"origin\" }]",
        "\"p95\"",
    ),
    ("two cadences", "every = \"1h\"", "@\nevery_labels = 5000"),
    ("no candidates ever", "every = \"1h\"", "every_labels = 0"),
];

/// No TOML at all.
const SYNTAX: &[Mistake] = &[
    ("a text without quotes", "\"minutes\"", "minutes"),
    ("a key twice", "join     = \"trip_id\"", "@\njoin = \"flight\""),
    ("a header that does not end", "[label]", "[label"),
];

/// Wrong by the project or the data.
const CHECK: &[Mistake] = &[
    ("an event of nowhere", "\"departures\"", "\"departure\""),
    ("one event for both", "\"arrivals\"", "\"departures\""),
    ("a column misspelt", "\"eta_minutes\"", "\"eta_minute\""),
    ("a column of the other event", "distance_miles = \"number\"", "actual_minutes = \"number\""),
    ("an estimate of text", "\"eta_minutes\"", "\"carrier\""),
    ("keys that cannot be compared", "join     = \"trip_id\"", "join     = \"tail_number\""),
    ("a number as a category", "distance_miles = \"number\"", "distance_miles = \"category\""),
    ("a text as a number", "carrier = \"category\"", "carrier = \"number\""),
    ("a time as a category", "origin  = \"category\"", "@\ndeparted_at = \"category\""),
    ("hours of a number", "time = \"departed_at\"", "time = \"distance_miles\""),
    ("a guard per number", "per = \"origin\"", "per = \"distance_miles\""),
    ("a vote of no column", "[gate]", "@\nindependent = \"trip\""),
    ("a vote of a number", "[gate]", "@\nindependent = \"distance_miles\""),
    ("a cross of no feature", "\"carrier\", \"origin\"", "\"carrier\", \"orgin\""),
    ("a parameter out of range", "kind    = \"linear\"", "@\nbits = 40"),
    ("a share beyond one", "\"p95\", worse_by = 0.5", "\"within_5\", worse_by = 2"),
    (
        "a time between columns in dollars",
        "value = \"actual_minutes\"",
        "value = { from = \"departed_at\", until = \"arrived_at\" }",
    ),
    (
        "a challenger that is the learner",
        "[gate]",
        "[[challenger]]\nkind = \"linear\"\ncrosses = [[\"carrier\", \"origin\"]]\n\n@",
    ),
    (
        "no guard, and an early end",
        "[gate]\nguard = [{ metric = \"p95\", worse_by = 0.5, per = \"origin\" }]\n\n[publish]",
        "[publish]\nexpires = \"10m\"",
    ),
];

/// Wrong in the project's file.
const PROJECT_FILE: &[Mistake] = &[
    ("an event without its time", "time = \"arrived_at\"", ""),
    ("a key misspelt", "disorder =", "disoder  ="),
    ("an event of nowhere", "events.arrivals  ", "events.arivals"),
    ("an environment of nowhere", "= \"local\"", "= \"locl\""),
    ("a number for a place", "\"arrivals.parquet\"", "7"),
];

/// Wrong once the environment is used.
const ENVIRONMENT: &[Mistake] = &[
    ("a variable that is not set", "${HOME}", "${HOEM}"),
    ("a variable without its end", "${HOME}", "${HOME"),
    ("a Kafka topic", "\"arrivals.parquet\"", "{ kafka = \"msk\", topic = \"arrivals\" }"),
    ("brokers", "[environment.local]", "@\nkafka.msk = { brokers = \"b\" }"),
];

/// `text` with one mistake in it; `@` in what stands there now is what stood there.
pub(crate) fn with(text: &str, (name, was, now): &Mistake) -> String {
    assert!(text.contains(was), "{name}: the text has no {was:?}");
    text.replacen(was, &now.replace('@', was), 1)
}

/// Every mistake with its message; each must have a place and a remedy.
fn messages(mistakes: &[Mistake], faults_of: impl Fn(&Mistake) -> Option<Diagnostics>) -> String {
    let mut page = String::new();
    for mistake in mistakes {
        let faults = faults_of(mistake).unwrap_or_else(|| panic!("{}: no fault", mistake.0));
        for fault in &faults {
            assert!(fault.line > 0 && fault.column > 0 && !fault.excerpt.is_empty(), "{fault}");
            assert!(!fault.remedy.is_empty() && !fault.message.ends_with('.'), "{fault}");
        }
        page.push_str(&format!("# {}\n{faults}\n\n", mistake.0));
    }
    page
}

/// Compares with the recorded page.
fn compare(name: &str, page: &str) {
    insta::with_settings!({ omit_expression => true }, { assert_snapshot!(name, page) });
}

fn read(text: &str) -> Result<Definition, Diagnostics> {
    Definition::read("eta", "pipelines/eta.toml", text)
}

fn project_of(text: &str) -> Result<Project, Diagnostics> {
    Project::read(Path::new("."), "trueup.toml", text)
}

#[test]
fn the_text_without_mistakes_is_right() {
    let checked = read(DEFINITION).and_then(|read| read.check(&project(), Some(&flights())));
    let checked = checked.unwrap_or_else(|faults| panic!("{faults}"));
    assert!(checked.warnings.is_empty());
    let variables = |name: &str| (name == "HOME").then(|| "/home/ada".to_owned());
    let project = project_of(PROJECT).unwrap_or_else(|faults| panic!("{faults}"));
    let environment = project.environment_with(None, &variables);
    assert_eq!(environment.expect("is whole").state, "/home/ada/state");
}

#[test]
fn mistakes_of_syntax() {
    compare("syntax", &messages(SYNTAX, |mistake| read(&with(DEFINITION, mistake)).err()));
}

#[test]
fn mistakes_of_shape() {
    compare("shape", &messages(SHAPE, |mistake| read(&with(DEFINITION, mistake)).err()));
}

#[test]
fn mistakes_against_project_and_data() {
    let project = project();
    let page = messages(CHECK, |mistake| {
        let text = match mistake.0.contains("dollars") {
            true => with(DEFINITION, mistake).replace("\"minutes\"", "\"dollars\""),
            false => with(DEFINITION, mistake),
        };
        let definition = read(&text).unwrap_or_else(|faults| panic!("{}:\n{faults}", mistake.0));
        match definition.check(&project, Some(&flights())) {
            Ok(checked) => (!checked.warnings.is_empty()).then_some(checked.warnings),
            Err(faults) => Some(faults),
        }
    });
    compare("check", &page);
}

#[test]
fn mistakes_in_the_project() {
    let page = messages(PROJECT_FILE, |mistake| project_of(&with(PROJECT, mistake)).err());
    compare("project", &page);
}

#[test]
fn mistakes_in_an_environment() {
    let variables = |name: &str| (name == "HOME").then(|| "/home/ada".to_owned());
    let page = messages(ENVIRONMENT, |mistake| {
        let project = project_of(&with(PROJECT, mistake)).expect("is looked at when it is used");
        project.environment_with(None, &variables).err()
    });
    compare("environment", &page);
}

#[test]
fn mistakes_about_times() {
    let of = |kind: DataType| {
        let mut schemas = flights();
        let columns = [
            ("trip_id", DataType::Int64),
            ("arrived_at", kind),
            ("actual_minutes", DataType::Float64),
        ];
        schemas.insert("arrivals".into(), schema(&columns));
        schemas
    };
    let faults = |schemas: &Schemas, project: &str| {
        let project = project_of(project).expect("is right");
        read(DEFINITION).expect("is right").check(&project, Some(schemas)).err()
    };
    let naive = of(DataType::Timestamp(TimeUnit::Nanosecond, None));
    let mut page = String::new();
    for schemas in [&naive, &of(DataType::Int64), &of(DataType::Float64)] {
        page.push_str(&format!("{}\n\n", faults(schemas, PROJECT).expect("has a fault")));
    }
    compare("times", &page);
    let zoned = PROJECT.replace("time = \"arrived_at\"", "time = \"arrived_at\"\nzone = \"UTC\"");
    assert!(faults(&naive, &zoned).is_none());
    let mut local = flights();
    let departures = Schema::clone(&local["departures"]);
    let fields = departures.fields().iter().map(|field| match field.name().as_str() {
        "departed_at" => {
            let kind = DataType::Timestamp(TimeUnit::Second, None);
            field.as_ref().clone().with_data_type(kind)
        }
        _ => field.as_ref().clone(),
    });
    local.insert("departures".into(), Arc::new(Schema::new(fields.collect::<Vec<_>>())));
    let in_zone = |zone: &str| {
        let time = "\"departed_at\"";
        faults(&local, &PROJECT.replace(time, &format!("{time}\nzone = \"{zone}\"")))
    };
    for zone in ["UTC", "America/New_York", "+02:00", "-0330", "+02"] {
        assert!(in_zone(zone).is_none(), "{zone}");
    }
    for wrong in ["+24:00", "+2", "02:00", "+02:60", "+02:0", "+é1", "+-1+2"] {
        let time = "\"departed_at\"";
        let text = PROJECT.replace(time, &format!("{time}\nzone = \"{wrong}\""));
        let said = project_of(&text).expect_err(wrong).to_string();
        assert!(said.contains(&format!("not a time zone: `{wrong}`")), "{said}");
    }
    let said = faults(&local, PROJECT).expect("hours of no zone").to_string();
    assert_eq!(said.matches("the times have no zone: `departed_at`").count(), 2, "{said}");
    let counted = PROJECT.replace("time = \"arrived_at\"", "time = \"arrived_at\"\nepoch = \"ms\"");
    assert!(faults(&of(DataType::Int64), &counted).is_none());
}

#[test]
fn a_time_between_columns_needs_what_their_types_leave_unsaid() {
    let said = |kind: DataType, line: &str| {
        let mut schemas = flights();
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let arrivals = [("trip_id", DataType::Int64), ("arrived_at", zoned), ("landed", kind)];
        schemas.insert("arrivals".into(), schema(&arrivals));
        let time = "time = \"arrived_at\"";
        let project = project_of(&PROJECT.replace(time, &format!("{time}\n{line}")));
        let value = "value = { from = \"departed_at\", until = \"landed\" }";
        let definition = read(&DEFINITION.replace("value = \"actual_minutes\"", value));
        let faults = definition.expect("reads").check(&project.expect("is right"), Some(&schemas));
        faults.err().map(|faults| faults.to_string()).unwrap_or_default()
    };
    let naive = || DataType::Timestamp(TimeUnit::Nanosecond, None);
    assert_eq!(said(naive(), "zone = \"Asia/Tokyo\""), "");
    assert_eq!(said(DataType::Int64, "epoch = \"ms\""), "");
    assert_eq!(said(DataType::Utf8, ""), "");
    for (kind, line, message, remedy) in [
        (naive(), "", "the times have no zone: `landed`", "to [event.arrivals]"),
        (DataType::Int64, "zone = \"UTC\"", "holds whole numbers, not points", "add `epoch` to"),
        (DataType::Boolean, "epoch = \"ms\"", "holds booleans, not points", "as timestamps"),
    ] {
        let said = said(kind, line);
        assert!(said.contains(message) && said.contains(remedy), "{said}");
        assert!(said.contains("until = \"landed\""), "is shown: {said}");
    }
}

#[test]
fn a_question_that_knows_its_label_leaks() {
    let mut schemas = flights();
    let wide: Vec<(&str, DataType)> = vec![
        ("trip_id", DataType::Int64),
        ("departed_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ("arrived_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ("carrier", DataType::Utf8),
        ("origin", DataType::Utf8),
        ("distance_miles", DataType::Float64),
        ("eta_minutes", DataType::Float64),
        ("actual_minutes", DataType::Float64),
    ];
    for event in ["departures", "arrivals"] {
        schemas.insert(event.into(), schema(&wide));
    }
    let mistakes: &[Mistake] = &[
        ("the label as a feature", "distance_miles = \"number\"", "actual_minutes = \"number\""),
        ("the label's time as a feature", "time = \"departed_at\"", "time = \"arrived_at\""),
        ("the label as a reference", "unit = \"minutes\"", "@\nreference = [\"actual_minutes\"]"),
        ("the label as the estimate", "\"eta_minutes\"", "\"actual_minutes\""),
    ];
    let page = messages(mistakes, |mistake| {
        let definition = read(&with(DEFINITION, mistake)).expect("reads");
        definition.check(&project(), Some(&schemas)).err()
    });
    compare("leaks", &page);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = DEFINITION
        .replace("join     =", "jion     =")
        .replace("\"24h\"", "24")
        .replace("\"p95\"", "\"p59\"");
    let faults = read(&text).expect_err("three slips");
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [5, 12, 25], "{faults}");
}
