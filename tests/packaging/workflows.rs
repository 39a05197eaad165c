//! Workflows and actions, by the linters and schemas that there are for them.

use std::fs;
use std::process::Command;

use super::{cargo_toml, root, succeed, tool, yaml};

const WORKFLOWS: [&str; 3] =
    [".github/workflows/docs.yml", ".github/workflows/release.yml", ".github/workflows/tests.yml"];
const ACTIONS: [&str; 2] = ["actions/compare/action.yml", "actions/run/action.yml"];

#[test]
fn every_workflow_is_listed_here() {
    let mut found: Vec<String> = fs::read_dir(root().join(".github/workflows"))
        .unwrap()
        .map(|entry| format!(".github/workflows/{}", entry.unwrap().file_name().display()))
        .collect();
    found.sort();
    assert_eq!(found, WORKFLOWS);
}

#[test]
fn actionlint_and_shellcheck_accept_the_workflows() {
    succeed(Command::new(tool("actionlint")).args(WORKFLOWS).current_dir(root()));
}

#[test]
fn zizmor_finds_no_weakness() {
    let mut zizmor = Command::new(tool("zizmor"));
    zizmor.args(["--offline", "--no-progress", "--quiet", ".github", "actions"]);
    succeed(zizmor.current_dir(root()));
}

#[test]
fn files_follow_their_schemas() {
    let check = |schema: &str, files: &[&str]| {
        let mut command = Command::new(tool("check-jsonschema"));
        command.args(["--builtin-schema", schema]).args(files);
        succeed(command.current_dir(root()));
    };
    check("vendor.github-workflows", &WORKFLOWS);
    check("vendor.github-actions", &ACTIONS);
    check("vendor.compose-spec", &["compose.yaml"]);
    check("vendor.gitlab-ci", &["deploy/gitlab/rushhour.gitlab-ci.yml"]);
}

#[test]
fn actions_of_others_are_pinned_by_commit_with_their_version_beside_it() {
    let mut count = 0;
    for file in WORKFLOWS.iter().chain(&ACTIONS) {
        let text = fs::read_to_string(root().join(file)).unwrap();
        for line in
            text.lines().filter(|line| line.trim_start_matches([' ', '-']).starts_with("uses:"))
        {
            let (_, pin) = line.split_once('@').expect("a reference");
            let (commit, version) =
                pin.split_once(" # v").unwrap_or_else(|| panic!("{file}: {line}"));
            let is_commit =
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(
                is_commit && version.starts_with(|digit: char| digit.is_ascii_digit()),
                "{line}"
            );
            count += 1;
        }
    }
    assert!(count > 8, "{count}");
}

#[test]
fn archives_are_built_for_every_system_that_the_installer_asks_for() {
    let release = yaml(".github/workflows/release.yml").remove(0);
    let matrix = release["jobs"]["archives"]["strategy"]["matrix"]["include"].as_array().unwrap();
    let mut built: Vec<&str> =
        matrix.iter().map(|entry| entry["target"].as_str().unwrap()).collect();
    built.sort_unstable();
    let installer = fs::read_to_string(root().join("actions/install")).unwrap();
    let mut asked: Vec<String> = installer
        .lines()
        .filter_map(|line| line.split_once(") target=")?.1.strip_suffix(" ;;"))
        .flat_map(|target| match target.strip_suffix("gnu") {
            Some(system) => vec![target.to_owned(), format!("{system}musl")],
            None => vec![target.to_owned()],
        })
        .collect();
    asked.sort();
    assert_eq!(built, asked);
}

#[test]
fn versions_of_tools_are_those_that_the_tests_use() {
    let release = yaml(".github/workflows/release.yml").remove(0);
    let install = fs::read_to_string(root().join("tests/packaging/install")).unwrap();
    for tool in ["CARGO_CYCLONEDX", "CARGO_DEB"] {
        let version = release["env"][tool].as_str().unwrap();
        assert!(install.contains(&format!("{tool}={version}\n")), "{tool} {version}");
    }
    // The image is built by its own script, with the same list of dependencies in the binary.
    let build = fs::read_to_string(root().join("packaging/build-static")).unwrap();
    let version = release["env"]["CARGO_AUDITABLE"].as_str().unwrap();
    assert!(build.contains(&format!("cargo-auditable@{version}\n")), "{version}");
    assert!(build.contains("cargo auditable build "), "{build}");
}

/// Runs a step of the release as if a tag was pushed to a repository.
fn release_step(name: &str, repository: &str) -> bool {
    let release = yaml(".github/workflows/release.yml").remove(0);
    let steps = release["jobs"]["archives"]["steps"].as_array().expect("it has steps");
    let step = steps.iter().find(|step| step["name"] == name).expect("it is a step");
    let mut bash = Command::new("bash");
    bash.args(["-ec", step["run"].as_str().expect("it runs a script")]).current_dir(root());
    bash.env("GITHUB_SERVER_URL", "https://github.com").env("GITHUB_REPOSITORY", repository);
    let ran = bash.output().expect("bash is installed");
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{ran:?}");
    ran.status.success()
}

#[test]
fn a_release_elsewhere_than_cargo_binstall_looks_is_refused() {
    let step = "The repository is where cargo binstall looks";
    let repository = cargo_toml()["package"]["repository"].as_str().unwrap().to_owned();
    let own = repository.strip_prefix("https://github.com/").expect("an account and a name");
    assert!(release_step(step, own));
    assert!(!release_step(step, "another/rushhour"));
}
