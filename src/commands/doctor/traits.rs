//! What a short listen says of an agent, and what the profile and its scripts should say accordingly.

use super::finding::Finding;
use rushhour_core::profile::Profile;
use rushhour_core::units::{Micros, Mode};

/// What was seen and heard of an agent that nobody spoke to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AgentTraits {
    /// From its joining until its first word, if it greeted.
    pub(crate) greeted_after: Option<Micros>,
    /// How long a greeting was waited for.
    pub(crate) listened_for: Micros,
    /// Whether it tells its state (`lk.agent.state`).
    pub(crate) tells_state: bool,
    /// Whether what it says is written as well (`lk.transcription`).
    pub(crate) is_transcribed: bool,
    /// Whether it reports on its session (`lk.agent.session`).
    pub(crate) reports_session: bool,
    /// The names of its audio tracks that are no microphone.
    pub(crate) background: Vec<String>,
}

/// What was found, with the lines to paste where the scripts do not fit.
pub(crate) fn agent_traits(traits: &AgentTraits, profile: &Profile, mode: Mode) -> Finding {
    let check = "agent in the room";
    let message = description(traits, mode);
    let scripts = || profile.mix.scenarios().into_iter().filter_map(|one| one.script.as_ref());
    let awaits_greeting = scripts().any(|script| script.greeting.is_some());
    let begins = scripts().any(|script| script.greeting.is_none());
    match traits.greeted_after {
        Some(after) if begins => Finding::warning(
            check,
            format!("{message}: a script without [greeting] may speak into its greeting"),
            format!("add to the script: [greeting] within = \"{}s\"", patience_secs(after)),
        ),
        None if awaits_greeting => Finding::warning(
            check,
            format!("{message}: runs whose script has a [greeting] would fail as agent_mute"),
            "remove [greeting] from the script, unless the agent greets later than that",
        ),
        Some(_) | None if !traits.tells_state => Finding::ok_with(
            check,
            message,
            "without its state only silence says that an answer is over; to the profile: [evaluator] quiet = \"1s\"",
        ),
        Some(_) | None => Finding::ok(check, message),
    }
}

/// Twice as long as it took, in whole seconds, and no less than the usual patience.
fn patience_secs(after: Micros) -> u64 {
    (after.0 * 2).div_ceil(1_000_000).max(10)
}

fn description(traits: &AgentTraits, mode: Mode) -> String {
    let greets = match traits.greeted_after {
        Some(after) => format!("greets {after} after joining"),
        None => format!("does not greet a {mode} caller within {}", traits.listened_for),
    };
    let state = if traits.tells_state { "tells its state" } else { "does not tell its state" };
    let mut parts = vec![greets, state.to_owned()];
    if traits.greeted_after.is_some() {
        // In chat the text is the greeting.
        if mode == Mode::Voice {
            let is = if traits.is_transcribed { "is" } else { "is not" };
            parts.push(format!("{is} transcribed"));
        }
        if traits.reports_session {
            parts.push("reports its own latencies".to_owned());
        }
    }
    if !traits.background.is_empty() {
        let names: Vec<String> = traits.background.iter().map(|name| format!("`{name}`")).collect();
        parts.push(format!("publishes audio that is not its voice ({})", names.join(", ")));
    }
    let last = parts.pop().unwrap_or_default();
    format!("{} and {last}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::finding::FindingState;
    use super::*;
    use rushhour_core::profile::testing::profile_of;
    use rushhour_core::profile::{ExpectedGreeting, Script};

    fn profile(has_greeting: bool) -> Profile {
        let mut profile = profile_of(
            "mode = \"voice\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n",
        );
        let greeting =
            has_greeting.then(|| ExpectedGreeting { expect: None, within: "5s".parse().unwrap() });
        if let rushhour_core::profile::ScenarioMix::Copies(list) = &mut profile.mix {
            list[0].0.script = Some(Script { greeting, turns: Vec::new() });
        }
        profile
    }

    fn greeting() -> AgentTraits {
        AgentTraits {
            greeted_after: Some(Micros::from_millis(6_200)),
            listened_for: Micros::from_secs(8),
            tells_state: true,
            is_transcribed: true,
            reports_session: true,
            background: vec!["background_audio".to_owned()],
        }
    }

    #[test]
    fn what_is_seen_is_said() {
        let found = agent_traits(&greeting(), &profile(true), Mode::Voice);
        assert_eq!((found.state, &found.hint), (FindingState::Ok, &None));
        assert_eq!(
            found.message,
            "greets 6.20s after joining, tells its state, is transcribed, reports its own latencies and publishes audio that is not its voice (`background_audio`)"
        );
        let waits = AgentTraits { listened_for: Micros::from_secs(8), ..AgentTraits::default() };
        let found = agent_traits(&waits, &profile(false), Mode::Chat);
        let message = "does not greet a chat caller within 8.00s and does not tell its state";
        assert_eq!((found.state, &*found.message), (FindingState::Ok, message));
        assert!(found.hint.unwrap().contains("quiet = \"1s\""));
    }

    #[test]
    fn scripts_that_do_not_fit_are_warned_of_with_the_lines_to_paste() {
        let found = agent_traits(&greeting(), &profile(false), Mode::Voice);
        assert_eq!(found.state, FindingState::Warning);
        assert_eq!(found.hint.unwrap(), "add to the script: [greeting] within = \"13s\"");
        let waits = AgentTraits { tells_state: true, ..AgentTraits::default() };
        let found = agent_traits(&waits, &profile(true), Mode::Voice);
        assert_eq!(found.state, FindingState::Warning);
        assert!(found.message.contains("agent_mute"), "{found:?}");
    }
}
