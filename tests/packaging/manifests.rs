//! The nightly soak under systemd, cron and Kubernetes, and the job for GitLab.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{BINARY, root, succeed, tool, yaml};

const CRON_JOB: &str = "deploy/kubernetes/soak-cronjob.yaml";

#[test]
fn systemd_accepts_the_units() {
    let place = tempfile::tempdir().unwrap();
    for unit in ["rushhour-soak@.service", "rushhour-soak@.timer"] {
        let text = fs::read_to_string(root().join("deploy/systemd").join(unit)).unwrap();
        // The program has to be there.
        fs::write(place.path().join(unit), text.replace("/usr/bin/rushhour", BINARY)).unwrap();
    }
    let mut verify = Command::new("systemd-analyze");
    verify.env("SYSTEMD_UNIT_PATH", format!("{}:", place.path().display()));
    verify.args([
        "--man=no",
        "verify",
        "rushhour-soak@front-desk.service",
        "rushhour-soak@front-desk.timer",
    ]);
    let complaints = succeed(verify.current_dir(place.path()));
    let ours: Vec<&str> = complaints.lines().filter(|line| line.contains("rushhour")).collect();
    assert!(ours.is_empty(), "{ours:?}");

    let timer = fs::read_to_string(root().join("deploy/systemd/rushhour-soak@.timer")).unwrap();
    let when = timer.lines().find_map(|line| line.strip_prefix("OnCalendar=")).unwrap();
    succeed(Command::new("systemd-analyze").args(["calendar", when]));
}

#[test]
fn the_service_has_few_rights() {
    let mut security = Command::new("systemd-analyze");
    // 0 is least exposed, 10 most; a unit without any hardening has 9.6.
    security.args(["security", "--offline=true", "--threshold=30"]);
    succeed(security.arg(root().join("deploy/systemd/rushhour-soak@.service")));
}

/// A command line of a nightly soak, and the profile that it is run with.
fn validates(words: &[&str], profile: &Path) {
    assert_eq!(words[0], "soak");
    assert!(words.contains(&"--yes"), "nobody is asked at night: {words:?}");
    succeed(Command::new(BINARY).arg("validate").arg(profile));
}

#[test]
fn cron_starts_one_soak_a_night_with_the_keys() {
    let table = fs::read_to_string(root().join("deploy/cron/rushhour-soak")).unwrap();
    let lines: Vec<&str> = table.lines().filter(|line| !line.starts_with('#')).collect();
    let (variables, jobs): (Vec<&str>, Vec<&str>) =
        lines.into_iter().partition(|line: &&str| line.contains('=') && !line.contains(' '));
    assert_eq!(variables.len(), 3, "{variables:?}");
    let [job] = jobs[..] else { panic!("one job: {jobs:?}") };
    // Minute, hour, day, month, weekday, user; `%` would end the command.
    let command = job.splitn(7, ' ').nth(6).unwrap();
    assert!(job.starts_with("0 2 * * * rushhour ") && !command.contains('%'), "{job}");

    // The command, with its folders here and a program that says how it was called.
    let place = tempfile::tempdir().unwrap();
    let here = |text: &str| {
        let folder = place.path().display().to_string();
        text.replace("/etc/rushhour", &folder).replace("/var/lib/rushhour", &folder)
    };
    fs::write(place.path().join("soak.env"), "export LIVEKIT_API_KEY=devkey\n").unwrap();
    let program = place.path().join("rushhour");
    fs::write(&program, "#!/bin/sh\necho \"$LIVEKIT_API_KEY $*\"\n").unwrap();
    succeed(Command::new("chmod").arg("+x").arg(&program));
    let run = || {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &here(command)])
            .env("PATH", format!("{}:/usr/bin:/bin", place.path().display()));
        shell
    };
    let printed = succeed(&mut run());
    let words: Vec<&str> = printed.split_whitespace().collect();
    assert_eq!(words[0], "devkey");
    validates(&words[1..], &root().join("profiles/native-soak.toml"));

    // A night that still runs holds the lock.
    let mut holder = Command::new("flock");
    holder.arg(place.path().join(".lock")).args(["sh", "-c", "echo held; cat"]);
    holder.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut line = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();
    let refused = run().output().unwrap();
    assert!(!refused.status.success());
    let mailed = String::from_utf8_lossy(&refused.stdout);
    assert_eq!(mailed, "No soak tonight: the one before still runs.\n");
    drop(holder.stdin.take());
    holder.wait().unwrap();
}

