//! The archive of a release: its name, what is in it, that it is enough, and how it gets onto a machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{
    BINARY, SHORT, cargo_toml, emptied, exit_with, host, pack, packed, run_short_session, script,
    succeed,
};

fn name() -> String {
    format!("rushhour-{}-v{}", host(), env!("CARGO_PKG_VERSION"))
}

#[test]
fn cargo_binstall_finds_the_archive_and_the_binary_in_it() {
    let package = &cargo_toml()["package"];
    let metadata = &package["metadata"]["binstall"];
    let repository = package["repository"].as_str().expect("it is where archives are found");
    let expand = |key: &str| {
        let values = [
            ("{ repo }", repository),
            ("{ name }", "rushhour"),
            ("{ target }", &host()),
            ("{ version }", env!("CARGO_PKG_VERSION")),
            ("{ bin }", "rushhour"),
            ("{ binary-ext }", ""),
            // Of the format `tgz`, it tries both.
            ("{ archive-suffix }", ".tar.gz"),
        ];
        let template = metadata[key].as_str().expect("a template").to_owned();
        values.iter().fold(template, |text, (variable, value)| text.replace(variable, value))
    };
    let file = packed().file_name().and_then(|name| name.to_str()).expect("a name");
    let release = format!("{repository}/releases/download/v{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(expand("pkg-url"), format!("{release}/{file}"));
    let listed = succeed(Command::new("tar").arg("-tzf").arg(packed()));
    assert!(listed.lines().any(|line| line == expand("bin-dir")), "{listed}");
}

#[test]
fn the_archive_holds_profiles_man_pages_and_completions() {
    let listed = succeed(Command::new("tar").arg("-tzf").arg(packed()));
    for file in [
        "rushhour",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "profiles/quickstart.toml",
        "profiles/scripts/book-a-table.toml",
        "grafana/rushhour.json",
        "man/rushhour.1",
        "man/rushhour-soak.1",
        "completions/rushhour",
        "completions/_rushhour",
        "completions/rushhour.fish",
    ] {
        assert!(
            listed.lines().any(|line| line == format!("{}/{file}", name())),
            "{file}\n{listed}"
        );
    }
}

#[test]
fn sizes_and_start_times_are_rows_of_a_table() {
    let printed = succeed(script("packaging/figures").arg(packed()).arg(BINARY));
    let rows: Vec<&str> = printed.lines().skip(2).collect();
    assert_eq!(rows.len(), 2, "{printed}");
    assert!(rows[0].contains(&format!("{}.tar.gz", name())), "{printed}");
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert!(cells[2].ends_with(" MB") && cells[3].ends_with(" MB"), "{row}");
        assert!(cells[4].ends_with(" ms"), "{row}");
    }
}

#[test]
fn the_same_binary_gives_the_same_archive() {
    let again = pack(&emptied("again"));
    assert!(fs::read(again).unwrap() == fs::read(packed()).unwrap());
}

#[test]
fn the_quickstart_runs_where_nothing_but_the_archive_is() {
    let mut command = script("packaging/try-in-empty-root");
    let (_, printed) = run_short_session(command.arg(packed()).args(SHORT));
    assert!(printed.lines().any(|line| line == "report.html"), "{printed}");
}

/// Installs from a folder that stands in for the releases' address.
fn install(releases: &Path, into: &Path, version: &str) -> Command {
    let mut command = script("actions/install");
    command.env("RUSHHOUR_VERSION", version);
    command.env("RUSHHOUR_RELEASES", format!("file://{}", releases.display()));
    command.env("RUNNER_TEMP", into).env("GITHUB_PATH", into.join("path"));
    command
}

#[test]
fn the_installer_takes_only_an_archive_with_the_right_sum() {
    let place = tempfile::tempdir().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let release = place.path().join(format!("v{version}"));
    fs::create_dir(&release).unwrap();
    let archive = release.join(format!("{}.tar.gz", name()));
    fs::copy(packed(), &archive).unwrap();
    let sums =
        succeed(Command::new("sha256sum").arg(archive.file_name().unwrap()).current_dir(&release));
    fs::write(release.join("SHA256SUMS"), sums).unwrap();

    let good = place.path().join("good");
    fs::create_dir(&good).unwrap();
    // With or without the `v` of the tag.
    let printed = succeed(&mut install(place.path(), &good, &format!("v{version}")));
    assert_eq!(printed.trim(), format!("rushhour {version}"));
    let path = fs::read_to_string(good.join("path")).unwrap();
    assert!(Path::new(path.trim()).join("rushhour").is_file(), "{path}");

    let mut bytes = fs::read(&archive).unwrap();
    bytes.push(0);
    fs::write(&archive, bytes).unwrap();
    let bad = place.path().join("bad");
    fs::create_dir(&bad).unwrap();
    let printed = exit_with(&mut install(place.path(), &bad, version), 2);
    assert!(printed.contains("::error::") && !bad.join("path").exists(), "{printed}");
}

#[test]
fn without_a_version_the_installed_rushhour_is_taken_or_the_user_is_told() {
    let with = |path: &str| {
        let mut command = script("actions/install");
        command.env("PATH", path).env("RUSHHOUR_VERSION", "");
        command
    };
    let folder = Path::new(BINARY).parent().unwrap().display();
    succeed(&mut with(&format!("{folder}:/usr/bin:/bin")));
    let printed = exit_with(&mut with("/usr/bin:/bin"), 2);
    assert!(printed.contains("version"), "{printed}");
}
