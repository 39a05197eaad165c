//! What ships Rushhour: archives, the image, the Debian package, workflows, actions and manifests.
//!
//! Hosted runners, registries and a Docker engine are not here. What they would run is run by these tests as far as it
//! goes: scripts as they are, the image's files in an empty root, manifests against their schemas.

mod actions;
mod archive;
mod bill_of_materials;
mod debian;
mod image;
mod manifests;
mod many_machines;
mod workflows;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_rushhour");

/// So few runs that no threshold can be decided: the session takes some fifteen seconds.
const SHORT: [&str; 2] = ["--set", "scenario.0.copies=12"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program that `tests/packaging/install` installs.
fn tool(name: &str) -> PathBuf {
    let folder = root().join("target/peers/packaging");
    let found = ["bin", "venv/bin"].map(|bin| folder.join(bin).join(name));
    let found = found.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: run ./tests/all, which installs it"))
}

/// A script of the repository.
fn script(path: &str) -> Command {
    let mut command = Command::new(root().join(path));
    command.current_dir(root());
    command
}

fn printed(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    both.concat()
}

/// Runs a command that has to succeed, and returns what it printed.
#[track_caller]
fn succeed(command: &mut Command) -> String {
    exit_with(command, 0)
}

/// Runs a command that holds such a short session to its end: its exit code is 111, or 112 where this machine is too
/// busy to start every run in time.
#[track_caller]
fn run_short_session(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = printed(&output);
    match output.status.code() {
        Some(code @ (111 | 112)) => (code, printed),
        other => panic!("{command:?} exited with {other:?}\n{printed}"),
    }
}

#[track_caller]
fn exit_with(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = printed(&output);
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{printed}");
    printed
}

/// The documents of a YAML file, whose values are texts.
pub(crate) fn yaml(path: &str) -> Vec<Value> {
    load_yaml(path, "BaseLoader")
}

/// The documents of a YAML file, whose values have types.
pub(crate) fn yaml_values(path: &str) -> Vec<Value> {
    load_yaml(path, "SafeLoader")
}

fn load_yaml(path: &str, loader: &str) -> Vec<Value> {
    let code = format!(
        "import json, sys, yaml\nprint(json.dumps(list(yaml.load_all(open(sys.argv[1]), yaml.{loader}))))"
    );
    let mut python = Command::new(tool("python"));
    let json = succeed(python.args(["-c", &code]).arg(root().join(path)));
    serde_json::from_str(&json).expect("Python prints JSON")
}

fn cargo_toml() -> Value {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    let code = "import json, sys, tomllib\nprint(json.dumps(tomllib.loads(sys.argv[1])))";
    let json = succeed(Command::new(tool("python")).args(["-c", code, &text]));
    serde_json::from_str(&json).expect("Python prints JSON")
}

/// The archive of the binary that these tests were built with, without its symbols: they make it eight times larger.
fn packed() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(|| pack(&emptied("packed")))
}

fn pack(folder: &Path) -> PathBuf {
    let stripped = folder.join("rushhour");
    succeed(Command::new("strip").arg("-o").arg(&stripped).arg(BINARY));
    let path = succeed(script("packaging/archive").arg(host()).arg(&stripped).arg(folder));
    PathBuf::from(path.trim())
}

/// A folder for what several tests share, without what an earlier run left in it.
fn emptied(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packaging").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("it is ours");
    }
    fs::create_dir_all(&folder).expect("a folder can be created");
    folder
}

/// The target of an archive for this machine, as `actions/install` will ask for it.
fn host() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

#[test]
fn scripts_pass_shellcheck() {
    let scripts = [
        "actions/compare/compare",
        "actions/install",
        "actions/run/run",
        "packaging/archive",
        "packaging/assets",
        "packaging/build-static",
        "packaging/deb",
        "packaging/figures",
        "packaging/image-files",
        "packaging/site",
        "packaging/try-in-empty-root",
        "tests/packaging/install",
    ];
    succeed(Command::new("shellcheck").args(scripts).current_dir(root()));
}

#[test]
fn what_is_shipped_unwinds_and_is_built_as_a_whole() {
    let profiles = &cargo_toml()["profile"];
    // A panic costs one run at most: its task has to unwind.
    for profile in ["release", "dist"] {
        assert_ne!(profiles[profile]["panic"], "abort", "{profile}");
    }
    assert_eq!(profiles["dist"]["codegen-units"], 1);
    assert_eq!(profiles["bench"]["inherits"], "dist", "figures are those of what is shipped");
}
