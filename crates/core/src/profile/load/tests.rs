use super::*;
use crate::profile::{
    ArrivalRate, LiveKitTarget, ScenarioMix, StageLoad, explain, no_files, starting_profile,
};

const GOOD: &str = r#"
[livekit]
url = "wss://example.livekit.cloud"
agent = "front-desk"
[[scenario]]
id = 30
copies = 200
[[stage]]
rate = "1/s"
"#;

fn load_text(text: &str, flags: &[&str]) -> Result<LoadedProfile, ProfileError> {
    let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    load(ProfileInput {
        file: "launch.toml",
        bytes: text.as_bytes(),
        environment: &[],
        flags: &flags,
        read_file: &no_files,
    })
}

fn mistakes(text: &str) -> Vec<String> {
    load_text(text, &[])
        .unwrap_err()
        .diagnostics
        .into_iter()
        .map(|diagnostic| diagnostic.message)
        .collect()
}

#[test]
fn a_short_profile_gets_defaults_and_records_their_origin() {
    let loaded = load_text(GOOD, &[]).unwrap();
    assert_eq!(loaded.profile.name, "launch");
    assert_eq!(loaded.profile.limits.in_flight, 100);
    assert!(matches!(&loaded.profile.mix, ScenarioMix::Copies(list) if list[0].1 == 200));
    let origin =
        |path: &str| loaded.settings.iter().find(|setting| setting.path == path).unwrap().origin;
    assert_eq!(origin("livekit.url"), Origin::Profile);
    assert_eq!(origin("limits.in_flight"), Origin::Default);
}

#[test]
fn the_level_of_speech_is_checked_and_belongs_to_native_callers() {
    let with = |evaluator: &str| mistakes(&format!("{GOOD}[evaluator]\n{evaluator}\n"));
    assert_eq!(
        with("speech_margin = \"10dB\""),
        ["`speech_margin` applies to native callers only"]
    );
    let has = |evaluator: &str, message: &str| {
        let found = with(&format!("kind = \"native\"\n{evaluator}"));
        assert!(found.iter().any(|one| one == message), "{found:?}");
    };
    has("speech_margin = \"2dB\"", "noise itself is often 2dB above its floor");
    has("speech_threshold = \"-47\"", "`-47` does not end with dBFS");
    has("speech_threshold = \"3dBFS\"", "`3dBFS` is not between -90dBFS and 0dBFS");
}

#[test]
fn a_flag_overrides_the_environment_which_overrides_the_file() {
    let load_with = |flags: &[String]| {
        load(ProfileInput {
            file: "p.toml",
            bytes: GOOD.as_bytes(),
            environment: &[("LIVEKIT_URL", "wss://from.environment".to_owned())],
            flags,
            read_file: &no_files,
        })
        .unwrap()
    };
    let url = |loaded: &LoadedProfile| {
        let setting = loaded.settings.iter().find(|s| s.path == "livekit.url").unwrap().clone();
        (setting.value, setting.origin)
    };
    assert_eq!(url(&load_with(&[])), ("wss://from.environment".into(), Origin::Environment));
    let flagged = load_with(&["livekit.url=wss://from.flag".into(), "stage.0.hold=5".into()][..1]);
    assert_eq!(url(&flagged), ("wss://from.flag".into(), Origin::Flag));
}

#[test]
fn the_environment_does_not_point_a_sandbox_profile_to_a_real_server() {
    let text = GOOD.replace("wss://example.livekit.cloud", "sandbox");
    let loaded = load(ProfileInput {
        file: "p.toml",
        bytes: text.as_bytes(),
        environment: &[("LIVEKIT_URL", "wss://production".to_owned())],
        flags: &[],
        read_file: &no_files,
    })
    .unwrap();
    assert_eq!(loaded.profile.livekit.target, LiveKitTarget::Sandbox);
}

#[test]
fn with_native_callers_the_services_url_is_the_judges() {
    let text = GOOD.replace("id = 30\n", "id = 30\ncekura = 30\nscript = \"s.toml\"\n")
        + "[evaluator]\nkind = \"native\"\n[judging]\nby = \"cekura\"\n";
    let judge = |text: &str| {
        let loaded = load(ProfileInput {
            file: "p.toml",
            bytes: text.as_bytes(),
            environment: &[("CEKURA_API_URL", "https://eu.example".to_owned())],
            flags: &["mode=chat".to_owned()],
            read_file: &|_| Ok(b"[[turn]]\nsay = \"Hello.\"\n".to_vec()),
        });
        let profile = loaded.unwrap_or_else(|error| panic!("{:?}", error.diagnostics)).profile;
        profile.judging.expect("the profile has [judging]").cekura.url
    };
    assert_eq!(judge(&text).as_deref(), Some("https://eu.example"));
    assert_eq!(judge(&text.replace("by = \"cekura\"", "by = \"sandbox\"")), None);
}

