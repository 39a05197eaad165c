//! The binary, run with nothing in its environment but what a test puts there.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use super::leaks::{secret_in, token_in};
use super::peers::Stopped;

/// A command line being put together.
pub(crate) struct Rushhour {
    command: Command,
}

/// A command line that was carried out.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A command line that is being carried out.
pub(crate) struct Running {
    child: Stopped,
    out: JoinHandle<String>,
    err: JoinHandle<String>,
}

impl Rushhour {
    pub(crate) fn new(folder: &Path, words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rushhour"));
        command.args(words).current_dir(folder).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.command.env(variable, value);
        self
    }

    /// The same from a shell that did this before.
    pub(crate) fn after(self, script: &str) -> Self {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("{script}; exec \"$0\" \"$@\"")]);
        command.arg(self.command.get_program()).args(self.command.get_args()).env_clear();
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.command.get_current_dir().expect("every command line has one"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().expect("the binary was built");
        let out = drain(child.stdout.take().expect("it is piped"));
        let err = drain(child.stderr.take().expect("it is piped"));
        Running { child: Stopped(child), out, err }
    }

    /// Starts it, and waits until it has printed a line that begins so; gives what it printed until then.
    pub(crate) fn start_until(mut self, line: &str) -> (Running, String) {
        let mut child = self.command.spawn().expect("the binary was built");
        let mut reader = BufReader::new(child.stdout.take().expect("it is piped"));
        let err = drain(child.stderr.take().expect("it is piped"));
        let mut printed = String::new();
        loop {
            let before = printed.len();
            let read = reader.read_line(&mut printed).expect("it prints text");
            assert!(read > 0, "it ended before it printed {line}:\n{printed}");
            if printed[before..].starts_with(line) {
                break;
            }
        }
        (Running { child: Stopped(child), out: drain(reader), err }, printed)
    }

    pub(crate) fn run(self) -> Ran {
        self.start().finish()
    }
}

impl Running {
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.0.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(status.expect("there is a kill").success(), "the process is alive");
    }

    /// Waits for its end, where it is meant to print secrets: the sandbox hands its own out.
    pub(crate) fn finish_secretly(mut self) -> Ran {
        let status = self.child.0.wait().expect("it was started");
        let ran = Ran {
            code: status.code(),
            out: self.out.join().expect("reading does not panic"),
            err: self.err.join().expect("reading does not panic"),
        };
        for printed in [&ran.out, &ran.err] {
            assert_eq!(token_in(printed.as_bytes()), None, "a token was printed:\n{printed}");
        }
        ran
    }

    pub(crate) fn finish(self) -> Ran {
        let ran = self.finish_secretly();
        for printed in [&ran.out, &ran.err] {
            assert_eq!(secret_in(printed.as_bytes()), None, "a secret was printed:\n{printed}");
        }
        ran
    }
}

impl Ran {
    /// Asserts how it ended, showing what it said where it did not.
    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\nout:\n{}\nerr:\n{}", self.out, self.err);
        self
    }

    /// Asserts that it complained in these words.
    #[track_caller]
    pub(crate) fn complaining(self, words: &str) -> Self {
        assert!(self.err.contains(words), "not said: {words}\nerr:\n{}", self.err);
        self
    }
}

fn drain(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
