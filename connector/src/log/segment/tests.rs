//! Damage anywhere leaves the longest sound beginning.
