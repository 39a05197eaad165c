//! Real peers, as `./tests/all` installs them: started on ports of their own, stopped with the test.

use std::fs::{self, File};
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rushhour_core::units::Secret;
use serde_json::Value;

use super::binary::Rushhour;
use super::cutting_proxy::CuttingProxy;
use super::server_media::{MediaConfig, ServerMedia};
use super::test_dir::PEERS;
use super::wait::wait_until;

const KEY: &str = "key-of-the-tests-4711";
const SECRET: &str = "livekit-secret-of-the-tests-of-enough-characters";

/// The folder that `./tests/all` installs peers in.
pub(crate) struct Peers {
    root: PathBuf,
}

impl Peers {
    pub(crate) fn find() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
        let peers = Self { root };
        for peer in ["bin/server", "venv/bin/python"] {
            peers.installed(peer);
        }
        peers
    }

    /// Where this peer was installed.
    pub(super) fn installed(&self, peer: &str) -> PathBuf {
        let path = self.root.join(peer);
        assert!(path.exists(), "{} is missing: run ./tests/all, which installs it", path.display());
        path
    }

    /// A script of `tests/peers`, in the peers' own Python.
    pub(crate) fn python(&self, script: &str) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        let mut command = Command::new(self.root.join("venv/bin/python"));
        command.arg(scripts.join(script)).env_clear().env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// The JSON object that a script of `tests/peers` printed; panics with its output where it failed.
#[track_caller]
pub(crate) fn python_facts(output: &Output) -> Value {
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{errors}");
    serde_json::from_str(printed.trim()).expect("it prints JSON")
}

/// A process that is killed when this is dropped.
pub(super) struct KillOnDrop(pub(super) Child);

impl KillOnDrop {
    pub(super) fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(status.expect("`kill` is installed").success(), "the process is alive");
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A livekit-server that `./tests/all` installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerVersion {
    /// The last one with two peer connections alone.
    V1_8_4,
    /// The first one with a single peer connection, at `/rtc/v1`. Only with `OLDER_SERVERS=all`.
    V1_9_11,
    Newest,
}

impl ServerVersion {
    fn binary(self) -> PathBuf {
        Peers::find().installed(match self {
            Self::V1_8_4 => "livekit-v1.8.4/server",
            Self::V1_9_11 => "livekit-v1.9.11/server",
            Self::Newest => "bin/server",
        })
    }
}

/// A real livekit-server on loopback.
pub(crate) struct LiveKitServer {
    address: IpAddr,
    port: u16,
    key: Secret,
    secret: Secret,
    folder: PathBuf,
    process: KillOnDrop,
    binary: PathBuf,
    turn_entrance: Option<CuttingProxy>,
}

impl LiveKitServer {
    /// Starts the newest server.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &ServerMedia::default())
    }

    /// Starts one that takes media as `media` says.
    pub(crate) fn start_with(folder: &Path, media: &ServerMedia) -> Self {
        Self::start_version(folder, ServerVersion::Newest, media)
    }

    /// Starts this server.
    pub(crate) fn start_version(
        folder: &Path,
        version: ServerVersion,
        media: &ServerMedia,
    ) -> Self {
        let binary = version.binary();
        let port = free_tcp_port();
        let folder = peers_folder(folder);
        let config = folder.join("livekit.yaml");
        let address = media.address;
        let MediaConfig { yaml, turn_entrance } = media.config(&folder, version);
        let text = format!(
            "port: {port}\nbind_addresses: [\"{address}\"]\nkeys: {{{KEY}: {SECRET}}}\n\
             {yaml}room: {{empty_timeout: 60}}\n"
        );
        fs::write(config, text).expect("a file can be written");
        let (key, secret) = (Secret::new(KEY), Secret::new(SECRET));
        let process = Self::serve(&folder, address, port, &binary);
        Self { address, port, key, secret, folder, process, binary, turn_entrance }
    }

    /// What stands before its TURN server over TLS.
    #[cfg(feature = "native")]
    pub(crate) const fn turn_entrance(&self) -> Option<&CuttingProxy> {
        self.turn_entrance.as_ref()
    }

