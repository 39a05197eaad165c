//! The log: off unless `-v`, `--log` or `RUSHHOUR_LOG` asks for it, and redacted before it is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::{ArgAction, Args, ValueHint};
use rustix::fs::OFlags;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::error::CliError;
use crate::known_secrets::redacted;
use crate::print;
use rushhour_core::units::is_invisible;

/// The environment variable with `EnvFilter` directives.
const VARIABLE: &str = "RUSHHOUR_LOG";

/// The most bytes of one event. What services answer may be in it.
const LONGEST_LINE: usize = 16 * 1024;

/// What is logged, and where to.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Log what happens to standard error; -vv logs more.
    ///
    /// -v logs the phases of a session, -vv also details such as each request. The environment variable RUSHHOUR_LOG
    /// takes precedence: it holds directives such as `debug` or `rushhour=debug,hyper=info`. Keys, secrets and tokens
    /// are redacted.
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Logging")]
    verbose: u8,
    /// Append the log to FILE instead of standard error.
    ///
    /// Logs as much as with -v where neither -v nor RUSHHOUR_LOG is given. Only you can read a file that it creates.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help_heading = "Logging"
    )]
    log: Option<PathBuf>,
}

/// Starts the log, where one was asked for. Otherwise no subscriber is installed, and logging costs nothing.
pub(crate) fn start(arguments: &LogArgs) -> Result<(), CliError> {
    let environment = std::env::var(VARIABLE).ok().filter(|text| !text.trim().is_empty());
    let Some(directives) = directives(environment, arguments) else { return Ok(()) };
    let filter = EnvFilter::builder().parse(&directives).map_err(|error| {
        CliError::usage(format!("{VARIABLE} has an invalid directive"))
            .caused_by(error)
            .with_hint("write directives such as \"debug\" or \"rushhour_driver=debug,info\"")
    })?;
    let destination = match &arguments.log {
        Some(path) => Destination::File(Mutex::new(open(path)?)),
        None => Destination::StandardError,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(RedactingWriter { destination })
        .finish();
    tracing::subscriber::set_global_default(subscriber).map_err(CliError::from_internal)
}

/// The directives to filter with; none where nothing is to be logged.
fn directives(environment: Option<String>, arguments: &LogArgs) -> Option<String> {
    let ours = |level: &str| format!("rushhour={level}");
    match (environment, arguments.verbose) {
        (Some(directives), _) => Some(directives),
        (None, 0) => arguments.log.as_ref().map(|_| ours("info")),
        (None, 1) => Some(ours("info")),
        (None, _) => Some(ours("debug")),
    }
}

fn open(path: &Path) -> Result<File, CliError> {
    // A link may have been planted in a folder of everybody's, and a pipe would wait for its reader.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(flags.bits().cast_signed());
    let opened = options.open(path).and_then(|file| {
        let is_file = file.metadata()?.is_file();
        if is_file { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
    });
    opened.map_err(|error| {
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        let hint = if is_link {
            "it is a link, which is not followed: name the file itself, or leave --log out for standard error"
        } else {
            "name a file that you can write with --log"
        };
        CliError::usage(format!("cannot write the log {}", path.display()))
            .caused_by(error)
            .with_hint(hint)
    })
}

enum Destination {
    StandardError,
    File(Mutex<File>),
}

/// Makes the writer of each event.
struct RedactingWriter {
    destination: Destination,
}

impl<'a> MakeWriter<'a> for RedactingWriter {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LogLine { destination: &self.destination, bytes: Vec::new() }
    }
}

/// One event. It is written when it is complete, since a secret may be split over several writes.
struct LogLine<'a> {
    destination: &'a Destination,
    bytes: Vec<u8>,
}

impl Write for LogLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine<'_> {
    fn drop(&mut self) {
        let line = log_line(&String::from_utf8_lossy(&self.bytes));
        match self.destination {
            Destination::StandardError => print::stderr_bytes(line.as_bytes()),
            Destination::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                // A log that cannot be written must not end a session.
                let _ = file.write_all(line.as_bytes());
            }
        }
    }
}

/// An event as it is written: redacted first, then on one line, then shortened.
fn log_line(event: &str) -> String {
    let redacted = redacted(event.trim_end_matches('\n'));
    let mut line = String::with_capacity(redacted.len() + 1);
    for c in redacted.chars() {
        if is_invisible(c) && c != '\t' {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    if line.len() > LONGEST_LINE {
        let end = line.floor_char_boundary(LONGEST_LINE);
        let rest = line.len() - end;
        line.truncate(end);
        line = format!("{line}... ({rest} more bytes)");
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known_secrets::remember;
    use rushhour_core::units::Secret;

    fn arguments(verbose: u8, log: Option<&str>) -> LogArgs {
        LogArgs { verbose, log: log.map(PathBuf::from) }
    }

    #[test]
    fn nothing_is_logged_unless_asked_for_and_the_environment_takes_precedence() {
        assert_eq!(directives(None, &arguments(0, None)), None);
        assert_eq!(directives(None, &arguments(0, Some("f"))).unwrap(), "rushhour=info");
        assert_eq!(directives(None, &arguments(1, None)).unwrap(), "rushhour=info");
        assert_eq!(directives(None, &arguments(2, None)).unwrap(), "rushhour=debug");
        assert_eq!(directives(Some("trace".into()), &arguments(2, None)).unwrap(), "trace");
    }

    #[test]
    fn an_event_is_one_line_redacted_before_it_is_shortened() {
        let secret = Secret::new("a-secret-of-the-log-test");
        remember(&secret);
        let before = "x".repeat(LONGEST_LINE - 10);
        let line = log_line(&format!("{before}{} and\nmore\u{1b}[2J\n", secret.expose()));
        assert!(!line.contains("a-secret"), "not even a part of it");
        assert!(line.ends_with("more bytes)\n") && line.lines().count() == 1, "{line}");
        assert_eq!(log_line("a\nb\n"), "a\\nb\n");
    }

    #[test]
    fn a_log_is_written_through_no_link_and_into_no_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("victim"), "precious").unwrap();
        std::os::unix::fs::symlink(path("victim"), path("log")).unwrap();
        let refused = open(&path("log")).unwrap_err();
        assert!(refused.hint().is_some_and(|hint| hint.contains("a link")));
        assert_eq!(std::fs::read(path("victim")).unwrap(), b"precious");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(open(&path("pipe")).is_err());
        assert!(open(folder.path()).is_err());
        open(&path("new")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(path("new")).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_secret_in_two_writes_is_redacted() {
        remember(&Secret::new("a-secret-in-two-writes"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let writer =
            RedactingWriter { destination: Destination::File(Mutex::new(file.reopen().unwrap())) };
        let mut line = writer.make_writer();
        line.write_all(b"key a-secret-in").unwrap();
        line.write_all(b"-two-writes\n").unwrap();
        drop(line);
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "key [redacted]\n");
    }
}
