//! The Debian package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{BINARY, emptied, root, script, succeed, tool};

/// The package of the binary that these tests were built with, and the folder that it was unpacked into.
fn package() -> (&'static Path, &'static Path) {
    static PACKAGE: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    let (package, unpacked) = PACKAGE.get_or_init(|| {
        let folder = emptied("debian");
        let tools = tool("cargo-deb").parent().expect("it is in a folder").to_owned();
        let path = std::env::var("PATH").expect("there is one");
        let mut command = script("packaging/deb");
        command.env("PATH", format!("{}:{path}", tools.display()));
        command.env("RUSHHOUR_MAINTAINER", "Tests <tests@debian.org>");
        // The best compression takes half a minute.
        command.arg(BINARY).arg(&folder).args(["--profile", "dev", "--fast"]);
        // The tests' own target folder may be another than `target`.
        let target = Path::new(BINARY).ancestors().nth(2).expect("target/debug/rushhour");
        succeed(command.env("CARGO_TARGET_DIR", target));
        let mut files = fs::read_dir(&folder).expect("it is readable");
        let package = files.next().expect("one package").expect("it is readable").path();
        let unpacked = folder.join("unpacked");
        succeed(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&unpacked));
        (package, unpacked)
    });
    (package, unpacked)
}

#[test]
fn lintian_finds_nothing() {
    let mut lintian = Command::new("lintian");
    // Bugs that a first upload closes are those of Debian's tracker.
    lintian.args([
        "--fail-on",
        "error,warning",
        "--suppress-tags",
        "initial-upload-closes-no-bugs",
    ]);
    succeed(lintian.arg(package().0));
}

#[test]
fn it_installs_and_what_it_installs_works() {
    let (package, unpacked) = package();
    let control = succeed(Command::new("dpkg-deb").arg("-I").arg(package));
    assert!(control.contains("libc6 (>="), "{control}");
    let version = succeed(Command::new(unpacked.join("usr/bin/rushhour")).arg("--version"));
    assert_eq!(version.trim(), concat!("rushhour ", env!("CARGO_PKG_VERSION")));
    let profile = unpacked.join("usr/share/doc/rushhour/examples/quickstart.toml");
    succeed(Command::new(unpacked.join("usr/bin/rushhour")).arg("validate").arg(profile));
}

#[test]
fn man_pages_are_there_for_every_command_and_groff_has_no_complaint() {
    let pages = package().1.join("usr/share/man/man1");
    let mut count = 0;
    for page in fs::read_dir(pages).unwrap() {
        let mut man = Command::new("man");
        man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").env("MAN_KEEP_STDERR", "1");
        let output = man.args(["--warnings", "-l"]).arg(page.unwrap().path()).output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaints.is_empty(), "{complaints}");
        count += 1;
    }
    assert!(count > 15, "{count}");
}

#[test]
fn bash_completes_commands_and_options() {
    let completions = package().1.join("usr/share/bash-completion/completions/rushhour");
    let code = r#"source "$0"; COMP_WORDS=(rushhour soak --point); COMP_CWORD=2
        $(complete -p rushhour | sed 's/.*-F \([^ ]*\).*/\1/') rushhour --point soak; echo "${COMPREPLY[@]}""#;
    let completed = succeed(Command::new("bash").args(["-c", code]).arg(completions));
    assert_eq!(completed.trim(), "--point-estimate");
}

#[test]
fn the_dashboard_is_in_the_package() {
    let dashboard = package().1.join("usr/share/doc/rushhour/examples/grafana/rushhour.json");
    let ours = fs::read(root().join("deploy/grafana/rushhour.json")).unwrap();
    assert_eq!(fs::read(dashboard).unwrap(), ours);
}

#[test]
fn units_in_the_package_are_those_of_the_repository() {
    let examples = package().1.join("usr/share/doc/rushhour/examples/systemd");
    for unit in ["rushhour-soak@.service", "rushhour-soak@.timer"] {
        let ours = fs::read(root().join("deploy/systemd").join(unit)).unwrap();
        assert_eq!(fs::read(examples.join(unit)).unwrap(), ours, "{unit}");
    }
}
