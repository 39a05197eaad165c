//! Agents on the frameworks that people use: `tests/peers/agents` says what they do.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::peers::{KillOnDrop, LiveKitServer, Peers, free_tcp_port, peers_folder};
use super::wait::wait_until;

/// A framework at a version, as `./tests/all` installs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framework {
    /// The newest livekit-agents.
    Python,
    /// The oldest livekit-agents 1.x that there is with its voice activity detector.
    OldestPython,
    /// @livekit/agents.
    Node,
}

impl Framework {
    /// The name that its agents are dispatched by.
    pub(crate) fn agent_name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::OldestPython => "oldest-python",
            Self::Node => "node",
        }
    }

    /// The program, without its environment.
    fn command(self, peers: &Peers) -> Command {
        let installed = match self {
            Self::Python => peers.installed("venv/bin/python"),
            Self::OldestPython => peers.installed("venv-oldest/bin/python"),
            Self::Node => {
                peers.installed("node-agents/node_modules/@livekit/agents");
                PathBuf::from("node")
            }
        };
        let program = match self {
            Self::Python | Self::OldestPython => "python_agent.py",
            Self::Node => "node/agent.mjs",
        };
        let mut command = Command::new(installed);
        command.arg(programs().join(program)).arg("start").env_clear();
        command
    }
}

/// A worker whose agents behave as their dispatch says, and stop with the test.
pub(crate) struct FrameworkAgents {
    log: PathBuf,
    group: ProcessGroup,
}

impl FrameworkAgents {
    /// What happened to its agents, as they wrote it down.
    pub(crate) fn facts(&self) -> Vec<Value> {
        json_lines(&fs::read_to_string(&self.log).unwrap_or_default())
    }

    /// The group of all its processes.
    pub(crate) fn group(&self) -> u32 {
        self.group.id
    }
}

impl LiveKitServer {
    /// A worker that is registered; its agents do what `behaviour` says where a dispatch says nothing else.
    ///
    /// What the server lets an agent do is the worker's alone: `hidden` and `no-state` are chosen here.
    pub(crate) fn framework_agents(
        &self,
        folder: &Path,
        framework: Framework,
        behaviour: &str,
    ) -> FrameworkAgents {
        let folder = peers_folder(folder);
        let name = framework.agent_name();
        let log = folder.join(format!("{name}.jsonl"));
        let output = folder.join(format!("{name}.log"));
        let written = File::create(&output).expect("a file can be written");
        let process = framework
            .command(&Peers::find())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LIVEKIT_URL", self.url())
            .env("LIVEKIT_API_KEY", self.key().expose())
            .env("LIVEKIT_API_SECRET", self.secret().expose())
            .env("AGENT_NAME", name)
            .env("AGENT_BEHAVIOUR", behaviour)
            .env("AGENT_LOG", &log)
            .env("AGENT_PORT", free_tcp_port().to_string())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(written.try_clone().expect("a file can be shared"))
            .stderr(written)
            .spawn()
            .expect("the worker starts");
        let id = process.id();
        let group = ProcessGroup { id, _leader: KillOnDrop(process) };
        wait_until("the worker is registered", || {
            let mut text = String::new();
            File::open(&output).is_ok_and(|mut file| file.read_to_string(&mut text).is_ok())
                && text.contains("registered worker")
        });
        FrameworkAgents { log, group }
    }

    /// What a caller of the same SDK sees: the lines of `tests/peers/agents/observe.py`.
    pub(crate) fn observe(&self, framework: Framework, words: &[&str]) -> Vec<Value> {
        let output = Peers::find()
            .python("agents/observe.py")
            .args(["--agent", framework.agent_name()])
            .args(words)
            .env("LIVEKIT_URL", self.url())
            .env("LIVEKIT_API_KEY", self.key().expose())
            .env("LIVEKIT_API_SECRET", self.secret().expose())
            .output()
            .expect("there is a Python");
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaints}");
        json_lines(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Our callers against agents on all frameworks: what `tests/peers/agents/table.py` prints, and whether every row is as
/// expected.
pub(crate) fn framework_table(folder: &Path, words: &[&str]) -> (String, bool) {
    let output = Peers::find()
        .python("agents/table.py")
        .args(["--binary", env!("CARGO_BIN_EXE_rushhour"), "--keep"])
        .arg(peers_folder(folder).join("table"))
        .args(words)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("there is a Python");
    let [printed, complaints] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    (format!("{printed}{complaints}"), output.status.success())
}

/// A process and all that it started.
struct ProcessGroup {
    id: u32,
    _leader: KillOnDrop,
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // Before the leader is waited for: until then nobody else can have its id.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.id)]).status();
    }
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/agents")
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("they write JSON")).collect()
}
