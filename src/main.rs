//! The `entrepot` command: parses arguments and composes the parts.
fn main() {}
