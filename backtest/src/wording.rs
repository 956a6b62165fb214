//! Numbers, times and verdicts as people read them: shared by the table and the page.
//!
//! Nothing here knows of columns, colours or markup, and nothing is translated.

use crate::report::RunReport;
use trueup_event::hash;
use trueup_learner::gate::{Refusal, Rival, Verdict};

/// What stands where there is no number.
pub(crate) const NONE: &str = "·";

/// `328,521`.
pub(crate) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12 alarms`, `1 alarm`.
pub(crate) fn counted(value: u64, noun: &str) -> String {
    let ending = if value == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(value))
}

/// A number with so many decimals, thousands apart, never `-0.00`.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |parts| parts);
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if value < 0.0 && !is_zero { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", grouped(whole))
}

/// As [`fixed`], with its sign even above 0.
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let text = fixed(value, decimals);
    if value > 0.0 && text.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
        format!("+{text}")
    } else {
        text
    }
}

/// How many decimals tell errors of this size apart: two for minutes, more for small units.
pub(crate) fn decimals(size: f64) -> usize {
    let size = size.abs();
    if !size.is_finite() || size == 0.0 || (0.5..100.0).contains(&size) {
        return 2;
    }
    if size >= 100.0 {
        return usize::from(size < 1000.0);
    }
    let (mut decimals, mut limit) = (3, 0.05);
    while size < limit && decimals < 9 {
        limit /= 10.0;
        decimals += 1;
    }
    decimals
}

/// How many decimals a mean and its bounds are given with.
pub(crate) fn interval_decimals(mean: f64) -> usize {
    decimals(mean).saturating_sub(1).max(2)
}

/// A number with as many decimals as its own size asks for.
pub(crate) fn number(value: f64) -> String {
    fixed(value, decimals(value))
}

/// `62.6` of 0.626; all and nothing are said of exactly all and nothing.
pub(crate) fn percent(share: f64) -> String {
    match fixed(share * 100.0, 1).as_str() {
        "100.0" if share < 1.0 => ">99.9".to_owned(),
        "0.0" if share > 0.0 => "<0.1".to_owned(),
        text => text.to_owned(),
    }
}

/// A length of time given in minutes: `40s`, `2h40m`, `3d4h`.
pub(crate) fn span(minutes: f64) -> String {
    if !minutes.is_finite() {
        return NONE.to_owned();
    }
    let seconds = (minutes.abs() * 60.0).round() as u64;
    let sign = if minutes < 0.0 && seconds > 0 { "-" } else { "" };
    let pair = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{sign}{}{unit}", count(large)),
        small => format!("{sign}{}{unit}{small}{small_unit}", count(large)),
    };
    match seconds {
        0..60 => format!("{sign}{seconds}s"),
        60..600 => pair(seconds / 60, "m", seconds % 60, "s"),
        600..172_800 => {
            let whole = (seconds + 30) / 60;
            if whole < 60 {
                format!("{sign}{whole}m")
            } else {
                pair(whole / 60, "h", whole % 60, "m")
            }
        }
        _ => {
            let hours = (seconds + 1800) / 3600;
            pair(hours / 24, "d", hours % 24, "h")
        }
    }
}

/// Seconds of the clock: `1.3 s`, `0.012 s`.
pub(crate) fn elapsed(seconds: f64) -> String {
    format!("{} s", fixed(seconds, if seconds < 0.1 { 3 } else { 1 }))
}

/// `12.4 MB`.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if value < 1000 {
        return format!("{value} B");
    }
    let mut size = value as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{} {}", fixed(size, 1), UNITS[unit])
}

/// `2013-01-01 10:17Z` of `2013-01-01T10:17:42Z`; other texts as they are.
pub(crate) fn moment(text: &str) -> String {
    match (text.get(..10), text.get(10..11), text.get(11..16), text.ends_with('Z')) {
        (Some(day), Some("T"), Some(time), true) => format!("{day} {time}Z"),
        _ => text.to_owned(),
    }
}

/// Text from data on one line: control characters would reach the reader's terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A reason's or refusal's name in words.
pub(crate) fn words(name: &str) -> String {
    plain(&name.replace('_', " "))
}

/// What a verdict is called.
pub(crate) fn verdict_name(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Admitted { .. } => "admitted".to_owned(),
        Verdict::Refreshed => "refreshed".to_owned(),
        Verdict::Unchanged => "unchanged".to_owned(),
        Verdict::Refused(refusal) => format!("refused: {}", words(refusal.name())),
    }
}

/// What a verdict rests on; empty where its name says it all.
pub(crate) fn verdict_detail(verdict: &Verdict, run: &RunReport) -> String {
    let unit = plain(&run.unit);
    match verdict {
        Verdict::Admitted { units, improvement_lower } => format!(
            "at least {} {unit} better per unit, proved on {}",
            number(*improvement_lower),
            counted(*units, "unit")
        ),
        Verdict::Refreshed | Verdict::Unchanged => String::new(),
        Verdict::Refused(refusal) => refusal_detail(refusal, run),
    }
}

fn refusal_detail(refusal: &Refusal, run: &RunReport) -> String {
    let unit = plain(&run.unit);
    match refusal {
        Refusal::TooLittleEvidence { units, units_min } => {
            format!("{} of {} so far", count(*units), counted(*units_min, "unit"))
        }
        Refusal::NotBetter { rival, improvement_lower } => format!(
            "lower bound of the improvement over {}: {} {unit} per unit",
            rival_name(*rival),
            number(*improvement_lower)
        ),
        Refusal::NotFinite => "a weight is NaN or infinite".to_owned(),
        Refusal::Guard { metric, segment, rival, worse_by } => {
            let place = segment.map_or(String::new(), |hash| segment_name(hash, run));
            format!(
                "{} worse by {} than {}{place}",
                plain(metric),
                number(*worse_by),
                rival_name(*rival)
            )
        }
        Refusal::ChangeTooLarge { change_ratio } => {
            let ratio = number(*change_ratio);
            format!("answers moved by {ratio} of the champion's mean absolute error")
        }
        Refusal::Held => "a person holds an earlier version".to_owned(),
        Refusal::NotAutomatic => "the definition lets no version serve by itself".to_owned(),
    }
}

/// The text of the category's value a guard spoke for, where the report lists it.
fn segment_name(segment: u64, run: &RunReport) -> String {
    let values = run.segments.iter().flat_map(|segment| &segment.values);
    let known = values.into_iter().find(|value| hash::of_text(&value.value) == segment);
    known.map_or_else(
        || format!(" for the segment of hash {segment:016x}"),
        |value| format!(" for `{}`", plain(&value.value)),
    )
}

fn rival_name(rival: Rival) -> &'static str {
    match rival {
        Rival::NoCorrection => "no correction",
        Rival::Champion => "the champion",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(-12_345.678, 1), "-12,345.7");
        assert_eq!(fixed(f64::NAN, 1), NONE);
        assert_eq!((signed(0.12, 1), signed(0.01, 1)), ("+0.1".to_owned(), "0.0".to_owned()));
        let sizes = [0.0, 0.0034, 0.25, 1.0, 14.49, 123.4, 4_321.0].map(number);
        assert_eq!(sizes, ["0.00", "0.00340", "0.250", "1.00", "14.49", "123.4", "4,321"]);
        assert_eq!(
            [999, 1_000, 999_949, 999_950, 12_400_000].map(bytes),
            ["999 B", "1.0 kB", "999.9 kB", "1.0 MB", "12.4 MB"]
        );
    }

    #[test]
    fn times_read_well() {
        let spans = [0.0, 0.5, 2.0, 9.5, 59.7, 160.0, 407.2, 2_880.0, 4_559.0].map(span);
        assert_eq!(spans, ["0s", "30s", "2m", "9m30s", "1h", "2h40m", "6h47m", "2d", "3d4h"]);
        assert_eq!(moment("2013-01-01T10:17:42.5Z"), "2013-01-01 10:17Z");
        assert_eq!(moment("soon"), "soon");
        assert_eq!(plain("a\u{1b}[31m\n"), "a\u{fffd}[31m\u{fffd}");
    }
}
