//! What a short listen says of an agent, and what the profile and its scripts should say accordingly.

use super::finding::Finding;
use rushhour_core::profile::{EvaluatorSettings, Profile, Script};
use rushhour_core::units::{Micros, Mode};
use rushhour_report::render::listed;

/// The name of the track on which LiveKit's framework plays ambience.
const BACKGROUND_AUDIO: &str = "background_audio";

/// How long an agent that tells no state may pause within an answer.
const PAUSE_WITHOUT_STATE: Micros = Micros::from_secs(1);

/// What was seen and heard of an agent, to which at most one turn was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(crate) struct AgentTraits {
    /// From its joining until its first word, if it greeted.
    pub(crate) greeted_after: Option<Micros>,
    /// How long a greeting was waited for.
    pub(crate) listened_for: Micros,
    /// What it answered, if it did not greet.
    pub(crate) answer: FirstAnswer,
    /// Whether it tells its state (`lk.agent.state`).
    pub(crate) tells_state: bool,
    /// Whether what it says is written as well (`lk.transcription`).
    pub(crate) is_transcribed: bool,
    /// Whether it reports on its session (`lk.agent.session`).
    pub(crate) reports_session: bool,
    /// The track of its voice.
    pub(crate) track: VoiceTrack,
    /// Whether an avatar speaks for it.
    pub(crate) has_avatar: bool,
    /// How many agents are in the room.
    pub(crate) agents: usize,
}

/// The answer of an agent that did not greet to the script's first turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FirstAnswer {
    /// Nothing was said to it.
    #[default]
    NotAsked,
    /// It came so long after the turn.
    Came(Micros),
    /// It did not come within that time.
    Missing(Micros),
}

impl AgentTraits {
    /// Whether it said something.
    const fn has_spoken(&self) -> bool {
        self.greeted_after.is_some() || matches!(self.answer, FirstAnswer::Came(_))
    }
}

/// Where the agent's voice was found, by the rule of our callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VoiceTrack {
    /// It has one, beside other audio tracks of these names.
    Beside(Vec<String>),
    /// It is none of these tracks; the likeliest first.
    NoneOf(Vec<String>),
    /// It has one, which is encrypted end to end.
    Encrypted,
}

impl Default for VoiceTrack {
    fn default() -> Self {
        Self::NoneOf(Vec::new())
    }
}

/// What was found, with the lines to paste where profile or scripts do not fit.
pub(crate) fn agent_traits(traits: &AgentTraits, profile: &Profile, mode: Mode) -> Finding {
    let check = "agent in the room";
    let message = description(traits, mode);
    if mode == Mode::Voice && traits.track == VoiceTrack::Encrypted {
        return Finding::failed(
            check,
            format!("{message}: its audio is encrypted end to end, and our callers cannot hear it"),
            "dispatch an agent without end-to-end encryption for the test",
        );
    }
    let misfits = misfits(traits, profile, mode);
    if misfits.is_empty() {
        return match quiet_line(traits, profile) {
            Some(line) => Finding::ok_with(
                check,
                message,
                format!("without its state only silence says that an answer is over; {line}"),
            ),
            None => Finding::ok(check, message),
        };
    }
    let problems: Vec<&str> = misfits.iter().map(|(problem, _)| problem.as_str()).collect();
    let mut lines: Vec<String> = misfits.iter().map(|(_, line)| line.clone()).collect();
    lines.extend(quiet_line(traits, profile));
    Finding::warning(check, format!("{message}: {}", problems.join("; ")), lines.join("; "))
}

