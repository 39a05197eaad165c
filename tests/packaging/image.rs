//! The image: the Dockerfile's last stage, carried out in an empty root.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{BINARY, SHORT, root, run_short_session, script, succeed, yaml};

/// The instructions of the Dockerfile, each with its arguments, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("Dockerfile")).expect("it is there");
    let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let joined = lines.replace("\\\n", " ");
    let split = |line: &str| {
        line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.trim().to_owned()))
    };
    joined.lines().filter_map(split).collect()
}

/// The last stage: what the image is.
fn last_stage() -> Vec<(String, String)> {
    let all = instructions();
    let from = all.iter().rposition(|(name, _)| name == "FROM").expect("a stage");
    all[from..].to_vec()
}

fn argument<'a>(stage: &'a [(String, String)], name: &str) -> &'a str {
    let mut found = stage.iter().filter(|(instruction, _)| instruction == name);
    let (_, argument) = found.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(found.next().is_none(), "more than one {name}");
    argument
}

#[test]
fn the_image_starts_from_nothing_and_runs_without_rights() {
    let stage = last_stage();
    assert_eq!(argument(&stage, "FROM"), "scratch");
    let (user, group) = argument(&stage, "USER").split_once(':').expect("user and group");
    assert!(
        [user, group].iter().all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)),
        "{user}:{group}"
    );
    assert!(stage.iter().all(|(name, _)| name != "RUN" && name != "ADD"), "{stage:?}");
    assert_eq!(argument(&stage, "COPY"), "--from=build /image /");
    let build = instructions();
    assert!(
        build
            .iter()
            .any(|(name, command)| name == "RUN" && command == "packaging/build-static /image")
    );
}

#[test]
fn the_image_runs_the_quickstart() {
    let place = tempfile::tempdir().unwrap();
    let image = place.path();
    // The last step of `packaging/build-static`, with this binary; then what a dynamic one needs.
    succeed(script("packaging/image-files").arg(BINARY).arg(image));
    let libraries = Command::new("ldd").arg(BINARY).output().unwrap();
    for library in String::from_utf8_lossy(&libraries.stdout).split_whitespace() {
        if let Some(path) = library.strip_prefix('/') {
            let copy = image.join(path);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(library, copy).unwrap();
        }
    }
    succeed(Command::new("chmod").args(["-R", "a+rX"]).arg(image));

    let stage = last_stage();
    let list = |name| -> Vec<String> { serde_json::from_str(argument(&stage, name)).unwrap() };
    let entry = list("ENTRYPOINT");
    let command = |arguments: &[String]| {
        let mut command = in_root(image, argument(&stage, "USER"));
        command.args(&entry).args(arguments);
        command
    };
    assert!(succeed(&mut command(&list("CMD"))).contains("Usage: rushhour"));
    let session = ["run", "/profiles/quickstart.toml", "--quiet", "--out"].map(str::to_owned);
    let work = argument(&stage, "WORKDIR");
    let mut arguments = [session.as_slice(), &[format!("{work}/reports")]].concat();
    arguments.extend(SHORT.map(str::to_owned));
    run_short_session(&mut command(&arguments));
    assert!(image.join(&work[1..]).join("reports").is_dir());
    assert!(image.join("etc/ssl/certs/ca-certificates.crt").is_file());
}

/// A command in another root as another user, by whatever right there is.
fn in_root(folder: &Path, user: &str) -> Command {
    let is_root = succeed(Command::new("id").arg("-u")).trim() == "0";
    let mut command = if is_root {
        Command::new("chroot")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "chroot"]);
        sudo
    };
    command.arg(format!("--userspec={user}")).arg(folder);
    command
}

