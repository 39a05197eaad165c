//! The `rushhour` binary: everything it does is in [`rushhour::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    rushhour::cli::main()
}
