//! What can be wrong with declared features, or with the columns they are given.

use arrow::datatypes::DataType;

/// A declared feature that cannot be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidFeature {
    /// Names tell features apart.
    #[error("two features have the same name: `{feature}`")]
    SameName {
        /// The feature.
        feature: String,
    },
    /// A geohash has 1 to 12 characters.
    #[error("geohash of feature `{feature}` must have 1 to 12 characters: `{precision}`")]
    Precision {
        /// The feature.
        feature: String,
        /// The precision given.
        precision: u8,
    },
    /// Edges are finite and ascend.
    #[error("bucket edges of feature `{feature}` must be finite and ascend: `{edges:?}`")]
    Edges {
        /// The feature.
        feature: String,
        /// The edges given.
        edges: Vec<f64>,
    },
    /// The bundled time zone database does not have it.
    #[error("time zone of feature `{feature}` is unknown: `{zone}`")]
    UnknownZone {
        /// The feature.
        feature: String,
        /// The zone given.
        zone: String,
    },
}

impl InvalidFeature {
    /// What would be right.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::SameName { .. } => "give each feature its own name",
            Self::Precision { .. } => "6 characters are about 1.2 km x 0.6 km, 5 about 5 km x 5 km",
            Self::Edges { .. } => "list the lowest value of each bucket but the first, ascending",
            Self::UnknownZone { .. } => "use an IANA name such as `America/New_York` or `UTC`",
        }
    }
}

/// A batch whose columns cannot serve the features: wrong for every row alike.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BindError {
    /// The batch does not have the column.
    #[error("column of feature `{feature}` is missing: `{column}`")]
    MissingColumn {
        /// The feature.
        feature: String,
        /// The column.
        column: String,
    },
    /// The column's type cannot serve.
    #[error("column `{column}` of feature `{feature}` cannot serve as {expected}: `{found}`")]
    WrongType {
        /// The feature.
        feature: String,
        /// The column.
        column: String,
        /// The column's type.
        found: DataType,
        /// What the feature needs.
        expected: Expected,
    },
}

impl BindError {
    /// What would be right.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::MissingColumn { .. } => {
                "add the column to the query or the event, or correct its name in `[features]`"
            }
            Self::WrongType { expected, found, .. } => expected.hint(found),
        }
    }
}

/// What a feature needs of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Texts, integers, booleans or dates.
    Category,
    /// Integers, floats, decimals or booleans.
    Number,
    /// Timestamps with a zone, dates, or RFC 3339 texts.
    Time,
    /// Texts.
    Text,
}

impl Expected {
    fn hint(self, found: &DataType) -> &'static str {
        match self {
            Self::Category if found.is_floating() || matches!(found, DataType::Decimal128(..)) => {
                "declare it as a number, or put it into buckets: { column = …, edges = […] }"
            }
            Self::Category if matches!(found, DataType::Timestamp(..)) => {
                "derive a category from the time, such as `as = \"hour_of_week\"`"
            }
            Self::Time if matches!(found, DataType::Timestamp(_, None)) => {
                "the timestamp has no zone: declare the event's `zone`, or cast it in the query"
            }
            Self::Category => "a category is a text, an integer, a boolean or a date: cast it",
            Self::Number => "a number is an integer, a float, a decimal or a boolean: cast it",
            Self::Time => "a time is a timestamp with a zone, a date or an RFC 3339 text: cast it",
            Self::Text => "a time zone's name is a text: cast it in the query",
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Category => "a category",
            Self::Number => "a number",
            Self::Time => "a time",
            Self::Text => "the name of a time zone",
        })
    }
}
