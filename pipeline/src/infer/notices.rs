//! What a reader should know of the data: matches, delays, duplicates, clocks, units and leaks.

use super::features::{Choice, thousands};
use super::roles::{Roles, Value};
use super::stats::{quantile, sorted};
use super::{Level, Notice};
use crate::check::ColumnKind;
use std::collections::HashSet;
use trueup_event::Duration;

const HOUR_MICROS: f64 = 3.6e9;

/// Everything worth saying, what matters most first.
pub(super) fn of(roles: &Roles<'_>, choice: &Choice) -> Vec<Notice> {
    let mut notices = vec![matched(roles)];
    notices.extend(delay(roles));
    notices.extend(clocks(roles));
    notices.extend(zones(roles));
    notices.extend(duplicates(roles));
    notices.extend(units(roles));
    notices.extend(constant(roles));
    if !choice.references.is_empty() {
        let others = crate::diagnostic::list(choice.references.iter().map(String::as_str));
        notices.push(Notice {
            level: Level::Note,
            message: format!(
                "`{}` is corrected; for reference only: {others}",
                roles.estimate.name
            ),
            remedy: "exchange them in the definition if another one is served".to_owned(),
        });
    }
    for left_out in choice.left_out.iter().filter(|left_out| left_out.is_leak) {
        notices.push(warning(
            format!("left out of the features: `{}` {}", left_out.column, left_out.reason),
            "a feature must be known before the label is",
        ));
    }
    notices.sort_by_key(|notice| std::cmp::Reverse(notice.level));
    notices
}

fn note(message: String) -> Notice {
    Notice { level: Level::Note, message, remedy: String::new() }
}

fn warning(message: String, remedy: &str) -> Notice {
    Notice { level: Level::Warning, message, remedy: remedy.to_owned() }
}

fn matched(roles: &Roles<'_>) -> Notice {
    let share = roles.pairs.len() as f64 / roles.question.rows as f64;
    let message = format!(
        "{} of {} questions have a label ({:.1} %), joined by `{}`",
        thousands(roles.pairs.len()),
        thousands(roles.question.rows),
        100.0 * share,
        roles.question_join.name
    );
    match share < 0.5 {
        true => warning(message, "check that both files are of the same time and whole"),
        false => note(message),
    }
}

fn delay(roles: &Roles<'_>) -> Vec<Notice> {
    let delays = roles.delays();
    let at = |share| quantile(&delays, share).map(rounded);
    let (Some(middle), Some(slow)) = (at(0.5), at(0.99)) else { return Vec::new() };
    let mut notices = vec![note(format!("label delay: p50 {middle}, p99 {slow}"))];
    let early = delays.iter().filter(|delay| **delay < 0.0).count();
    if early > 0 {
        let message = format!(
            "labels that are earlier than their questions: {} ({:.1} %)",
            thousands(early),
            100.0 * early as f64 / delays.len() as f64
        );
        notices.push(warning(
            message,
            "check the zones of both times, and that the question's time is when it was asked",
        ));
    }
    notices
}

/// A length of time to the minute, or to the second below ten minutes.
pub(super) fn rounded(micros: f64) -> Duration {
    let step = if micros.abs() < 6e8 { 1e6 } else { 6e7 };
    Duration::from_micros(((micros / step).round() * step) as i64)
}

/// An outcome that is a length of time should be the time from question to label.
fn clocks(roles: &Roles<'_>) -> Option<Notice> {
    let Value::Column(_) = roles.value else { return None };
    let micros = match roles.unit? {
        "milliseconds" => 1e3,
        "seconds" => 1e6,
        "minutes" => 6e7,
        "hours" => HOUR_MICROS,
        _ => return None,
    };
    let off = roles.pairs.iter().filter_map(|pair| {
        let start = roles.question_time.value(pair.0)?;
        let end = roles.label_time.value(pair.1)?;
        Some(end - start - roles.actual(*pair)? * micros)
    });
    let off = sorted(off);
    let middle = quantile(&off, 0.5)?;
    let hours = (middle / HOUR_MICROS).round();
    let is_whole = |off: &f64| (off - hours * HOUR_MICROS).abs() < HOUR_MICROS / 12.0;
    let constant = off.iter().filter(|off| is_whole(off)).count();
    (hours != 0.0 && constant * 10 > off.len() * 8).then(|| {
        warning(
            format!(
                "`{}` is {hours:+} h from `{}` plus the outcome, nearly always",
                roles.label_time.name, roles.question_time.name
            ),
            "one of the two times is probably in another zone: say it with `zone` in [event.NAME]",
        )
    })
}

fn zones(roles: &Roles<'_>) -> Vec<Notice> {
    let mut times = vec![roles.question_time, roles.label_time];
    times.retain(|time| time.kind == ColumnKind::ZonelessTime);
    times
        .iter()
        .map(|time| {
            warning(
                format!("the times have no zone and are taken as UTC: `{}`", time.name),
                "say their zone in trueup.toml",
            )
        })
        .collect()
}

fn duplicates(roles: &Roles<'_>) -> Vec<Notice> {
    let mut notices = Vec::new();
    let repeated = |hashes: &[u64]| {
        let known = hashes.iter().filter(|hash| **hash != 0);
        let distinct: HashSet<u64> = known.clone().copied().collect();
        known.count() - distinct.len()
    };
    let asked = repeated(&roles.question_join.hashes);
    if asked > 0 {
        notices.push(note(format!(
            "questions that repeat a `{}`, told apart by their time: {}",
            roles.question_join.name,
            thousands(asked)
        )));
    }
    let came = repeated(&roles.label_join.hashes);
    if came > 0 && !roles.is_wide() {
        notices.push(warning(
            format!("labels that repeat a `{}`: {}", roles.label_join.name, thousands(came)),
            "the first label of a key counts; the others are dead letters",
        ));
    }
    let mut places = HashSet::new();
    let times = roles.question_time.values.iter().map(|time| time.map(f64::to_bits));
    let same = roles.question_join.hashes.iter().zip(times);
    let same = same.filter(|place| !places.insert(*place)).count();
    if same > 0 {
        notices.push(warning(
            format!("questions with the key and the time of another: {}", thousands(same)),
            "name the column that tells them apart as `id` in [question]",
        ));
    }
    notices
}

/// Estimate and outcome of about a factor of 60 or 3,600 are in different units.
fn units(roles: &Roles<'_>) -> Option<Notice> {
    let ratio = roles.pairs.iter().filter_map(|pair| {
        let estimate = roles.estimate.value(pair.0).filter(|estimate| *estimate > 0.0)?;
        Some(roles.actual(*pair)? / estimate)
    });
    let ratio = quantile(&sorted(ratio), 0.5).filter(|ratio| *ratio > 0.0)?;
    let factor = ratio.max(1.0 / ratio);
    let unit = [60.0, 1000.0, 3600.0].into_iter().find(|unit| (factor / unit - 1.0).abs() < 0.3)?;
    Some(warning(
        format!("the outcome is about {unit} times off the estimate: `{}`", roles.estimate.name),
        "write both in the same unit",
    ))
}

/// An estimate that is always right has been filled in afterwards.
fn constant(roles: &Roles<'_>) -> Option<Notice> {
    let residuals = roles.residuals();
    let exact = residuals.iter().filter(|residual| residual.abs() < 1e-9).count();
    (exact * 100 > residuals.len() * 95).then(|| {
        warning(
            format!("the estimate is the outcome: `{}`", roles.estimate.name),
            "name the column with what the primary model answered before it came true",
        )
    })
}