#[test]
fn kubernetes_accepts_the_manifests() {
    let mut command = Command::new(tool("kubernetes-validate"));
    succeed(command.arg("--strict").arg(root().join(CRON_JOB)));
}

#[test]
fn a_paid_night_is_never_repeated_and_its_profile_is_valid() {
    let documents = yaml(CRON_JOB);
    let find = |kind: &str| -> &Value {
        documents
            .iter()
            .find(|document| document["kind"] == kind)
            .unwrap_or_else(|| panic!("no {kind}"))
    };
    let job = &find("CronJob")["spec"];
    let pod = &job["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(job["jobTemplate"]["spec"]["backoffLimit"], "0");
    assert_eq!(pod["restartPolicy"], "Never");
    assert_eq!(job["concurrencyPolicy"], "Forbid");
    assert_eq!(pod["securityContext"]["runAsNonRoot"], "true");
    let container = &pod["containers"][0];
    assert!(
        container["resources"]["limits"].get("cpu").is_none(),
        "a throttled generator measures itself"
    );
    assert_eq!(container["image"], concat!("rushhour:", env!("CARGO_PKG_VERSION")));

    let place = tempfile::tempdir().unwrap();
    for (name, text) in find("ConfigMap")["data"].as_object().unwrap() {
        fs::write(place.path().join(name), text.as_str().unwrap()).unwrap();
    }
    let words: Vec<&str> =
        container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let profile = words[1].strip_prefix("/profiles/").expect("from the ConfigMap");
    validates(&words, &place.path().join(profile));
}

#[test]
fn the_gitlab_job_installs_and_runs_it() {
    let job = &yaml("deploy/gitlab/rushhour.gitlab-ci.yml")[0][".rushhour"];
    assert_eq!(job["variables"]["RUSHHOUR_VERSION"], env!("CARGO_PKG_VERSION"));
    let place = tempfile::tempdir().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let release = place.path().join(format!("v{version}"));
    fs::create_dir(&release).unwrap();
    fs::copy(super::packed(), release.join(super::packed().file_name().unwrap())).unwrap();
    let sums = succeed(
        Command::new("sha256sum").arg(super::packed().file_name().unwrap()).current_dir(&release),
    );
    fs::write(release.join("SHA256SUMS"), sums).unwrap();
    fs::copy(root().join("profiles/quickstart.toml"), place.path().join("rushhour.toml")).unwrap();

    let lines = |key: &str| -> Vec<&str> {
        job[key].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
    };
    let mut all = lines("before_script");
    // Debian's packages are here; the rest is run as it is, and installed into this folder.
    all.retain(|line| !line.starts_with("apt-get"));
    all.extend(lines("script"));
    let text = all.join("\n").replace("/usr/local/bin/rushhour", "bin/rushhour");
    assert!(text.contains("bin/rushhour\n"), "{text}");
    let text = format!("set -e\nmkdir bin\n{text} --set scenario.0.copies=12");
    let mut shell = Command::new("sh");
    shell.args(["-c", &text]).current_dir(place.path()).env("RUSHHOUR_VERSION", version);
    shell.env("RUSHHOUR_PROFILE", job["variables"]["RUSHHOUR_PROFILE"].as_str().unwrap());
    shell.env("RUSHHOUR_RELEASES", format!("file://{}", place.path().display()));
    shell.env("PATH", format!("{}/bin:/usr/bin:/bin", place.path().display()));
    super::run_short_session(&mut shell);
    let allowed = job["allow_failure"]["exit_codes"].as_array().unwrap();
    assert!(allowed.contains(&Value::from("111")), "{allowed:?}");
    let session = fs::read_dir(place.path().join("reports")).unwrap().next().unwrap().unwrap();
    assert!(session.path().join("junit.xml").is_file(), "`artifacts` names it");
}
