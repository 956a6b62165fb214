//! Names that become parts of paths: an allow-list, so that none can leave its folder.

use serde::{Deserialize, Serialize};

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name is 1 to 64 of `a-z`, `0-9`, `.`, `_`, `-`, begins with a letter or digit and has no \
     `..`: `{}`",
    .0.escape_debug()
)]
pub struct NameError(String);

fn check(name: String) -> Result<String, NameError> {
    let is_edge = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_inner = |c: u8| is_edge(c) || matches!(c, b'.' | b'_' | b'-');
    let bytes = name.as_bytes();
    let is_name = bytes.first().copied().is_some_and(is_edge)
        && bytes.len() <= 64
        && bytes.iter().copied().all(is_inner)
        && !name.contains("..");
    if is_name { Ok(name) } else { Err(NameError(name.chars().take(80).collect())) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name, if it is one: `^[a-z0-9][a-z0-9._-]{0,63}$` without `..`.
            ///
            /// # Errors
            /// When it is none.
            pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
                check(name.into()).map(Self)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name! {
    /// The name of a model: the folder of its log.
    ModelName
}
name! {
    /// The name of an alias, such as `champion`.
    AliasName
}
name! {
    /// The name of a shard: the folder of its log.
    ShardName
}

impl AliasName {
    /// The alias that publishing moves by itself and that serving answers with: `champion`.
    #[must_use]
    pub fn champion() -> Self {
        Self("champion".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_names() {
        let longest = "a".repeat(64);
        for good in ["a", "0", "eta_bias", "eta-bias.v3", &longest] {
            assert_eq!(ModelName::new(good).unwrap().as_str(), good);
        }
        let too_long = "a".repeat(65);
        let bad = [
            "", ".", "..", "a..b", "../a", "a/b", "a\\b", "A", "-a", "_a", ".a", "a b", "a\0",
            "a\n", "%2e%2e", "C:", "a#b", "é", "ａ", &too_long,
        ];
        for bad in bad {
            assert!(ModelName::new(bad).is_err(), "{bad:?}");
            assert!(serde_json::from_value::<AliasName>(bad.into()).is_err(), "{bad:?}");
        }
    }
}
