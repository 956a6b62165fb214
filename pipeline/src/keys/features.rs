//! The closed set of features: what each takes, and what it makes of it.

use super::{Choice, Key, Need, Params, Section, Shape, Within};

/// A feature that can be computed of a question.
#[derive(Debug)]
pub struct Form {
    /// The word after `as`.
    pub name: &'static str,
    /// The keys it takes beside `as`, in order. Only `column` may be left out.
    pub takes: &'static [&'static str],
    /// What it makes of them.
    pub about: &'static str,
}

const COLUMN: &[&str] = &["column"];
const TIME: &[&str] = &["time", "zone"];
const PLACE: &[&str] = &["latitude", "longitude"];

/// Every form, in the order of the reference.
pub static FORMS: &[Form] = &[
    Form {
        name: "category",
        takes: COLUMN,
        about: "a text, a whole number, a boolean or a day, taken as a name",
    },
    Form { name: "number", takes: COLUMN, about: "a number" },
    Form { name: "log", takes: COLUMN, about: "sign(x) ln(1 + |x|) of a number" },
    Form {
        name: "bucket",
        takes: &["column", "edges"],
        about: "a number, taken as the name of the range it falls in",
    },
    Form { name: "hour_of_week", takes: TIME, about: "0 (Monday, midnight) to 167" },
    Form { name: "hour_of_day", takes: TIME, about: "0 to 23" },
    Form { name: "day_of_week", takes: TIME, about: "0 (Monday) to 6" },
    Form { name: "geohash1", takes: PLACE, about: "a cell of about 5,000 km" },
    Form { name: "geohash2", takes: PLACE, about: "a cell of about 1,250 km" },
    Form { name: "geohash3", takes: PLACE, about: "a cell of about 156 km" },
    Form { name: "geohash4", takes: PLACE, about: "a cell of about 39 km" },
    Form { name: "geohash5", takes: PLACE, about: "a cell of about 4.9 km" },
    Form { name: "geohash6", takes: PLACE, about: "a cell of about 1.2 km" },
    Form { name: "geohash7", takes: PLACE, about: "a cell of about 150 m" },
    Form { name: "geohash8", takes: PLACE, about: "a cell of about 38 m" },
    Form { name: "geohash9", takes: PLACE, about: "a cell of about 4.8 m" },
    Form { name: "geohash10", takes: PLACE, about: "a cell of about 1.2 m" },
    Form { name: "geohash11", takes: PLACE, about: "a cell of about 15 cm" },
    Form { name: "geohash12", takes: PLACE, about: "a cell of about 4 cm" },
];

/// The form of this name.
#[must_use]
pub fn form(name: &str) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.name == name)
}

/// A feature as a table.
pub static FEATURE: Section = Section {
    title: "a feature",
    about: "A feature of a question: `NAME = \"category\"` where the column is called NAME, or a \
            table.",
    keys: &[
        Key {
            name: "column",
            shape: Shape::Column,
            need: Need::Optional("the column called like the feature"),
            example: "\"carrier\"",
            about: "the question column it is made of",
        },
        Key {
            name: "time",
            shape: Shape::Column,
            need: Need::Optional("only for times"),
            example: "\"departed_at\"",
            about: "the question column with a point in time",
        },
        Key {
            name: "latitude",
            shape: Shape::Column,
            need: Need::Optional("only for places"),
            example: "\"pickup_lat\"",
            about: "the question column with degrees north",
        },
        Key {
            name: "longitude",
            shape: Shape::Column,
            need: Need::Optional("only for places"),
            example: "\"pickup_lon\"",
            about: "the question column with degrees east",
        },
        Key {
            name: "as",
            shape: Shape::Choice(forms),
            need: Need::Required,
            example: "\"hour_of_week\"",
            about: "what is made of it",
        },
        Key {
            name: "edges",
            shape: Shape::List(&Shape::Number(Within::Any)),
            need: Need::Optional("only for buckets"),
            example: "[5, 10, 30]",
            about: "where one bucket ends and the next begins, ascending; n edges make n + 1 \
                    buckets",
        },
        Key {
            name: "zone",
            shape: Shape::Either(&[Shape::Zone, Shape::Table(&ZONE_COLUMN)]),
            need: Need::Optional("only for times"),
            example: "\"America/New_York\"",
            about: "the time zone in which hours and days are counted, or the column that names \
                    it row by row",
        },
    ],
    excludes: &[],
    later: &[],
    params: Params::Form,
};

/// `zone` as a table.
pub static ZONE_COLUMN: Section = Section {
    title: "zone",
    about: "A time zone that stands in a column.",
    keys: &[Key {
        name: "column",
        shape: Shape::Column,
        need: Need::Required,
        example: "\"city_zone\"",
        about: "the question column with the IANA time zone of each row",
    }],
    excludes: &[],
    later: &[],
    params: Params::None,
};

/// The forms that take nothing but a column, and may so be written as one word.
#[must_use]
pub fn short() -> Vec<Choice> {
    FORMS.iter().filter(|form| form.takes == COLUMN).map(choice).collect()
}

fn forms() -> Vec<Choice> {
    FORMS.iter().map(choice).collect()
}

const fn choice(form: &Form) -> Choice {
    Choice { name: form.name, about: form.about }
}
