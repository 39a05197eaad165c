//! Plans for tests, from the scenarios and stages of a profile.

use super::schedule::Plan;
use crate::profile::testing::profile_of;

/// The plan of a profile against the sandbox. If the text sets `mode`, it does so on its first line.
pub fn plan_of(text: &str) -> Plan {
    let (mode, rest) = match text.split_once('\n') {
        Some((mode, rest)) if mode.starts_with("mode") => (mode, rest),
        _ => ("", text),
    };
    let text = format!("{mode}\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n{rest}");
    Plan::new(profile_of(&text))
}
