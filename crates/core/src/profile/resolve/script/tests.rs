use std::io;

use super::*;
use crate::profile::{
    CallerPatience, Diagnostic, EvaluatorSettings, HearTrack, LoadedProfile, NativeSettings,
    ProfileError, ProfileInput, ReconnectMode, ReconnectSettings, explain, load,
};
use crate::profile::{RuleAction, ScriptLine, SpeechSource};

const PROFILE: &str = r#"
mode = "chat"
[livekit]
url = "ws://127.0.0.1:7880"
agent = "echo"
[evaluator]
kind = "native"
[[scenario]]
id = 1
copies = 1
script = "scripts/s.toml"
[[stage]]
rate = "1/s"
"#;

const SCRIPT: &str = r#"
[greeting]
expect = "(?i)hello"
[[turn]]
say = "One."
play = "one.wav"
[[turn]]
say = "Two."
play = "two.wav"
interrupt = "1s"
"#;

fn load_with(profile: &str, script: Result<&[u8], &str>) -> Result<LoadedProfile, ProfileError> {
    let read_file = |path: &str| {
        assert_eq!(path, "scripts/s.toml");
        script.map(<[u8]>::to_vec).map_err(io::Error::other)
    };
    load(ProfileInput {
        file: "p.toml",
        bytes: profile.as_bytes(),
        environment: &[],
        flags: &[],
        read_file: &read_file,
    })
}

/// A mistake as a reader sees it.
#[derive(Debug)]
struct Mistake {
    message: String,
    /// The name of the text in which it is underlined.
    source: String,
    underlined: String,
}

fn mistakes(profile: &str, script: Result<&[u8], &str>) -> Vec<Mistake> {
    let error = load_with(profile, script).unwrap_err();
    let shown = explain(&error, false);
    assert!(error.diagnostics.iter().all(|one| shown.contains(&one.message)), "{shown}");
    let mistake = |diagnostic: &Diagnostic| {
        let span = diagnostic.span.as_ref().expect("mistakes in scripts have a place");
        let source = &error.sources[span.source.0];
        Mistake {
            message: diagnostic.message.clone(),
            source: source.name.clone(),
            underlined: source.text[span.range.clone()].to_owned(),
        }
    };
    error.diagnostics.iter().map(mistake).collect()
}

#[test]
fn a_script_names_files_relative_to_itself() {
    let loaded = load_with(PROFILE, Ok(SCRIPT.as_bytes())).unwrap();
    let script = loaded.profile.mix.scenarios()[0].script.clone().unwrap();
    assert_eq!(script.greeting.unwrap().within, PositiveDuration::secs(10));
    assert_eq!(script.turns[0].play.as_deref(), Some("scripts/one.wav"));
    assert_eq!(
        (script.turns[0].within, script.turns[1].interrupt),
        (PositiveDuration::secs(20), Some(PositiveDuration::secs(1)))
    );
}

