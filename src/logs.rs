//! Logs on standard error: lines for people, or JSON for machines.

use tracing::Level;

/// Begins to log. `TRUEUP_LOG` names the level: `error`, `warn`, `info` (the default), `debug`.
pub(crate) fn begin(json: bool) {
    let level = std::env::var("TRUEUP_LOG").ok().and_then(|level| level.parse().ok());
    let level = level.unwrap_or(Level::INFO);
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level);
    // Logging begins once; a second beginning changes nothing.
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_target(false).with_ansi(false).compact().try_init()
    };
}
