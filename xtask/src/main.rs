//! Set-up, tests, demo and benchmarks of the project.
fn main() {}