/// What does not fit the agent, each with the line to paste.
fn misfits(traits: &AgentTraits, profile: &Profile, mode: Mode) -> Vec<(String, String)> {
    let mut misfits = Vec::new();
    if mode == Mode::Voice
        && let VoiceTrack::NoneOf(names) = &traits.track
        && let Some(name) = names.iter().find(|name| *name != BACKGROUND_AUDIO)
    {
        misfits.push((
            "none of its tracks is what evaluator.hear asks for, so that it would be mute"
                .to_owned(),
            format!("add to the profile: [evaluator] hear = \"{name}\""),
        ));
    }
    let scripts = || profile.mix.scenarios().into_iter().filter_map(|one| one.script.as_ref());
    let awaits_greeting = scripts().any(|script| script.greeting.is_some());
    let begins = scripts().any(|script| script.greeting.is_none());
    match traits.greeted_after {
        Some(after) if begins => misfits.push((
            "a script without [greeting] may speak into its greeting".to_owned(),
            format!("add to the script: [greeting] within = \"{}s\"", patience_secs(after)),
        )),
        None if awaits_greeting => misfits.push((
            "runs whose script has a [greeting] would fail as agent_mute".to_owned(),
            "remove [greeting] from the script, unless the agent greets later than that".to_owned(),
        )),
        _ => {}
    }
    if let FirstAnswer::Missing(within) = traits.answer {
        misfits.push((
            format!("it did not answer the script's first turn within {within}: runs would fail"),
            "look into the worker's log".to_owned(),
        ));
    }
    if mode == Mode::Voice
        && traits.has_spoken()
        && !traits.is_transcribed
        && scripts().any(compares_words)
    {
        misfits.push((
            "its words cannot be compared: `expect` would hold for none of them, and no [[rule]] would be followed"
                .to_owned(),
            "let the agent's session write transcripts, or take `expect` and [[rule]] out of the script".to_owned(),
        ));
    }
    misfits
}

/// Whether a script looks at what the agent says.
fn compares_words(script: &Script) -> bool {
    let greeting = script.greeting.as_ref().and_then(|greeting| greeting.expect.as_ref());
    let turns = script.turns.iter().filter_map(|turn| turn.expect.as_ref());
    greeting.into_iter().chain(turns).next().is_some() || !script.rules.is_empty()
}

/// The line for an agent that tells no state, unless the profile waits long enough as it is.
fn quiet_line(traits: &AgentTraits, profile: &Profile) -> Option<String> {
    let EvaluatorSettings::Native(native) = &profile.evaluator else { return None };
    let is_short = native.quiet.micros() < PAUSE_WITHOUT_STATE;
    (!traits.tells_state && is_short)
        .then(|| "add to the profile: [evaluator] quiet = \"1s\"".to_owned())
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
    if let FirstAnswer::Came(after) = traits.answer {
        parts.push(format!("answers the script's first turn after {after}"));
    }
    if traits.has_spoken() {
        // In chat the text is what it says.
        if mode == Mode::Voice {
            let is = if traits.is_transcribed { "is" } else { "is not" };
            parts.push(format!("{is} transcribed"));
        }
        if traits.reports_session {
            parts.push("reports its own latencies".to_owned());
        }
    }
    if traits.has_avatar {
        parts.push("speaks through an avatar".to_owned());
    }
    if let VoiceTrack::Beside(names) | VoiceTrack::NoneOf(names) = &traits.track
        && !names.is_empty()
    {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        parts.push(format!("publishes audio that is not its voice ({})", names.join(", ")));
    }
    if traits.agents > 1 {
        parts.push(format!("is one of {} agents in the room", traits.agents));
    }
    listed(&parts)
}

#[cfg(test)]
mod tests {
    use super::super::finding::FindingState;
    use super::*;
    use rushhour_core::profile::testing::profile_of;
    use rushhour_core::profile::{
        CallerPatience, ExpectedGreeting, HearTrack, NativeSettings, ReconnectSettings,
    };
    use rushhour_core::units::PositiveDuration;
    use std::collections::BTreeMap;

    fn profile(has_greeting: bool) -> Profile {
        let mut profile = profile_of(
            "mode = \"voice\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n",
        );
        profile.evaluator = EvaluatorSettings::Native(NativeSettings {
            join_within: PositiveDuration::secs(10),
            ready_within: PositiveDuration::secs(10),
            quiet: "300ms".parse().unwrap(),
            rpc: BTreeMap::new(),
            hear: HearTrack::Microphone,
            patience: CallerPatience::DEFAULT,
            speech: None,
            staying: ReconnectSettings::DEFAULT,
        });
        let greeting =
            has_greeting.then(|| ExpectedGreeting { expect: None, within: "5s".parse().unwrap() });
        if let rushhour_core::profile::ScenarioMix::Copies(list) = &mut profile.mix {
            list[0].0.script = Some(Script {
                greeting,
                turns: Vec::new(),
                rules: Vec::new(),
                abandon: None,
                redial: None,
                background: None,
            });
        }
        profile
    }

