//! Searches of simulated agents whose limit is known, for tests.

use super::rules::Rules;
use crate::profile::{Input, Profile, load, no_files};

/// The rules of a profile whose `[capacity]` says this.
pub(super) fn rules(capacity: &str) -> Rules {
    Rules::of(&profile(capacity))
}

/// A profile whose `[capacity]` says this.
pub(super) fn profile(capacity: &str) -> Profile {
    let text = format!(
        "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 1\nlasts = \"10s\"\n[[stage]]\nhold = 2\nlasts = \"1m\"\n[thresholds]\nfailed = \"< 5%\"\n[limits]\nin_flight = 1000\n[capacity]\n{capacity}\n"
    );
    let input = Input {
        file: "p.toml",
        bytes: text.as_bytes(),
        environment: &[],
        flags: &[],
        files: &no_files,
    };
    load(input).expect("it is valid").profile
}
