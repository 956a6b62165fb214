//! What names of columns suggest: estimates, outcomes, units, points in time, identifiers.

/// The words of a name, in lower case: `etaMinutes` and `ETA_minutes` have two.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() || c.is_uppercase() && before.is_lowercase() {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// How much a name sounds like an entry of `sure` (2) or of `maybe` (1).
fn score(name: &str, sure: &[&str], maybe: &[&str]) -> u32 {
    let has = |list: &[&str]| words(name).iter().any(|word| list.contains(&word.as_str()));
    if has(sure) { 2 } else { u32::from(has(maybe)) }
}

/// How much a name sounds like an estimate.
pub(super) fn estimate(name: &str) -> u32 {
    let sure = [
        "eta",
        "estimate",
        "estimated",
        "est",
        "pred",
        "prediction",
        "predicted",
        "forecast",
        "forecasted",
        "expected",
        "yhat",
    ];
    score(name, &sure, &["scheduled", "planned", "promised", "quoted", "baseline", "model"])
}

/// How much a name sounds like what came true.
pub(super) fn outcome(name: &str) -> u32 {
    let sure = [
        "actual", "actuals", "truth", "true", "observed", "outcome", "label", "target", "realized",
        "realised",
    ];
    score(name, &sure, &["real", "final", "took", "elapsed", "duration", "measured", "y"])
}

/// How much a name sounds like the moment at which a question is asked.
pub(super) fn asked(name: &str) -> u32 {
    let sure = ["asked", "requested", "request", "created", "departed", "pickup", "placed"];
    score(name, &sure, &["departure", "start", "started", "ordered", "issued", "shown", "begin"])
}

/// How much a name sounds like the moment at which something came true.
pub(super) fn came_true(name: &str) -> u32 {
    let sure = ["arrived", "delivered", "completed", "finished", "dropoff", "closed", "resolved"];
    score(name, &sure, &["arrival", "end", "ended", "done", "actual", "delivery", "landed"])
}

/// Whether a name sounds like an identifier.
pub(super) fn is_identifier(name: &str) -> bool {
    let list = ["id", "ids", "uuid", "guid", "key", "code", "number", "no", "nr", "tail", "token"];
    score(name, &list, &[]) > 0
}

/// Whether a name sounds like a place in a calendar or on a clock.
pub(super) fn is_calendar(name: &str) -> bool {
    score(name, &["hour", "day", "weekday", "dow", "week", "month", "year", "quarter"], &[]) > 0
}

/// Whether a name sounds like a point in time.
pub(super) fn is_moment(name: &str) -> bool {
    score(name, &["at", "time", "timestamp", "ts", "date", "datetime", "epoch"], &[]) > 0
}

/// Whether a name sounds like something that is counted or measured.
pub(super) fn is_measure(name: &str) -> bool {
    let list = [
        "miles",
        "km",
        "meters",
        "metres",
        "distance",
        "delay",
        "count",
        "items",
        "size",
        "weight",
        "price",
        "amount",
        "qty",
        "quantity",
        "speed",
        "temperature",
        "temp",
        "age",
        "load",
        "num",
        "rate",
        "score",
        "total",
        "length",
        "width",
        "height",
        "volume",
        "stops",
        "passengers",
    ];
    score(name, &list, &[]) > 0 || unit(name).is_some()
}

/// The unit that a name ends with.
pub(super) fn unit(name: &str) -> Option<&'static str> {
    const UNITS: [(&str, &[&str]); 12] = [
        ("milliseconds", &["milliseconds", "millis", "ms"]),
        ("seconds", &["second", "seconds", "sec", "secs", "s"]),
        ("minutes", &["minute", "minutes", "min", "mins"]),
        ("hours", &["hour", "hours", "hr", "hrs", "h"]),
        ("days", &["days"]),
        ("dollars", &["usd", "dollars"]),
        ("euros", &["eur", "euros"]),
        ("cents", &["cents"]),
        ("kilometres", &["km", "kilometers", "kilometres"]),
        ("miles", &["mi", "miles"]),
        ("kilowatt hours", &["kwh"]),
        ("percent", &["percent", "pct"]),
    ];
    let last = words(name).pop()?;
    UNITS.iter().find(|(_, words)| words.contains(&last.as_str())).map(|(unit, _)| *unit)
}

/// The name of the longitude that goes with a latitude, and what is left of both.
pub(super) fn longitude_of(latitude: &str) -> Option<(Vec<String>, String)> {
    let lower = latitude.to_lowercase();
    for (north, easts) in [("latitude", ["longitude", "long"]), ("lat", ["lon", "lng"])] {
        if words(latitude).iter().any(|word| word == north) {
            let rest: Vec<String> =
                words(latitude).into_iter().filter(|word| word != north).collect();
            let names = easts.iter().map(|east| lower.replacen(north, east, 1));
            return Some((names.collect(), rest.join("_")));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_heard_as_people_mean_them() {
        assert_eq!(words("etaMinutes"), ["eta", "minutes"]);
        assert_eq!(words("ETA_minutes"), ["eta", "minutes"]);
        assert!(estimate("predicted_eta") > estimate("scheduled_time"));
        assert!(outcome("actual_minutes") > 0 && outcome("eta_minutes") == 0);
        assert_eq!(unit("duration_secs"), Some("seconds"));
        assert_eq!(unit("carrier"), None);
        assert!(is_identifier("trip_id") && !is_identifier("idle_minutes"));
        let (easts, rest) = longitude_of("pickup_lat").expect("a latitude");
        assert!(easts.contains(&"pickup_lng".to_owned()) && rest == "pickup");
    }
}
