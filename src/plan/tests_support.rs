//! Plans for tests, from the part of a profile that says what is run and when.

use super::walk::Plan;
use crate::profile::{Input, load, no_files};

/// The plan of a profile against the sandbox.
pub(crate) fn plan_of(text: &str) -> Plan {
    let text = format!("[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n{text}");
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