#[test]
fn a_mistake_in_a_script_is_underlined_in_the_script() {
    for (mode, find, put, message, underlined) in [
        ("chat", "say = \"Two.\"\n", "", "turn 2 says nothing in chat", "two.wav"),
        ("voice", "play = \"one.wav\"\n", "", "turn 1 says nothing in voice", "One."),
        (
            "chat",
            "(?i)hello",
            "(hello",
            "this is not a regular expression: error: unclosed group",
            "(hello",
        ),
        (
            "chat",
            "say = \"Two.\"\nplay = \"two.wav\"",
            "dtmf = \"12#\"",
            "turn 2 presses keys, and a chat has none",
            "12#",
        ),
        ("voice", "play = \"two.wav\"", "dtmf = \"1w\"", "a telephone has no key `w`", "1w"),
        ("voice", "play = \"two.wav\"", "dtmf = \"\"", "0 keys cannot be pressed in a turn", ""),
        (
            "voice",
            "say = \"Two.\"",
            "dtmf = \"1\"",
            "a turn either plays a clip or presses keys",
            "1",
        ),
        ("chat", "interrupt", "interupt", "unknown key `interupt`", "interupt"),
        ("chat", "\"1s\"", "\"soon\"", "`soon` is not a duration", "soon"),
        (
            "chat",
            "say = \"Two.\"",
            "say = 2",
            "this is a whole number, not a string in quotes",
            "2",
        ),
        (
            "chat",
            "[greeting]\nexpect = \"(?i)hello\"\n[[turn]]",
            "[[turn]]\ninterrupt = \"1s\"",
            "there is nothing to interrupt before the first turn",
            "1s",
        ),
    ] {
        assert!(SCRIPT.contains(find), "{find}");
        let script = SCRIPT.replacen(find, put, 1);
        let profile = PROFILE.replace("\"chat\"", &format!("\"{mode}\""));
        let found = mistakes(&profile, Ok(script.as_bytes()));
        assert_eq!(found.len(), 1, "{put}: {found:?}");
        assert_eq!((&*found[0].message, &*found[0].source), (message, "scripts/s.toml"));
        assert!(found[0].underlined.contains(underlined), "{put}: {:?}", found[0].underlined);
    }
    let found = mistakes(PROFILE, Ok(b"[greeting]\n"));
    assert_eq!(found[0].message, "the script has no turns");
    assert_eq!(found[0].source, "scripts/s.toml");
    let blank = mistakes(PROFILE, Ok(b"[[turn]]\nsay = \" \\n\"\n"));
    assert_eq!(blank[0].message, "turn 1 says nothing in chat");
    let many = "[[turn]]\nsay = \"a\"\n".repeat(1_001);
    assert_eq!(mistakes(PROFILE, Ok(many.as_bytes()))[0].message, "1001 turns are too many");
}

#[test]
fn nobody_calls_again_in_a_paired_session() {
    let profile = PROFILE.replace("\"chat\"", "\"paired\"");
    let script = format!("{SCRIPT}[redial]\n");
    let found = mistakes(&profile, Ok(script.as_bytes()));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].message, "in a paired session nobody calls again");
}

/// The script with more at its end, for native callers in voice.
fn with(more: &str) -> (String, String) {
    (PROFILE.replace("\"chat\"", "\"voice\""), format!("{SCRIPT}{more}"))
}

#[test]
fn what_a_script_has_beside_its_turns_is_resolved() {
    let more = r#"
hears = ["two|2"]
backchannel = { play = "mm.wav", after = "2s" }
[[rule]]
hears = "(?i)spell"
play = "smith.wav"
at_most = 2
[[rule]]
hears = "(?i)wrong number"
hang_up = true
[abandon]
share = "10%"
silence = "6s"
[redial]
share = "50%"
"#;
    let (profile, text) = with(more);
    let loaded = load_with(&profile, Ok(text.as_bytes())).unwrap();
    let mut script = loaded.profile.mix.scenarios()[0].script.clone().unwrap();
    assert_eq!(script.turns[1].hears, ["two|2"]);
    let clips: Vec<&String> = script.clips().collect();
    let expected = ["scripts/one.wav", "scripts/two.wav", "scripts/mm.wav", "scripts/smith.wav"];
    assert_eq!(clips, expected);
    assert_eq!((script.rules[0].at_most, &script.rules[1].action), (2, &RuleAction::HangUp));
    let abandon = script.abandon.unwrap();
    assert_eq!((abandon.share.fraction(), abandon.after), (0.1, None));
    let redial = script.redial.unwrap();
    assert_eq!((redial.share.fraction(), redial.at_most), (0.5, 1));
    assert_eq!(redial.pause, PositiveDuration::secs(30));
    assert!(script.lines_mut().all(|line| !line.needs_speech()));
    assert_eq!(script.lines_mut().count(), 4);
}

