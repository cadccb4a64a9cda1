//! The `otb` binary: everything lives in the library.

fn main() {}
