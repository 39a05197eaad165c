//! Plans for tests, from the part of a profile that says what is run and when.

use super::walk::Plan;
use crate::profile::{Input, load, no_files};

/// The plan of a profile against the sandbox; where it has a mode, on its first line.
pub(crate) fn plan_of(text: &str) -> Plan {
    let (mode, rest) = match text.split_once('\n') {
        Some((mode, rest)) if mode.starts_with("mode") => (mode, rest),
        _ => ("", text),
    };
    let text = format!("{mode}\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n{rest}");
    let input = Input {
        file: "p.toml",
        bytes: text.as_bytes(),
        environment: &[],
        flags: &[],
        files: &no_files,
    };
    let loaded = load(input)
        .unwrap_or_else(|refused| panic!("{}", crate::profile::explain(&refused, false)));
    Plan::new(loaded.profile)
}
