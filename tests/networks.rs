//! Networks of our own callers, and the server's dispatcher, on the real livekit-server.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::native_callers::{profile, start_agent, test_dir};
use crate::support::LiveKitServer;

/// What the agent heard of the callers with one network.
#[derive(Debug, Default)]
struct Heard {
    rooms: f64,
    packets: f64,
    lost: f64,
    /// The sum over rooms, in milliseconds.
    deviation: f64,
}

#[test]
fn the_agent_hears_the_loss_and_the_jitter_that_the_profile_says() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let agent = start_agent(&dir, &server, &["--turn-delay", "300ms"]);
    let network =
        "[[network]]\nname = \"mobile\"\nshare = \"60%\"\nloss = \"5%\"\njitter = \"50ms\"\n";
    dir.write("profile.toml", &(profile(&server, "voice", 24, "2/s") + network));
    server.with_keys(dir.rushhour(&["run", "profile.toml"])).run();
    agent.signal("INT");
    agent.finish().expect_exit(0);
    let session = dir.session();
    let network_of: BTreeMap<&str, &str> =
        session.runs.iter().map(|run| (run.text("room"), run.text("network"))).collect();
    let truth = fs::read_to_string(dir.path().join("truth.jsonl")).expect("the agent wrote it");
    let mut heard: BTreeMap<&str, Heard> = BTreeMap::new();
    for line in truth.lines() {
        let fact: Value = serde_json::from_str(line).expect("it is JSON lines");
        if fact["fact"] != "audio_received" {
            continue;
        }
        let number = |key: &str| fact[key].as_f64().expect("a number");
        let network = network_of[fact["room"].as_str().expect("a room")];
        let all = heard.entry(network).or_default();
        all.rooms += 1.0;
        all.packets += number("packets");
        all.lost += number("lost");
        all.deviation += number("delay_deviation_us") / 1e3;
    }
    let (none, mobile) = (&heard["none"], &heard["mobile"]);
    let loss = |heard: &Heard| heard.lost / (heard.lost + heard.packets);
    assert!(loss(none) < 0.005, "{none:?}");
    // Four standard errors of some 5,000 packets are 1.2 %.
    assert!((loss(mobile) - 0.05).abs() < 0.0125, "{mobile:?}");
    // A busy machine adds jitter of its own, and takes none away.
    let deviation = |heard: &Heard| heard.deviation / heard.rooms;
    assert!(deviation(mobile) > 45.0, "{mobile:?}");
    assert!(deviation(mobile) > 2.0 * deviation(none), "{heard:?}");
    let folder = session.folder.to_string_lossy().into_owned();
    let compared = dir.rushhour(&["compare", &folder, "--arms", "network=none,mobile"]).run();
    assert!(compared.stdout.contains("network mobile: "), "{}", compared.stdout);
    dir.rushhour(&["compare", &folder, "--arms", "network=none,other"])
        .run()
        .expect_exit(2)
        .expect_stderr("it has: none, mobile");
}

#[test]
#[ignore = "takes two and a half minutes: cargo test --test integration cold_burst -- --ignored"]
fn a_cold_burst_that_the_dispatcher_holds_back_is_named_and_a_warm_one_is_not() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let agent = start_agent(&dir, &server, &[]);
    let run = |stages: &str| {
        std::thread::sleep(std::time::Duration::from_secs(62));
        let text = profile(&server, "chat", 52, "1/s").replace("rate = \"1/s\"", stages);
        dir.write("profile.toml", &text);
        server.with_keys(dir.rushhour(&["run", "profile.toml"])).run().stdout
    };
    let cold = run("burst = 26\nlasts = \"12s\"\n[[stage]]\nburst = 26");
    assert!(cold.contains("held back by LiveKit's dispatcher"), "{cold}");
    // One call makes the server look for workers; the burst comes when it has.
    let warm = run("burst = 1\nlasts = \"8s\"\n[[stage]]\nburst = 26");
    assert!(!warm.contains("LiveKit's dispatcher"), "{warm}");
    agent.signal("INT");
    agent.finish().expect_exit(0);
}

