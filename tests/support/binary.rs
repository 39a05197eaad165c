//! The binary, run with nothing in its environment but what a test puts there.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::peers::KillOnDrop;
use super::secrets::{find_secret, find_token};
use super::wait::wait_until;

/// A command line under construction.
pub(crate) struct Rushhour {
    command: Command,
}

/// A command that has exited.
pub(crate) struct CommandOutput {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command that is running; it is killed when this is dropped.
pub(crate) struct RunningCommand {
    child: KillOnDrop,
    stdout: Reader,
    stderr: Reader,
}

impl Rushhour {
    pub(crate) fn new(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rushhour"));
        command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    pub(crate) fn env(mut self, variable: &str, value: &str) -> Self {
        self.command.env(variable, value);
        self
    }

    /// The same command, started by a shell that has run `script`.
    pub(crate) fn after_shell(self, script: &str) -> Self {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("{script}; exec \"$0\" \"$@\"")]);
        command.arg(self.command.get_program()).args(self.command.get_args()).env_clear();
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.command.get_current_dir().expect("every command line has one"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    pub(crate) fn start(mut self) -> RunningCommand {
        let mut child = self.command.spawn().expect("the binary was built");
        let stdout = Reader::start(child.stdout.take().expect("it is piped"));
        let stderr = Reader::start(child.stderr.take().expect("it is piped"));
        RunningCommand { child: KillOnDrop(child), stdout, stderr }
    }

    /// Starts the command and waits until it has printed a line that starts with `line`; returns what it has
    /// printed so far as well.
    pub(crate) fn start_until(mut self, line: &str) -> (RunningCommand, String) {
        let mut child = self.command.spawn().expect("the binary was built");
        let mut reader = BufReader::new(child.stdout.take().expect("it is piped"));
        let stderr = Reader::start(child.stderr.take().expect("it is piped"));
        let mut printed = String::new();
        loop {
            let before = printed.len();
            let read = reader.read_line(&mut printed).expect("it prints text");
            assert!(read > 0, "it exited before it printed {line}:\n{printed}");
            if printed[before..].starts_with(line) {
                break;
            }
        }
        (
            RunningCommand { child: KillOnDrop(child), stdout: Reader::start(reader), stderr },
            printed,
        )
    }

    #[track_caller]
    pub(crate) fn run(self) -> CommandOutput {
        self.start().finish()
    }
}

impl RunningCommand {
    pub(crate) fn signal(&self, name: &str) {
        self.child.signal(name);
    }

    /// Waits for the exit like [`Self::finish`]; also returns the peak of its resident memory in bytes (`VmHWM`).
    #[track_caller]
    pub(crate) fn finish_measured(mut self) -> (CommandOutput, u64) {
        let status = format!("/proc/{}/status", self.child.0.id());
        let mut peak = 0;
        while !self.ends_within(Duration::from_millis(20)) {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with("VmHWM:"));
            let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
            peak = peak.max(1_024 * kilobytes.unwrap_or(0));
        }
        (self.finish(), peak)
    }

    /// Whether the command exits within this time.
    pub(crate) fn ends_within(&mut self, time: Duration) -> bool {
        let start = Instant::now();
        loop {
            if self.child.0.try_wait().expect("it was started").is_some() {
                return true;
            }
            if start.elapsed() > time {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until the command has printed this text on standard error.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&self, text: &str) {
        wait_until(&format!("`{text}` on standard error"), || self.stderr.so_far().contains(text));
    }

    /// Waits until the command has printed a line with this text on standard error, and returns the line.
    #[track_caller]
    pub(crate) fn stderr_line(&self, text: &str) -> String {
        let mut line = None;
        wait_until(&format!("a line with `{text}` on standard error"), || {
            let printed = self.stderr.so_far();
            let complete = printed.rsplit_once('\n').map_or("", |(lines, _)| lines);
            line = complete.lines().find(|line| line.contains(text)).map(str::to_owned);
            line.is_some()
        });
        line.expect("it was just found")
    }

    /// Waits for the exit of a command that prints secrets on purpose: the sandbox prints its own keys.
    pub(crate) fn finish_with_secrets(mut self) -> CommandOutput {
        let status = self.child.0.wait().expect("it was started");
        let output = CommandOutput {
            code: status.code(),
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        };
        for printed in [&output.stdout, &output.stderr] {
            assert_eq!(find_token(printed.as_bytes()), None, "a token was printed:\n{printed}");
        }
        output
    }

    /// Waits for the exit, and checks that nothing panicked and no secret was printed.
    #[track_caller]
    pub(crate) fn finish(self) -> CommandOutput {
        let output = self.finish_with_secrets();
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
        for printed in [&output.stdout, &output.stderr] {
            assert_eq!(find_secret(printed.as_bytes()), None, "a secret was printed:\n{printed}");
        }
        output
    }
}

impl CommandOutput {
    #[track_caller]
    pub(crate) fn expect_exit(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Expects this exit code, or the one of a session that was invalid because this machine was too busy.
    #[track_caller]
    pub(crate) fn expect_exit_unless_busy(self, code: i32) -> Self {
        if self.was_busy() { self } else { self.expect_exit(code) }
    }

    /// Whether the session was invalid because this machine was too busy.
    pub(crate) fn was_busy(&self) -> bool {
        self.code == Some(112)
    }

    #[track_caller]
    pub(crate) fn expect_stderr(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "not printed: {text}\nstderr:\n{}", self.stderr);
        self
    }
}

/// A thread that reads an output of a process to its end.
struct Reader {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn start(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 8_192];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                let mut bytes = shared.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&buffer[..read]);
            }
        });
        Self { bytes, thread }
    }

    fn so_far(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn finish(self) -> String {
        self.thread.join().expect("reading does not panic");
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
