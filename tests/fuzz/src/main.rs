//! One fuzzer for all parsers; the environment variable PARSER chooses one.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "../../parsers.rs"]
mod parsers;

static PARSER: LazyLock<parsers::Parser> = LazyLock::new(|| {
    let wanted = std::env::var("PARSER").expect("PARSER names a folder of tests/corpus");
    let found = parsers::PARSERS.iter().find(|(name, _)| *name == wanted);
    found.unwrap_or_else(|| panic!("no parser is called {wanted}")).1
});

fuzz_target!(|bytes: &[u8]| PARSER(bytes));
