//! The one table of keys: what a file may say, of what shape, by default what, and meaning what.
//!
//! Parsing, error remedies, the JSON Schema and the reference page all walk these tables, so that
//! they cannot disagree. A new key is one entry here, its reading and its writing.

pub mod features;
pub mod learner;
pub mod pipeline;
pub mod project;
pub mod publishing;

/// A table of a file and the keys it takes.
#[derive(Debug)]
pub struct Section {
    /// How messages and the reference call it, such as `[question]`.
    pub title: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// The keys it takes, in the order in which they are written.
    pub keys: &'static [Key],
    /// Pairs of keys of which at most one may be there.
    pub excludes: &'static [[&'static str; 2]],
    /// Keys that are meant to come, with what to do until then.
    pub later: &'static [Later],
    /// What else decides which keys it takes.
    pub params: Params,
}

/// What else decides which keys a section takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Params {
    /// Nothing.
    None,
    /// The kind of learner that its key `kind` names has parameters of its own.
    Learner,
    /// The form of feature that its key `as` names takes some of its keys.
    Form,
}

/// A key that this build does not know yet, told apart from a slip of the pen.
#[derive(Debug)]
pub struct Later {
    /// The key.
    pub name: &'static str,
    /// What to do instead.
    pub remedy: &'static str,
}

/// A key of a section.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value may be.
    pub shape: Shape,
    /// Whether it must be there, and what holds when it is not.
    pub need: Need,
    /// A value as it is written in TOML.
    pub example: &'static str,
    /// What it means: one sentence.
    pub about: &'static str,
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// This TOML value holds when it is absent.
    Default(&'static str),
    /// What its absence means.
    Optional(&'static str),
}

/// What a value may be.
#[derive(Debug)]
pub enum Shape {
    /// A text that is not empty.
    Text,
    /// The name of an analytics event of the project.
    Event,
    /// The name of a column.
    Column,
    /// The name of a feature that is a category.
    Category,
    /// An IANA time zone.
    Zone,
    /// An IANA time zone, or an offset from UTC.
    ZoneOrOffset,
    /// A time with its unit, such as `"24h"`.
    Duration(Within),
    /// A number.
    Number(Within),
    /// A whole number of at least 1.
    Count,
    /// One of these words.
    Choice(fn() -> Vec<Choice>),
    /// Any number of these.
    List(&'static Shape),
    /// A table.
    Table(&'static Section),
    /// A table whose keys are names the user gives.
    Map {
        /// What a name stands for.
        of: &'static str,
        /// The value of each.
        each: &'static Shape,
    },
    /// The first of these that fits.
    Either(&'static [Shape]),
}

/// A word that stands for a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The word.
    pub name: &'static str,
    /// What it chooses.
    pub about: &'static str,
}

/// The range of a number or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// Any finite number.
    Any,
    /// Above zero.
    Positive,
    /// Zero or above.
    NotNegative,
    /// Between zero and one, both excluded.
    Share,
}

impl Within {
    /// Whether a number is in the range.
    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Self::Any => true,
                Self::Positive => value > 0.0,
                Self::NotNegative => value >= 0.0,
                Self::Share => value > 0.0 && value < 1.0,
            }
    }

    /// The range in words; empty for any number.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Positive => "above 0",
            Self::NotNegative => "0 or above",
            Self::Share => "between 0 and 1",
        }
    }
}

impl Section {
    /// The key of this name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Says how the key is written, and what it means.
    pub(crate) fn usage(&self, name: &str) -> String {
        let key = self.key(name).expect("only keys of the table are asked for");
        format!("write `{} = {}`: {}", key.name, key.example, key.about)
    }

    /// Every section reachable from this one, itself first, each once.
    #[must_use]
    pub fn all(&'static self) -> Vec<&'static Self> {
        let mut found = vec![self];
        for key in self.keys {
            key.shape.sections(&mut found);
        }
        found
    }
}

impl Shape {
    /// What a value of this shape is, with its article.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Event => "the name of an event".to_owned(),
            Self::Column => "the name of a column".to_owned(),
            Self::Category => "the name of a category feature".to_owned(),
            Self::Zone => "an IANA time zone".to_owned(),
            Self::ZoneOrOffset => "an IANA time zone or an offset from UTC".to_owned(),
            Self::Duration(_) => "a time with its unit".to_owned(),
            Self::Number(within) => words("a number", *within),
            Self::Count => "a whole number of at least 1".to_owned(),
            Self::Choice(choices) => {
                let names: Vec<&str> = choices().iter().map(|choice| choice.name).collect();
                match crate::diagnostic::list(names.iter().copied()) {
                    only if names.len() == 1 => only,
                    all => format!("one of {all}"),
                }
            }
            Self::List(each) => format!("a list, each {}", each.words()),
            Self::Table(section) => {
                let keys = section.keys.iter().map(|key| key.name);
                format!("a table of {}", crate::diagnostic::list(keys))
            }
            Self::Map { of, .. } => format!("a table by {of}"),
            Self::Either(shapes) => {
                let all: Vec<String> = shapes.iter().map(Self::words).collect();
                all.join(", or ")
            }
        }
    }

    fn sections(&'static self, found: &mut Vec<&'static Section>) {
        match self {
            Self::Table(section) => {
                if !found.iter().any(|known| std::ptr::eq(*known, *section)) {
                    found.push(section);
                    for key in section.keys {
                        key.shape.sections(found);
                    }
                }
            }
            Self::List(each) | Self::Map { each, .. } => each.sections(found),
            Self::Either(shapes) => shapes.iter().for_each(|shape| shape.sections(found)),
            Self::Text
            | Self::Event
            | Self::Column
            | Self::Category
            | Self::Zone
            | Self::ZoneOrOffset
            | Self::Duration(_)
            | Self::Number(_)
            | Self::Count
            | Self::Choice(_) => {}
        }
    }
}

fn words(what: &str, within: Within) -> String {
    match within.words() {
        "" => what.to_owned(),
        range => format!("{what} {range}"),
    }
}
