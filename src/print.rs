//! The only printer: to the terminal, to a pipe that may be closed, to nowhere.

use std::io::{self, IsTerminal, Write};

use rushhour_report::render::Style;

/// Prints to standard output. A reader that has gone is no error: `rushhour report | head` is fine.
pub(crate) fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n"));
    let _ = stdout.flush();
}

/// Prints to standard error.
pub(crate) fn err(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.write_all(b"\n"));
}

/// Colours where standard output is a terminal and nobody asked for none (<https://no-color.org>).
pub(crate) fn out_style() -> Style {
    style(io::stdout().is_terminal())
}

/// The same for standard error.
pub(crate) fn err_style() -> Style {
    style(io::stderr().is_terminal())
}

fn style(terminal: bool) -> Style {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if terminal && !unwanted && !dumb { Style::Colours } else { Style::Plain }
}

/// An error, with what to do about it.
pub(crate) fn trouble(words: &str) {
    let head = match err_style() {
        Style::Colours => "\u{1b}[1;31merror\u{1b}[0m",
        Style::Plain => "error",
    };
    err(&format!("{head}: {words}"));
}
