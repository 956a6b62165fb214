//! libFuzzer against [`trueup_fuzz::duration`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    trueup_fuzz::duration(bytes);
});
