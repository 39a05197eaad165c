//! Stages whose dispatches livekit-server may hold back for seconds.

use super::curve::RateCurve;
use crate::profile::{DispatchMethod, LiveKitTarget, Profile, Stage, StageLoad};
use crate::units::{PositiveDuration, Rate};

/// Rooms at one instant of which none was held back, on livekit-server 1.13.5 after a minute without a dispatch: 10 of 10
/// joined at once, of 26 by request none to all were late.
const AT_ONCE_BY_REQUEST: u32 = 10;
/// The same by the room's configuration: of 26, 4 or 5 were late.
const AT_ONCE_BY_ROOM: u32 = 20;
/// Starts per second at which none was held back.
const PER_SECOND: f64 = 3.0;

/// How a stage starts its runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StageStart {
    /// So many at one instant.
    AtOnce(u32),
    /// So many per second, at the peak.
    PerSecond(f64),
}

/// How the stage starts its runs, if so fast that livekit-server may hold their dispatches back: it looks for workers once
/// a minute, and serves only the first some tens of dispatches in the 5 s that this takes. LiveKit Cloud and the sandbox
/// have other dispatchers.
pub(super) fn stall_risk(profile: &Profile, stage: &Stage) -> Option<StageStart> {
    let livekit = &profile.livekit;
    let at_once = match livekit.dispatch.method() {
        DispatchMethod::Explicit | DispatchMethod::ExplicitFresh => AT_ONCE_BY_REQUEST,
        DispatchMethod::Room | DispatchMethod::Token => AT_ONCE_BY_ROOM,
        // Nobody looks up an agent's name.
        DispatchMethod::None => return None,
    };
    if livekit.target == LiveKitTarget::Sandbox || livekit.is_livekit_cloud() {
        return None;
    }
    let together = |runs: u32| (runs > at_once).then_some(StageStart::AtOnce(runs));
    let steady = |rate: f64| (rate > PER_SECOND).then_some(StageStart::PerSecond(rate));
    match &stage.load {
        StageLoad::Burst { runs } => together(*runs),
        StageLoad::Hold { in_flight, ramp: None } => together(*in_flight),
        StageLoad::Hold { in_flight, ramp: Some(ramp) } => {
            // A ramp of a few runs is over before anything is full.
            (*in_flight > at_once).then(|| steady(Rate::per_second(*ramp))).flatten()
        }
        StageLoad::Open { curve, .. } => {
            steady(RateCurve::new(curve, stage.lasts.map(PositiveDuration::micros)).peak())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::testing::profile_of;

    fn risk(url: &str, dispatch: &str, load: &str) -> Option<StageStart> {
        let text = format!(
            "[livekit]\nurl = \"{url}\"\ndispatch = \"{dispatch}\"\nagent = \"a\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 1\ncopies = 200\n[[stage]]\n{load}\n"
        );
        let profile = profile_of(&text);
        stall_risk(&profile, &profile.stages[0])
    }

    #[test]
    fn fast_starts_on_an_own_server_are_a_risk() {
        let own = |dispatch, load| risk("ws://127.0.0.1:7880", dispatch, load);
        assert_eq!(own("explicit", "burst = 26"), Some(StageStart::AtOnce(26)));
        assert_eq!(own("explicit", "burst = 10"), None);
        assert_eq!(own("room", "burst = 20"), None);
        assert_eq!(own("room", "burst = 26"), Some(StageStart::AtOnce(26)));
        assert_eq!(own("explicit", "rate = \"3/s\""), None);
        assert_eq!(own("explicit", "rate = \"15/s\""), Some(StageStart::PerSecond(15.0)));
        assert_eq!(own("explicit", "hold = 40"), Some(StageStart::AtOnce(40)));
        assert_eq!(own("explicit", "hold = 40\nramp = \"2/s\""), None);
        assert_eq!(risk("wss://acme.livekit.cloud", "explicit", "burst = 26"), None);
        assert_eq!(risk("sandbox", "explicit", "burst = 26"), None);
    }
}
