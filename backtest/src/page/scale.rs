//! Scales: from values to places on a plot, and the ticks people expect.

/// A linear scale; the ends may be given in either order of places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Scale {
    /// The place of a value.
    pub(super) fn at(&self, value: f64) -> f64 {
        let width = self.until - self.from;
        if width == 0.0 {
            return (self.start + self.end) / 2.0;
        }
        self.start + (value - self.from) / width * (self.end - self.start)
    }

    /// The place of a value, held inside the scale.
    pub(super) fn clamped(&self, value: f64) -> f64 {
        self.at(value.clamp(self.from.min(self.until), self.from.max(self.until)))
    }
}

/// Round values that cover `low` to `high` in about `count` steps, ends included.
pub(super) fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let is_usable = low < high && (high - low).is_finite();
    let (low, high) = if is_usable { (low, high) } else { (0.0, 1.0) };
    let step = round_step((high - low) / count.max(1) as f64);
    let first = (low / step).floor() as i64;
    let last = (high / step - 1e-9).ceil() as i64;
    (first..=last).map(|tick| tick as f64 * step).collect()
}

/// 1, 2, 2.5 or 5 times a power of ten, at least `step`.
fn round_step(step: f64) -> f64 {
    let magnitude = 10_f64.powi(step.log10().floor() as i32);
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let fits = factors.into_iter().find(|factor| factor * magnitude >= step * (1.0 - 1e-9));
    fits.unwrap_or(10.0) * magnitude
}

/// How many decimals the ticks of an axis need.
pub(super) fn tick_decimals(ticks: &[f64]) -> usize {
    let step = match ticks {
        [first, second, ..] => second - first,
        [_] | [] => return 0,
    };
    let needs = |decimals: &usize| {
        let scaled = step * 10_f64.powi(*decimals as i32);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.abs().max(1e-300)
    };
    (0..9).find(needs).unwrap_or(9)
}

/// Days since 1970-01-01, with their fraction, of `2013-01-01` or `2013-01-01T10:17:42Z`.
pub(super) fn day_of(text: &str) -> Option<f64> {
    let (date, clock) = text.trim_end_matches('Z').split_once('T').unwrap_or((text, ""));
    let mut parts = date.rsplitn(3, '-');
    let day: i64 = parts.next()?.parse().ok()?;
    let month: i64 = parts.next()?.parse().ok()?;
    let year: i64 = parts.next()?.parse().ok()?;
    let is_sound = (1..=12).contains(&month) && (1..=31).contains(&day) && year.abs() < 100_000;
    if !is_sound {
        return None;
    }
    let mut seconds = 0.0;
    for (part, size) in clock.split(':').zip([3600.0, 60.0, 1.0]) {
        if !part.is_empty() {
            seconds += part.parse::<f64>().ok()? * size;
        }
    }
    Some(days_from_civil(year, month, day) as f64 + seconds / 86_400.0)
}

/// Days since 1970-01-01. Source: Howard Hinnant, *chrono-Compatible Low-Level Date Algorithms*.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A tick of a time axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeTick {
    /// Days since 1970-01-01.
    pub(super) day: f64,
    /// What stands beneath it: `Feb`, `14 Feb`, `2013`.
    pub(super) text: String,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// At most about `count` ticks over days `from` to `until`: years, months, or days.
pub(super) fn time_ticks(from: f64, until: f64, count: usize) -> Vec<TimeTick> {
    let days = (until - from).max(0.0);
    let room = count.max(2) as f64;
    if days > 366.0 * room / 2.0 {
        let every = (days / 365.25 / room).ceil().max(1.0) as i64;
        return months(from, until, 12 * every, |year, _| year.to_string());
    }
    if days > 45.0 {
        let least = days / 30.44 / room;
        let every = [1, 2, 3, 6].into_iter().find(|&step| f64::from(step) >= least).unwrap_or(12);
        return months(from, until, i64::from(every), |year, month| match month {
            0 => year.to_string(),
            month => MONTHS[month].to_owned(),
        });
    }
    let every = [1, 2, 7, 14].into_iter().find(|&step| days / f64::from(step) <= room);
    let every = i64::from(every.unwrap_or(14));
    let first = (from.ceil() as i64 + every - 1).div_euclid(every) * every;
    let ticks = (0..).map(|n| first + n * every).take_while(|&day| day as f64 <= until);
    ticks.map(|day| TimeTick { day: day as f64, text: short_day(day) }).collect()
}

fn months(from: f64, until: f64, every: i64, name: impl Fn(i64, usize) -> String) -> Vec<TimeTick> {
    let (year, month, _) = civil(from.floor() as i64);
    let start = (year * 12 + month - 1).div_euclid(every) * every;
    let tick = |n: i64| {
        let (year, month) = (n.div_euclid(12), n.rem_euclid(12));
        let day = days_from_civil(year, month + 1, 1) as f64;
        TimeTick { day, text: name(year, month as usize) }
    };
    let all = (0..).map(|n| tick(start + n * every));
    all.skip_while(|tick| tick.day < from).take_while(|tick| tick.day <= until).collect()
}

fn short_day(day: i64) -> String {
    let (_, month, day) = civil(day);
    format!("{day} {}", MONTHS[(month - 1) as usize])
}

fn civil(days: i64) -> (i64, i64, i64) {
    let text = trueup_event::EventTime::from_micros(days * 86_400_000_000).to_string();
    let mut parts = text[..text.find('T').unwrap_or(text.len())].rsplitn(3, '-');
    let mut part = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(1);
    let (day, month, year) = (part(), part(), part());
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_found() {
        assert_eq!(day_of("1970-01-01"), Some(0.0));
        assert_eq!(day_of("2013-01-01T06:00:00Z"), Some(15_706.25));
        assert_eq!(day_of("2000-02-29T12:00:00.000Z"), Some(11_016.5));
        for wrong in ["", "soon", "2013-13-01", "2013-01-01Tnoon"] {
            assert_eq!(day_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ticks_are_round_and_cover() {
        assert_eq!(ticks(0.0, 14.49, 5), [0.0, 5.0, 10.0, 15.0]);
        assert_eq!(
            ticks(-0.3, 0.12, 4),
            [-0.4, -0.2, 0.0, 0.2].map(|t: f64| (t / 0.2).round() * 0.2)
        );
        assert_eq!(ticks(3.0, 3.0, 4).len(), 5);
        assert_eq!(tick_decimals(&[0.0, 0.25]), 2);
        let texts = |from, until, count| -> Vec<_> {
            time_ticks(from, until, count).into_iter().map(|tick| tick.text).collect()
        };
        assert_eq!(texts(15_706.0, 15_800.0, 8), ["2013", "Feb", "Mar", "Apr"]);
        assert_eq!(texts(15_706.0, 15_709.0, 8), ["1 Jan", "2 Jan", "3 Jan", "4 Jan"]);
        assert_eq!(texts(15_706.0, 19_000.0, 5).len(), 5);
    }
}
