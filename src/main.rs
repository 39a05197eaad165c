//! The `rushhour` binary.
fn main() {}
