//! A session over many machines on Kubernetes and with compose: what may go wrong unseen in manifests.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{BINARY, exit_with, root, succeed, tool, yaml};

const SESSION: &str = "deploy/kubernetes/session-job.yaml";
const WORKERS: [&str; 2] =
    ["deploy/kubernetes/workers-job.yaml", "deploy/kubernetes/workers-deployment.yaml"];

fn validate(manifest: &Path) -> Command {
    let mut command = Command::new(tool("kubernetes-validate"));
    command.args(["--kubernetes-version", "1.37", "--strict"]).arg(manifest);
    command
}

fn find<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    let mut found = documents.iter().filter(|document| document["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    one
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The pod of a Job or a Deployment.
fn pod(document: &Value) -> &Value {
    &document["spec"]["template"]["spec"]
}

fn arguments(container: &Value) -> Vec<&str> {
    list(&container["args"]).iter().map(text).collect()
}

fn option<'a>(arguments: &[&'a str], name: &str) -> Option<&'a str> {
    arguments.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// The Secrets that a pod reads.
fn secrets(pod: &Value) -> Vec<&str> {
    let mounted = list(&pod["volumes"]).iter().filter_map(|at| at["secret"]["secretName"].as_str());
    let containers = list(&pod["containers"]).iter();
    let variables = containers.flat_map(|container| {
        assert!(container.get("envFrom").is_none(), "each variable is named");
        list(&container["env"])
    });
    let named = variables.filter_map(|at| at["valueFrom"]["secretKeyRef"]["name"].as_str());
    let mut all: Vec<&str> = mounted.chain(named).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// What holds for every pod of ours. Returns its one container.
fn has_few_rights_and_all_of_its_processor(pod: &Value) -> &Value {
    assert_eq!(pod["automountServiceAccountToken"], "false");
    assert_eq!(pod["securityContext"]["runAsNonRoot"], "true");
    assert_eq!(pod["securityContext"]["runAsUser"], "65532", "the image's");
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let [container] = list(&pod["containers"]) else { panic!("one container") };
    let security = &container["securityContext"];
    assert_eq!(security["allowPrivilegeEscalation"], "false");
    assert_eq!(security["readOnlyRootFilesystem"], "true");
    assert_eq!(security["capabilities"]["drop"], serde_json::json!(["ALL"]));
    let resources = &container["resources"];
    assert!(resources["requests"].get("cpu").is_some());
    assert!(resources["limits"].get("cpu").is_none(), "a throttled generator measures itself");
    assert_eq!(container["image"], concat!("rushhour:", env!("CARGO_PKG_VERSION")));
    for probe in ["livenessProbe", "startupProbe"] {
        assert!(container.get(probe).is_none(), "a pod that is restarted costs its runs");
    }
    container
}

/// The session's profile and scripts, in a folder.
fn written_profile(folder: &Path) -> serde_json::Map<String, Value> {
    let documents = yaml(SESSION);
    let files = find(&documents, "ConfigMap")["data"].as_object().expect("files").clone();
    for (name, contents) in &files {
        fs::write(folder.join(name), text(contents)).expect("a file can be written");
    }
    files
}

fn profile() -> toml::Value {
    let place = tempfile::tempdir().expect("a folder can be created");
    written_profile(place.path());
    let profile = fs::read_to_string(place.path().join("session.toml")).expect("it was written");
    toml::from_str(&profile).expect("it is TOML")
}

/// The longest conversation that the profile allows, in seconds.
fn run_timeout() -> u64 {
    let profile = profile();
    let minutes = profile["limits"]["run_timeout"].as_str().and_then(|text| text.strip_suffix('m'));
    let minutes = minutes.and_then(|text| text.parse::<u64>().ok());
    60 * minutes.expect("it is written in minutes")
}

#[test]
fn kubernetes_accepts_the_manifests_of_session_and_workers() {
    for manifest in [SESSION].iter().chain(&WORKERS) {
        succeed(&mut validate(&root().join(manifest)));
    }
}

#[test]
fn kubernetes_refuses_a_broken_manifest() {
    let place = tempfile::tempdir().unwrap();
    for (manifest, good, broken) in [
        (SESSION, "backoffLimit: 0", "backOffLimit: 0"),
        (SESSION, "restartPolicy: Never", "restartPolicy: 7"),
        (WORKERS[0], "completions: 5", "completions: five"),
        (WORKERS[1], "  selector:\n", "  selectors:\n"),
    ] {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        assert!(text.contains(good), "{manifest}: {good}");
        let path = place.path().join("broken.yaml");
        fs::write(&path, text.replacen(good, broken, 1)).unwrap();
        exit_with(&mut validate(&path), 1);
    }
}

#[test]
fn the_coordinator_is_never_repeated_and_its_reports_stay() {
    let documents = yaml(SESSION);
    let job = find(&documents, "Job");
    assert_eq!(job["spec"]["backoffLimit"], "0", "six repetitions would be paid for");
    assert_eq!(job["spec"]["completions"], "1");
    let pod = pod(job);
    assert_eq!(pod["restartPolicy"], "Never");
    let container = has_few_rights_and_all_of_its_processor(pod);
    let grace: u64 = text(&pod["terminationGracePeriodSeconds"]).parse().unwrap();
    assert!(grace > run_timeout(), "the runs in flight finish");

    let words = arguments(container);
    assert_eq!(words[0], "run");
    assert!(words.contains(&"--yes"), "nobody can be asked");
    let out = option(&words, "--out").expect("reports go somewhere");
    let mounts = list(&container["volumeMounts"]);
    let mount = mounts.iter().find(|mount| mount["mountPath"] == out).expect("a volume");
    let volumes = list(&pod["volumes"]);
    let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
    let claim = &volume["persistentVolumeClaim"]["claimName"];
    let claimed = find(&documents, "PersistentVolumeClaim");
    assert_eq!(claim, &claimed["metadata"]["name"], "an emptyDir leaves nothing to resume from");

    // The profile, as the pod finds it.
    let place = tempfile::tempdir().unwrap();
    let files = written_profile(place.path());
    let profile = words[1].strip_prefix("/profiles/").expect("from the ConfigMap");
    assert!(files.contains_key(profile));
    succeed(Command::new(BINARY).arg("validate").arg(place.path().join(profile)));
    let profile = text(&files[profile]);
    let keys = option(&words, "--files").expect("keys are outside of the profile's folder");
    for file in ["key_file", "secret_file"] {
        let name = profile.lines().find_map(|line| line.trim().strip_prefix(&format!("{file} = ")));
        let name = name.expect("keys are files").trim_matches('"');
        let (folder, key) = name.rsplit_once('/').unwrap();
        assert!(folder.starts_with(keys), "{name}");
        let mount = mounts.iter().find(|mount| mount["mountPath"] == folder).expect("a volume");
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        let secret = documents.iter().find(|document| {
            document["kind"] == "Secret"
                && document["metadata"]["name"] == volume["secret"]["secretName"]
        });
        assert!(secret.unwrap()["stringData"].get(key).is_some(), "{key}");
    }
}

#[test]
fn workers_hold_no_key_and_finish_what_they_hold() {
    let session = yaml(SESSION);
    let coordinator = pod(find(&session, "Job"));
    let profile = profile();
    let nats = profile["workers"]["nats"].as_str().expect("an address");
    let livekit = profile["livekit"]["url"].as_str().expect("an address");
    let host = livekit.trim_start_matches("wss://");
    assert_eq!(arguments(&coordinator["containers"][0])[0], "run");
    let coordinators = secrets(coordinator);
    assert_eq!(coordinators, ["rushhour-livekit", "rushhour-nats-coordinator"]);
    for (manifest, kind) in WORKERS.iter().zip(["Job", "Deployment"]) {
        let documents = yaml(manifest);
        let workers = find(&documents, kind);
        let pod = pod(workers);
        let container = has_few_rights_and_all_of_its_processor(pod);
        assert_eq!(secrets(pod), ["rushhour-nats-worker"], "{manifest}");
        let words = arguments(container);
        assert_eq!(&words[..2], ["worker", nats], "{manifest}");
        assert_eq!(option(&words, "--allow-host"), Some(host), "{manifest}");
        // A Job ends with its session; a pool waits for the next one.
        assert_eq!(words.contains(&"--once"), kind == "Job", "{manifest}");
        let grace: u64 = text(&pod["terminationGracePeriodSeconds"]).parse().unwrap();
        assert!(grace > run_timeout(), "{manifest}");
        let rule = &pod["affinity"]["podAntiAffinity"];
        let [rule] = list(&rule["requiredDuringSchedulingIgnoredDuringExecution"]) else {
            panic!("one worker a node")
        };
        let labels = &workers["spec"]["template"]["metadata"]["labels"];
        assert_eq!(&rule["labelSelector"]["matchLabels"], labels, "{manifest}");
    }
    let documents = yaml(WORKERS[0]);
    let job = &find(&documents, "Job")["spec"];
    assert_eq!(job["completionMode"], "Indexed");
    assert_eq!(job["completions"], job["parallelism"], "all of them at once");
    let workers: i64 = text(&job["completions"]).parse().unwrap();
    assert_eq!(profile["workers"]["at_least"].as_integer(), Some(workers));
    let most = profile["limits"]["in_flight"].as_integer().expect("a limit");
    let container = &pod(find(&documents, "Job"))["containers"][0];
    let each: i64 = option(&arguments(container), "--capacity").unwrap().parse().unwrap();
    assert!(workers * each >= most, "{workers} workers hold {each} each, the session {most}");
    // What the chart's server reads is in the two Secrets.
    let values = &yaml("deploy/kubernetes/nats-values.yaml")[0];
    let variables = values["container"]["env"].as_object().unwrap().values();
    let mut named: Vec<&str> =
        variables.map(|at| text(&at["valueFrom"]["secretKeyRef"]["name"])).collect();
    named.sort_unstable();
    assert_eq!(named, ["rushhour-nats-coordinator", "rushhour-nats-worker"]);
}

#[test]
fn compose_gives_keys_to_the_coordinator_alone() {
    let compose = &yaml("deploy/compose/compose.yaml")[0];
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        let is_first = name == "livekit";
        assert_eq!(service.get("network_mode").is_none(), is_first, "{name}");
        let named: Vec<&String> =
            service["environment"].as_object().into_iter().flat_map(|at| at.keys()).collect();
        let has_keys = named.iter().any(|variable| variable.starts_with("LIVEKIT_"));
        assert_eq!(has_keys, ["agent", "session"].contains(&&**name), "{name}: {named:?}");
    }
    let (worker, session) = (&services["worker"], &services["session"]);
    let passwords = &services["nats"]["environment"];
    assert_eq!(worker["environment"]["NATS_PASSWORD"], passwords["WORKER_PASSWORD"]);
    assert_eq!(session["environment"]["NATS_PASSWORD"], passwords["COORDINATOR_PASSWORD"]);
    // Files that are mounted are there.
    let folder = root().join("deploy/compose");
    for service in services.values() {
        for volume in list(&service["volumes"]) {
            let from = text(volume).split(':').next().unwrap();
            assert!(from == "./reports" || folder.join(from).is_file(), "{from}");
        }
    }
}
