//! Mistakes and the messages they get.
