//! How exactly our own callers measure, compared with the calibration agent's truth log on the real livekit-server, and
//! what a caller costs: `cargo bench -- native`, or a single row: `native-chat`, `native-voice`, `native-join`,
//! `native-faults`, `native-rate`, `native-thousand`; `native-cost`, `native-chat-cost` and `native-rounds` are
//! `native_cost.rs`, `native-ways` is `ways.rs`, `native-recording` is `recording.rs`, `native-allocations` and
//! `native-deaf` are `native_inside.rs`.

use std::collections::HashMap;

use super::native_cost;
use super::native_rig::{CLIP, Measured, Rig, errors, percentile};
use super::support::figure;

/// The callers that join at each rate.
const RATE_CALLERS: u32 = 600;

pub(crate) fn all() {
    chat();
    voice();
    join();
    faults();
    native_cost::cost();
    native_cost::chat_cost();
    rate();
    thousand();
}

pub(crate) fn profile(mode: &str, copies: u32, load: &str, lasts: &str) -> String {
    format!(
        "name = \"figures\"\nmode = \"{mode}\"\n[livekit]\nurl = \"ws://127.0.0.1:1\"\nagent = \"echo\"\n\
         agent_within = \"30s\"\ngive_up_after = \"30s\"\n[evaluator]\nkind = \"native\"\n\
         [[scenario]]\nid = \"s\"\ncopies = {copies}\nscript = \"script.toml\"\nlasts = \"{lasts}\"\n\
         [[stage]]\n{load}\n[limits]\nin_flight = 2000\nrun_timeout = \"30m\"\n"
    )
}

pub(crate) fn chat_script(turns: u32, pause: &str) -> String {
    let turn = format!(
        "[[turn]]\nsay = \"Do you have a table for two?\"\npause = \"{pause}\"\nwithin = \"30s\"\n"
    );
    turn.repeat(turns as usize)
}

pub(crate) fn voice_script(turns: u32, pause: &str) -> String {
    let turn = format!("[[turn]]\nplay = \"{CLIP}\"\npause = \"{pause}\"\nwithin = \"30s\"\n");
    turn.repeat(turns as usize)
}

/// The errors of the measured turns, in milliseconds ascending, and how many turns the agent's log does not have.
fn turn_errors(measured: &Measured, fact: &str) -> (Vec<f64>, usize) {
    let truth = measured.agent_delays(fact);
    let mut lost = 0;
    let pairs: Vec<(u64, u64)> = measured
        .turns
        .iter()
        .filter_map(|turn| {
            let key = (turn["room"].clone(), turn["turn"].parse().unwrap_or(0));
            let pair = turn["first_us"].parse().ok().zip(truth.get(&key).copied());
            lost += usize::from(pair.is_none());
            pair
        })
        .collect();
    (errors(pairs.into_iter()), lost)
}

/// Prints the median and the 99th percentile of ascending errors, next to their targets in milliseconds.
fn error_figure(name: &str, sorted: &[f64], lost: usize, p50: f64, p99: f64) {
    let found = (percentile(sorted, 0.5), percentile(sorted, 0.99));
    figure(
        &format!("{name}: error of {} turns ({lost} lost), p50 and p99", sorted.len()),
        &format!("{:.2} and {:.2} ms", found.0, found.1),
        &format!("< {p50} and < {p99} ms"),
        !sorted.is_empty() && lost == 0 && found.0 < p50 && found.1 < p99,
    );
}

pub(crate) fn chat() {
    let Some(rig) = Rig::start() else { return };
    for delay in ["50ms", "200ms", "1s"] {
        for (callers, p50, p99) in [(5, 3.0, 5.0), (50, 4.0, 15.0)] {
            let measured = rig.session(
                &format!("chat-{delay}-{callers}"),
                &["--turn-delay", delay],
                &profile("chat", callers, "rate = \"5/s\"", "20s"),
                &chat_script(10, "500ms"),
            );
            let (sorted, lost) = turn_errors(&measured, "first_chunk");
            error_figure(
                &format!("chat turn, {delay} injected, {callers} callers"),
                &sorted,
                lost,
                p50,
                p99,
            );
        }
    }
}

