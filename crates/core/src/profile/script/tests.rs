use super::*;
use crate::profile::{InvalidProfile, LoadedProfile, ProfileInput, explain, load};

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

fn load_with(profile: &str, script: Result<&[u8], &str>) -> Result<LoadedProfile, InvalidProfile> {
    let files = |path: &str| -> Result<Vec<u8>, String> {
        assert_eq!(path, "scripts/s.toml");
        script.map(<[u8]>::to_vec).map_err(str::to_owned)
    };
    let bytes = profile.as_bytes();
    load(ProfileInput { file: "p.toml", bytes, environment: &[], flags: &[], files: &files })
}

/// Each mistake with the name of the text in which it is underlined, and what is underlined.
fn mistakes(profile: &str, script: Result<&[u8], &str>) -> Vec<(String, String, String)> {
    let refused = load_with(profile, script).unwrap_err();
    let shown = explain(&refused, false);
    assert!(refused.faults.iter().all(|fault| shown.contains(&fault.message)), "{shown}");
    let told = refused.faults.iter().map(|fault| {
        let place = fault.place.as_ref();
        let source = place.map(|place| &refused.sources[place.source.0]);
        let name = source.map(|source| source.name.clone()).unwrap_or_default();
        let text =
            source.zip(place).map(|(source, place)| source.text[place.span.clone()].to_owned());
        (fault.message.clone(), name, text.unwrap_or_default())
    });
    told.collect()
}

#[test]
fn a_script_is_read_and_its_files_are_beside_it() {
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
fn a_mistake_in_a_script_is_underlined_in_the_scripts_own_file() {
    for (mode, find, put, what, underlined) in [
        ("chat", "say = \"Two.\"\n", "", "turn 2 says nothing in chat", "two.wav"),
        ("voice", "play = \"one.wav\"\n", "", "turn 1 says nothing in voice", "One."),
        (
            "chat",
            "(?i)hello",
            "(hello",
            "this is no regular expression: error: unclosed group",
            "(hello",
        ),
        ("chat", "interrupt", "interupt", "unknown key `interupt`", "interupt"),
        ("chat", "\"1s\"", "\"soon\"", "`soon` is not a length of time", "soon"),
        ("chat", "say = \"Two.\"", "say = 2", "this is a whole number, not a text in quotes", "2"),
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
        let (told, name, text) = &found[0];
        assert_eq!((told.as_str(), name.as_str()), (what, "scripts/s.toml"));
        assert!(text.contains(underlined), "{put}: {text:?} is underlined");
    }
    let found = mistakes(PROFILE, Ok(b"[greeting]\n"));
    assert_eq!(found[0].0, "the script has no turn");
    assert_eq!(found[0].1, "scripts/s.toml");
    let many = "[[turn]]\nsay = \"a\"\n".repeat(1_001);
    assert_eq!(mistakes(PROFILE, Ok(many.as_bytes()))[0].0, "1001 turns are too many");
}

#[test]
fn a_script_that_cannot_be_read_is_underlined_where_it_is_named() {
    for (file, what) in [
        (Err("no such file"), "this script cannot be read: no such file"),
        (Ok(&b"say = \"\xff\""[..]), "this script cannot be read: it is no text (UTF-8)"),
    ] {
        let found = mistakes(PROFILE, file);
        assert_eq!((found[0].0.as_str(), found[0].1.as_str()), (what, "p.toml"));
        assert!(found[0].2.contains("scripts/s.toml"));
    }
}

#[test]
fn what_does_not_go_with_callers_of_our_own_is_refused() {
    for (find, put, what) in [
        ("script = \"scripts/s.toml\"\n", "", "scenario 1 has no script for our own callers"),
        ("ws://127.0.0.1:7880", "sandbox", "the embedded stand-in has no rooms to speak in"),
        (
            "kind = \"native\"",
            "kind = \"native\"\nentries_per_request = 2",
            "`entries_per_request` is of Cekura's service, and callers of our own have none",
        ),
        (
            "kind = \"native\"",
            "kind = \"sandbox\"\nquiet = \"1s\"",
            "`quiet` is of callers of our own",
        ),
    ] {
        let found = mistakes(&PROFILE.replace(find, put), Ok(SCRIPT.as_bytes()));
        assert!(found.iter().any(|(told, name, _)| told == what && name == "p.toml"), "{found:?}");
    }
}

#[test]
fn a_paired_session_needs_what_is_written_and_what_is_spoken() {
    let paired = PROFILE.replace("\"chat\"", "\"paired\"");
    assert_eq!(load_with(&paired, Ok(SCRIPT.as_bytes())).unwrap().profile.runs(), Some(2));
    let half = SCRIPT.replace("say = \"One.\"\n", "").replace("play = \"two.wav\"\n", "");
    let found = mistakes(&paired, Ok(half.as_bytes()));
    let told: Vec<&str> = found.iter().map(|(what, ..)| what.as_str()).collect();
    assert_eq!(told, ["turn 1 says nothing in chat", "turn 2 says nothing in voice"]);
    let lasting = PROFILE.replace("copies = 1", "copies = 1\nchat_lasts = \"5s\"");
    let found = mistakes(&lasting, Ok(SCRIPT.as_bytes()));
    assert_eq!(found[0].0, "`chat_lasts` has a meaning in a paired session only");
}

#[test]
fn every_shipped_profile_loads_and_can_be_walked() {
    let shipped = [
        ("native-chat", include_str!("../../../../../profiles/native-chat.toml"), 40),
        ("native-voice", include_str!("../../../../../profiles/native-voice.toml"), 20),
        ("native-paired", include_str!("../../../../../profiles/native-paired.toml"), 30),
        ("paired", include_str!("../../../../../profiles/paired.toml"), 0),
        ("quickstart", include_str!("../../../../../profiles/quickstart.toml"), 0),
        ("sample", include_str!("../../../../../profiles/sample.toml"), 0),
        ("capacity", include_str!("../../../../../profiles/capacity.toml"), 0),
        ("chat", include_str!("../../../../../profiles/chat.toml"), 0),
        ("voice", include_str!("../../../../../profiles/voice.toml"), 0),
        ("soak", include_str!("../../../../../profiles/soak.toml"), 0),
    ];
    let files = |path: &str| -> Result<Vec<u8>, String> {
        assert_eq!(path, "scripts/book-a-table.toml");
        Ok(include_bytes!("../../../../../profiles/scripts/book-a-table.toml").to_vec())
    };
    for (name, text, runs) in shipped {
        let bytes = text.as_bytes();
        let input = ProfileInput { file: name, bytes, environment: &[], flags: &[], files: &files };
        let loaded = load(input).unwrap_or_else(|refused| panic!("{}", explain(&refused, false)));
        if runs > 0 {
            assert_eq!(loaded.profile.mix.total(), Some(runs), "{name}");
            let scenarios = loaded.profile.mix.scenarios();
            assert!(
                scenarios
                    .iter()
                    .filter_map(|one| one.script.as_ref())
                    .all(|one| one.turns.len() == 5)
            );
        }
    }
}
