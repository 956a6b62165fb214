//! libFuzzer against [`trueup_fuzz::parquet`].
#![no_main]

// A panic inside the Parquet decoder is caught and becomes an error, which is no crash: the hook
// that ends the process at once gives way to one that does nothing.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |bytes: &[u8]| {
    trueup_fuzz::parquet(bytes);
});
