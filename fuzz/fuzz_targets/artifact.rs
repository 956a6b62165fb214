//! libFuzzer against [`trueup_fuzz::artifact`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    trueup_fuzz::artifact(bytes);
});
