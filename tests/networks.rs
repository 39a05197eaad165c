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
