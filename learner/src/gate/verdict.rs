//! What the gate says of a candidate, and why not.

use serde::{Deserialize, Serialize};

/// What the gate says of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its lineage has just proved better: it serves.
    Admitted {
        /// Independent units it was proved on.
        units: u64,
        /// Lower bound of the mean improvement per unit over no correction.
        improvement_lower: f64,
    },
    /// Its lineage serves already, and the snapshot passed the checks.
    Refreshed,
    /// It equals the candidate before it.
    Unchanged,
    /// It does not serve.
    Refused(Refusal),
}

impl Verdict {
    /// Whether the candidate serves.
    #[must_use]
    pub const fn is_promoted(&self) -> bool {
        match self {
            Self::Admitted { .. } | Self::Refreshed => true,
            Self::Unchanged | Self::Refused(_) => false,
        }
    }

    /// The word used in counts and lists.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Admitted { .. } => "admitted",
            Self::Refreshed => "refreshed",
            Self::Unchanged => "unchanged",
            Self::Refused(refusal) => refusal.name(),
        }
    }
}

/// Why a candidate does not serve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Fewer independent units than the gate looks at.
    TooLittleEvidence {
        /// Units so far.
        units: u64,
        /// Units needed.
        units_min: u64,
    },
    /// Not proved better.
    NotBetter {
        /// Than what.
        rival: Rival,
        /// Lower bound of the mean improvement per unit.
        improvement_lower: f64,
    },
    /// A weight is NaN or infinite.
    NotFinite,
    /// A guarded metric got worse.
    Guard {
        /// The metric.
        metric: String,
        /// Hash of the category's value it got worse for; none is all questions.
        segment: Option<u64>,
        /// Than what.
        rival: Rival,
        /// By how much, in the metric's own scale.
        worse_by: f64,
    },
    /// Answers moved too far since the champion's last refresh.
    ChangeTooLarge {
        /// Mean change of the answer over the champion's mean absolute error.
        change_ratio: f64,
    },
    /// A person went back to an earlier version, and holds it.
    Held,
    /// The definition says that no version serves by itself.
    NotAutomatic,
}

impl Refusal {
    /// The word used in counts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLittleEvidence { .. } => "too_little_evidence",
            Self::NotBetter { .. } => "not_better",
            Self::NotFinite => "not_finite",
            Self::Guard { .. } => "guard",
            Self::ChangeTooLarge { .. } => "change_too_large",
            Self::Held => "held",
            Self::NotAutomatic => "not_automatic",
        }
    }
}

/// What a candidate is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rival {
    /// The primary estimate alone.
    NoCorrection,
    /// What serves.
    Champion,
}
