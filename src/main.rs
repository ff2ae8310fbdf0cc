//! The `striate` program: parses arguments and routes to window, command line or worker.

fn main() {}
