//! `junit.xml`: each threshold as a test case, for CI services.
//!
//! JUnit has no standard; this is the format that readers agree on:
//! <https://github.com/testmoapp/junitxml>.

use std::io::{self, Write};

use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::writer::Writer;

use super::json::SoakSummary;
use super::sentences::session::{outcome_sentence, verdict_sentence};
use super::sentences::threshold::needs_note;
use super::visible;
use crate::fold::FoldedSession;
use crate::session::{Criterion, SessionVerdict, ThresholdResult, ValidityRule, Verdict};
use crate::soak::SoakVerdict;

/// The file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write junit.xml: {0}; free some space and render the session again")]
pub struct JunitError(#[from] io::Error);

/// One test case.
struct TestCase {
    name: String,
    /// What was found.
    output: String,
    /// `None` if it passed.
    problem: Option<Problem>,
}

/// Why a test case did not pass.
struct Problem {
    /// `failure`, `skipped` or `error`.
    element: &'static str,
    message: String,
}

impl Problem {
    fn new(element: &'static str, message: impl Into<String>) -> Self {
        Self { element, message: message.into() }
    }
}

/// Writes a test case for the load generator, one for the session, one per threshold and, where it was judged as a soak, one
/// for that: `failure` if it does not hold, `skipped` if it is undecided, and `error` if the load generator or the session was at fault, so that nothing can be
/// said about the agent.
///
/// # Errors
/// If writing fails.
pub fn junit(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    soak: Option<&SoakSummary>,
    to: impl Write,
) -> Result<(), JunitError> {
    let name = visible(&folded.opening.profile.name);
    let cases = cases(folded, verdict, soak);
    let count = |element: &str| {
        let problems = cases.iter().filter_map(|case| case.problem.as_ref());
        problems.filter(|problem| problem.element == element).count().to_string()
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
                    for case in &cases {
                        write_case(writer, &name, case)?;
                    }
                    writer
                        .create_element("system-out")
                        .write_text_content(BytesText::new(&visible(&outcome_sentence(folded))))?;
                    Ok(())
                })?;
            Ok(())
        })?;
    writer.into_inner().write_all(b"\n")?;
    Ok(())
}

