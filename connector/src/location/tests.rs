//! Wildcards and escapes; listings are tested from outside, on disk and in memory.

use super::glob::{matches, matches_path};
use super::*;

#[test]
fn wildcards_match_as_in_a_shell() {
    for (pattern, name, expected) in [
        ("*.parquet", "a.parquet", true),
        ("*.parquet", "a.parquet.crc", false),
        ("a*b*c", "aXbXbc", true),
        ("a*b*c", "aXbXb", false),
        ("part-?", "part-1", true),
        ("part-?", "part-12", false),
        ("part-[0-9a]", "part-a", true),
        ("part-[!0-9]", "part-7", false),
        ("part-[!0-9]", "part-x", true),
        ("part-[]", "part-[]", true),
        ("*", "", true),
        ("über-*", "über-ß", true),
    ] {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn two_stars_stand_for_folders_at_any_depth() {
    let split = |path: &str| path.split('/').map(str::to_string).collect::<Vec<_>>();
    for (pattern, path, expected) in [
        ("**/*.parquet", "a.parquet", true),
        ("**/*.parquet", "x/y/a.parquet", true),
        ("**/x/*.parquet", "x/y/a.parquet", false),
        ("**/y/*.parquet", "x/y/a.parquet", true),
        ("**", "x/y/a.parquet", true),
        ("dt=*/**/a.*", "dt=1/a.parquet", true),
    ] {
        assert_eq!(matches_path(&split(pattern), &split(path)), expected, "{pattern} {path}");
    }
}

#[test]
fn escapes_are_decoded_once() {
    assert_eq!(percent_decoded("10%3A30%25"), "10:30%");
    assert_eq!(percent_decoded("100%"), "100%");
    assert_eq!(percent_decoded("%zz%é"), "%zz%é");
}
