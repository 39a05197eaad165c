//! `junit.xml` against the rules of the strictest reader, Jenkins' xUnit plugin.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use regex::Regex;

use crate::support::{SyntheticSession, TestDir};

/// What a type of element may have.
struct Element {
    required: &'static [&'static str],
    optional: &'static [&'static str],
    children: &'static [&'static str],
    /// Whether it may have text.
    is_text: bool,
}

/// The rules of `junit-10.xsd` for the elements that we write:
/// <https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd>
fn rules(element: &str) -> Option<Element> {
    let ending =
        Element { required: &[], optional: &["type", "message"], children: &[], is_text: true };
    Some(match element {
        "testsuites" => Element {
            required: &[],
            optional: &["name", "time", "tests", "failures", "errors"],
            children: &["testsuite"],
            is_text: false,
        },
        "testsuite" => Element {
            required: &["name", "tests", "failures", "errors"],
            optional: &[
                "group",
                "time",
                "skipped",
                "timestamp",
                "hostname",
                "id",
                "package",
                "file",
                "log",
                "url",
            ],
            children: &["testsuite", "properties", "testcase", "system-out", "system-err"],
            is_text: false,
        },
        "testcase" => Element {
            required: &["name"],
            optional: &["time", "classname", "group"],
            children: &["skipped", "error", "failure", "system-out", "system-err"],
            is_text: false,
        },
        "failure" | "error" | "skipped" => ending,
        "system-out" | "system-err" => Element { optional: &[], ..ending },
        _ => return None,
    })
}

/// The type `SUREFIRE_TIME` of the same schema, which `time` has in suites.
const SUREFIRE_TIME: &str = r"^(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?$";

/// An element and its attributes.
type Parsed = (String, BTreeMap<String, String>);

/// Parses the file and checks each element against its rules; returns all elements in order.
fn check(xml: &str) -> Result<Vec<Parsed>, String> {
    let time = Regex::new(SUREFIRE_TIME).expect("it is a pattern");
    let mut reader = Reader::from_str(xml);
    let (mut open, mut elements) = (Vec::<String>::new(), Vec::new());
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        let is_empty = matches!(event, Event::Empty(_));
        match event {
            Event::Start(start) | Event::Empty(start) => {
                let (name, attributes) = parse(&start)?;
                let rule = rules(&name).ok_or_else(|| format!("<{name}> is unknown"))?;
                match open.last() {
                    None if name != "testsuites" => return Err(format!("<{name}> is the root")),
                    Some(parent)
                        if !rules(parent).is_some_and(|p| p.children.contains(&&*name)) =>
                    {
                        return Err(format!("<{name}> in <{parent}>"));
                    }
                    _ => {}
                }
                if let Some(missing) =
                    rule.required.iter().find(|one| !attributes.contains_key(**one))
                {
                    return Err(format!("<{name}> has no {missing}"));
                }
                for (attribute, value) in &attributes {
                    let allowed = rule.required.iter().chain(rule.optional);
                    if !allowed.copied().any(|one| one == attribute) {
                        return Err(format!("<{name}> may not have {attribute}"));
                    }
                    let is_suite = name.starts_with("testsuite");
                    if attribute == "time" && is_suite && !time.is_match(value) {
                        return Err(format!("<{name}> has the time {value}"));
                    }
                }
                elements.push((name.clone(), attributes));
                if !is_empty {
                    open.push(name);
                }
            }
            Event::End(_) => {
                open.pop();
            }
            Event::Text(text) => {
                let is_blank = text.trim().is_empty();
                let may_have_text =
                    open.last().and_then(|name| rules(name)).is_none_or(|r| r.is_text);
                if !is_blank && !may_have_text {
                    return Err(format!("text in {open:?}"));
                }
            }
            Event::Eof => return Ok(elements),
            _ => {}
        }
    }
}

fn parse(start: &BytesStart<'_>) -> Result<Parsed, String> {
    let mut attributes = BTreeMap::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        attributes.insert(attribute.key.as_ref().to_owned(), attribute.value.into_owned());
    }
    Ok((start.name().as_ref().to_owned(), attributes))
}

/// Checks the file, and that the counts in it are those of its elements. Returns how often each element occurs.
#[track_caller]
fn check_counts(xml: &str) -> BTreeMap<String, usize> {
    let elements = check(xml).unwrap_or_else(|error| panic!("{error}:\n{xml}"));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in &elements {
        *counts.entry(name.clone()).or_default() += 1;
    }
    let count = |name: &str| counts.get(name).copied().unwrap_or(0).to_string();
    for (name, attributes) in &elements {
        if !name.starts_with("testsuite") {
            continue;
        }
        let sums = [("tests", "testcase"), ("failures", "failure"), ("errors", "error")];
        for (attribute, counted) in sums {
            assert_eq!(attributes[attribute], count(counted), "{attribute} of {name}");
        }
        if let Some(skipped) = attributes.get("skipped") {
            assert_eq!(*skipped, count("skipped"));
        }
    }
    assert!(counts["testcase"] >= 2, "{xml}");
    counts
}

#[test]
fn passed_failed_undecided_and_killed_sessions_are_valid_for_jenkins() {
    let dir = TestDir::new();
    let thresholds = "[thresholds]\n\"agent_join p50\" = \"< 2s\"\n\"agent_join p95\" = \"< 100ms\"\n\"agent_join p99.9\" = \"< 1s\"\n";
    let session = SyntheticSession { profile_lines: thresholds, ..SyntheticSession::default() };
    let folder = SyntheticSession { name: "whole", ..session.clone() }.write(dir.path());
    let junit = |name: &str| dir.rushhour(&["report", name, "--format", "junit"]).run().stdout;
    let whole = check_counts(&junit("whole"));
    assert_eq!((whole["failure"], whole["skipped"], whole["testcase"]), (1, 1, 5));
    let journal = fs::read(folder.join("journal.jsonl")).expect("it was written");
    fs::create_dir(dir.path().join("killed")).expect("a folder can be created");
    fs::write(dir.path().join("killed/journal.jsonl"), &journal[..journal.len() / 2])
        .expect("a file can be written");
    let killed = check_counts(&junit("killed"));
    assert!(killed["error"] >= 1, "{killed:?}");
}

#[test]
fn committed_samples_are_valid_for_jenkins() {
    for sample in ["sample", "sample-paired"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports").join(sample);
        check_counts(&fs::read_to_string(path.join("junit.xml")).expect("it is committed"));
    }
}

#[test]
fn what_jenkins_refuses_is_found() {
    let suite = |suites: &str, suite: &str, inside: &str| {
        check(&format!("<testsuites{suites}><testsuite{suite}>{inside}</testsuite></testsuites>"))
    };
    let counts = " name=\"a\" tests=\"0\" failures=\"0\" errors=\"0\" time=\"1,234.5\"";
    assert!(suite("", counts, "<testcase name=\"b\"><failure/></testcase>").is_ok());
    for (found, problem) in [
        (suite(" skipped=\"0\"", counts, ""), "<testsuites> may not have skipped"),
        (suite("", " name=\"a\"", ""), "<testsuite> has no tests"),
        (suite("", counts, "<failure/>"), "<failure> in <testsuite>"),
        (suite("", counts, "text"), "text in"),
        (suite(" time=\"1s\"", counts, ""), "has the time 1s"),
        (suite("", counts, "<testcase/>"), "<testcase> has no name"),
        (check("<testsuite/>"), "is the root"),
    ] {
        let error = found.expect_err(problem);
        assert!(error.contains(problem), "{error}");
    }
}