/// A conversation whose caller pauses for so long.
fn script(pause: &str) -> String {
    format!("[[turn]]\nsay = \"One.\"\n[[turn]]\nsay = \"Two.\"\npause = \"{pause}\"\n")
}

/// A search for the capacity on a real server, with these `[thresholds]` and `[capacity]`.
fn search(server: &LiveKitServer, lasts: u32, thresholds: &str, capacity: &str) -> String {
    profile(server, "chat", 2, "1/s")
        .replace("lasts = \"5s\"", &format!("lasts = \"{lasts}s\""))
        .replace("run_timeout", "in_flight = 80\nrun_timeout")
        + &format!("[thresholds]\n{thresholds}\n[capacity]\n{capacity}\n")
}

/// The server looks for workers a minute after the first dispatch: while the repetition of the level is measured, or before
/// the burst. What it holds back then is held again without that, and passes.
#[test]
#[ignore = "takes five minutes: cargo test --test integration held_again -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "joins depend on the machine, and are only shown")]
fn what_the_dispatcher_held_back_in_a_capacity_search_passes_when_it_is_held_again() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let agent = start_agent(&dir, &server, &[]);
    dir.write("script.toml", &script("14s"));
    let capacity = "start = 60\nmost = 60\nramp = \"20/s\"\nsettle = \"10s\"\nlasts = \"7s\"\n\
                    longest = \"7s\"";
    let text = search(&server, 15, "\"agent_join p50\" = \"< 2s\"", capacity);
    dir.write("profile.toml", &text);
    let ran = server.with_keys(dir.rushhour(&["capacity", "profile.toml"])).run();
    println!("{}\n{}", ran.stderr, ran.stdout);
    agent.signal("INT");
    agent.finish().expect_exit(0);
    assert!(ran.stdout.contains("holds at least 60 at once"), "{}", ran.stdout);
    assert!(ran.stdout.contains("60 at the same instant are held too"), "{}", ran.stdout);
    assert!(ran.stderr.contains("again, right after LiveKit looked for workers"), "{}", ran.stderr);
}

/// The agent takes half a second for a turn up to eight conversations, and longer in proportion with more.
#[test]
#[ignore = "takes seven minutes: cargo test --test integration same_search -- --ignored --nocapture"]
#[expect(clippy::print_stdout, reason = "figures depend on the machine, and are only shown")]
fn the_same_search_has_the_same_answer_three_times() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let agent = start_agent(&dir, &server, &["--turn-delay", "500ms", "--slow-above", "8"]);
    dir.write("script.toml", &script("100ms"));
    let capacity = "start = 8\nmost = 24\nfactor = 2\nwidth = \"50%\"\nramp = \"8/s\"\nsettle = \"1s\"\n\
                    lasts = \"10s\"\nlongest = \"30s\"\nrecover_within = \"20s\"";
    dir.write(
        "profile.toml",
        &search(&server, 2, "\"turn.chat.first p90\" = \"< 620ms\"", capacity),
    );
    let mut answers = Vec::new();
    for _ in 0..3 {
        let ran = server.with_keys(dir.rushhour(&["capacity", "profile.toml"])).run();
        let last = dir.sessions().pop().expect("it wrote a folder");
        let text = fs::read(last.join("capacity.json")).expect("it was written");
        let found: Value = serde_json::from_slice(&text).expect("it is JSON");
        println!("{}\n{}", ran.stderr, found["answer"]);
        answers.push(["passed", "failed"].map(|end| found[end]["in_flight"].as_u64()));
    }
    agent.signal("INT");
    agent.finish().expect_exit(0);
    assert_eq!(answers, [[Some(8), Some(12)]; 3]);
}
