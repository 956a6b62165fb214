//! Printing: the one place that writes to standard output and standard error.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where printing is done")]

use crate::failure::Failure;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Writes data to standard output. A reader that went away ends the output, not the program.
pub(crate) fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes talk to standard error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes a value as JSON to standard output.
pub(crate) fn json(value: &impl serde::Serialize) {
    let mut text = serde_json::to_string_pretty(value).expect("reports are plain data");
    text.push('\n');
    out(&text);
}

/// Shows help, version or a usage error as clap words it.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// Whether standard output may be coloured: a terminal, and no `NO_COLOR`.
pub(crate) fn may_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::io::stdout().is_terminal()
}

/// The width of the terminal in columns, as far as the environment tells.
pub(crate) fn width_columns() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100)
}

/// A point in time as people write it: a date (midnight UTC) or RFC 3339.
pub(crate) fn parse_time(text: &str) -> Option<trueup_event::EventTime> {
    let timestamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let date: jiff::civil::Date = text.parse().ok()?;
        Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(trueup_event::EventTime::from_micros(timestamp.as_microsecond()))
}

/// Refuses an address that other machines reach, unless that is asked for.
pub(crate) fn check_address(
    address: std::net::SocketAddr,
    is_allowed: bool,
) -> Result<(), Failure> {
    if address.ip().is_loopback() || is_allowed {
        return Ok(());
    }
    let message = format!("address can be reached from other machines: `{address}`");
    let hint = "there is no authentication: say `--allow-remote` behind a proxy that has it";
    Err(Failure::Usage(message, Some(hint.to_owned())))
}

/// Ends the program at once, as it is expected of one that was interrupted.
#[expect(clippy::exit, reason = "a person has asked twice")]
pub(crate) fn interrupted() -> ! {
    std::process::exit(130)
}

/// A version of the registry by its number, or the word for none.
pub(crate) fn version(number: Option<u64>) -> String {
    number.map_or("none".to_owned(), |number| number.to_string())
}
