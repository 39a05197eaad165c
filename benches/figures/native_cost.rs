//! What a caller costs: `cargo bench -- native-cost native-chat-cost`; in turn and five times, with the spread of the rounds,
//! `cargo bench -- native-rounds`, in about twenty minutes.

use super::native::{chat_script, profile, voice_script};
use super::native_rig::{Measured, Rig, percentile};
use super::support::figure;

/// `lk perf agent-load-test` (livekit-cli 2.18.3), measured with 40 rooms on the same server and a light agent: share of a
/// core for each room.
const LK_CORE_SHARE: f64 = 0.0099;
/// The same: megabytes for each room.
const LK_MEGABYTES: f64 = 1.85;

/// The callers whose cost is measured.
const VOICE_CALLERS: u32 = 40;
const CHAT_CALLERS: u32 = 100;
/// The share of a core and the bytes of memory of each caller between two moments; the memory that the process has
/// without callers is subtracted.
fn cost_per_caller(measured: &Measured, callers: u32, from: f64, to: f64) -> Option<(f64, f64)> {
    let (share, resident) = measured.usage_between(from, to)?;
    let before = measured.samples.first()?.resident;
    let grown = resident.saturating_sub(before) as f64;
    Some((share / f64::from(callers), grown / f64::from(callers)))
}

/// A caller of an agent whose track is silent between its answers, and of one in loud ambience.
pub(crate) fn cost() {
    let Some(rig) = Rig::start() else { return };
    cost_of(&rig, "clean", &[]);
    cost_of(&rig, "ambience", &["--ambience", "-40dBFS"]);
}

/// What a caller takes while it is in its conversation.
struct CallerCost {
    /// Of a core, in percent.
    percent: f64,
    /// In bytes.
    memory: f64,
    /// Of its own packets, those that were more than 5 ms late, in percent; 0 in chat.
    late_percent: f64,
    sent: u64,
}

fn voice_cost(rig: &Rig, name: &str, habits: &[&str]) -> Option<CallerCost> {
    // The first sample is taken after one second, when no caller has joined yet.
    let load = "rate = { from = \"1/min\", to = \"8/s\" }\nlasts = \"11s\"";
    let measured = rig.session(
        name,
        &[&["--turn-delay", "200ms", "--speech", "1s"], habits].concat(),
        &profile("voice", VOICE_CALLERS, load, "60s"),
        &voice_script(20, "1ms"),
    );
    caller_cost(&measured, VOICE_CALLERS, (18.0, 42.0))
}

fn one_chat_cost(rig: &Rig, name: &str) -> Option<CallerCost> {
    let load = "rate = { from = \"1/min\", to = \"8/s\" }\nlasts = \"26s\"";
    let measured = rig.session(
        name,
        &["--turn-delay", "50ms"],
        &profile("chat", CHAT_CALLERS, load, "60s"),
        // A turn in 2 s: the answer takes 0.15 s, then 300 ms of silence and 1.55 s of pause.
        &chat_script(30, "1550ms"),
    );
    caller_cost(&measured, CHAT_CALLERS, (32.0, 56.0))
}

fn caller_cost(measured: &Measured, callers: u32, (from, to): (f64, f64)) -> Option<CallerCost> {
    let completed = measured.runs.iter().filter(|run| run["outcome"] == "completed").count();
    let Some((share, memory)) = cost_per_caller(measured, callers, from, to) else {
        println!("the session was too short to be measured");
        return None;
    };
    println!(
        "  exit {:?}, {completed} of {callers} completed, {} turns, {}",
        measured.exit,
        measured.turns.len(),
        measured.summary["headline"]
    );
    let column = |name: &str| {
        measured.runs.iter().filter_map(|run| run[name].parse::<u64>().ok()).sum::<u64>()
    };
    let (sent, late) = (column("frames_sent"), column("frames_late") + column("frames_given_up"));
    let late_percent = late as f64 * 100.0 / sent.max(1) as f64;
    Some(CallerCost { percent: share * 100.0, memory, late_percent, sent })
}

fn cost_of(rig: &Rig, sound: &str, habits: &[&str]) {
    let Some(cost) = voice_cost(rig, &format!("cost-{sound}"), habits) else { return };
    let CallerCost { percent, memory, late_percent, sent } = cost;
    figure(
        &format!("one caller of 40, voice held, {sound}, hearing included, % of a core"),
        &format!("{percent:.3}"),
        "< 0.26",
        percent < 0.26,
    );
    figure("  its memory", &format!("{:.0} kB", memory / 1e3), "< 200 kB", memory < 200e3);
    let times = LK_CORE_SHARE * 100.0 / percent;
    figure(
        "  against lk perf agent-load-test: processor, memory",
        &format!("{times:.1}x, {:.1}x less", LK_MEGABYTES * 1e6 / memory),
        "3x and 7x less",
        times >= 3.0 && LK_MEGABYTES * 1e6 / memory >= 7.0,
    );
    figure(
        &format!("  its own packets: of {sent}, more than 5 ms late"),
        &format!("{late_percent:.2} %"),
        "< 1 % (p99 < 5 ms)",
        sent > 0 && late_percent < 1.0,
    );
}

pub(crate) fn chat_cost() {
    let Some(rig) = Rig::start() else { return };
    let Some(cost) = one_chat_cost(&rig, "chat-cost") else { return };
    figure(
        "one caller of 100, chat, a turn in 2 s, % of a core",
        &format!("{:.3}", cost.percent),
        "< 0.06",
        cost.percent < 0.06,
    );
    let memory = cost.memory;
    figure("  its memory", &format!("{:.0} kB", memory / 1e3), "< 200 kB", memory < 200e3);
}

/// The same for voice, voice in ambience and chat in turn, several times, with the spread of the rounds.
pub(crate) fn rounds() {
    const ROUNDS: usize = 5;
    let Some(rig) = Rig::start() else { return };
    let (mut voice, mut ambience, mut chat) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        voice.extend(voice_cost(&rig, &format!("voice-{round}"), &[]));
        let habits = ["--ambience", "-40dBFS"];
        ambience.extend(voice_cost(&rig, &format!("ambience-{round}"), &habits));
        chat.extend(one_chat_cost(&rig, &format!("chat-{round}")));
    }
    let percent = |cost: &CallerCost| cost.percent;
    let kilobytes = |cost: &CallerCost| cost.memory / 1e3;
    let late = |cost: &CallerCost| cost.late_percent;
    rounds_figure("voice caller, % of a core", &voice, percent, 0.15);
    rounds_figure("  its memory, kB", &voice, kilobytes, 120.0);
    rounds_figure("  its packets more than 5 ms late, %", &voice, late, 0.1);
    rounds_figure("voice caller in ambience, % of a core", &ambience, percent, 0.26);
    rounds_figure("  its packets more than 5 ms late, %", &ambience, late, 0.1);
    rounds_figure("chat caller, a turn in 2 s, % of a core", &chat, percent, 0.03);
    rounds_figure("  its memory, kB", &chat, kilobytes, 200.0);
}

fn rounds_figure(name: &str, costs: &[CallerCost], of: fn(&CallerCost) -> f64, most: f64) {
    let mut all: Vec<f64> = costs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    let median = percentile(&all, 0.5);
    let each = all.iter().map(|value| format!("{value:.3}")).collect::<Vec<_>>().join(" ");
    figure(name, &format!("{median:.3} (rounds: {each})"), &format!("< {most}"), median < most);
}