#[test]
fn mistakes_beside_the_turns_are_underlined() {
    for (more, message, underlined) in [
        (
            "[[rule]]\nhears = \".*\"\nplay = \"a.wav\"",
            "this matches whatever the agent says",
            ".*",
        ),
        ("[[rule]]\nhears = \"a\"", "rule 1 does nothing in voice", "a"),
        ("[[turn]]\nsay = \" \"", "turn 3 says nothing in voice", " "),
        ("[[rule]]\nhears = \"a\"\nsay = \"b\"", "rule 1 does nothing in voice", "a"),
        (
            "[[rule]]\nhears = \"a\"\nhang_up = true\nsay = \"b\"",
            "rule 1 hangs up, and says something",
            "b",
        ),
        (
            "[[rule]]\nhears = \"a\"\nhang_up = true\nat_most = 0",
            "a rule cannot be followed 0 times",
            "0",
        ),
        ("[[rule]]\nplay = \"a.wav\"", "rule 1 hears nothing", "rule"),
        (
            "[[rule]]\nhears = \"(a{1000}){1000}\"\nhang_up = true",
            "this is not a regular expression: Compiled regex exceeds size limit of 1048576 bytes.",
            "a{1000}",
        ),
        ("hears = [\"...\"]", "no word of `...` can be heard", "..."),
        ("backchannel = { say = \"mm\" }", "this back-channel says nothing in voice", "mm"),
        ("[abandon]\nshare = \"10%\"", "[abandon] does not say when callers hang up", "abandon"),
        ("[abandon]\nshare = \"0%\"\nafter = \"1s\"", "no caller would hang up", "0%"),
        ("[redial]\nshare = \"0%\"", "no caller would call again", "0%"),
        ("[redial]\npause = \"2h\"", "callers cannot wait 2h before they call again", "2h"),
        ("[redial]\nat_most = 11", "a caller cannot call again 11 times", "11"),
    ] {
        let (profile, text) = with(&format!("{more}\n"));
        let found = mistakes(&profile, Ok(text.as_bytes()));
        assert_eq!(found.len(), 1, "{more}: {found:?}");
        assert_eq!((&*found[0].message, &*found[0].source), (message, "scripts/s.toml"));
        assert!(found[0].underlined.contains(underlined), "{more}: {:?}", found[0].underlined);
    }
}

#[test]
fn what_has_no_clip_is_synthesised_where_the_profile_says_how() {
    let script = SCRIPT.replace("play = \"one.wav\"\n", "");
    let profile = |speech: &str| PROFILE.replace("\"chat\"", "\"voice\"") + speech;
    let command = "[speech]\ncommand = \"say --words 'a b' {text}\"\n";
    let loaded = load_with(&profile(command), Ok(script.as_bytes())).unwrap().profile;
    let words = ["say", "--words", "a b", "{text}"].map(str::to_owned).to_vec();
    assert_eq!(loaded.speech.unwrap().source, SpeechSource::Command(words));
    let mut resolved = loaded.mix.scenarios()[0].script.clone().unwrap();
    assert_eq!(resolved.lines_mut().filter(ScriptLine::needs_speech).count(), 1);
    let service = "[speech]\nurl = \"http://127.0.0.1:8880/v1/\"\nmodel = \"m\"\nvoice = \"v\"\n";
    let loaded = load_with(&profile(service), Ok(script.as_bytes())).unwrap().profile;
    let SpeechSource::Service { url, .. } = loaded.speech.unwrap().source else { panic!() };
    assert_eq!(url, "http://127.0.0.1:8880/v1/audio/speech");
}

#[test]
fn mistakes_of_speech_and_voice_are_reported() {
    for (put, message) in [
        ("[speech]", "[speech] says nothing"),
        (
            "[speech]\ncommand = \"\"",
            "this is not a command: it is empty, or a quote is not closed",
        ),
        (
            "[speech]\ncommand = \"say 'a\"",
            "this is not a command: it is empty, or a quote is not closed",
        ),
        (
            "[speech]\ncommand = \"say\"\nurl = \"https://a.example/v1\"",
            "[speech] has a command and a service",
        ),
        (
            "[speech]\ncommand = \"say\"\nmodel = \"m\"",
            "`model` is for a service, and this is a command",
        ),
        ("[speech]\nurl = \"https://a.example/v1\"\nmodel = \"m\"", "[speech] has no `voice`"),
        (
            "[speech]\nurl = \"http://a.example/v1\"\nmodel = \"m\"\nvoice = \"v\"",
            "this is not the URL of a service",
        ),
        (
            "[speech]\nurl = \"https://a:b@a.example/v1\"\nmodel = \"m\"\nvoice = \"v\"",
            "a URL must not contain a user name or a password",
        ),
        (
            "[thresholds]\n\"heard.words\" = \"> 90%\"",
            "no script says what is measured as heard.words",
        ),
    ] {
        let profile = PROFILE.replace("\"chat\"", "\"voice\"") + put + "\n";
        let error = load_with(&profile, Ok(SCRIPT.as_bytes())).unwrap_err();
        let found: Vec<&str> = error.diagnostics.iter().map(|one| &*one.message).collect();
        assert_eq!(found, [message], "{put}");
    }
    let chat = PROFILE.to_owned() + "[thresholds]\n\"heard.wer\" = \"< 10%\"\n";
    let error = load_with(&chat, Ok(SCRIPT.as_bytes())).unwrap_err();
    assert_eq!(error.diagnostics[0].message, "only native callers in voice know what they said");
}

