//! Plans for tests, from the scenarios and stages of a profile.

use super::schedule::Plan;
use crate::profile::testing::profile_of;
use crate::profile::{ProfileInput, explain, load};

/// The plan of a profile against the sandbox. If the text sets `mode`, it does so on its first line.
pub fn plan_of(text: &str) -> Plan {
    let (mode, rest) = match text.split_once('\n') {
        Some((mode, rest)) if mode.starts_with("mode") => (mode, rest),
        _ => ("", text),
    };
    let text = format!("{mode}\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n{rest}");
    Plan::new(profile_of(&text))
}

/// The plan of a profile of native callers in chat, whose scenarios name `script` as `s.toml`.
pub fn native_plan_of(text: &str, script: &str) -> Plan {
    let text = format!(
        "mode = \"chat\"\n[livekit]\nurl = \"ws://127.0.0.1:7880\"\nagent = \"a\"\n[evaluator]\nkind = \"native\"\n{text}"
    );
    let loaded = load(ProfileInput {
        file: "p.toml",
        bytes: text.as_bytes(),
        environment: &[],
        flags: &[],
        read_file: &|_| Ok(script.as_bytes().to_vec()),
    });
    Plan::new(loaded.unwrap_or_else(|error| panic!("{}", explain(&error, false))).profile)
}
