//! A LiveKit server as companies have them: behind a certificate of their own authority, and behind a proxy.

use crate::native_callers::{profile, start_agent, test_dir};
use crate::support::{
    Authority, CommandOutput, ConnectProxy, HostileServer, LiveKitServer, TestDir, TlsFront,
};

/// A server behind TLS, and an agent that reaches it without.
struct Scene {
    dir: TestDir,
    server: LiveKitServer,
    authority: Authority,
}

impl Scene {
    fn new() -> Self {
        let dir = test_dir();
        let server = LiveKitServer::start(dir.path());
        let authority = Authority::new();
        dir.write("authority.pem", &authority.pem());
        Self { dir, server, authority }
    }

    fn write_profile(&self, url: &str, more: &str) {
        let text = profile(&self.server, "chat", 2, "2/s");
        let text = text.replace(&self.server.url(), url);
        self.dir.write("profile.toml", &text.replace("[livekit]", &format!("[livekit]\n{more}")));
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> CommandOutput {
        let mut command = self.server.with_keys(self.dir.rushhour(arguments));
        for (variable, value) in environment {
            command = command.env(variable, value);
        }
        command.run()
    }

    /// Runs two calls, which succeed.
    #[track_caller]
    fn expect_calls(&self, environment: &[(&str, &str)]) {
        let agent = start_agent(&self.dir, &self.server, &[]);
        let output = self.run(&["run", "profile.toml"], environment);
        agent.signal("INT");
        agent.finish().expect_exit(0);
        let session = self.dir.session();
        assert_eq!(session.tally("outcome")["completed"], 2, "{}", output.stdout);
    }
}

#[test]
fn a_servers_private_authority_is_trusted_over_http_and_websockets() {
    let scene = Scene::new();
    let front = TlsFront::start(&scene.authority, "127.0.0.1", scene.server.port());
    let url = format!("wss://127.0.0.1:{}", front.port);
    // Unknown, nothing is sent, and the message says what to do.
    scene.write_profile(&url, "");
    let output = scene.run(&["run", "profile.toml"], &[]).expect_exit(2);
    let advice = "name the authority's file in livekit.ca_file or SSL_CERT_FILE";
    assert!(output.stderr.contains(advice), "{}", output.stderr);
    scene.write_profile(&url, "ca_file = \"authority.pem\"");
    scene.expect_calls(&[]);
}

#[test]
fn ssl_cert_file_is_trusted_over_http_and_websockets() {
    let scene = Scene::new();
    let front = TlsFront::start(&scene.authority, "127.0.0.1", scene.server.port());
    scene.write_profile(&format!("wss://127.0.0.1:{}", front.port), "");
    let file = scene.dir.path().join("authority.pem").display().to_string();
    scene.expect_calls(&[("SSL_CERT_FILE", &file)]);
    let missing = scene.run(&["run", "profile.toml"], &[("SSL_CERT_FILE", "missing.pem")]);
    assert!(
        missing.stderr.contains("SSL_CERT_FILE names no readable certificates"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_certificate_for_another_name_is_refused_and_its_name_told() {
    let scene = Scene::new();
    let front = TlsFront::start(&scene.authority, "other.example", scene.server.port());
    scene.write_profile(&format!("wss://127.0.0.1:{}", front.port), "ca_file = \"authority.pem\"");
    for command in [&["run", "profile.toml"][..], &["doctor", "profile.toml", "--no-dispatch"]] {
        let output = scene.run(command, &[]);
        let told = "its certificate is for another name: other.example";
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(told), "{all}");
    }
}

#[test]
fn a_file_that_is_no_authority_is_refused_before_anything_is_sent() {
    let scene = Scene::new();
    scene.dir.write("empty.pem", "");
    for (file, told) in [("empty.pem", "holds no certificate"), ("none.pem", "cannot read")] {
        scene.write_profile(&scene.server.url(), &format!("ca_file = \"{file}\""));
        let output = scene.run(&["run", "profile.toml"], &[]).expect_exit(2);
        assert!(output.stderr.contains(told), "{}", output.stderr);
        assert!(output.stderr.contains("livekit.ca_file"), "{}", output.stderr);
    }
}

#[test]
fn requests_and_websockets_go_through_the_proxy_of_the_environment() {
    let scene = Scene::new();
    let front = TlsFront::start(&scene.authority, "livekit.test", scene.server.port());
    let proxy = ConnectProxy::start(Some(front.port));
    // Only the proxy knows this name.
    scene.write_profile("wss://livekit.test", "ca_file = \"authority.pem\"");
    scene.expect_calls(&[("HTTPS_PROXY", &proxy.url())]);
    let asked = proxy.asked();
    assert!(asked.iter().all(|host| host == "livekit.test:443"), "{asked:?}");
    // The API's connection, and a WebSocket for each caller.
    assert!(asked.len() >= 3, "{asked:?}");
    let doctor =
        scene.run(&["doctor", "profile.toml", "--no-dispatch"], &[("HTTPS_PROXY", &proxy.url())]);
    let told = format!("through {}", proxy.shown());
    assert!(doctor.stdout.contains(&told), "{}", doctor.stdout);
    assert!(!doctor.stdout.contains("proxy-password"), "{}", doctor.stdout);
}

#[test]
fn a_proxy_that_refuses_is_named_and_not_asked_for_this_machine() {
    let scene = Scene::new();
    let proxy = ConnectProxy::start(None);
    scene.write_profile("wss://livekit.test", "");
    let through = [("ALL_PROXY", proxy.url())];
    let through: Vec<(&str, &str)> = through.iter().map(|(name, url)| (*name, &**url)).collect();
    for command in [&["run", "profile.toml"][..], &["doctor", "profile.toml", "--no-dispatch"]] {
        let output = scene.run(command, &through);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(&format!("through the proxy {}", proxy.shown())), "{all}");
        assert!(!all.contains("proxy-password"), "{all}");
    }
    let asked = proxy.asked().len();
    // A host that is spared is not found without the proxy, which is not asked.
    let mut spared = through.clone();
    spared.push(("NO_PROXY", "livekit.test"));
    let output = scene.run(&["run", "profile.toml"], &spared);
    assert!(!output.stderr.contains("through the proxy"), "{}", output.stderr);
    scene.write_profile(&scene.server.url(), "");
    scene.expect_calls(&through);
    assert_eq!(proxy.asked().len(), asked, "{:?}", proxy.asked());
}

#[test]
fn nothing_on_this_machine_is_asked_through_a_proxy() {
    let dir = TestDir::new();
    let proxy = ConnectProxy::start(None);
    let worker = HostileServer::start(|_| (200, br#"{"active_jobs":2}"#.to_vec()));
    // LiveKit and Cekura are the sandbox's, which listens on loopback as the agent's worker does.
    dir.write(
        "profile.toml",
        &format!(
            "name = \"here\"\nmode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 2\nlasts = \"1s\"\n[[stage]]\nburst = 2\n[evaluator]\npoll_every = \"500ms\"\n[sandbox]\nconversation = {{ median = \"1s\", p95 = \"2s\" }}\n[agent_health]\nurl = \"http://{}/worker\"\nevery = \"500ms\"\nsettle = \"1s\"\n",
            worker.address()
        ),
    );
    let mut command = dir.rushhour(&["run", "profile.toml"]);
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command = command.env(variable, &proxy.url());
        command = command.env(&variable.to_ascii_lowercase(), &proxy.url());
    }
    let output = command.run();
    let session = dir.session();
    let outcomes = session.tally("outcome");
    assert_eq!(outcomes.get("completed"), Some(&2), "{outcomes:?} {}", output.stdout);
    assert!(!worker.received().is_empty(), "the worker is asked directly");
    assert_eq!(proxy.asked(), Vec::<String>::new());
}
