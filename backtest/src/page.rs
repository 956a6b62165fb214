//! Placeholder by the lead so that the crate compiles; its owner replaces it whole.
#![allow(missing_docs)]
pub fn html(_: &crate::Report) -> String {
    String::new()
}
