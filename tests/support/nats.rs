//! A real nats-server on loopback, as `./tests/all` installs it, and a client that speaks its protocol plainly.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::peers::{KillOnDrop, Peers, peers_folder};
use super::wait::{PATIENCE, wait_until};

/// A nats-server with a folder, a store and a port of its own.
pub(crate) struct NatsServer {
    /// Its configuration, its log, its store and the file that tells its port.
    folder: PathBuf,
    /// What its configuration's `$VARIABLES` stand for.
    variables: Vec<(String, String)>,
    binary: PathBuf,
    address: IpAddr,
    port: u16,
    process: KillOnDrop,
}

impl NatsServer {
    /// Starts one that lets everybody do everything.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, "", &[])
    }

    /// Starts one with this configuration, whose `$VARIABLES` have these values. Address, port and store are the
    /// harness's, whatever it says.
    pub(crate) fn start_with(folder: &Path, config: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), folder, config, variables)
    }

    /// The same, which Debian packages: some years old, and installed only with `OLDER_SERVERS=all ./tests/all`.
    pub(crate) fn start_older(folder: &Path, config: &str, variables: &[(&str, &str)]) -> Self {
        let binary = Peers::find().installed("nats-debian/usr/sbin/nats-server");
        Self::start_binary(binary, Ipv4Addr::LOCALHOST.into(), folder, config, variables)
    }

    /// The same at an address of this machine.
    pub(crate) fn start_at(
        address: IpAddr,
        folder: &Path,
        config: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let binary = Peers::find().installed("bin/nats-server");
        Self::start_binary(binary, address, folder, config, variables)
    }

    fn start_binary(
        binary: PathBuf,
        address: IpAddr,
        folder: &Path,
        config: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let folder = peers_folder(folder).join("nats");
        fs::create_dir_all(&folder).expect("a folder can be created");
        fs::write(folder.join("nats.conf"), config).expect("a file can be written");
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<(String, String)> = variables.iter().map(owned).collect();
        // -1 is a free one.
        let (process, port) = serve(&binary, &folder, address, -1, &variables);
        Self { folder, variables, binary, address, port, process }
    }

    /// Kills it and starts it again at the same address, with the same configuration; it remembers nothing.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let port = i32::from(self.port);
        (self.process, self.port) =
            serve(&self.binary, &self.folder, self.address, port, &self.variables);
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

    /// Its address, such as `127.0.0.1:4222`.
    pub(crate) fn address(&self) -> String {
        SocketAddr::new(self.address, self.port).to_string()
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// A client that is logged in as this user, if anybody.
    pub(crate) fn client(&self, user: Option<(&str, &str)>) -> NatsClient {
        NatsClient::connect(SocketAddr::new(self.address, self.port), user)
    }
}

/// Starts a server, waits until it listens, and reads the port from the file that it writes.
fn serve(
    binary: &Path,
    folder: &Path,
    address: IpAddr,
    port: i32,
    variables: &[(String, String)],
) -> (KillOnDrop, u16) {
    let log = File::options().create(true).append(true).open(folder.join("nats.log"));
    let log = log.expect("a file can be written");
    let process = Command::new(binary)
        .args(["--addr", &address.to_string(), "--port", &port.to_string()])
        // Without it, all servers of a machine share a store in the system's temporary folder.
        .arg("--store_dir")
        .arg(folder.join("store"))
        .arg("--ports_file_dir")
        .arg(folder)
        .arg("--config")
        .arg(folder.join("nats.conf"))
        .env_clear()
        .envs(variables.iter().cloned())
        .stdout(Stdio::from(log.try_clone().expect("a handle can be cloned")))
        .stderr(Stdio::from(log))
        .spawn()
        .expect("nats-server starts");
    let mut process = KillOnDrop(process);
    let name = binary.file_name().expect("a program has a name").to_string_lossy();
    let ports = folder.join(format!("{name}_{}.ports", process.0.id()));
    let mut port = None;
    wait_until("nats-server tells its port", || {
        let ended = process.0.try_wait().expect("it was started");
        let log = || fs::read_to_string(folder.join("nats.log")).unwrap_or_default();
        assert!(ended.is_none(), "nats-server ended: {}", log());
        // It writes the file in several steps.
        let told: Value =
            serde_json::from_slice(&fs::read(&ports).unwrap_or_default()).unwrap_or_default();
        port = told["nats"][0].as_str().and_then(|url| url.rsplit(':').next()?.parse().ok());
        port.is_some()
    });
    (process, port.expect("it was just read"))
}