pub(crate) fn voice() {
    let Some(rig) = Rig::start() else { return };
    for delay in ["200ms", "500ms", "1s"] {
        let measured = rig.session(
            &format!("voice-{delay}"),
            &["--turn-delay", delay],
            &profile("voice", 10, "rate = \"2/s\"", "30s"),
            &voice_script(8, "300ms"),
        );
        let (sorted, lost) = turn_errors(&measured, "first_audible");
        error_figure(
            &format!("voice turn, {delay} injected, 10 callers"),
            &sorted,
            lost,
            12.0,
            30.0,
        );
    }
}

pub(crate) fn join() {
    let Some(rig) = Rig::start() else { return };
    let measured = rig.session(
        "join",
        &["--join-delay", "uniform 0s..3s"],
        &profile("chat", 60, "rate = \"3/s\"", "5s"),
        &chat_script(1, "1ms"),
    );
    let anchor = measured.truth.iter().find_map(|line| line["wall_unix_us"].as_u64());
    let joined: HashMap<&str, u64> = measured
        .truth
        .iter()
        .filter(|line| line["fact"] == "joined")
        .filter_map(|line| Some((line["room"].as_str()?, line["at_us"].as_u64()? + anchor?)))
        .collect();
    let journal =
        std::fs::read_to_string(measured.folder.join("journal.jsonl")).unwrap_or_default();
    let lines =
        journal.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let (mut wall, mut rooms) = (0, HashMap::new());
    let (mut seen, mut by_server) = (Vec::new(), Vec::new());
    for line in lines {
        let event = &line["e"];
        if let Some(text) = event["opened"]["anchor"].as_str() {
            let anchor: jiff::Timestamp = text.parse().expect("an anchor is a timestamp");
            wall = u64::try_from(anchor.as_microsecond()).unwrap_or(0);
        }
        if let Some(room) = event["run_started"]["room"].as_str() {
            rooms.insert(event["run_started"]["run"].as_u64(), room.to_owned());
        }
        let agent = &event["agent_seen"];
        let room = rooms.get(&agent["run"].as_u64());
        if let Some(truth) = room.and_then(|room| joined.get(room.as_str())) {
            seen.extend(agent["seen"].as_u64().map(|seen| (wall + seen, *truth)));
            by_server.extend(agent["joined"].as_u64().map(|joined| (wall + joined, *truth)));
        }
    }
    let lost = 60 - by_server.len();
    let by_server = errors(by_server.into_iter());
    error_figure("join delay, 0 to 3 s injected, by joined_at", &by_server, lost, 25.0, 25.0);
    let seen = errors(seen.into_iter());
    // The server shows an agent to others when it is connected, not when it has joined.
    println!(
        "  as seen in the room: p50 {:.1} ms, p99 {:.1} ms after",
        percentile(&seen, 0.5),
        percentile(&seen, 0.99)
    );
}

