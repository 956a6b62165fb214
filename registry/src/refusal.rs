//! Why a decision said no, with what was found, so that the caller can decide anew.

use crate::names::{AliasName, ShardName};

/// A decision that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A newer owner of the shard has announced itself.
    #[error("shard `{shard}` is owned by epoch {found}, this writer has epoch `{epoch}`")]
    Fenced {
        /// The shard.
        shard: ShardName,
        /// The writer's epoch.
        epoch: u64,
        /// The owner's epoch.
        found: u64,
    },
    /// The alias does not name what the caller expected.
    #[error("alias `{alias}` names {}, not {}", named(*.found), named(*.expected))]
    Moved {
        /// The alias.
        alias: AliasName,
        /// What the caller expected.
        expected: Option<u64>,
        /// What it names.
        found: Option<u64>,
    },
    /// A person holds the alias, or moved it after what the shard has obeyed.
    #[error("alias `{alias}` was last moved by a person, in entry `{entry}`")]
    Held {
        /// The alias.
        alias: AliasName,
        /// The entry of the last move by a person.
        entry: u64,
    },
    /// The id was published before with other content.
    #[error("version {version} has the same id and other content: `{id}`")]
    Conflict {
        /// The id.
        id: String,
        /// The version that has it.
        version: u64,
    },
    /// There is no such version.
    #[error("no such version: `{version}`")]
    NoVersion {
        /// Its number.
        version: u64,
    },
    /// The version was given up.
    #[error("version was collected: `{version}`")]
    Collected {
        /// Its number.
        version: u64,
    },
    /// The version is in quarantine.
    #[error("version is in quarantine: `{version}`")]
    Quarantined {
        /// Its number.
        version: u64,
    },
    /// A delta without a parent that can be applied, or a base with one.
    #[error("version `{id}` {problem}")]
    Parent {
        /// The id of the version.
        id: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// There is no earlier good version to go back to.
    #[error("no earlier version to go back to for alias `{alias}`")]
    NoPrevious {
        /// The alias.
        alias: AliasName,
    },
    /// There is no such alias.
    #[error("no such alias: `{alias}`")]
    NoAlias {
        /// The alias.
        alias: AliasName,
    },
    /// What is asked of lies before the kept history.
    #[error(
        "history before {from_micros} microseconds since 1970 is forgotten, asked: `{asked_micros}`"
    )]
    Forgotten {
        /// Where the history begins, in microseconds since the Unix epoch.
        from_micros: i64,
        /// What was asked, in microseconds since the Unix epoch.
        asked_micros: i64,
    },
}

fn named(version: Option<u64>) -> String {
    version.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"))
}