/// A client that says what it is told to and repeats what the server answers, word by word.
pub(crate) struct NatsClient {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    subscriptions: u32,
}

/// A message that a client received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NatsMessage {
    pub(crate) subject: String,
    pub(crate) reply: Option<String>,
    pub(crate) payload: String,
}

/// The server refused something; its words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NatsRefusal(pub(crate) String);

impl NatsClient {
    fn connect(address: SocketAddr, user: Option<(&str, &str)>) -> Self {
        let stream = TcpStream::connect(address).expect("nats-server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit can be set");
        let reader = BufReader::new(stream.try_clone().expect("a handle can be cloned"));
        let mut client = Self { stream, reader, subscriptions: 0 };
        assert!(client.line().starts_with("INFO "), "the server speaks first");
        let mut options = json!({ "verbose": false, "pedantic": true, "lang": "test" });
        if let Some((name, password)) = user {
            options["user"] = name.into();
            options["pass"] = password.into();
        }
        client.say(&format!("CONNECT {options}\r\n"));
        client
    }

    fn say(&mut self, words: &str) {
        // A server that refuses a login closes the connection; what it said before can still be read.
        let _ = self.stream.write_all(words.as_bytes());
    }

    /// The server's next line; empty where it has closed the connection.
    fn line(&mut self) -> String {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(_) => line.trim_end().to_owned(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => String::new(),
            Err(error) => panic!("nats-server answers in time: {error}"),
        }
    }

    /// Waits until the server has done what it was told; what it refused of it.
    pub(crate) fn flush(&mut self) -> Result<(), NatsRefusal> {
        self.say("PING\r\n");
        let mut refused = None;
        loop {
            let line = self.line();
            match line.split_once(' ').map_or(line.as_str(), |(first, _)| first) {
                "PONG" | "" => break,
                "-ERR" => refused = Some(NatsRefusal(line["-ERR ".len()..].to_owned())),
                "PING" => self.say("PONG\r\n"),
                "INFO" => {}
                _ => panic!("a message came while none was awaited: {line}"),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    pub(crate) fn subscribe(&mut self, subject: &str) -> Result<(), NatsRefusal> {
        self.subscriptions += 1;
        let number = self.subscriptions;
        self.say(&format!("SUB {subject} {number}\r\n"));
        self.flush()
    }

    pub(crate) fn publish(
        &mut self,
        subject: &str,
        reply: Option<&str>,
        payload: &str,
    ) -> Result<(), NatsRefusal> {
        let reply = reply.map(|reply| format!("{reply} ")).unwrap_or_default();
        self.say(&format!("PUB {subject} {reply}{}\r\n{payload}\r\n", payload.len()));
        self.flush()
    }

    /// The next message of any subscription.
    pub(crate) fn next(&mut self) -> NatsMessage {
        loop {
            let line = self.line();
            let mut words = line.split(' ');
            match words.next() {
                Some("MSG") => {
                    let words: Vec<&str> = words.collect();
                    let (subject, reply, length) = match words[..] {
                        [subject, _, length] => (subject, None, length),
                        [subject, _, reply, length] => (subject, Some(reply), length),
                        _ => panic!("not a message: {line}"),
                    };
                    let length: usize = length.parse().expect("a length is a number");
                    let mut payload = vec![0; length + 2];
                    self.reader.read_exact(&mut payload).expect("the payload follows");
                    payload.truncate(length);
                    return NatsMessage {
                        subject: subject.to_owned(),
                        reply: reply.map(str::to_owned),
                        payload: String::from_utf8(payload).expect("tests send text"),
                    };
                }
                Some("PING") => self.say("PONG\r\n"),
                _ => panic!("a message was awaited: {line}"),
            }
        }
    }
}
