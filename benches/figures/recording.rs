//! What recording costs a voice caller: `cargo bench -- native-recording`, in about ten minutes. Sessions with and without
//! take turns, so that whatever else the machine does meanwhile disturbs both.

use std::fs;

use super::native::{profile, voice_script};
use super::native_rig::Rig;
use super::support::figure;

const CALLERS: u32 = 40;
const ROUNDS: usize = 5;
/// When all callers are in their conversations, in seconds after the start of a session.
const HELD: (f64, f64) = (18.0, 42.0);
/// All recordings are made, and all but a few deleted at the end of their runs.
const RECORDING: &str = "[recording]\nkeep = \"failures\"\nslowest = 5\n";

/// What a session cost, and what it recorded.
struct Cost {
    /// A caller's share of a core, in percent.
    percent: f64,
    kept: usize,
}

pub(crate) fn figures() {
    let Some(rig) = Rig::start() else { return };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        for (name, more, costs) in [("off", "", &mut without), ("on", RECORDING, &mut with)] {
            match cost(&rig, &format!("recording-{name}-{round}"), more) {
                Ok(cost) => costs.push(cost),
                Err(why) => println!("  round {round}, recording {name}, does not count: {why}"),
            }
        }
    }
    let mean =
        |costs: &[Cost]| costs.iter().map(|cost| cost.percent).sum::<f64>() / costs.len() as f64;
    let (off, on) = (mean(&without), mean(&with));
    figure(
        &format!("recording of one voice caller of {CALLERS}, % of a core"),
        &format!("{:.4} ({on:.3} - {off:.3})", on - off),
        "< 0.05, on top of quality",
        on - off < 0.05 && with.iter().all(|cost| cost.kept == 5),
    );
    for (name, costs) in [("off", &without), ("on", &with)] {
        let rounds: Vec<String> = costs.iter().map(|cost| format!("{:.4}", cost.percent)).collect();
        println!("  recording {name}, rounds: {}", rounds.join(", "));
    }
}

fn cost(rig: &Rig, name: &str, more: &str) -> Result<Cost, String> {
    // The first sample is taken after one second, when no caller has joined yet.
    let load = "rate = { from = \"1/min\", to = \"8/s\" }\nlasts = \"11s\"";
    let measured = rig.session(
        name,
        &["--turn-delay", "200ms", "--speech", "1s"],
        &(profile("voice", CALLERS, load, "60s") + more),
        &voice_script(20, "1ms"),
    );
    let completed = measured.runs.iter().filter(|run| run["outcome"] == "completed").count();
    if completed != CALLERS as usize {
        return Err(format!("{completed} of {CALLERS} conversations completed"));
    }
    let (share, _) =
        measured.usage_between(HELD.0, HELD.1).ok_or("the session was too short to be measured")?;
    // Two files with sound, the text, and what else is known.
    let kept = fs::read_dir(measured.folder.join("recordings")).map_or(0, Iterator::count) / 4;
    Ok(Cost { percent: share * 100.0 / f64::from(CALLERS), kept })
}
