//! Every JSON file that is written, against the schema that `rushhour schema` prints.
//!
//! The harness checks every summary, `capacity.json`, `soak.json` and comparison that any other test reads.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Schema, TestDir, assert_valid};

/// JSON files of a session's folder without a schema: `session.json` repeats the journal's first line.
const WITHOUT_SCHEMA: &[&str] = &["session.json"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read_json(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A profile as JSON.
fn read_profile(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a profile is text");
    toml::from_str(&text).expect("a profile is TOML")
}

/// All files below a folder whose name ends like this.
fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder exists") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The schema of a file by its name.
fn schema_of(path: &Path) -> Option<Schema> {
    match path.file_name()?.to_str()? {
        "summary.json" => Some(Schema::Summary),
        "capacity.json" => Some(Schema::Capacity),
        "soak.json" => Some(Schema::Soak),
        _ => None,
    }
}

#[test]
fn every_schema_is_a_json_schema() {
    for schema in Schema::ALL {
        let printed = schema.printed();
        assert_eq!(printed["$schema"], "https://json-schema.org/draft/2020-12/schema");
        jsonschema::meta::validate(&printed).unwrap_or_else(|error| panic!("{schema:?}: {error}"));
    }
}

#[test]
fn shipped_and_initial_profiles_are_valid() {
    let dir = TestDir::new();
    dir.rushhour(&["init"]).run().expect_exit(0);
    let mut profiles: Vec<PathBuf> = files_below(&root().join("profiles"), "toml")
        .into_iter()
        .filter(|path| path.parent().is_some_and(|folder| folder.ends_with("profiles")))
        .filter(|path| !path.ends_with("prices.toml"))
        .collect();
    assert!(profiles.len() >= 5, "{profiles:?}");
    profiles.push(dir.path().join("rushhour.toml"));
    for path in profiles {
        assert_valid(Schema::Profile, &read_profile(&path), &path.display().to_string());
    }
}

#[test]
fn committed_samples_are_valid() {
    let mut seen = BTreeSet::new();
    for path in files_below(&root().join("reports"), "json") {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        if let Some(schema) = schema_of(&path) {
            assert_valid(schema, &read_json(&path), &path.display().to_string());
            seen.insert(name);
        }
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["capacity.json", "soak.json", "summary.json"]
    );
}

/// A session that fills as much of a summary as one can: thresholds, faults, a bill, a soak.
const PROFILE: &str = r#"
name = "everything"
mode = "paired"
[livekit]
url = "sandbox"
agent = "front-desk"
agent_within = "2s"
give_up_after = "3s"
[evaluator]
poll_every = "500ms"
[[scenario]]
id = 30
copies = 20
lasts = "1s"
[[stage]]
name = "warm-up"
measured = false
rate = "10/s"
lasts = "1s"
[[stage]]
rate = "10/s"
[limits]
requests = "100/s"
polls = "20/s"
looks = "400/s"
run_timeout = "20s"
[bill]
metrics = 1
[thresholds]
"agent_join p50" = "< 5s"
"agent_join p95" = "< 1ms"
failed = "< 90%"
[sandbox]
agent_join = { median = "100ms" }
conversation = { median = "500ms" }
[sandbox.faults]
run_fails = "20%"
dispatch_lost = "10%"
"#;

#[test]
fn every_json_file_of_a_session_has_a_schema_and_is_valid() {
    let dir = TestDir::new();
    dir.write("profile.toml", PROFILE);
    dir.rushhour(&["soak", "profile.toml"]).run();
    let session = dir.sessions().into_iter().find(|path| path.is_dir()).expect("a session was run");
    let argument = session.to_str().expect("a temporary folder's name is text");
    dir.rushhour(&["report", argument]).run();
    let mut valid = BTreeSet::new();
    for path in files_below(dir.path(), "json") {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let Some(schema) = schema_of(&path) else {
            assert!(WITHOUT_SCHEMA.contains(&&*name), "{name} has no schema");
            continue;
        };
        assert_valid(schema, &read_json(&path), &name);
        valid.insert(name);
    }
    assert_eq!(valid.into_iter().collect::<Vec<_>>(), ["soak.json", "summary.json"]);
    let compare = ["compare", argument, argument, "--format", "json"];
    let comparison = dir.rushhour(&compare).run().stdout;
    let comparison = serde_json::from_str(&comparison).expect("it is JSON");
    assert_valid(Schema::Comparison, &comparison, "the comparison");
}

#[test]
fn missing_undescribed_and_mistyped_fields_are_found() {
    let summary = read_json(&root().join("reports/sample/summary.json"));
    let errors_after = |change: fn(&mut Value)| {
        let mut changed = summary.clone();
        change(&mut changed);
        Schema::Summary.errors(&changed)
    };
    assert_eq!(errors_after(|_| {}), [] as [String; 0]);
    let missing = errors_after(|summary| {
        summary.as_object_mut().expect("an object").remove("runs");
    });
    assert!(missing.iter().any(|error| error.contains("\"runs\"")), "{missing:?}");
    let undescribed = errors_after(|summary| summary["runs"]["extra"] = 1.into());
    assert!(undescribed.iter().any(|error| error.contains("extra")), "{undescribed:?}");
    let mistyped = errors_after(|summary| summary["runs"]["planned"] = "many".into());
    assert!(mistyped.iter().any(|error| error.contains("/runs/planned")), "{mistyped:?}");
    let profile = serde_json::json!({ "livekit": { "url": "sandbox", "agent": "a" }, "stge": [] });
    assert!(!Schema::Profile.errors(&profile).is_empty());
}
