//! libFuzzer against [`trueup_fuzz::project_toml`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    trueup_fuzz::project_toml(bytes);
});
