//! What `trueup init` writes: a small project that runs at once, with data of its own.
//!
//! The data is made up, the same on every machine: whole-number random words and the four basic
//! operations, no clock and no platform mathematics.

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// The text files of the project: path and content.
#[must_use]
pub fn files() -> [(&'static str, &'static str); 3] {
    [
        ("trueup.toml", include_str!("template/trueup.toml")),
        ("pipelines/eta.toml", include_str!("template/eta.toml")),
        ("README.md", include_str!("template/README.md")),
    ]
}

/// The data files of the project, to be written as Parquet: path and rows, in event-time order.
#[must_use]
pub fn data() -> [(&'static str, RecordBatch); 2] {
    let orders = orders();
    let mut delivered: Vec<&Order> = orders.iter().filter(|order| order.is_delivered).collect();
    delivered.sort_by_key(|order| (order.delivered_at(), order.id));
    [
        ("data/estimates.parquet", estimates(&orders)),
        ("data/deliveries.parquet", deliveries(&delivered)),
    ]
}

/// 2024-03-04T00:00:00 in Amsterdam, a Monday.
const START_MICROS: i64 = 1_709_506_800_000_000;
const MINUTE_MICROS: i64 = 60_000_000;
const DAYS: u64 = 21;
const ORDERS: u64 = 5000;
/// The day, from 0, on which the bridge to the harbour closes.
const BRIDGE_CLOSES_DAY: u64 = 10;
const RUSH_HOURS: std::ops::Range<u64> = 18..21;

const DISTRICTS: [&str; 6] = ["harbour", "market", "north", "old town", "station", "west"];
const VEHICLES: [&str; 3] = ["bike", "car", "scooter"];
/// Orders per hour of the day, as weights.
const HOURS: [u64; 24] =
    [1, 0, 0, 0, 0, 0, 0, 1, 2, 2, 3, 6, 10, 8, 4, 3, 4, 9, 14, 15, 11, 6, 3, 2];

#[derive(Debug)]
struct Order {
    id: i64,
    asked_at: i64,
    district: &'static str,
    vehicle: &'static str,
    distance_km: f64,
    items: i64,
    eta_minutes: f64,
    actual_minutes: f64,
    is_delivered: bool,
}

impl Order {
    fn delivered_at(&self) -> i64 {
        self.asked_at + (self.actual_minutes * MINUTE_MICROS as f64) as i64
    }
}

fn orders() -> Vec<Order> {
    let mut random = Random(20_240_304);
    let mut orders: Vec<Order> =
        (0..ORDERS).map(|i| order(i * DAYS / ORDERS, &mut random)).collect();
    orders.sort_by_key(|order| order.asked_at);
    for (id, order) in (100_001..).zip(&mut orders) {
        order.id = id;
    }
    orders
}

fn order(day: u64, random: &mut Random) -> Order {
    let hour = random.weighted(&HOURS);
    let minute = (day * 24 + hour) * 60 + random.below(60);
    let asked_at =
        START_MICROS + minute as i64 * MINUTE_MICROS + random.below(60) as i64 * 1_000_000;
    let district = DISTRICTS[random.below(6) as usize];
    let vehicle = VEHICLES[random.weighted(&[5, 2, 3]) as usize];
    let distance_km = tenths(0.6 + 4.4 * random.share() * random.share() + 1.5 * random.share());
    let items = 1 + random.weighted(&[5, 4, 2, 1]) as i64;
    let per_km = match vehicle {
        "bike" => 4.4,
        "car" => 3.0,
        _ => 3.2,
    };
    let eta_minutes = (11.0 + 0.8 * items as f64 + per_km * distance_km).round();
    let bias = bias(day, hour, district, vehicle);
    // The slow deliveries are slower than the fast ones are fast.
    let luck = random.normal();
    let actual = eta_minutes + bias + 2.2 * luck + 0.9 * luck * luck - 0.9;
    Order {
        id: 0,
        asked_at,
        district,
        vehicle,
        distance_km,
        items,
        eta_minutes,
        actual_minutes: tenths(actual.max(4.0)),
        is_delivered: random.below(100) > 1,
    }
}

/// By how many minutes the primary model is too short, on average.
fn bias(day: u64, hour: u64, district: &str, vehicle: &str) -> f64 {
    let rush = if RUSH_HOURS.contains(&hour) { 3.5 } else { 0.0 };
    let place = match (district, vehicle) {
        ("harbour", "bike") if day >= BRIDGE_CLOSES_DAY => 7.0,
        ("harbour", _) if day >= BRIDGE_CLOSES_DAY => 12.0,
        ("harbour", _) => 4.0,
        ("station", "car") => 3.0,
        ("old town", "car") => 5.0,
        ("old town", "bike") => -2.0,
        ("west", _) => -1.5,
        _ => 0.5,
    };
    rush + place
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn estimates(orders: &[Order]) -> RecordBatch {
    let integers = |of: fn(&Order) -> i64| -> ArrayRef {
        Arc::new(orders.iter().map(of).collect::<Int64Array>())
    };
    let numbers = |of: fn(&Order) -> f64| -> ArrayRef {
        Arc::new(orders.iter().map(|order| Some(of(order))).collect::<Float64Array>())
    };
    let texts = |of: fn(&Order) -> &'static str| -> ArrayRef {
        Arc::new(orders.iter().map(|order| Some(of(order))).collect::<StringArray>())
    };
    batch(vec![
        ("order_id", integers(|order| order.id)),
        ("asked_at", times(orders.iter().map(|order| order.asked_at))),
        ("district", texts(|order| order.district)),
        ("vehicle", texts(|order| order.vehicle)),
        ("distance_km", numbers(|order| order.distance_km)),
        ("items", integers(|order| order.items)),
        ("eta_minutes", numbers(|order| order.eta_minutes)),
    ])
}

fn deliveries(orders: &[&Order]) -> RecordBatch {
    let ids = orders.iter().map(|order| order.id).collect::<Int64Array>();
    let actual = orders.iter().map(|order| Some(order.actual_minutes)).collect::<Float64Array>();
    batch(vec![
        ("order_id", Arc::new(ids)),
        ("delivered_at", times(orders.iter().map(|order| order.delivered_at()))),
        ("actual_minutes", Arc::new(actual)),
    ])
}

fn times(micros: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("the columns are of equal length")
}

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number from 0 to `bound - 1`; the bias of the remainder is far below what 5,000 rows show.
    fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }

    /// A number from 0 to just below 1.
    fn share(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A place in `weights`, as often as its weight says.
    fn weighted(&mut self, weights: &[u64]) -> u64 {
        let mut left = self.below(weights.iter().sum());
        for (place, weight) in (0..).zip(weights) {
            if left < *weight {
                return place;
            }
            left -= weight;
        }
        unreachable!("what is left is below the sum of the weights")
    }

    /// Nearly normal, of mean 0 and variance 1: the sum of twelve shares (Irwin and Hall).
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Definition, Project, Schemas};
    use std::path::Path;

    #[test]
    fn the_project_passes_with_its_data() {
        let [(file, text), (path, definition), _] = files();
        let project = Project::read(Path::new("."), file, text).expect("is right");
        let definition = Definition::read("eta", path, definition).expect("is right");
        let [(_, estimates), (_, deliveries)] = data();
        let schemas = Schemas::from([
            ("estimates".to_owned(), estimates.schema()),
            ("deliveries".to_owned(), deliveries.schema()),
        ]);
        let checked = definition.check(&project, Some(&schemas));
        let checked = checked.unwrap_or_else(|faults| panic!("{faults}"));
        assert!(checked.warnings.is_empty(), "{}", checked.warnings);
        let environment = project.environment(None).expect("needs no variable");
        for (name, (path, _)) in ["estimates", "deliveries"].iter().zip(data()) {
            let location = project.location(&environment, name).expect("is said");
            assert_eq!(location.files(), Some(path));
        }
    }

    #[test]
    fn the_data_is_frozen_and_has_something_to_learn() {
        let orders = orders();
        let mean = |of: &dyn Fn(&Order) -> bool| {
            let errors: Vec<f64> = orders
                .iter()
                .filter(|order| of(order))
                .map(|order| order.actual_minutes - order.eta_minutes)
                .collect();
            errors.iter().sum::<f64>() / errors.len() as f64
        };
        let closes = START_MICROS + BRIDGE_CLOSES_DAY as i64 * 24 * 60 * MINUTE_MICROS;
        let before = mean(&|order| order.district == "harbour" && order.asked_at < closes);
        let after = mean(&|order| order.district == "harbour" && order.asked_at >= closes);
        assert!((4.0..6.0).contains(&before) && after > before + 4.0, "{before} {after}");
        assert!(orders.windows(2).all(|pair| pair[0].asked_at <= pair[1].asked_at));
        let sum: f64 = orders.iter().map(|order| order.actual_minutes * 10.0).sum();
        assert_eq!((orders.len(), sum.round() as i64), (5000, 1_215_544));
    }
}