#[test]
fn an_unreadable_script_is_underlined_in_the_profile() {
    for (file, message) in [
        (Err("no such file"), "this script cannot be read: no such file"),
        (Ok(&b"say = \"\xff\""[..]), "this script cannot be read: it is not UTF-8 text"),
        // Somebody else's file, such as `.env` or `/proc/self/environ`: nothing of it is shown.
        (Ok(&b"A = 1\nTOKEN hunter2"[..]), "this script cannot be read: line 2 is not TOML"),
        (
            Ok(&b"DB = \"hunter2\""[..]),
            "this script cannot be read: it has none of the keys turn, greeting, rule",
        ),
    ] {
        let found = mistakes(PROFILE, file);
        assert_eq!((&*found[0].message, &*found[0].source), (message, "p.toml"));
        assert!(found[0].underlined.contains("scripts/s.toml"));
    }
}

#[test]
fn contradictions_with_native_callers_are_reported() {
    for (find, put, message) in [
        ("script = \"scripts/s.toml\"\n", "", "scenario 1 has no script for native callers"),
        (
            "ws://127.0.0.1:7880",
            "sandbox",
            "native callers need a LiveKit server; the embedded stand-in has no media",
        ),
        (
            "kind = \"native\"",
            "kind = \"native\"\nentries_per_request = 2",
            "`entries_per_request` applies to Cekura only, not to native callers",
        ),
        (
            "kind = \"native\"",
            "kind = \"sandbox\"\nrpc = { locate = \"Berlin\" }",
            "`rpc` applies to native callers only",
        ),
        (
            "kind = \"native\"",
            "kind = \"native\"\nrpc = { locate = \"{place}\" }",
            "{place} stands for nothing",
        ),
        (
            "kind = \"native\"",
            "kind = \"sandbox\"\nquiet = \"1s\"",
            "`quiet` applies to native callers only",
        ),
        (
            "kind = \"native\"",
            "kind = \"sandbox\"\nhear = \"all\"\nreplaced_within = \"9s\"",
            "`hear` applies to native callers only",
        ),
        ("kind = \"native\"", "kind = \"native\"\nhear = \"\"", "an empty text names no track"),
    ] {
        let found = mistakes(&PROFILE.replace(find, put), Ok(SCRIPT.as_bytes()));
        let expected = |one: &Mistake| one.message == message && one.source == "p.toml";
        assert!(found.iter().any(expected), "{found:?}");
    }
}

#[test]
fn a_turn_presses_keys_in_voice_and_writes_in_chat() {
    let script = SCRIPT.replace("play = \"two.wav\"", "dtmf = \"12#\"");
    for mode in ["voice", "chat", "paired"] {
        let profile = PROFILE.replace("\"chat\"", &format!("\"{mode}\""));
        let loaded = load_with(&profile, Ok(script.as_bytes())).unwrap();
        let turn = &loaded.profile.mix.scenarios()[0].script.as_ref().unwrap().turns[1];
        assert_eq!((turn.say.as_deref(), turn.dtmf.as_deref()), (Some("Two."), Some("12#")));
    }
}

