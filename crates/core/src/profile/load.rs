//! From texts to a profile: the file, the environment over it, the flags over both.

use super::check::{ResolvedSetting, check};
use super::diagnostic::{Diagnostic, Diagnostics, Origin, SourceId, SourceSpan, SourceText};
use super::model::Profile;
use super::node::{Node, NodeValue};
use super::prices::read_prices;
use super::raw::RawProfile;
use super::read::Read;
use super::redaction::tokens_in;
use super::script::read_scripts;

/// A profile's file larger than this is none.
const LARGEST: usize = 1024 * 1024;

/// Environment variables that are settings, and the settings they are.
pub const ENVIRONMENT: [(&str, [&str; 2]); 2] =
    [("LIVEKIT_URL", ["livekit", "url"]), ("CEKURA_API_URL", ["evaluator", "url"])];

/// The texts a profile is read from.
#[derive(Clone, Copy)]
pub struct ProfileInput<'a> {
    /// How to name the file to the reader.
    pub file: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The variables of [`ENVIRONMENT`] that are set, with their values.
    pub environment: &'a [(&'static str, String)],
    /// `key=value` flags, the later ones winning.
    pub flags: &'a [String],
    /// Lends a file that the profile names, by its path relative to the profile; or says why it cannot.
    pub files: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
}

/// Lends no file at all.
///
/// # Errors
/// Always.
pub fn no_files(_: &str) -> Result<Vec<u8>, String> {
    Err("no files are to be had here".to_owned())
}

/// A valid profile, and where each of its settings came from.
#[derive(Debug, Clone)]
pub struct LoadedProfile {
    /// The profile.
    pub profile: Profile,
    /// Every setting that was decided, in the order of the profile.
    pub settings: Vec<ResolvedSetting>,
}

/// A profile that cannot be used: all that is wrong with it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} in the profile", match faults.len() { 1 => "1 mistake".to_owned(), n => format!("{n} mistakes") })]
pub struct InvalidProfile {
    /// The texts that were read.
    pub sources: Vec<SourceText>,
    /// What is wrong, in the order of the texts; at least one.
    pub faults: Vec<Diagnostic>,
}

/// Reads a profile.
///
/// # Errors
/// All mistakes at once, where there are any.
pub fn load(input: ProfileInput<'_>) -> Result<LoadedProfile, InvalidProfile> {
    let mut faults = Diagnostics::default();
    let mut sources = Vec::new();
    let text = match readable(input.bytes) {
        Ok(text) => text,
        Err((what, hint)) => {
            faults.missing(what, hint);
            return Err(InvalidProfile { sources, faults: faults.into_sorted() });
        }
    };
    sources.push(SourceText {
        origin: Origin::Profile,
        name: input.file.to_owned(),
        text: text.to_owned(),
    });
    let mut tree = Node::parse(text, SourceId(0), &mut faults);
    if !faults.is_empty() {
        // A file with a slip in its syntax would yield false alarms from every half-read table.
        return Err(InvalidProfile { sources, faults: faults.into_sorted() });
    }
    for (variable, value) in input.environment {
        lay_environment(&mut tree, variable, value, &mut sources, &mut faults);
    }
    for flag in input.flags {
        lay_flag(&mut tree, flag, &mut sources, &mut faults);
    }
    refuse_tokens(&sources, &mut faults);
    let raw = RawProfile::read(&tree, &mut faults).unwrap_or_default();
    let scripts = read_scripts(raw.scenario.as_ref(), input.files, &mut sources, &mut faults);
    let prices = read_prices(raw.prices.as_ref(), input.files, &mut sources, &mut faults);
    let stem = file_stem(input.file);
    match check(&raw, stem, (&scripts, prices), &sources, &mut faults) {
        Some((profile, settings)) if faults.is_empty() => Ok(LoadedProfile { profile, settings }),
        _ => Err(InvalidProfile { sources, faults: faults.into_sorted() }),
    }
}

/// A token in a profile would be in every journal and report.
fn refuse_tokens(sources: &[SourceText], faults: &mut Diagnostics) {
    for (number, source) in sources.iter().enumerate() {
        for span in tokens_in(&source.text) {
            faults.at(
                &SourceSpan { source: SourceId(number), span },
                "this looks like a token, which would be in every journal and report",
                "keep tokens out of profiles: LIVEKIT_API_SECRET and CEKURA_API_KEY are all that is needed",
            );
        }
    }
}

fn readable(bytes: &[u8]) -> Result<&str, (String, &'static str)> {
    const HINT: &str = "`rushhour init` writes one to start from";
    if bytes.len() > LARGEST {
        let megabytes = bytes.len() as f64 / 1e6;
        return Err((format!("a file of {megabytes:.0} MB is no profile"), HINT));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| (format!("byte {} is no text (UTF-8)", error.valid_up_to()), HINT))?;
    if text.trim().is_empty() {
        return Err(("the profile is empty".to_owned(), HINT));
    }
    Ok(text)
}