#[test]
fn the_build_gets_every_file_that_it_reads() {
    let ignored = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let mut patterns = ignored.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(patterns.next(), Some("*"));
    let kept: Vec<&str> =
        patterns.map(|line| line.strip_prefix('!').expect("only exceptions")).collect();
    let place = tempfile::tempdir().unwrap();
    for name in &kept {
        let from = root().join(name);
        if from.exists() {
            let to = place.path().join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            succeed(Command::new("cp").arg("-R").args([&from, &to]));
        }
    }
    // Cargo reads every manifest and looks for every target.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--locked", "--no-deps", "--format-version", "1"]);
    succeed(cargo.current_dir(place.path()));
    let mut grep = Command::new("grep");
    grep.args(["-rhoE", "--include=*.rs", r#"include_(str|bytes)!\("[^"]+"\)"#, "src", "crates"]);
    for included in succeed(grep.current_dir(place.path())).lines() {
        let name = included.split('"').nth(1).unwrap();
        let file = name.trim_start_matches("../");
        let mut find = Command::new("find");
        let found = succeed(find.arg(place.path()).args(["-path", &format!("*/{file}")]));
        assert!(!found.is_empty(), "{name} is left out of the image's build");
    }
}

#[test]
fn compose_runs_a_session_with_the_shipped_profile() {
    let compose = yaml("compose.yaml").remove(0);
    let services = &compose["services"];
    for service in ["agent", "session"] {
        assert_eq!(services[service]["network_mode"], "service:livekit", "{service}");
        assert_eq!(services[service]["environment"]["LIVEKIT_URL"], "ws://127.0.0.1:7880");
    }
    let words = |service: &str| -> Vec<String> {
        let command = services[service]["command"].as_str().expect("a command");
        command.split(' ').map(str::to_owned).collect()
    };
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();

    // The server, on ports of the test's own.
    let port = free_port();
    let config = fs::read_to_string(root().join("profiles/livekit-local.yaml")).unwrap();
    assert_eq!(services["livekit"]["volumes"][0], "./profiles/livekit-local.yaml:/livekit.yaml:ro");
    let config =
        config.replace("7880", &port.to_string()).replace("7882", &free_port().to_string());
    fs::write(folder.join("livekit.yaml"), config).unwrap();
    let mut server = Command::new(root().join("target/peers/bin/server"));
    server.args(words("livekit").iter().map(|word| word.replace("/livekit.yaml", "livekit.yaml")));
    let log = fs::File::create(folder.join("livekit.log")).unwrap();
    server.current_dir(folder).stdout(log.try_clone().unwrap()).stderr(log);
    let _server = Stopped(server.spawn().unwrap());
    let mut health = Command::new("curl");
    health.args(["--silent", "--retry", "30", "--retry-connrefused", "--retry-delay", "1"]);
    succeed(health.arg(format!("http://127.0.0.1:{port}")));

    let rushhour = |service: &str| {
        let mut command = Command::new(BINARY);
        command.current_dir(folder).env_clear();
        for (name, value) in services[service]["environment"].as_object().unwrap() {
            let value = value.as_str().unwrap().replace("7880", &port.to_string());
            command.env(name, value);
        }
        let profiles = root().join("profiles").display().to_string();
        command.args(words(service).iter().map(|word| word.replace("/profiles", &profiles)));
        command
    };
    let agent_log = fs::File::create(folder.join("agent.log")).unwrap();
    let mut agent = rushhour("agent");
    agent.stdout(agent_log.try_clone().unwrap()).stderr(agent_log);
    let _agent = Stopped(agent.spawn().unwrap());

    let out = folder.join("reports");
    let mut session = rushhour("session");
    let mut arguments: Vec<String> =
        session.get_args().map(|word| word.to_str().unwrap().to_owned()).collect();
    let place_of_out = arguments.iter().position(|word| word == "/reports").expect("a volume");
    arguments[place_of_out] = out.display().to_string();
    session = {
        let mut again = Command::new(BINARY);
        again.current_dir(folder).env_clear();
        again.envs(session.get_envs().filter_map(|(name, value)| Some((name, value?))));
        again.args(arguments).args(["--quiet", "--set", "scenario.0.copies=8"]);
        // Other tests may keep the machine busy.
        again.args(["--set", "livekit.agent_within=30s", "--set", "livekit.give_up_after=30s"]);
        again
    };
    run_short_session(&mut session);
    let folder_of_session = fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
    let summary = fs::read_to_string(folder_of_session.join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let runs = &summary["runs"];
    // Where other tests keep the machine busy, the server may give a job to nobody.
    let unassigned = runs["failed_by_class"]["dispatch_unassigned"].as_u64().unwrap_or(0);
    assert!(unassigned <= 2, "{runs}");
    assert_eq!(runs["completed"], 8 - unassigned, "{runs}");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

struct Stopped(std::process::Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