pub(crate) fn faults() {
    let Some(rig) = Rig::start() else { return };
    let faults = ["drop=10%", "mute=5%", "crash_after_turns=5%"];
    let mut agent = vec!["--turn-delay", "50ms"];
    agent.extend(faults.iter().flat_map(|fault| ["--fault", fault]));
    let short = profile("chat", 200, "rate = \"8/s\"", "5s").replace("\"30s\"", "\"8s\"");
    let script = chat_script(4, "1ms").replace("30s", "4s");
    let measured = rig.session("faults", &agent, &short, &script);
    let truth: HashMap<&str, &str> = measured
        .truth
        .iter()
        .filter(|line| line["fact"] == "job_accepted")
        .filter_map(|line| Some((line["room"].as_str()?, line["fault"].as_str().unwrap_or(""))))
        .collect();
    let mut counts: HashMap<String, u32> = HashMap::new();
    let mut wrong = 0;
    for run in &measured.runs {
        let fault = truth.get(run["room"].as_str()).copied().unwrap_or("none offered");
        let class = run["failure_class"].as_str();
        let right = matches!(
            (fault, class),
            ("", "")
                | ("drop", "agent_never_joined")
                | ("mute", "agent_mute")
                | ("crash_after_turns", "agent_left")
        );
        wrong += u32::from(!right);
        let fault = if fault.is_empty() { "no fault" } else { fault };
        let class = if class.is_empty() { "completed" } else { class };
        *counts.entry(format!("{fault} -> {class}")).or_default() += 1;
    }
    figure(
        &format!("faults of {} runs: in another class than their own", measured.runs.len()),
        &wrong.to_string(),
        "0",
        wrong == 0 && measured.runs.len() == 200,
    );
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort();
    println!("  {counts:?}");
}

/// Callers that join at a steady rate, on the machine that has the server and the agent as well. The last rate is an aim,
/// not a target.
pub(crate) fn rate() {
    let Some(rig) = Rig::start() else { return };
    for (per_second, target) in [(10, Some(5.0)), (25, Some(5.0)), (50, None)] {
        let measured = rig.session(
            &format!("rate-{per_second}"),
            &["--turn-delay", "50ms"],
            &profile("chat", RATE_CALLERS, &format!("rate = \"{per_second}/s\""), "3s"),
            &chat_script(2, "1ms"),
        );
        let completed = measured.runs.iter().filter(|run| run["outcome"] == "completed").count();
        let mut lags: Vec<f64> = measured
            .runs
            .iter()
            .filter_map(|run| Some(run["schedule_lag_us"].parse::<f64>().ok()? / 1e3))
            .collect();
        lags.sort_by(f64::total_cmp);
        let p99 = percentile(&lags, 0.99);
        let is_complete = completed == RATE_CALLERS as usize;
        figure(
            &format!(
                "{per_second} joins a second ({completed} of {RATE_CALLERS} completed): lag p99"
            ),
            &format!("{p99:.2} ms"),
            &target.map_or_else(|| "-".to_owned(), |most| format!("< {most} ms")),
            target.is_none_or(|most| p99 < most && is_complete),
        );
        println!(
            "  lag p50 {:.2} ms, max {:.2} ms",
            percentile(&lags, 0.5),
            percentile(&lags, 1.0)
        );
    }
}

pub(crate) fn thousand() {
    let Some(rig) = Rig::start() else { return };
    let measured = rig.session(
        "thousand",
        &["--turn-delay", "50ms", "--capacity", "5000"],
        &profile("chat", 1_000, "rate = \"8/s\"", "150s"),
        &chat_script(9, "19s"),
    );
    let completed = measured.runs.iter().filter(|run| run["outcome"] == "completed").count();
    let turns = measured.turns.iter().filter(|turn| turn["ending"] == "answered").count();
    let peak = measured.samples.iter().map(|sample| sample.resident).max().unwrap_or(0);
    let answered: Vec<f64> = {
        let firsts = measured.turns.iter().filter_map(|turn| turn["first_us"].parse::<f64>().ok());
        let mut firsts: Vec<f64> = firsts.map(|us| us / 1e3).collect();
        firsts.sort_by(f64::total_cmp);
        firsts
    };
    figure(
        &format!("1,000 callers at once, chat, a turn in 20 s ({turns} of 9000 turns)"),
        &format!("{completed} completed"),
        "1000",
        completed == 1_000 && turns == 9_000,
    );
    println!(
        "  generator's memory at the peak {:.0} MB; first chunk p50 {:.1} ms, p99 {:.1} ms of 50 ms injected",
        peak as f64 / 1e6,
        percentile(&answered, 0.5),
        percentile(&answered, 0.99)
    );
}
