//! Fewer open files than callers need: said before anything is begun, with the limit's name.

use crate::support::Workplace;

/// Callers of our own, as many at once, at a server that is not there.
fn callers(in_flight: u32) -> String {
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
fn more_callers_than_open_files_are_refused_by_the_limits_name() {
    let needed = 500 * 2 + 200;
    let under = |limit: &str, in_flight| {
        let workplace = Workplace::new();
        workplace.write("profile.toml", &callers(in_flight));
        workplace.write("script.toml", "[[turn]]\nsay = \"hello\"\n");
        let words = ["run", "profile.toml"];
        let ran = workplace
            .rushhour(&words)
            .with("LIVEKIT_API_KEY", "key-of-the-tests-4711")
            .with("LIVEKIT_API_SECRET", "secret-of-the-tests-with-more-than-32-characters")
            .after(limit)
            .run()
            .ended_with(2);
        assert!(workplace.sessions().is_empty(), "nothing is left of what could not begin");
        ran
    };
    let hard = under("ulimit -SHn 300", 500);
    hard.complaining(&format!("500 callers need {needed} open files"))
        .complaining("this process may have 300")
        .complaining(&format!("`ulimit -n {needed}`"))
        .complaining("limits.in_flight");
    // A hard limit between the two is what counts, not the soft one below it.
    under("ulimit -Sn 300; ulimit -Hn 1000", 500).complaining("this process may have 1000");
    // A soft limit alone is raised: what fails then is the server that is not there.
    under("ulimit -Sn 300", 500).complaining("check livekit.url");
    // Few enough callers need no more than there are.
    under("ulimit -SHn 300", 20).complaining("check livekit.url");
}