    /// Starts it with the configuration in this folder, and waits until it answers.
    fn serve(folder: &Path, address: IpAddr, port: u16, binary: &Path) -> KillOnDrop {
        let log = folder.join("livekit.log");
        let log = File::options().create(true).append(true).open(log);
        let process = Command::new(binary)
            .arg("--config")
            .arg(folder.join("livekit.yaml"))
            .stdout(log.expect("a file can be written"))
            .stderr(Stdio::null())
            .spawn()
            .expect("livekit-server starts");
        let process = KillOnDrop(process);
        wait_until("livekit-server answers", || TcpStream::connect((address, port)).is_ok());
        process
    }

    /// Kills it and starts it again; it remembers nothing.
    pub(crate) fn restart(&mut self) {
        let KillOnDrop(process) = &mut self.process;
        process.kill().expect("it is running");
        process.wait().expect("it exits");
        self.process = Self::serve(&self.folder, self.address, self.port, &self.binary);
    }

    /// Suspends it: it answers nothing until [`thaw`](Self::thaw).
    pub(crate) fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Resumes it.
    pub(crate) fn thaw(&self) {
        self.process.signal("CONT");
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", SocketAddr::new(self.address, self.port))
    }

    pub(crate) fn http(&self) -> String {
        format!("http://{}", SocketAddr::new(self.address, self.port))
    }

    pub(crate) fn key(&self) -> Secret {
        self.key.clone()
    }

    pub(crate) fn secret(&self) -> Secret {
        self.secret.clone()
    }

    /// Adds the server's keys to a command line.
    pub(crate) fn with_keys(&self, rushhour: Rushhour) -> Rushhour {
        rushhour
            .env("LIVEKIT_API_KEY", self.key.expose())
            .env("LIVEKIT_API_SECRET", self.secret.expose())
    }

    /// The names of its rooms.
    pub(crate) fn rooms(&self) -> Vec<String> {
        let (key, secret) = (self.key(), self.secret());
        let timeout = Duration::from_secs(5);
        let server = rushhour_livekit::LiveKitClient::new(&self.url(), &key, &secret, timeout)
            .expect("a client can be created");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be built");
        let rooms = runtime.block_on(server.rooms(Vec::new())).expect("the server answers");
        rooms.into_iter().map(|room| room.as_str().to_owned()).collect()
    }

    /// Starts a real worker of the echo agent, and waits until it is registered.
    pub(crate) fn echo_worker(&self, folder: &Path) -> EchoWorker {
        let folder = peers_folder(folder);
        let log = folder.join("echo.jsonl");
        let output = folder.join("echo.log");
        let process = Peers::find()
            .python("echo_agent.py")
            .arg("start")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &folder)
            .env("LIVEKIT_URL", self.url())
            .env("LIVEKIT_API_KEY", KEY)
            .env("LIVEKIT_API_SECRET", SECRET)
            .env("ECHO_AGENT_LOG", &log)
            .env("ECHO_AGENT_PORT", free_tcp_port().to_string())
            .stdout(File::create(&output).expect("a file can be written"))
            .stderr(Stdio::from(File::options().append(true).open(&output).expect("it is there")))
            .spawn()
            .expect("the worker starts");
        let worker = EchoWorker { log, _process: KillOnDrop(process) };
        wait_until("the worker is registered", || {
            let mut text = String::new();
            File::open(&output).is_ok_and(|mut file| file.read_to_string(&mut text).is_ok())
                && text.contains("registered worker")
        });
        worker
    }
}

/// A real livekit-agents worker.
pub(crate) struct EchoWorker {
    log: PathBuf,
    _process: KillOnDrop,
}

impl EchoWorker {
    /// The jobs that it was given.
    pub(crate) fn jobs(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("it writes JSON")).collect()
    }
}

/// Where a peer writes, apart from what the binary writes: its configuration holds keys.
pub(super) fn peers_folder(workplace: &Path) -> PathBuf {
    let folder = workplace.join(PEERS);
    fs::create_dir_all(&folder).expect("a folder can be created");
    folder
}

pub(super) fn free_tcp_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}
