//! What a voice caller costs by the way of its media: `cargo bench -- native-ways`, in less than four minutes. The ways
//! take turns, so that whatever else the machine does meanwhile disturbs all of them.

use super::native::{profile, voice_script};
use super::native_rig::Rig;
use super::support::figure;

const CALLERS: u32 = 20;
const ROUNDS: usize = 2;
/// When all callers are in their conversations, in seconds after the start of a session.
const HELD: (f64, f64) = (9.0, 27.0);

/// A way as profiles name it, and as people do.
const WAYS: [(&str, &str); 3] = [("udp", "UDP"), ("tcp", "TCP"), ("relay", "TURN over UDP")];

pub(crate) fn figures() {
    let Some(rig) = Rig::start_with_every_way() else { return };
    let mut costs: [Vec<f64>; WAYS.len()] = [const { Vec::new() }; WAYS.len()];
    for round in 1..=ROUNDS {
        for ((transport, shown), costs) in WAYS.iter().zip(&mut costs) {
            match cost(&rig, round, transport) {
                Ok(percent) => costs.push(percent),
                Err(why) => println!("  round {round} over {shown} does not count: {why}"),
            }
        }
    }
    let mut udp = None;
    for ((_, shown), costs) in WAYS.iter().zip(&costs) {
        let mean = costs.iter().sum::<f64>() / costs.len() as f64;
        let rounds: Vec<String> = costs.iter().map(|cost| format!("{cost:.3}")).collect();
        let target = 0.26;
        let udp = *udp.get_or_insert(mean);
        let value = format!("{mean:.3}, {:.2}x UDP", mean / udp);
        let name = format!("one voice caller of {CALLERS} over {shown}, % of a core");
        // Only UDP has a target: what TCP and relays add is what the kernel and TURN cost.
        let (target, holds) = if *shown == "UDP" {
            (format!("< {target}"), mean < target)
        } else {
            ("-".into(), !mean.is_nan())
        };
        figure(&name, &value, &target, holds);
        println!("  rounds: {}", rounds.join(", "));
    }
}

/// A caller's share of a core in percent, where all conversations went this way.
fn cost(rig: &Rig, round: usize, transport: &str) -> Result<f64, String> {
    // The first sample is taken after one second, when no caller has joined yet.
    let load = "rate = { from = \"1/min\", to = \"8/s\" }\nlasts = \"5s\"";
    let profile = profile("voice", CALLERS, load, "30s")
        .replace("[livekit]", &format!("[livekit]\ntransport = \"{transport}\""));
    let measured = rig.session(
        &format!("ways-{transport}-{round}"),
        &["--turn-delay", "200ms", "--speech", "1s"],
        &profile,
        &voice_script(7, "1ms"),
    );
    let completed = measured.runs.iter().filter(|run| run["outcome"] == "completed").count();
    if completed != CALLERS as usize {
        return Err(format!("{completed} of {CALLERS} conversations completed"));
    }
    let last = measured.samples.last().map_or(0.0, |sample| sample.at);
    let (from, to) = HELD;
    match measured.usage_between(from, to) {
        Some((share, _)) if last >= to => Ok(share * 100.0 / f64::from(CALLERS)),
        _ => Err(format!("it took {last:.0} s")),
    }
}
