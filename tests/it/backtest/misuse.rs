//! What goes wrong is told with its place and its remedy, on standard error, with the right code.