#[test]
fn flags_reach_into_lists_and_need_no_quotes() {
    let flags = ["stage.0.rate=3/s", "scenario.30.copies=7", "livekit.metadata.tenant=acme"];
    let profile = load_text(GOOD, &flags).unwrap().profile;
    assert!(
        matches!(&profile.stages[0].load, StageLoad::Open { curve: ArrivalRate::Constant(rate), .. } if rate.to_string() == "3/s")
    );
    assert_eq!(profile.mix.total(), Some(7));
    let crate::profile::Metadata::Object(metadata) = &profile.livekit.metadata else {
        panic!("{:?}", profile.livekit.metadata)
    };
    assert_eq!(metadata["tenant"], "acme");
    assert_eq!(
        load_text(GOOD, &["stage"]).unwrap_err().diagnostics[0].message,
        "this sets nothing"
    );
    assert_eq!(
        load_text(GOOD, &["=3"]).unwrap_err().diagnostics[0].message,
        "this names no setting"
    );
}

#[test]
fn all_mistakes_are_reported_at_once_and_underlined() {
    let text = GOOD.replace("rate = ", "rte = ").replace("copies = 200", "copies = \"many\"")
        + "lasts = \"soon\"\n[limits]\nin_flight = 0\nrequests = \"5\"\n[livekt]\n";
    let error = load_text(&text, &[]).unwrap_err();
    let found: Vec<&str> =
        error.diagnostics.iter().map(|diagnostic| &*diagnostic.message).collect();
    assert_eq!(
        found,
        [
            "this is a string, not a whole number",
            "unknown key `rte`",
            "`soon` is not a duration",
            "0 is too small",
            "`5` has no unit of time",
            "unknown key `livekt`",
        ]
    );
    let shown = explain(&error, false);
    assert!(shown.contains("9 | rte = \"1/s\""), "{shown}");
    assert!(shown.contains("did you mean `rate`?"), "{shown}");
    assert!(shown.contains("did you mean `livekit`?"), "{shown}");
}

/// Replaces a part of the good profile by a mistake, and expects its message.
fn assert_messages(cases: &[(&str, &str, &str)]) {
    for (find, put, message) in cases {
        assert!(GOOD.contains(find), "{find}");
        let found = mistakes(&GOOD.replace(find, put));
        assert!(found.iter().any(|other| other == message), "{put:?}: {found:?}");
    }
}

#[test]
fn contradictions_with_the_services_are_reported() {
    let url = "url = \"wss://example.livekit.cloud\"";
    assert_messages(&[
        (url, "", "the profile does not say where LiveKit is"),
        (url, "url = \"ftp://x.livekit.cloud\"", "a LiveKit URL does not begin with ftp://"),
        (url, "url = \"ws://x.livekit.cloud\"", "LiveKit Cloud takes encrypted connections only"),
        (url, "url = \"x.livekit.cloud\"", "the address has no scheme"),
        (
            url,
            "url = \"wss://x.livekit.cloud?a=b\"",
            "a LiveKit URL has no query (`?` and what follows)",
        ),
        (
            url,
            "url = \"sandbox\"\napi_url = \"http://a\"",
            "the embedded sandbox has one address for everything",
        ),
        (
            url,
            "url = \"wss://me:secret@x.example\"",
            "a URL must not contain a user name or a password",
        ),
        (
            url,
            "url = \"ws://127.0.0.1:7880\"",
            "Cekura cannot reach a LiveKit server on this machine",
        ),
        ("agent = \"front-desk\"", "", "the profile does not name the agent"),
        ("agent = \"front-desk\"", "agent = \" \"", "an agent's name must not be empty"),
        (
            "agent = \"front-desk\"",
            "agent = \"a\"\ndispatch = \"none\"",
            "`agent` is \"a\", but dispatch is \"none\"",
        ),
        (
            "agent = \"front-desk\"",
            "agent = \"a\"\napi_secret = \"s\"",
            "`api_secret` would put a secret into the profile",
        ),
        (
            "agent = \"front-desk\"",
            "agent = \"a\"\nmetadata = { jwt = \"eyJhbGciOiJIUzI1NiJ9.e30.c2ln\" }",
            "this looks like a token, which would end up in every journal and report",
        ),
        (
            "agent = \"front-desk\"",
            "agent = \"a\"\ndispatch = \"token\"\nwait_for_agent = true",
            "with dispatch = \"token\" the agent joins only after the evaluator",
        ),
        (
            "agent = \"front-desk\"",
            "agent = \"a\"\nmetadata = { text_mode = true }",
            "Rushhour sets `text_mode` for each run from its mode",
        ),
        (
            "agent = \"front-desk\"",
            "agent = \"a\"\nagent_within = \"20s\"\ngive_up_after = \"10s\"",
            "this gives up on an agent before it counts as late, after 20s",
        ),
        (
            "[livekit]",
            "[evaluator]\nagent = 3\n[livekit]",
            "Cekura documents `agent` for chat only",
        ),
    ]);
}