#[test]
fn a_caller_answers_calls_with_texts_of_its_run() {
    let answers = "kind = \"native\"\n[evaluator.rpc]\nlocate = \"{run}\"\nui.show = \"\"";
    let profile = PROFILE.replace("kind = \"native\"", answers);
    let loaded = load_with(&profile, Ok(SCRIPT.as_bytes())).unwrap();
    let crate::profile::EvaluatorSettings::Native(native) = loaded.profile.evaluator else {
        panic!("it is native")
    };
    let methods: Vec<&str> = native.rpc.keys().map(String::as_str).collect();
    assert_eq!((methods, native.rpc["locate"].as_str()), (vec!["locate", "ui.show"], "{run}"));
    let long = format!("kind = \"native\"\nrpc = {{ a = \"{}\" }}", "x".repeat(15_361));
    let found = mistakes(&PROFILE.replace("kind = \"native\"", &long), Ok(SCRIPT.as_bytes()));
    assert_eq!(found[0].message, "a payload of 15361 bytes is too long for LiveKit's RPC");
}

#[test]
fn a_paired_session_needs_text_and_audio() {
    let paired = PROFILE.replace("\"chat\"", "\"paired\"");
    assert_eq!(load_with(&paired, Ok(SCRIPT.as_bytes())).unwrap().profile.runs(), Some(2));
    let half = SCRIPT.replace("say = \"One.\"\n", "").replace("play = \"two.wav\"\n", "");
    let found = mistakes(&paired, Ok(half.as_bytes()));
    let messages: Vec<&str> = found.iter().map(|one| &*one.message).collect();
    assert_eq!(messages, ["turn 1 says nothing in chat", "turn 2 says nothing in voice"]);
    let lasting = PROFILE.replace("copies = 1", "copies = 1\nchat_lasts = \"5s\"");
    let found = mistakes(&lasting, Ok(SCRIPT.as_bytes()));
    assert_eq!(found[0].message, "`chat_lasts` applies to paired sessions only");
}

#[test]
fn callers_hear_a_track_and_are_as_patient_as_the_profile_says() {
    let native = |lines: &str| {
        let text = PROFILE.replace("kind = \"native\"", &format!("kind = \"native\"\n{lines}"));
        let loaded = load_with(&text, Ok(SCRIPT.as_bytes())).unwrap_or_else(|_| panic!("{lines}"));
        match loaded.profile.evaluator {
            EvaluatorSettings::Native(settings) => settings,
            EvaluatorSettings::Cekura(_) => panic!("native callers"),
        }
    };
    let usual = native("");
    assert_eq!((usual.hear, usual.patience), (HearTrack::Microphone, CallerPatience::DEFAULT));
    let own = native(
        "hear = \"my-voice\"\nlongest_silence = \"9s\"\nlongest_answer = \"2m\"\nlongest_tool = \"45s\"",
    );
    assert_eq!(own.hear, HearTrack::Named("my-voice".to_owned()));
    let nine = PositiveDuration::secs(9);
    assert_eq!(
        (own.patience.longest_silence, own.patience.longest_answer.micros().0),
        (nine, 120_000_000)
    );
    assert_eq!(own.patience.longest_tool, PositiveDuration::secs(45));

    assert_eq!(own.staying, ReconnectSettings::DEFAULT);
    let strict = native("reconnect = \"off\"\nreconnect_attempts = 3\nreconnect_within = \"5s\"");
    let expected = ReconnectSettings {
        mode: ReconnectMode::Off,
        attempts: 3,
        within: PositiveDuration::secs(5),
    };
    assert_eq!(strict.staying, expected);
    let text = serde_json::to_value(&strict).unwrap();
    assert_eq!(text["reconnect"], "off");
    assert_eq!(serde_json::from_value::<NativeSettings>(text).unwrap(), strict);

    // Files hold only what differs, and are read as those of earlier versions, which hold nothing.
    let text = serde_json::to_value(&own).unwrap();
    assert_eq!((text["hear"].as_str(), text.get("replaced_within")), (Some("my-voice"), None));
    assert_eq!(serde_json::from_value::<NativeSettings>(text).unwrap(), own);
    let usual = serde_json::to_value(native("")).unwrap();
    let keys: Vec<&String> = usual.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["join_within", "quiet", "ready_within", "speech"]);
}
