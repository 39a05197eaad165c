//! Profiles from elsewhere, such as a fork in CI: they show no secret and no file of ours, and end.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{TestDir, rows};

const PROFILE: &str = "name = \"x\"\nmode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 30\ncopies = 1\n[[stage]]\nburst = 1\n";

#[test]
fn no_spelling_of_a_secret_is_shown_by_the_error_that_refuses_it() {
    let dir = TestDir::new();
    let addresses = [
        "url = \"wss://me:hunter2@host\"",
        "url = \"https://me:hunter2@host\"",
        "url = \"wss://host?api_key=hunter2\"",
        "url = \"wss://host/?Access_Token=hunter2&x=1\"",
        "url = \"not a url hunter2:x@y\"",
    ];
    let keys = [
        "LIVEKIT_API_SECRET = \"hunter2\"",
        "API-Secret = \"hunter2\"",
        "tokens = [\"hunter2\"]",
        "apiKey = \"hunter2\"",
        "api_secret = 'hunter2'",
    ];
    for line in addresses {
        dir.write("p.toml", &PROFILE.replace("url = \"sandbox\"", line));
        let refused = dir.rushhour(&["validate", "p.toml"]).run().expect_exit(104);
        assert!(!refused.stderr.contains("hunter2"), "{line}: {}", refused.stderr);
    }
    for line in keys {
        dir.write("p.toml", &PROFILE.replace("agent = \"a\"", &format!("agent = \"a\"\n{line}")));
        let refused = dir.rushhour(&["validate", "p.toml"]).run().expect_exit(104);
        assert!(!refused.stderr.contains("hunter2"), "{line}: {}", refused.stderr);
    }
    dir.write("p.toml", PROFILE);
    for set in [
        "livekit.api_secret=hunter2",
        "LIVEKIT_API_SECRET=hunter2",
        "livekit.API-Secret=hunter2",
        "tokens=hunter2",
        "livekit.url=wss://me:hunter2@host",
        "livekit.url=wss://host?token=hunter2",
        "api_secret:hunter2",
    ] {
        let refused = dir.rushhour(&["validate", "p.toml", "--set", set]).run().expect_exit(104);
        assert!(!refused.stderr.contains("hunter2"), "{set}: {}", refused.stderr);
    }
}

#[test]
fn a_secret_that_stands_in_a_key_file_and_in_the_profile_is_noticed() {
    let dir = TestDir::new();
    let secret = "hunter2-of-thirty-two-characters";
    dir.write("secret", secret);
    let line = format!("secret_file = \"secret\"\nmetadata = {{ note = \"{secret}\" }}");
    dir.write("p.toml", &PROFILE.replace("agent = \"a\"", &format!("agent = \"a\"\n{line}")));
    let refused = dir.rushhour(&["validate", "p.toml"]).run().expect_exit(104);
    assert!(!refused.stderr.contains(secret), "{}", refused.stderr);
    refused.expect_stderr("the secret that is in the file secret");
}

#[test]
fn only_regular_files_of_bounded_size_are_read() {
    let dir = TestDir::new();
    dir.rushhour(&["validate", "/dev/zero"]).run().expect_exit(2).expect_stderr("not a regular");
    let made = std::process::Command::new("mkfifo").arg(dir.path().join("pipe.toml")).status();
    assert!(made.expect("mkfifo runs").success());
    let pipe = dir.rushhour(&["validate", "pipe.toml"]).run().expect_exit(2);
    pipe.expect_stderr("not a regular file");
    // The test's own search for secrets would wait for its writer.
    fs::remove_file(dir.path().join("pipe.toml")).expect("it was made");
    let prices = format!("prices = \"/dev/zero\"\n{PROFILE}");
    let script = PROFILE.replace("id = 30", "script = \"/dev/zero\"\nid = 30");
    for profile in [prices, script] {
        dir.write("p.toml", &profile);
        dir.rushhour(&["validate", "p.toml"]).run().expect_exit(104);
    }
}

#[test]
fn nothing_is_shown_of_a_file_that_is_not_ours() {
    let dir = TestDir::new();
    fs::create_dir(dir.path().join("profiles")).expect("a folder can be created");
    dir.write(".env", "DB_PASSWORD=\"hunter2\"\nexport X=hunter2\n");
    dir.write("profiles/.env", "DB_PASSWORD=\"hunter2\"\nexport X=hunter2\n");
    dir.write("profiles/fine.toml", "[[turn]]\nsay = \"Hello.\"\n");
    let native = PROFILE
        .replace("url = \"sandbox\"", "url = \"ws://127.0.0.1:7880\"")
        .replace("[[scenario]]", "[evaluator]\nkind = \"native\"\n[[scenario]]");
    let with_script =
        |name: &str| native.replace("id = 30", &format!("id = 30\nscript = \"{name}\""));
    for name in ["/proc/self/environ", "../.env", ".env", "/etc/passwd"] {
        dir.write("profiles/p.toml", &with_script(name));
        let command = dir.rushhour(&["validate", "profiles/p.toml"]).env("PLANTED", "hunter2");
        let refused = command.run().expect_exit(104);
        assert!(!refused.stderr.contains("hunter2"), "{name}: {}", refused.stderr);
        assert!(!refused.stderr.contains("DB_PASS"), "{name}: {}", refused.stderr);
        assert!(!refused.stderr.contains("root:"), "{name}: {}", refused.stderr);
    }
    // A folder that the user names may be read.
    dir.write("shared.toml", "[[turn]]\nsay = \"Hello.\"\n");
    dir.write("profiles/p.toml", &with_script("../shared.toml"));
    dir.rushhour(&["validate", "profiles/p.toml"]).run().expect_exit(104).expect_stderr("--files");
    dir.rushhour(&["validate", "profiles/p.toml", "--files", "."]).run().expect_exit(0);
}

#[test]
fn the_folders_and_files_of_a_session_are_their_owners_alone() {
    let dir = TestDir::new();
    dir.write("p.toml", PROFILE);
    let ran = dir.rushhour(&["run", "p.toml", "--quiet"]).run();
    assert!(ran.code.is_some());
    let session = dir.sessions().remove(0);
    let mode = |path: &std::path::Path| {
        fs::metadata(path).expect("it exists").permissions().mode() & 0o777
    };
    assert_eq!(mode(&session), 0o700);
    assert_eq!(mode(&dir.path().join("reports")), 0o700);
    for entry in fs::read_dir(&session).expect("it exists").flatten() {
        assert_eq!(mode(&entry.path()), 0o600, "{}", entry.path().display());
    }
    assert_eq!(rows(&session.join("runs.csv")).len(), 1);
}
