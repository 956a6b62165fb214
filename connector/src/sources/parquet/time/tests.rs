//! The stretch that is remembered never changes an answer.

use super::*;
use proptest::prelude::*;

fn half_hours(count: i64) -> i64 {
    count * 1_800_000_000 - 1
}

proptest! {
    #[test]
    fn an_answer_does_not_depend_on_the_one_before(
        zone in prop::sample::select(vec![
            "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca",
            "Europe/Dublin", "Asia/Kathmandu", "+05:45", "-12",
        ]),
        // Half-hours from 1880 to 2100, and the ends of the calendar.
        locals in prop::collection::vec(
            prop_oneof![(-1_600_000_i64..2_300_000).prop_map(half_hours), any::<i64>()],
            1..40,
        ),
    ) {
        let Ok(Zone::Local(mut remembering)) = zone_named(zone) else { panic!("no zone {zone}") };
        for local in locals {
            let direct = Timestamp::from_microsecond(local).ok().and_then(|as_utc| {
                let civil = Offset::UTC.to_datetime(as_utc);
                remembering.zone.to_ambiguous_timestamp(civil).compatible().ok()
            });
            prop_assert_eq!(remembering.instant(local), direct.map_or(NO_TIME, micros));
            // A second time, from memory where there is one.
            prop_assert_eq!(remembering.instant(local), direct.map_or(NO_TIME, micros));
        }
    }
}

#[test]
fn offsets_are_read_as_people_write_them() {
    let seconds = |name| offset_named(name).map(Offset::seconds);
    assert_eq!(seconds("+02:00"), Some(7200));
    assert_eq!(seconds("-0330"), Some(-12_600));
    assert_eq!(seconds("+14"), Some(50_400));
    for wrong in ["", "+", "02:00", "+2", "+02:60", "+99", "+é1", "UTC"] {
        assert_eq!(seconds(wrong), None, "{wrong}");
    }
}
