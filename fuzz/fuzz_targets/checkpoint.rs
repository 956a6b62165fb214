//! libFuzzer against [`trueup_fuzz::checkpoint`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    trueup_fuzz::checkpoint(bytes);
});
