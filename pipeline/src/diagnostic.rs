//! What is wrong with a file: where, what, and what would be right.
//!
//! A file's problems are collected, not stopped at the first. Rendering follows rustc: the message,
//! the place, the line with a caret under the fault, and the remedy on its own line.

use serde::Serialize;

/// How grave a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The definition cannot run.
    Error,
    /// It runs, but probably not as meant.
    Warning,
}

impl Severity {
    /// The word shown before a message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// The file, as it was named to the reader.
    pub file: String,
    /// The line, from 1; 0 when the problem is the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 when the problem is the file as a whole.
    pub column: usize,
    /// What is wrong: lower case, no full stop, the offending value last, in backticks.
    pub message: String,
    /// What would be right.
    pub remedy: String,
    /// The text of the line; empty when the problem is the file as a whole.
    pub excerpt: String,
    /// How many characters of the line are at fault, at least 1.
    pub width: usize,
}

impl Diagnostic {
    /// A problem of a file as a whole, such as one that cannot be read.
    #[must_use]
    pub fn of_file(file: &str, message: String, remedy: String) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: 0,
            column: 0,
            message,
            remedy,
            excerpt: String::new(),
            width: 1,
        }
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {}", self.severity.name(), self.message)?;
        if self.line == 0 {
            writeln!(f, " --> {}", self.file)?;
        } else {
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            writeln!(f, "{gutter}--> {}:{}:{}", self.file, self.line, self.column)?;
            writeln!(f, "{gutter} |")?;
            writeln!(f, "{number} | {}", self.excerpt)?;
            let before = self.excerpt.chars().take(self.column.saturating_sub(1));
            let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            writeln!(f, "{gutter} | {indent}{}", "^".repeat(self.width.max(1)))?;
        }
        write!(f, "hint: {}", self.remedy)
    }
}

/// All problems of one or more files, in the order of their places.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// These problems, sorted by file and place.
    #[must_use]
    pub fn new(mut list: Vec<Diagnostic>) -> Self {
        list.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        list.dedup();
        Self(list)
    }

    /// Every problem.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many problems there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them keeps the definition from running.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// `Ok` with the warnings when no error is among them.
    ///
    /// # Errors
    /// All of them, when one is an error.
    pub fn into_result(self) -> Result<Self, Self> {
        if self.has_errors() { Err(self) } else { Ok(self) }
    }

    /// Both lists as one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        Self::new(self.0)
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(problem: Diagnostic) -> Self {
        Self(vec![problem])
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                write!(f, "\n\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// The name nearest to `wrong` among `names`, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let folded = wrong.to_lowercase();
    let allowed = (wrong.chars().count() / 4).max(1);
    names
        .into_iter()
        .map(|name| {
            let to = name.to_lowercase();
            let edits = strsim::damerau_levenshtein(&folded, &to);
            // Letters in the wrong order are the likelier slip than a wrong letter.
            let rank = (edits, letters(&folded) != letters(&to));
            (rank, strsim::jaro_winkler(&folded, &to), name)
        })
        .filter(|(rank, likeness, _)| rank.0 <= allowed || *likeness > 0.88)
        .min_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)))
        .map(|(_, _, name)| name)
}

fn letters(text: &str) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().collect();
    letters.sort_unstable();
    letters
}

/// The remedy for a wrong name: the nearest one, or else all there are.
pub(crate) fn did_you_mean<'a>(
    wrong: &str,
    what: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match nearest(wrong, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => match list(names) {
            all if all.is_empty() => format!("there are no {what} yet"),
            all => format!("{what}: {all}"),
        },
    }
}

/// Names in backticks, with commas; the rest of a very long list is counted.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 24;
    let all: Vec<&str> = names.into_iter().collect();
    let quoted: Vec<String> = all.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match all.len().saturating_sub(SHOWN) {
        0 => quoted.join(", "),
        more => format!("{} and {more} more", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_only_that() {
        let names = ["event", "join", "estimate", "served_answer"];
        assert_eq!(nearest("jion", names), Some("join"));
        assert_eq!(nearest("Estimate", names), Some("estimate"));
        assert_eq!(nearest("estimated", names), Some("estimate"));
        assert_eq!(nearest("price", names), None);
        assert_eq!(did_you_mean("x", "events", []), "there are no events yet");
    }

    #[test]
    fn caret_stands_under_the_fault() {
        let problem = Diagnostic {
            severity: Severity::Error,
            file: "a.toml".into(),
            line: 12,
            column: 3,
            message: "unknown key: `x`".into(),
            remedy: "did you mean `y`?".into(),
            excerpt: "\té x = 1".into(),
            width: 2,
        };
        let text = problem.to_string();
        assert_eq!(
            text,
            [
                "error: unknown key: `x`",
                "  --> a.toml:12:3",
                "   |",
                "12 | \té x = 1",
                "   | \t ^^",
                "hint: did you mean `y`?",
            ]
            .join("\n")
        );
    }
}