    fn greeting() -> AgentTraits {
        AgentTraits {
            greeted_after: Some(Micros::from_millis(6_200)),
            listened_for: Micros::from_secs(8),
            answer: FirstAnswer::NotAsked,
            tells_state: true,
            is_transcribed: true,
            reports_session: true,
            track: VoiceTrack::Beside(vec!["background_audio".to_owned()]),
            has_avatar: false,
            agents: 1,
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

    #[test]
    fn a_voice_that_our_callers_would_not_hear_is_named() {
        let names = ["background_audio", "line"].map(str::to_owned).to_vec();
        let mute = AgentTraits {
            tells_state: false,
            track: VoiceTrack::NoneOf(names),
            ..AgentTraits::default()
        };
        let found = agent_traits(&mute, &profile(false), Mode::Voice);
        assert_eq!(found.state, FindingState::Warning);
        assert_eq!(
            found.hint.unwrap(),
            "add to the profile: [evaluator] hear = \"line\"; add to the profile: [evaluator] quiet = \"1s\""
        );
        assert!(found.message.contains("evaluator.hear"), "{}", found.message);
        let in_chat = agent_traits(&mute, &profile(false), Mode::Chat);
        assert_eq!(in_chat.state, FindingState::Ok, "nobody listens: {in_chat:?}");
        let encrypted = AgentTraits { track: VoiceTrack::Encrypted, ..greeting() };
        let found = agent_traits(&encrypted, &profile(true), Mode::Voice);
        assert_eq!(found.state, FindingState::Failed);
        assert!(found.message.contains("encrypted end to end"), "{}", found.message);
    }

    #[test]
    fn an_agent_that_waits_is_described_by_its_answer() {
        let waits = AgentTraits {
            listened_for: Micros::from_secs(8),
            tells_state: true,
            answer: FirstAnswer::Came(Micros::from_millis(900)),
            ..AgentTraits::default()
        };
        let found = agent_traits(&waits, &profile(false), Mode::Voice);
        assert_eq!(
            found.message,
            "does not greet a voice caller within 8.00s, tells its state, answers the script's first turn after 900ms and is not transcribed"
        );
        let mute = AgentTraits { answer: FirstAnswer::Missing(Micros::from_secs(20)), ..waits };
        let found = agent_traits(&mute, &profile(false), Mode::Chat);
        assert_eq!(found.state, FindingState::Warning);
        let said = "did not answer the script's first turn within 20.0s: runs would fail";
        assert!(found.message.ends_with(said), "{}", found.message);
    }

    #[test]
    fn an_agent_without_transcripts_cannot_be_compared_with_a_script() {
        let expecting = |script: &mut Script| {
            let greeting = script.greeting.as_mut().expect("the script has one");
            greeting.expect = Some("elcome".to_owned());
        };
        let mut profile = profile(true);
        let untranscribed = AgentTraits { is_transcribed: false, ..greeting() };
        assert_eq!(agent_traits(&untranscribed, &profile, Mode::Voice).state, FindingState::Ok);
        if let rushhour_core::profile::ScenarioMix::Copies(list) = &mut profile.mix {
            expecting(list[0].0.script.as_mut().expect("the scenario has a script"));
        }
        let found = agent_traits(&untranscribed, &profile, Mode::Voice);
        assert_eq!(found.state, FindingState::Warning);
        assert!(found.message.contains("its words cannot be compared"), "{}", found.message);
        assert_eq!(agent_traits(&greeting(), &profile, Mode::Voice).state, FindingState::Ok);
        assert_eq!(agent_traits(&untranscribed, &profile, Mode::Chat).state, FindingState::Ok);
        let nothing_said = AgentTraits { greeted_after: None, ..untranscribed };
        let found = agent_traits(&nothing_said, &profile, Mode::Voice);
        assert!(!found.message.contains("compared"), "{}", found.message);
    }

    #[test]
    fn an_avatar_and_further_agents_are_said() {
        let traits = AgentTraits { has_avatar: true, agents: 2, ..greeting() };
        let found = agent_traits(&traits, &profile(true), Mode::Voice);
        assert!(found.message.contains("speaks through an avatar"), "{}", found.message);
        assert!(found.message.ends_with("is one of 2 agents in the room"), "{}", found.message);
    }
}
