//! `junit.xml`: each threshold as a test case, for the pages of CI services.
//!
//! JUnit has no standard of its own; the shape is what the readers agree on:
//! <https://github.com/testmoapp/junitxml>.

use std::io::{self, Write};

use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::writer::Writer;

use super::headline::{SessionStanding, what_happened};
use super::verdict::{SessionVerdict, ThresholdResult, Verdict};
use super::visible::visible;
use crate::fold::FoldedSession;

/// The file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("junit.xml cannot be written: {0}; make room and render the session again")]
pub struct JunitError(#[from] io::Error);

/// What becomes of a test case; none where it passed.
type Ending = Option<(&'static str, String)>;

/// Writes one test case for the generator, one for the session and one for each threshold: passed,
/// `failure` where it does not hold, `skipped` where it cannot be decided, and `error` where the generator
/// or the session was at fault, so that nothing is said of the agent.
///
/// # Errors
/// Where the writer refuses.
pub fn junit(
    folded: &FoldedSession,
    overall: &SessionVerdict,
    to: impl Write,
) -> Result<(), JunitError> {
    let name = visible(&folded.opening.profile.name);
    let cases = cases(folded, overall);
    let count = |kind: &str| {
        let alike = cases
            .iter()
            .filter(|(_, _, ending)| ending.as_ref().is_some_and(|(element, _)| *element == kind));
        alike.count().to_string()
    };
    let tests = cases.len().to_string();
    let (failures, errors, skipped) = (count("failure"), count("error"), count("skipped"));
    let seconds = format!("{:.3}", folded.last_event.as_secs_f64());
    let anchor = visible(&folded.opening.anchor);
    let mut writer = Writer::new_with_indent(to, b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let sums = [("tests", &*tests), ("failures", &*failures), ("errors", &*errors)];
    writer
        .create_element("testsuites")
        .with_attribute(("name", "rushhour"))
        .with_attributes(sums)
        .with_attribute(("time", &*seconds))
        .write_inner_content(|writer| {
            writer
                .create_element("testsuite")
                .with_attribute(("name", &*name))
                .with_attributes(sums)
                .with_attributes([
                    ("skipped", &*skipped),
                    ("time", &*seconds),
                    ("timestamp", &*anchor),
                ])
                .write_inner_content(|writer| {
                    for (case, found, ending) in &cases {
                        write_case(writer, &name, case, found, ending)?;
                    }
                    writer
                        .create_element("system-out")
                        .write_text_content(BytesText::new(&visible(&what_happened(folded))))?;
                    Ok(())
                })?;
            Ok(())
        })?;
    writer.into_inner().write_all(b"\n")?;
    Ok(())
}

fn write_case<W: Write>(
    writer: &mut Writer<W>,
    suite: &str,
    case: &str,
    found: &str,
    ending: &Ending,
) -> io::Result<()> {
    let class = format!("rushhour.{suite}");
    writer
        .create_element("testcase")
        .with_attributes([("name", case), ("classname", &class), ("time", "0")])
        .write_inner_content(|writer| {
            if let Some((element, message)) = ending {
                writer
                    .create_element(*element)
                    .with_attribute(("message", &**message))
                    .write_empty()?;
            }
            if !found.is_empty() {
                writer.create_element("system-out").write_text_content(BytesText::new(found))?;
            }
            Ok(())
        })?;
    Ok(())
}

fn cases(folded: &FoldedSession, overall: &SessionVerdict) -> Vec<(String, String, Ending)> {
    let invalid = SessionStanding::of(overall) == SessionStanding::Invalid;
    let broken: Vec<String> = overall
        .validity
        .broken()
        .map(|check| format!("{}: {}; {}", check.name, check.found, check.advice))
        .collect();
    let checked: Vec<&str> =
        overall.validity.checks.iter().map(|check| check.found.as_str()).collect();
    let mut cases = vec![
        (
            "the generator delivered the load".to_owned(),
            visible(&checked.join("; ")),
            invalid.then(|| ("error", visible(&broken.join("; ")))),
        ),
        ("the session came to its end".to_owned(), String::new(), cut_short(folded)),
    ];
    cases.extend(overall.thresholds.iter().map(|result| {
        let ending = if invalid {
            let words = "the generator did not deliver the load: nothing is said of the agent";
            Some(("error", words.to_owned()))
        } else {
            ending_of(result)
        };
        (result.name(), result.found.clone(), ending)
    }));
    cases
}

fn cut_short(folded: &FoldedSession) -> Ending {
    let words = match folded.stops.first() {
        Some((reason, detail)) => format!("stopped ({}): {detail}", reason.name()),
        None if !folded.closed => "it was killed, or is still running".to_owned(),
        None => return None,
    };
    Some(("error", visible(&words)))
}

fn ending_of(result: &ThresholdResult) -> Ending {
    match result.verdict {
        Verdict::Passed => None,
        Verdict::Failed => Some(("failure", result.found.clone())),
        Verdict::NoSamples => Some(("failure", "nothing was measured".to_owned())),
        Verdict::Undecided { needs } => {
            let needs = needs
                .map_or(String::new(), |needs| format!("; about {needs} samples would settle it"));
            Some(("skipped", format!("not enough data: {}{needs}", result.found)))
        }
    }
}

#[cfg(test)]
mod tests {
    use quick_xml::events::Event as Xml;
    use quick_xml::reader::Reader;

    use super::super::test_sessions::{Fate, HOSTILE, Made, ordinary};
    use super::*;
    use rushhour_core::units::{Micros, SessionTime};

    const THRESHOLDS: &str = "[thresholds]\n\"agent_join p95\" = \"< 2s\"\n\"agent_join p50\" = \"< 100ms\"\n\"agent_join p99.9\" = \"< 2s\"\n";

    fn written(session: &(FoldedSession, SessionVerdict)) -> String {
        let mut bytes = Vec::new();
        junit(&session.0, &session.1, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let mut reader = Reader::from_str(&text);
        while !matches!(reader.read_event().unwrap_or_else(|e| panic!("{e}: {text}")), Xml::Eof) {}
        let forbidden = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(forbidden), "{text:?}");
        text
    }

    #[test]
    fn each_threshold_is_a_test_case() {
        let text = written(&ordinary(400, THRESHOLDS));
        assert!(
            text.contains(
                "<testsuites name=\"rushhour\" tests=\"5\" failures=\"1\" errors=\"0\" time="
            ),
            "{text}"
        );
        assert_eq!(text.matches("<failure ").count(), 1);
        assert_eq!(text.matches("<skipped ").count(), 1);
        assert!(text.contains("name=\"agent_join p95 &lt; 2.00s\""));
    }

    #[test]
    fn a_generator_at_fault_is_an_error_of_every_case_but_the_sessions() {
        let mut made = Made::of(THRESHOLDS);
        for run in 0..200 {
            let late = Micros::from_secs(1);
            made.run(SessionTime(run * 100_000), late, Fate::Completes(Micros(1_000)));
        }
        let text = written(&made.closed());
        assert_eq!(text.matches("<error ").count(), 4, "{text}");
        assert!(!text.contains("<failure "));
    }

    #[test]
    fn a_killed_session_of_hostile_words_is_well_formed_and_an_error() {
        let mut made = Made::of("");
        made.run(SessionTime(0), Micros::ZERO, Fate::Fails(HOSTILE));
        let (mut folded, overall) = made.killed();
        folded.opening.profile.name = HOSTILE.to_owned();
        folded.opening.anchor = HOSTILE.to_owned();
        let text = written(&(folded, overall));
        assert!(text.contains("killed"), "{text}");
        assert!(!text.contains("<script>"));
    }
}
