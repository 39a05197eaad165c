//! The result of a check: its state, what was found, and what to do.

use std::fmt::Write;

use serde::Serialize;

use rushhour_report::render::Style;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FindingState {
    Ok,
    /// A session can run, but there is something to know first.
    Warning,
    /// A session would fail, or would be worthless.
    Failed,
    NotChecked,
}

impl FindingState {
    const fn label(self) -> &'static str {
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

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The name of the check.
    pub(crate) check: String,
    pub(crate) state: FindingState,
    /// What was found, and what it means.
    #[serde(rename = "says")]
    pub(crate) message: String,
    /// What to do, where something is to be done.
    #[serde(rename = "advice")]
    pub(crate) hint: Option<String>,
}

impl Finding {
    fn new(check: impl Into<String>, state: FindingState, message: impl Into<String>) -> Self {
        Self { check: check.into(), state, message: message.into(), hint: None }
    }

    pub(crate) fn ok(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(check, FindingState::Ok, message)
    }

    /// Nothing is wrong, but something can be done.
    #[cfg(feature = "native")]
    pub(crate) fn ok_with(
        check: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(check, FindingState::Ok, message) }
    }

    pub(crate) fn not_checked(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(check, FindingState::NotChecked, message)
    }

    pub(crate) fn warning(
        check: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(check, FindingState::Warning, message) }
    }

    pub(crate) fn failed(
        check: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(check, FindingState::Failed, message) }
    }

    /// The finding on one line, with the hint below it.
    pub(crate) fn line(&self, style: Style) -> String {
        let (on, off) = match style {
            Style::Colours => (self.state.colour(), "\u{1b}[0m"),
            Style::Plain => ("", ""),
        };
        let mut text =
            format!("{on}{:<12}{off}{:<18}{}", self.state.label(), self.check, self.message);
        if let Some(hint) = &self.hint {
            let _ = write!(text, "\n{:<30}-> {hint}", "");
        }
        text
    }
}

/// All findings, as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis<'a> {
    /// Whether nothing failed.
    pub(crate) passed: bool,
    pub(crate) findings: &'a [Finding],
}

/// Whether a session can run.
pub(crate) fn passed(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.state != FindingState::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failed_check_prevents_a_session() {
        let fine = [
            Finding::ok("a", "b"),
            Finding::warning("a", "b", "c"),
            Finding::not_checked("a", "b"),
        ];
        assert!(passed(&fine) && !passed(&[Finding::failed("a", "b", "c")]));
    }

    #[test]
    fn a_line_shows_state_check_message_and_hint() {
        let line = Finding::failed("livekit key", "refused", "check it").line(Style::Plain);
        let hint = format!("\n{:<30}-> check it", "");
        assert_eq!(line, format!("failed      livekit key       refused{hint}"));
    }
}