fn file_stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name)
}

fn lay_environment(
    tree: &mut Node,
    variable: &str,
    value: &str,
    sources: &mut Vec<SourceText>,
    faults: &mut Diagnostics,
) {
    let Some((_, path)) = ENVIRONMENT.iter().find(|(known, _)| *known == variable) else {
        return;
    };
    let path = &owner_of(tree, *path);
    if value.trim().is_empty() || says_sandbox(tree, path) {
        return;
    }
    let source = SourceId(sources.len());
    sources.push(SourceText {
        origin: Origin::Environment,
        name: variable.to_owned(),
        text: value.to_owned(),
    });
    let leaf = Node::text(value.trim().to_owned(), SourceSpan { source, span: 0..value.len() });
    tree.lay(Node::at_path(path, leaf), faults);
}

/// Where our own callers hold the conversations, the service's address is that of the judge, if there is one.
fn owner_of(tree: &Node, path: [&'static str; 2]) -> [&'static str; 2] {
    let NodeValue::Table(tables) = &tree.value else { return path };
    let table = |name: &str| tables.iter().find(|entry| entry.key == name);
    let is_native = table("evaluator").is_some_and(|entry| {
        let NodeValue::Table(entries) = &entry.node.value else { return false };
        entries.iter().any(|entry| {
            entry.key == "kind"
                && matches!(&entry.node.value, NodeValue::Text(text) if text == "native")
        })
    });
    if path == ["evaluator", "url"] && is_native && table("judging").is_some() {
        ["judging", "url"]
    } else {
        path
    }
}

/// A profile that asks for the stand-ins must not reach a real service because of a variable that happens to be set.
fn says_sandbox(tree: &Node, path: &[&str; 2]) -> bool {
    let NodeValue::Table(tables) = &tree.value else { return false };
    tables.iter().filter(|entry| entry.key == path[0]).any(|entry| {
        let NodeValue::Table(entries) = &entry.node.value else { return false };
        entries.iter().any(|entry| {
            matches!((&*entry.key, &entry.node.value), ("url" | "kind" | "by", NodeValue::Text(text)) if text == "sandbox")
        })
    })
}

fn lay_flag(tree: &mut Node, flag: &str, sources: &mut Vec<SourceText>, faults: &mut Diagnostics) {
    let source = SourceId(sources.len());
    sources.push(SourceText {
        origin: Origin::Flag,
        name: "--set".to_owned(),
        text: flag.to_owned(),
    });
    let whole = SourceSpan { source, span: 0..flag.len() };
    let Some((key, value)) = flag.split_once('=') else {
        faults.at(&whole, "this sets nothing", "write key=value, such as limits.in_flight=50");
        return;
    };
    let mut own_faults = Diagnostics::default();
    let mut parsed = Node::parse(flag, source, &mut own_faults);
    if !own_faults.is_empty() {
        // Quotes are a nuisance in a shell: what is no TOML value is taken as a text.
        let path: Vec<&str> = key.trim().split('.').map(str::trim).collect();
        if path.iter().any(|name| name.is_empty()) {
            faults.at(
                &whole,
                "this names no setting",
                "write key=value, such as limits.in_flight=50",
            );
            return;
        }
        let place = SourceSpan { source, span: flag.len() - value.len()..flag.len() };
        parsed = Node::at_path(&path, Node::text(value.trim().to_owned(), place));
    }
    tree.lay(parsed, faults);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{ScenarioMix, StageLoad, explain};

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

    fn load_text(text: &str, flags: &[&str]) -> Result<LoadedProfile, InvalidProfile> {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        load(ProfileInput {
            file: "launch.toml",
            bytes: text.as_bytes(),
            environment: &[],
            flags: &flags,
            files: &no_files,
        })
    }

    fn mistakes(text: &str) -> Vec<String> {
        load_text(text, &[]).unwrap_err().faults.into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn a_short_profile_gets_its_defaults_and_they_are_told() {
        let loaded = load_text(GOOD, &[]).unwrap();
        assert_eq!(loaded.profile.name, "launch");
        assert_eq!(loaded.profile.limits.in_flight, 100);
        assert!(matches!(&loaded.profile.mix, ScenarioMix::Copies(list) if list[0].1 == 200));
        let origin = |path: &str| {
            loaded.settings.iter().find(|setting| setting.path == path).unwrap().origin
        };
        assert_eq!(origin("livekit.url"), Origin::Profile);
        assert_eq!(origin("limits.in_flight"), Origin::Default);
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let load_with = |flags: &[String]| {
            load(ProfileInput {
                file: "p.toml",
                bytes: GOOD.as_bytes(),
                environment: &[("LIVEKIT_URL", "wss://from.environment".to_owned())],
                flags,
                files: &no_files,
            })
            .unwrap()
        };
        let url = |loaded: &LoadedProfile| {
            let setting = loaded.settings.iter().find(|s| s.path == "livekit.url").unwrap().clone();
            (setting.value, setting.origin)
        };
        assert_eq!(url(&load_with(&[])), ("wss://from.environment".into(), Origin::Environment));
        let flagged =
            load_with(&["livekit.url=wss://from.flag".into(), "stage.0.hold=5".into()][..1]);
        assert_eq!(url(&flagged), ("wss://from.flag".into(), Origin::Flag));
    }

    #[test]
    fn the_environment_does_not_turn_a_sandbox_profile_on_a_real_server() {
        let text = GOOD.replace("wss://example.livekit.cloud", "sandbox");
        let loaded = load(ProfileInput {
            file: "p.toml",
            bytes: text.as_bytes(),
            environment: &[("LIVEKIT_URL", "wss://production".to_owned())],
            flags: &[],
            files: &no_files,
        })
        .unwrap();
        assert_eq!(loaded.profile.livekit.target, crate::profile::LiveKitTarget::Sandbox);
    }

    #[test]
    fn the_services_address_is_the_judges_where_our_own_callers_call() {
        let text = GOOD.replace("id = 30\n", "id = 30\ncekura = 30\nscript = \"s.toml\"\n")
            + "[evaluator]\nkind = \"native\"\n[judging]\nby = \"cekura\"\n";
        let judge = |text: &str| {
            let loaded = load(ProfileInput {
                file: "p.toml",
                bytes: text.as_bytes(),
                environment: &[("CEKURA_API_URL", "https://eu.example".to_owned())],
                flags: &["mode=chat".to_owned()],
                files: &|_| Ok(b"[[turn]]\nsay = \"Hello.\"\n".to_vec()),
            });
            let profile = loaded.unwrap_or_else(|refused| panic!("{:?}", refused.faults)).profile;
            profile.judging.expect("it was asked for").cekura.url
        };
        assert_eq!(judge(&text).as_deref(), Some("https://eu.example"));
        assert_eq!(judge(&text.replace("by = \"cekura\"", "by = \"sandbox\"")), None);
    }

    #[test]
    fn flags_reach_into_lists_and_need_no_quotes() {
        let flags = ["stage.0.rate=3/s", "scenario.30.copies=7", "livekit.metadata.tenant=acme"];
        let profile = load_text(GOOD, &flags).unwrap().profile;
        assert!(
            matches!(&profile.stages[0].load, StageLoad::Open { curve: crate::profile::ArrivalRate::Constant(rate), .. } if rate.to_string() == "3/s")
        );
        assert_eq!(profile.mix.total(), Some(7));
        assert_eq!(profile.livekit.metadata["tenant"], "acme");
        assert_eq!(load_text(GOOD, &["stage"]).unwrap_err().faults[0].message, "this sets nothing");
        assert_eq!(
            load_text(GOOD, &["=3"]).unwrap_err().faults[0].message,
            "this names no setting"
        );
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_underlined() {
        let text = GOOD.replace("rate = ", "rte = ").replace("copies = 200", "copies = \"many\"")
            + "lasts = \"soon\"\n[limits]\nin_flight = 0\nrequests = \"5\"\n[livekt]\n";
        let refused = load_text(&text, &[]).unwrap_err();
        let found: Vec<&str> = refused.faults.iter().map(|fault| &*fault.message).collect();
        assert_eq!(
            found,
            [
                "this is a text, not a whole number",
                "unknown key `rte`",
                "`soon` is not a length of time",
                "0 is too few",
                "`5` does not say per what",
                "unknown key `livekt`",
            ]
        );
        let shown = explain(&refused, false);
        assert!(shown.contains("9 | rte = \"1/s\""), "{shown}");
        assert!(shown.contains("did you mean `rate`?"), "{shown}");
        assert!(shown.contains("did you mean `livekit`?"), "{shown}");
    }

    /// Each mistake, put in place of a part of the good profile, is told in these words.
    fn refused_for(mistakes_and_words: &[(&str, &str, &str)]) {
        for (find, put, what) in mistakes_and_words {
            assert!(GOOD.contains(find), "{find}");
            let found = mistakes(&GOOD.replace(find, put));
            assert!(found.iter().any(|fault| fault == what), "{put:?}: {found:?}");
        }
    }

    #[test]
    fn contradictions_with_the_outside_world_are_refused() {
        let url = "url = \"wss://example.livekit.cloud\"";
        refused_for(&[
            (url, "", "the profile does not say where LiveKit is"),
            (
                url,
                "url = \"https://x.livekit.cloud\"",
                "a LiveKit address does not begin with https://",
            ),
            (url, "url = \"ws://x.livekit.cloud\"", "a LiveKit address does not begin with ws://"),
            (url, "url = \"x.livekit.cloud\"", "this is not an address"),
            (
                url,
                "url = \"wss://me:secret@x.example\"",
                "an address must not hold a user or a password",
            ),
            (
                url,
                "url = \"ws://127.0.0.1:7880\"",
                "Cekura cannot call into a LiveKit on this machine",
            ),
            ("agent = \"front-desk\"", "", "the profile does not say which agent"),
            ("agent = \"front-desk\"", "agent = \" \"", "an agent's name is not empty"),
            (
                "agent = \"front-desk\"",
                "agent = \"a\"\ndispatch = \"none\"",
                "`a` is named, but dispatch is none",
            ),
            (
                "agent = \"front-desk\"",
                "agent = \"a\"\napi_secret = \"s\"",
                "`api_secret` would put a secret into the profile",
            ),
            (
                "agent = \"front-desk\"",
                "agent = \"a\"\nmetadata = { jwt = \"eyJhbGciOiJIUzI1NiJ9.e30.c2ln\" }",
                "this looks like a token, which would be in every journal and report",
            ),
            (
                "agent = \"front-desk\"",
                "agent = \"a\"\ndispatch = \"token\"\nwait_for_agent = true",
                "with dispatch by token the agent comes only when the evaluator joins",
            ),
            (
                "agent = \"front-desk\"",
                "agent = \"a\"\nmetadata = { text_mode = true }",
                "`text_mode` is set for each run from the mode",
            ),
            (
                "agent = \"front-desk\"",
                "agent = \"a\"\nagent_within = \"20s\"\ngive_up_after = \"10s\"",
                "this gives an agent up before it is late, after 20s",
            ),
            (
                "[livekit]",
                "[evaluator]\nagent = 3\n[livekit]",
                "`agent` is documented for chat only",
            ),
        ]);
    }

    #[test]
    fn contradictions_in_the_load_are_refused() {
        refused_for(&[
            (
                "copies = 200",
                "copies = 200\nweight = 2",
                "`weight` and `copies` do not go together",
            ),
            ("copies = 200", "weight = 0", "a weight of 0 is none"),
            ("copies = 200", "", "stage `stage-1` does not say how long it lasts"),
            ("id = 30\n", "", "scenario 1 has no `id`"),
            (
                "rate = \"1/s\"",
                "rate = \"1/s\"\nhold = 3",
                "`hold` does not go together with `rate`",
            ),
            (
                "rate = \"1/s\"",
                "hold = 3\narrivals = \"even\"",
                "`arrivals` does not go together with `hold`",
            ),
            (
                "rate = \"1/s\"",
                "rate = \"1/s\"\nramp = \"2/s\"",
                "`ramp` does not go together with `rate`",
            ),
            (
                "rate = \"1/s\"",
                "rate = { from = \"1/s\" }",
                "a changing rate has a `from` and a `to`",
            ),
            (
                "rate = \"1/s\"",
                "rate = { from = \"1/s\", to = \"2/s\" }",
                "a changing rate needs to know how long it takes",
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
            ("[livekit]", "name = \"../up\"\n[livekit]", "this cannot name a folder"),
            ("[livekit]", "[thresholds]\nfailed = \"1%\"\n[livekit]", "`1%` has no comparison"),
            (
                "[livekit]",
                "[sandbox.faults]\nearthquake = \"1%\"\n[livekit]",
                "the sandbox has no fault `earthquake`",
            ),
        ]);
    }

    #[test]
    fn what_is_no_profile_is_told_in_one_mistake() {
        let bytes = |bytes: &[u8]| {
            let refused = load(ProfileInput {
                file: "x",
                bytes,
                environment: &[],
                flags: &[],
                files: &no_files,
            })
            .unwrap_err();
            assert_eq!(refused.faults.len(), 1);
            refused.faults[0].message.clone()
        };
        assert_eq!(bytes(&vec![b'a'; 10_000_000]), "a file of 10 MB is no profile");
        assert_eq!(bytes(&[0x61, 0xff, 0xfe]), "byte 1 is no text (UTF-8)");
        assert_eq!(bytes(b" \n"), "the profile is empty");
    }

    #[test]
    fn a_profile_survives_the_way_through_json() {
        let profile = load_text(GOOD, &[]).unwrap().profile;
        let json = serde_json::to_string(&profile).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), profile);
    }

    #[test]
    fn the_starting_profile_is_valid() {
        load_text(crate::profile::starting_profile(), &[]).unwrap();
    }
}
