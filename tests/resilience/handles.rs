//! Fewer open files than callers need: refused before the session starts, with the name of the limit.

use crate::support::TestDir;

/// A profile of our own callers on a server that does not exist.
fn native_profile(in_flight: u32) -> String {
    format!(
        r#"
name = "handles"
mode = "chat"
[livekit]
url = "ws://127.0.0.1:9"
agent = "echo"
[evaluator]
kind = "native"
[[scenario]]
id = "hello"
copies = 2000
script = "script.toml"
lasts = "1s"
[[stage]]
rate = "10/s"
[limits]
in_flight = {in_flight}
"#
    )
}

#[test]
fn more_callers_than_open_files_allow_are_refused_with_the_name_of_the_limit() {
    let needed = 500 * 3 + 200;
    let under = |limit: &str, in_flight| {
        let dir = TestDir::new();
        dir.write("profile.toml", &native_profile(in_flight));
        dir.write("script.toml", "[[turn]]\nsay = \"hello\"\n");
        let ran = dir
            .rushhour(&["run", "profile.toml"])
            .env("LIVEKIT_API_KEY", "key-of-the-tests-4711")
            .env("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
            .after_shell(limit)
            .run()
            .expect_exit(2);
        assert!(dir.sessions().is_empty(), "a session that could not start leaves no folder");
        ran
    };
    let hard = under("ulimit -SHn 300", 500);
    hard.expect_stderr(&format!("500 callers need {needed} open files"))
        .expect_stderr("this process may have 300")
        .expect_stderr(&format!("`ulimit -n {needed}`"))
        .expect_stderr("limits.in_flight");
    // A hard limit above the soft one is what counts.
    under("ulimit -Sn 300; ulimit -Hn 1000", 500).expect_stderr("this process may have 1000");
    // A soft limit alone is raised; what fails then is the server that does not exist.
    under("ulimit -Sn 300", 500).expect_stderr("check livekit.url");
    // Few enough callers fit.
    under("ulimit -SHn 300", 20).expect_stderr("check livekit.url");
}
