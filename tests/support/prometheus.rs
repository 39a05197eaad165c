//! A real Prometheus on loopback, as `./tests/all` installs it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::peers::{KillOnDrop, Peers, peers_folder};
use super::wait::{PATIENCE, wait_until};

/// A Prometheus that scrapes its targets every second.
pub(crate) struct Prometheus {
    address: String,
    _process: KillOnDrop,
}

impl Prometheus {
    pub(crate) fn start(folder: &Path, targets: &[&str]) -> Self {
        let folder = peers_folder(folder).join("prometheus");
        fs::create_dir_all(&folder).expect("a folder can be created");
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: rushhour\n    static_configs:\n      - targets: {targets:?}\n"
        );
        fs::write(folder.join("prometheus.yml"), config).expect("a file can be written");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = port.expect("a port is free").to_string();
        let log = File::create(folder.join("log")).expect("a file can be created");
        let binary = Peers::find().installed("prometheus/usr/bin/prometheus");
        let process = Command::new(binary)
            .current_dir(&folder)
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Prometheus is installed");
        let started = Self { address, _process: KillOnDrop(process) };
        wait_until("Prometheus answers", || started.get("/-/ready").is_some());
        started
    }

    /// Its address, such as `127.0.0.1:4711`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The first value of a query's answer, if it is a number.
    pub(crate) fn value(&self, query: &str) -> Option<f64> {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer = self.get(&format!("/api/v1/query?query={query}"))?;
        let answer: Value = serde_json::from_str(&answer).expect("it answers with JSON");
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"]["result"][0]["value"][1]
            .as_str()?
            .parse()
            .ok()
            .filter(|value: &f64| !value.is_nan())
    }

    /// What promtool finds wrong with metrics.
    pub(crate) fn lint(metrics: &str) -> String {
        let mut promtool = Command::new(Peers::find().installed("prometheus/usr/bin/promtool"))
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool is installed");
        let mut stdin = promtool.stdin.take().expect("it is piped");
        stdin.write_all(metrics.as_bytes()).expect("it reads");
        drop(stdin);
        let output = promtool.wait_with_output().expect("it ends");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.to_owned())
    }
}