fn write_case<W: Write>(writer: &mut Writer<W>, suite: &str, case: &TestCase) -> io::Result<()> {
    let class = format!("rushhour.{suite}");
    writer
        .create_element("testcase")
        .with_attributes([("name", &*case.name), ("classname", &class), ("time", "0")])
        .write_inner_content(|writer| {
            if let Some(Problem { element, message }) = &case.problem {
                writer
                    .create_element(*element)
                    .with_attribute(("message", &**message))
                    .write_empty()?;
            }
            if !case.output.is_empty() {
                let output = BytesText::new(&case.output);
                writer.create_element("system-out").write_text_content(output)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn cases(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    soak: Option<&SoakSummary>,
) -> Vec<TestCase> {
    let is_invalid = verdict.is_invalid();
    let broken: Vec<String> = verdict.validity.broken().map(ValidityRule::with_advice).collect();
    let found: Vec<String> =
        verdict.validity.rules.iter().map(|rule| rule.figure.to_string()).collect();
    let generator = TestCase {
        name: "the generator delivered the load".to_owned(),
        output: visible(&found.join("; ")),
        problem: (!broken.is_empty()).then(|| Problem::new("error", visible(&broken.join("; ")))),
    };
    let session = TestCase {
        name: "the session came to its end".to_owned(),
        output: String::new(),
        problem: not_finished(folded),
    };
    // Only where it is not so: with thresholds or without, such a session has not passed.
    let completed = verdict.nothing_completed.map(|_| TestCase {
        name: "a run completed".to_owned(),
        output: String::new(),
        problem: Some(Problem::new(
            if is_invalid { "error" } else { "failure" },
            visible(&verdict_sentence(folded, verdict, Criterion::Interval)),
        )),
    });
    let thresholds = verdict.thresholds.iter().map(|result| TestCase {
        name: result.name(),
        output: result.found.to_string(),
        problem: if is_invalid { Some(invalid(verdict)) } else { threshold_problem(result) },
    });
    let soak = soak.map(|soak| TestCase {
        name: "the agent stayed stable".to_owned(),
        output: visible(&soak.answer),
        problem: soak_problem(soak),
    });
    [generator, session].into_iter().chain(completed).chain(thresholds).chain(soak).collect()
}

fn soak_problem(soak: &SoakSummary) -> Option<Problem> {
    let element = match soak.verdict {
        SoakVerdict::Steady => return None,
        SoakVerdict::Drifts => "failure",
        SoakVerdict::NotEnoughData => "skipped",
        SoakVerdict::Invalid => "error",
    };
    Some(Problem::new(element, format!("{}: {}", soak.verdict.label(), visible(&soak.answer))))
}

fn invalid(verdict: &SessionVerdict) -> Problem {
    let message = if verdict.validity.holds() {
        "no run completed, so the session says nothing about the agent"
    } else {
        "the load generator did not deliver the requested load, so the session says nothing about the agent"
    };
    Problem::new("error", message)
}

fn not_finished(folded: &FoldedSession) -> Option<Problem> {
    let message = match folded.stops.first() {
        Some((reason, detail)) => format!("stopped ({}): {detail}", reason.name()),
        None if !folded.closed => "it was killed, or it is still running".to_owned(),
        None => return None,
    };
    Some(Problem::new("error", visible(&message)))
}

fn threshold_problem(result: &ThresholdResult) -> Option<Problem> {
    let found = result.found.to_string();
    match result.verdict {
        Verdict::Passed => None,
        Verdict::Failed | Verdict::NoSamples => Some(Problem::new("failure", found)),
        Verdict::Undecided { .. } => {
            let needs =
                needs_note(result.verdict).map_or(String::new(), |note| format!("; {note}"));
            Some(Problem::new("skipped", format!("not enough data: {found}{needs}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use quick_xml::events::Event as Xml;
    use quick_xml::reader::Reader;

    use super::*;
    use crate::session::test_sessions::{Fate, HOSTILE, SessionBuilder, ordinary};
    use crate::soak::{History, SoakAnalysis, SoakBuilder, SoakCriteria};
    use rushhour_core::units::{Micros, SessionId, SessionTime};

    const THRESHOLDS: &str = "[thresholds]\n\"agent_join p95\" = \"< 2s\"\n\"agent_join p50\" = \"< 100ms\"\n\"agent_join p99.9\" = \"< 2s\"\n";

    fn written(session: &(FoldedSession, SessionVerdict)) -> String {
        written_with(session, None)
    }

    fn written_with(
        session: &(FoldedSession, SessionVerdict),
        soak: Option<&SoakSummary>,
    ) -> String {
        let mut bytes = Vec::new();
        junit(&session.0, &session.1, soak, &mut bytes).unwrap();
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
    fn a_generator_fault_is_an_error_of_every_case_except_the_sessions() {
        let mut builder = SessionBuilder::chat(THRESHOLDS);
        for run in 0..200 {
            let late = Micros::from_secs(1);
            builder.run(SessionTime(run * 100_000), late, Fate::Completes(Micros(1_000)));
        }
        let text = written(&builder.closed());
        assert_eq!(text.matches("<error ").count(), 4, "{text}");
        assert!(!text.contains("<failure "));
    }

    #[test]
    fn a_soak_that_drifts_is_a_failure() {
        let session = ordinary(400, "[soak]\n");
        let data = SoakBuilder::default().finish(&session.0);
        let criteria = SoakCriteria::of(session.0.opening.profile.soak);
        let soak = SoakAnalysis::of(data, &session.0, criteria, true, &History::default());
        let soak = SoakSummary { answer: HOSTILE.to_owned(), ..SoakSummary::of(&soak) };
        for (verdict, element) in [
            (SoakVerdict::Steady, None),
            (SoakVerdict::Drifts, Some("<failure message=\"Not steady: ")),
            (SoakVerdict::NotEnoughData, Some("<skipped message=\"")),
            (SoakVerdict::Invalid, Some("<error message=\"")),
        ] {
            let text = written_with(&session, Some(&SoakSummary { verdict, ..soak.clone() }));
            let (_, case) = text.split_once("<testcase name=\"the agent stayed stable\"").unwrap();
            let problems = ["<failure", "<skipped", "<error"].map(|one| case.matches(one).count());
            assert_eq!(problems.iter().sum::<usize>(), usize::from(element.is_some()), "{text}");
            assert!(element.is_none_or(|element| case.contains(element)), "{text}");
        }
        assert!(!written(&session).contains("stable"), "it was not judged as a soak");
        let json = serde_json::to_vec(&soak).unwrap();
        let session = &session.0.opening.session;
        assert_eq!(SoakSummary::read(&json, session), Some(soak));
        assert_eq!(SoakSummary::read(&json, &SessionId::new("another")), None);
    }

    #[test]
    fn a_killed_session_with_hostile_text_is_well_formed_and_an_error() {
        let mut builder = SessionBuilder::chat("");
        builder.run(SessionTime(0), Micros::ZERO, Fate::Fails(HOSTILE));
        let (mut folded, verdict) = builder.killed();
        folded.opening.profile.name = HOSTILE.to_owned();
        folded.opening.anchor = HOSTILE.to_owned();
        let text = written(&(folded, verdict));
        assert!(text.contains("killed"), "{text}");
        assert!(!text.contains("<script>"));
    }
}
