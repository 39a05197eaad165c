//! A program that says a text: run without a shell, for so long, and read up to so many bytes.

#![expect(
    clippy::disallowed_methods,
    reason = "it blocks threads of its own before the session, which have no runtime"
)]

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::synthesiser::SynthesisError;
use crate::bounded_file::MAX_CLIP;
use crate::known_secrets::{OTLP_HEADERS, VARIABLES};
use rushhour_core::profile::SynthesisSettings;
use rushhour_core::units::ForeignText;

/// What is kept of what a program says of itself.
const MAX_COMPLAINT: u64 = 16 * 1024;
/// How often it is looked whether a program that has written everything has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Has a program say a text. It is run in `folder`.
///
/// # Errors
/// It cannot be started, fails, takes longer than `within`, or writes too much.
pub(super) fn say(
    words: &[String],
    text: &str,
    folder: &Path,
    within: Duration,
) -> Result<Vec<u8>, SynthesisError> {
    let deadline = Instant::now() + within;
    let (program, arguments) = words.split_first().ok_or(SynthesisError::NoProgram)?;
    let in_argument = arguments.iter().any(|one| one.contains(SynthesisSettings::TEXT));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut command = Command::new(program_in(program, folder));
    command
        .args(arguments.iter().map(|one| one.replace(SynthesisSettings::TEXT, text)))
        .current_dir(folder)
        .stdin(if in_argument { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // So that what it starts is ended with it.
        .process_group(0);
    // Secrets of this process are none of a program's business.
    for secret in VARIABLES.into_iter().chain(OTLP_HEADERS).chain(["RUSHHOUR_NOTIFY_URL"]) {
        command.env_remove(secret);
    }
    let child = command.spawn().map_err(SynthesisError::NotStarted)?;
    Running { child }.finish(text, deadline, within)
}

/// A program in a folder is named relative to the profile's folder, as all files are.
fn program_in(program: &str, folder: &Path) -> PathBuf {
    let path = Path::new(program);
    if path.is_absolute() || !program.contains('/') {
        return path.to_owned();
    }
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.join(path)
}

struct Running {
    child: Child,
}

impl Drop for Running {
    /// Whatever happened, nothing of it goes on.
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id())
            && let Some(pid) = Pid::from_raw(pid)
        {
            // It may have ended by itself.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

impl Running {
    fn finish(
        mut self,
        text: &str,
        deadline: Instant,
        within: Duration,
    ) -> Result<Vec<u8>, SynthesisError> {
        if let Some(mut stdin) = self.child.stdin.take() {
            let text = text.to_owned();
            // A program may write before it has read everything, or never read. This thread ends with the pipe.
            thread::spawn(move || stdin.write_all(text.as_bytes()));
        }
        let (sender, output) = channel();
        if let Some(stdout) = self.child.stdout.take() {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                let read = stdout.take(MAX_CLIP + 1).read_to_end(&mut bytes);
                // Nobody waits for it any longer where it took too long.
                let _ = sender.send(read.map(|_| bytes));
            });
        }
        let (complained, complaint) = channel();
        if let Some(stderr) = self.child.stderr.take() {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                // What cannot be read is not shown. The rest is read too, so that the program can write it.
                let mut stderr = stderr.take(MAX_COMPLAINT);
                let _ = stderr.read_to_end(&mut bytes);
                let _ = complained.send(bytes);
                let _ = io::copy(&mut stderr.into_inner(), &mut io::sink());
            });
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let bytes = match output.recv_timeout(left) {
            Ok(read) => read.map_err(SynthesisError::NotStarted)?,
            Err(RecvTimeoutError::Timeout) => return Err(SynthesisError::TooSlow { within }),
            Err(RecvTimeoutError::Disconnected) => return Err(SynthesisError::NoProgram),
        };
        if bytes.len() as u64 > MAX_CLIP {
            return Err(SynthesisError::TooMuch { limit: MAX_CLIP });
        }
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(SynthesisError::NotStarted)? {
                break status;
            }
            if Instant::now() >= deadline {
                return Err(SynthesisError::TooSlow { within });
            }
            thread::sleep(LOOK_EVERY);
        };
        // What it started may still hold its standard error.
        drop(self);
        if status.success() {
            return Ok(bytes);
        }
        // What has left its group may hold its standard error for ever.
        let left = deadline.saturating_duration_since(Instant::now());
        let complaint = complaint.recv_timeout(left).unwrap_or_default();
        let complaint = String::from_utf8_lossy(&complaint);
        let last = complaint.lines().rev().find(|line| !line.trim().is_empty());
        let said = last.map(|line| ForeignText::from(line.trim().to_owned()));
        Err(SynthesisError::Failed { status, said })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, seconds: u64) -> Result<Vec<u8>, SynthesisError> {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        say(&words, "Good evening.", Path::new(""), Duration::from_secs(seconds))
    }

    #[test]
    fn a_program_that_leaves_another_one_behind_is_not_waited_for() {
        let script = "setsid sleep 30 >/dev/null & exit 3";
        let began = Instant::now();
        let failed = run(script, 1);
        assert!(matches!(failed, Err(SynthesisError::Failed { said: None, .. })), "{failed:?}");
        assert!(
            began.elapsed() < Duration::from_secs(25),
            "it would last as long as the other one"
        );
    }

    #[test]
    fn a_program_gets_the_text_on_its_standard_input_or_in_an_argument() {
        assert_eq!(run("cat", 20).unwrap(), b"Good evening.");
        let words = ["/bin/echo", "-n", "<{text}>"].map(str::to_owned);
        let said = say(&words, "$(id) \"a\"", Path::new(""), Duration::from_secs(20)).unwrap();
        assert_eq!(said, b"<$(id) \"a\">", "there is no shell");
        // One that does not read, and one that writes first.
        assert_eq!(run("exec <&-; echo -n a", 20).unwrap(), b"a");
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let error = run("echo 'no voice named x' >&2; exit 3", 20).unwrap_err().to_string();
        assert!(error.contains('3') && error.contains("no voice named x"), "{error}");
        let words = ["/no/such/program".to_owned()];
        let error = say(&words, "", Path::new(""), Duration::from_secs(20)).unwrap_err();
        assert!(matches!(error, SynthesisError::NotStarted(_)), "{error}");
    }

    #[test]
    fn a_program_that_hangs_or_never_stops_is_ended() {
        for hanging in ["sleep 1000", "sleep 1000 & exec >&-; wait", "sleep 1000 & exit 0"] {
            let error = run(hanging, 1).unwrap_err();
            assert!(matches!(error, SynthesisError::TooSlow { .. }), "{hanging}: {error}");
        }
        let error = run("exec cat /dev/zero", 60).unwrap_err();
        assert!(matches!(error, SynthesisError::TooMuch { .. }), "{error}");
    }
}
