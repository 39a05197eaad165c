//! What a check comes to: its state, what it means, and what to do.

use std::fmt::Write;

use serde::Serialize;

use rushhour_report::render::Style;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FindingState {
    /// As it should be.
    Ok,
    /// A session can be run, and its reader ought to know this.
    Warning,
    /// A session would fail or be worth nothing.
    Failed,
    /// Nothing is known.
    NotChecked,
}

impl FindingState {
    const fn words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::NotChecked => "not checked",
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Self::Ok => "\u{1b}[32m",
            Self::Warning => "\u{1b}[33m",
            Self::Failed => "\u{1b}[1;31m",
            Self::NotChecked => "\u{1b}[2m",
        }
    }
}

/// What a check comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) check: String,
    /// How it ended.
    pub(crate) state: FindingState,
    /// What was seen, and what it means.
    pub(crate) says: String,
    /// What to do, where something is to be done.
    pub(crate) advice: Option<String>,
}

impl Finding {
    pub(crate) fn ok(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self { check: check.into(), state: FindingState::Ok, says: says.into(), advice: None }
    }

    pub(crate) fn warning(
        check: impl Into<String>,
        says: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (says, advice) = (says.into(), Some(advice.into()));
        Self { check: check.into(), state: FindingState::Warning, says, advice }
    }

    pub(crate) fn failed(
        check: impl Into<String>,
        says: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (says, advice) = (says.into(), Some(advice.into()));
        Self { check: check.into(), state: FindingState::Failed, says, advice }
    }

    pub(crate) fn not_checked(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            state: FindingState::NotChecked,
            says: says.into(),
            advice: None,
        }
    }

    /// One line, and what to do below it.
    pub(crate) fn line(&self, style: Style) -> String {
        let (on, off) = match style {
            Style::Colours => (self.state.colour(), "\u{1b}[0m"),
            Style::Plain => ("", ""),
        };
        let mut text =
            format!("{on}{:<12}{off}{:<18}{}", self.state.words(), self.check, self.says);
        if let Some(advice) = &self.advice {
            let _ = write!(text, "\n{:<30}-> {advice}", "");
        }
        text
    }
}

/// All findings and what they come to, as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis<'a> {
    /// Whether nothing failed.
    pub(crate) passed: bool,
    /// One by one.
    pub(crate) findings: &'a [Finding],
}

/// Whether a session can be run.
pub(crate) fn passed(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.state != FindingState::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_failed_stands_in_the_way() {
        let fine = [
            Finding::ok("a", "b"),
            Finding::warning("a", "b", "c"),
            Finding::not_checked("a", "b"),
        ];
        assert!(passed(&fine) && !passed(&[Finding::failed("a", "b", "c")]));
    }

    #[test]
    fn a_line_says_state_check_meaning_and_what_to_do() {
        let line = Finding::failed("livekit key", "refused", "check it").line(Style::Plain);
        let advice = format!("\n{:<30}-> check it", "");
        assert_eq!(line, format!("failed      livekit key       refused{advice}"));
    }
}
