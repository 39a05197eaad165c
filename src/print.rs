//! The only printer: to the terminal, to a pipe that may be closed, or to nowhere.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::CliError;
use crate::known_secrets::redacted;
use rushhour_core::units::{is_invisible, visible};
use rushhour_report::render::Style;

const SPINNER_STEP: Duration = Duration::from_millis(200);

/// The status line that is on the terminal, if any.
static STATUS_LINE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Prints to standard output. A closed pipe is no error: `rushhour report | head` is fine.
pub(crate) fn stdout(text: &str) {
    stdout_with_secrets(&safe(&redacted(text), stdout_style()));
}

/// The same for text that contains secrets on purpose: the sandbox shows its keys.
pub(crate) fn stdout_with_secrets(text: &str) {
    above_status_line(|| {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n"));
        let _ = stdout.flush();
    });
}

/// Prints a line to standard error.
pub(crate) fn stderr(text: &str) {
    stderr_bytes(format!("{}\n", safe(&redacted(text), stderr_style())).as_bytes());
}

/// The text with everything replaced that a terminal would not show as text, except our own colours. What comes from
/// outside was made safe where it arrived; this guards what was not.
fn safe(text: &str, style: Style) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = match style {
            Style::Colours => colour_length(rest),
            Style::Plain => None,
        };
        let length = colour.unwrap_or(c.len_utf8());
        match c {
            _ if colour.is_some() => shown.push_str(&rest[..length]),
            '\n' | '\t' => shown.push(c),
            c if is_invisible(c) => shown.push(char::REPLACEMENT_CHARACTER),
            c => shown.push(c),
        }
        rest = &rest[length..];
    }
    shown
}

/// The length of the sequence for a colour or another rendition (SGR, ECMA-48) at the start of a text, if there is one.
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    // 8 would conceal what follows.
    let conceals = parameters[..end].split(';').any(|parameter| parameter == "8");
    (parameters[end..].starts_with('m') && !conceals).then_some(end + 3)
}

/// Writes to standard error; a log writes whole lines.
pub(crate) fn stderr_bytes(bytes: &[u8]) {
    above_status_line(|| {
        let _ = io::stderr().lock().write_all(bytes);
    });
}

/// Prints an error with its causes and its hint.
pub(crate) fn error(error: &CliError) {
    stderr(&error_text(error, stderr_style()));
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
pub(crate) fn set_status(message: &str) {
    if let Some(bar) = &*STATUS_LINE.lock().unwrap_or_else(PoisonError::into_inner) {
        bar.set_message(visible(&redacted(message)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_of_our_own_reach_a_terminal() {
        let text = "\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7} \u{1b}[2J \u{9b}1m \u{1b}[8mhidden\n\u{2028}\u{e0041}";
        assert_eq!(
            safe(text, Style::Colours),
            "\u{1b}[1;31mred\u{1b}[0m \u{fffd}]0;title\u{fffd} \u{fffd}[2J \u{fffd}1m \u{fffd}[8mhidden\n\u{fffd}\u{fffd}"
        );
        assert!(!safe(text, Style::Plain).contains('\u{1b}'));
        assert_eq!(safe("", Style::Plain), "");
    }

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