#[test]
fn contradictions_in_the_load_are_reported() {
    assert_messages(&[
        ("copies = 200", "copies = 200\nweight = 2", "`weight` and `copies` cannot be combined"),
        ("copies = 200", "weight = 0", "0 is not a valid weight"),
        ("copies = 200", "", "stage `stage-1` does not say how long it lasts"),
        ("id = 30\n", "", "scenario 1 has no `id`"),
        ("rate = \"1/s\"", "rate = \"1/s\"\nhold = 3", "`hold` and `rate` cannot be combined"),
        ("rate = \"1/s\"", "hold = 3\narrivals = \"even\"", "`arrivals` has no effect with `hold`"),
        ("rate = \"1/s\"", "rate = \"1/s\"\nramp = \"2/s\"", "`ramp` has no effect with `rate`"),
        ("rate = \"1/s\"", "rate = { from = \"1/s\" }", "a changing rate needs `from` and `to`"),
        (
            "rate = \"1/s\"",
            "rate = { from = \"1/s\", to = \"2/s\" }",
            "a changing rate needs the stage's duration",
        ),
        (
            "rate = \"1/s\"",
            "rate = \"1/s\"\nmeasured = false",
            "no stage is measured, so there would be nothing to report",
        ),
        (
            "rate = \"1/s\"",
            "rate = \"90000/s\"\nlasts = \"10m\"",
            "this stage alone would start 54000000 runs",
        ),
        ("[livekit]", "name = \"../up\"\n[livekit]", "this is not a valid name for a folder"),
        ("[livekit]", "[thresholds]\nfailed = \"1%\"\n[livekit]", "`1%` has no comparison"),
        (
            "[livekit]",
            "[thresholds]\n\"speech.gaps\" = \"< 1/min\"\n[livekit]",
            "only native callers in voice hear how the agent sounds",
        ),
        (
            "[livekit]",
            "[sandbox.faults]\nearthquake = \"1%\"\n[livekit]",
            "the sandbox has no fault `earthquake`",
        ),
    ]);
}

#[test]
fn a_file_that_is_no_profile_is_one_mistake() {
    let bytes = |bytes: &[u8]| {
        let error = load(ProfileInput {
            file: "x",
            bytes,
            environment: &[],
            flags: &[],
            read_file: &no_files,
        })
        .unwrap_err();
        assert_eq!(error.diagnostics.len(), 1);
        error.diagnostics[0].message.clone()
    };
    assert_eq!(bytes(&vec![b'a'; 10_000_000]), "a file of 10 MB is too large for a profile");
    assert_eq!(bytes(&[0x61, 0xff, 0xfe]), "byte 1 is not UTF-8 text");
    assert_eq!(bytes(b" \n"), "the profile is empty");
}

#[test]
fn a_profile_survives_a_round_trip_through_json() {
    let profile = load_text(GOOD, &[]).unwrap().profile;
    let json = serde_json::to_string(&profile).unwrap();
    assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), profile);
}

#[test]
fn the_starting_profile_is_valid() {
    load_text(starting_profile(), &[]).unwrap();
}

#[test]
fn diagnostics_have_a_kind() {
    let kind = |find: &str, put: &str| {
        load_text(&GOOD.replace(find, put), &[]).unwrap_err().diagnostics[0].kind
    };
    for (find, put, expected) in [
        ("[livekit]", "[livekit", DiagnosticKind::Syntax),
        ("copies", "copeis", DiagnosticKind::UnknownKey),
        ("agent =", "api_key =", DiagnosticKind::Secret),
        ("copies = 200", "copies = \"many\"", DiagnosticKind::InvalidValue),
        ("agent = \"front-desk\"", "", DiagnosticKind::Missing),
        ("copies = 200", "copies = 200\nweight = 2", DiagnosticKind::Conflict),
        ("copies = 200", "copies = 200\nscript = \"s.toml\"", DiagnosticKind::UnreadableFile),
    ] {
        assert_eq!(kind(find, put), expected, "{put}");
    }
}

#[test]
fn every_shipped_profile_is_valid() {
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
    let read_file = |path: &str| {
        assert_eq!(path, "scripts/book-a-table.toml");
        Ok(include_bytes!("../../../../../profiles/scripts/book-a-table.toml").to_vec())
    };
    for (name, text, runs) in shipped {
        let input = ProfileInput {
            file: name,
            bytes: text.as_bytes(),
            environment: &[],
            flags: &[],
            read_file: &read_file,
        };
        let loaded = load(input).unwrap_or_else(|error| panic!("{}", explain(&error, false)));
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
