//! A real nats-server on loopback.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::peers::{KillOnDrop, Peers, free_tcp_port, peers_folder};
use super::wait::wait_until;

/// A real nats-server, without JetStream.
pub(crate) struct NatsServer {
    port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    process: KillOnDrop,
}

impl NatsServer {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// Starts one with further arguments of its command line.
    pub(crate) fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        let (port, folder) = (free_tcp_port(), peers_folder(folder));
        let arguments: Vec<String> = arguments.iter().map(|&one| one.to_owned()).collect();
        let process = Self::serve(port, &folder, &arguments);
        Self { port, folder, arguments, process }
    }

    fn serve(port: u16, folder: &Path, arguments: &[String]) -> KillOnDrop {
        let log = File::options().create(true).append(true).open(folder.join("nats.log"));
        let process = Command::new(Peers::find().installed("bin/nats-server"))
            .args(["-a", "127.0.0.1", "-p", &port.to_string()])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(log.expect("a file can be written"))
            .spawn()
            .expect("nats-server starts");
        let process = KillOnDrop(process);
        wait_until("nats-server answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        process
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it and starts it again at the same address; it remembers nothing.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.process = Self::serve(self.port, &self.folder, &self.arguments);
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        let KillOnDrop(process) = &mut self.process;
        let _ = process.kill();
        let _ = process.wait();
    }

    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }
}
