//! The only printer: to the terminal, to a pipe that may be closed, or to nowhere.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::CliError;
use crate::known_secrets::redacted;
use rushhour_report::render::Style;

const SPINNER_STEP: Duration = Duration::from_millis(200);

/// The status line that is on the terminal, if any.
static STATUS_LINE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Prints to standard output. A closed pipe is no error: `rushhour report | head` is fine.
pub(crate) fn stdout(text: &str) {
    above_status_line(|| {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n"));
        let _ = stdout.flush();
    });
}

/// Prints a line to standard error.
pub(crate) fn stderr(text: &str) {
    stderr_bytes(format!("{text}\n").as_bytes());
}

/// Writes to standard error; a log writes whole lines.
pub(crate) fn stderr_bytes(bytes: &[u8]) {
    above_status_line(|| {
        let _ = io::stderr().lock().write_all(bytes);
    });
}

/// Prints an error with its causes and its hint.
pub(crate) fn error(error: &CliError) {
    stderr(&redacted(&error_text(error, stderr_style())));
}

fn error_text(error: &CliError, style: Style) -> String {
    let (red, bold, reset) = match style {
        Style::Colours => ("\u{1b}[1;31m", "\u{1b}[1m", "\u{1b}[0m"),
        Style::Plain => ("", "", ""),
    };
    let mut text = format!("{red}error{reset}: {error}");
    for cause in error.causes() {
        let _ = write!(text, "\n  caused by: {cause}");
    }
    if let Some(hint) = error.hint() {
        let _ = write!(text, "\n{bold}hint{reset}: {hint}");
    }
    text
}

/// Whether to colour standard output: it is a terminal, and nobody asked for none (<https://no-color.org>).
pub(crate) fn stdout_style() -> Style {
    style(io::stdout().is_terminal())
}

/// The same for standard error.
pub(crate) fn stderr_style() -> Style {
    style(io::stderr().is_terminal())
}

fn style(is_terminal: bool) -> Style {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if is_terminal && !no_color && !is_dumb { Style::Colours } else { Style::Plain }
}

/// Writes while the status line is off the terminal, so that the two do not mix.
fn above_status_line(write: impl FnOnce()) {
    match &*STATUS_LINE.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// A line at the bottom of a terminal that says what is going on, until it is dropped.
pub(crate) struct StatusLine(());

impl StatusLine {
    /// Shows a status line; none where standard error is no terminal.
    pub(crate) fn show() -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        // Cut off at the terminal's width: a line that wraps cannot be cleared.
        let style = ProgressStyle::with_template("{spinner} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style);
        bar.enable_steady_tick(SPINNER_STEP);
        *STATUS_LINE.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
        Some(Self(()))
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        let bar = STATUS_LINE.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }
}

/// Sets the text of the status line, where there is one.
pub(crate) fn set_status(message: String) {
    if let Some(bar) = &*STATUS_LINE.lock().unwrap_or_else(PoisonError::into_inner) {
        bar.set_message(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_its_causes_and_then_its_hint() {
        let error = CliError::usage("cannot read x")
            .caused_by(io::Error::other("no such file"))
            .with_hint("name another file");
        assert_eq!(
            error_text(&error, Style::Plain),
            "error: cannot read x\n  caused by: no such file\nhint: name another file"
        );
        assert_eq!(
            error_text(&CliError::usage("no"), Style::Colours),
            "\u{1b}[1;31merror\u{1b}[0m: no"
        );
    }
}
