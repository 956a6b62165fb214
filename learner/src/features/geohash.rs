//! Geohash cells (Niemeyer, 2008): base-32 texts of interleaved halvings of longitude and latitude.

use super::scalar::{Canonical, Refusal};

/// The most characters of a cell.
pub(super) const PRECISION_MAX: u8 = 12;
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
const BITS: u32 = 30;

/// A cell's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    text: [u8; PRECISION_MAX as usize],
    precision: u8,
}

impl Cell {
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.precision.into()]).expect("the alphabet is ASCII")
    }
}

/// The cell of a place, after checking that both degrees are on the globe.
pub(super) fn cell(
    latitude: (&str, f64),
    longitude: (&str, f64),
    precision: u8,
) -> Result<Canonical<'static>, Refusal> {
    let north = halvings(latitude, 90.0, "latitude")?;
    let east = halvings(longitude, 180.0, "longitude")?;
    let interleaved = spread(east) << 1 | spread(north);
    let mut text = [0; PRECISION_MAX as usize];
    for (place, character) in text.iter_mut().enumerate() {
        let shift = 5 * (PRECISION_MAX as usize - 1 - place);
        *character = ALPHABET[(interleaved >> shift & 31) as usize];
    }
    Ok(Canonical::Cell(Cell { text, precision }))
}

/// Which of the 2^30 equal parts of `-limit..limit` the degrees are in: thirty exact halvings.
fn halvings((column, degrees): (&str, f64), limit: f64, what: &str) -> Result<u64, Refusal> {
    if !(-limit..=limit).contains(&degrees) {
        return Err(Refusal::malformed(format!(
            "{what} in column `{column}` is outside -{limit} to {limit}: `{degrees}`"
        )));
    }
    let parts = (1_u64 << BITS) as f64;
    let lower = |part: u64| part as f64 * (2.0 * limit / parts) - limit;
    let scaled = ((degrees + limit) / (2.0 * limit) * parts) as u64;
    let part = scaled.min((1 << BITS) - 1);
    // The scaling rounds; the bounds of the parts are exact.
    if degrees < lower(part) {
        Ok(part - 1)
    } else if part + 1 < 1 << BITS && degrees >= lower(part + 1) {
        Ok(part + 1)
    } else {
        Ok(part)
    }
}

/// Moves bit `i` to bit `2 i`.
fn spread(mut word: u64) -> u64 {
    for (shift, mask) in [
        (16, 0x0000_FFFF_0000_FFFF),
        (8, 0x00FF_00FF_00FF_00FF),
        (4, 0x0F0F_0F0F_0F0F_0F0F),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        word = (word | word << shift) & mask;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(latitude: f64, longitude: f64, precision: u8) -> String {
        cell(("lat", latitude), ("lon", longitude), precision).expect("on the globe").to_string()
    }

    #[test]
    fn known_cells() {
        assert_eq!(text(57.64911, 10.40744, 11), "u4pruydqqvj");
        assert_eq!(text(42.605, -5.603, 5), "ezs42");
        assert_eq!(text(37.7749, -122.4194, 6), "9q8yyk");
        assert_eq!(text(40.7580, -73.9855, 6), "dr5ru7");
    }

    #[test]
    fn parts_are_those_of_thirty_halvings() {
        let halved = |degrees: f64, limit: f64| {
            let (mut low, mut high, mut bits) = (-limit, limit, 0);
            for _ in 0..BITS {
                let middle = (low + high) / 2.0;
                bits <<= 1;
                if degrees >= middle {
                    bits |= 1;
                    low = middle;
                } else {
                    high = middle;
                }
            }
            bits
        };
        let mut word = 7_u64;
        for _ in 0..100_000 {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Half of them stand on the bound of a part, or one step beside it.
            let degrees = match word >> 33 & 3 {
                0 => f64::from_bits(((word >> 34) as f64 / (1_u64 << 30) as f64 * 90.0).to_bits()),
                1 => ((word >> 34) as f64 * (180.0 / (1_u64 << 30) as f64) - 90.0).next_down(),
                _ => (word >> 34) as f64 * (180.0 / (1_u64 << 30) as f64) - 90.0,
            };
            let found = halvings(("lat", degrees.max(-90.0)), 90.0, "latitude");
            assert_eq!(found, Ok(halved(degrees.max(-90.0), 90.0)), "{degrees}");
        }
        for degrees in [-90.0, -0.0, 0.0, 90.0] {
            assert_eq!(halvings(("lat", degrees), 90.0, "latitude"), Ok(halved(degrees, 90.0)));
        }
    }

    #[test]
    fn places_off_the_globe_are_refused() {
        let refusal = cell(("lat", 90.5), ("lon", 0.0), 6).expect_err("off the globe");
        assert_eq!(refusal.detail, "latitude in column `lat` is outside -90 to 90: `90.5`");
        assert!(cell(("lat", 0.0), ("lon", -180.1), 6).is_err());
    }
}
