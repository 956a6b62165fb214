//! libFuzzer against [`trueup_fuzz::pipeline_toml`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    trueup_fuzz::pipeline_toml(bytes);
});
