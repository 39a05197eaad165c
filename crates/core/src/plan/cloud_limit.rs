//! Plans that are too large for LiveKit Cloud without permission.

use url::Url;

use super::forecast::{Forecast, StageForecast};
use crate::profile::{DispatchMethod, LiveKitTarget, Profile, TargetKind, target_kind};

/// The most rooms at once on LiveKit Cloud without permission. LiveKit's own `lk load-test` allows at most
/// 50 participants of a kind there, because of the acceptable use policy
/// (<https://livekit.io/legal/acceptable-use-policy>).
pub const CLOUD_ROOMS: u32 = 50;

/// A plan that is too large for LiveKit Cloud without permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudExcess {
    /// The project's host.
    pub host: String,
    /// Rooms at once at the peak.
    pub rooms: u32,
}

/// Whether a plan needs more than [`CLOUD_ROOMS`] rooms at once on LiveKit Cloud. Other servers have no
/// such limit.
pub fn cloud_excess(profile: &Profile, forecast: &Forecast) -> Option<CloudExcess> {
    let LiveKitTarget::Url(url) = &profile.livekit.target else { return None };
    let url = Url::parse(url).ok()?;
    if target_kind(&url) != TargetKind::LiveKitCloud {
        return None;
    }
    let peak = forecast.in_flight.ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let rooms = (peak as u32).min(profile.limits.in_flight);
    (rooms > CLOUD_ROOMS)
        .then(|| CloudExcess { host: url.host_str().unwrap_or_default().to_owned(), rooms })
}

/// Requests per minute to the server API that LiveKit Cloud allows a project, on every plan
/// (<https://docs.livekit.io/deploy/admin/quotas-and-limits/>). Joins and media do not count.
pub const CLOUD_REQUESTS_PER_MINUTE: u32 = 1_000;
/// Polls of a room until its agent is there; an agent that joins within five seconds needs no more.
const POLLS_PER_RUN: u32 = 5;

/// A plan that needs more requests than LiveKit Cloud allows.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudQuotaExcess {
    /// The project's host.
    pub host: String,
    /// Requests of each run, at most.
    pub per_run: u32,
    /// Requests per minute at the peak.
    pub per_minute: f64,
}

/// Whether a plan needs more than [`CLOUD_REQUESTS_PER_MINUTE`] on LiveKit Cloud.
pub fn cloud_quota_excess(profile: &Profile, forecast: &Forecast) -> Option<CloudQuotaExcess> {
    let url = Url::parse(profile.livekit.server_api()?).ok()?;
    if target_kind(&url) != TargetKind::LiveKitCloud {
        return None;
    }
    let starts_per_minute = |stage: &StageForecast| {
        let runs = stage.runs as f64;
        stage.peak_rate.map_or(runs, |rate| (rate * 60.0).min(runs))
    };
    let starts = forecast.stages.iter().map(starts_per_minute).fold(0.0, f64::max);
    let per_run = requests_per_run(profile);
    let per_minute = starts * f64::from(per_run);
    (per_minute > f64::from(CLOUD_REQUESTS_PER_MINUTE)).then(|| CloudQuotaExcess {
        host: url.host_str().unwrap_or_default().to_owned(),
        per_run,
        per_minute,
    })
}

/// Requests to LiveKit's server API of a run that goes as planned: room, dispatch, polls, deletion.
fn requests_per_run(profile: &Profile) -> u32 {
    let method = profile.livekit.dispatch.method();
    let room = u32::from(method != DispatchMethod::Token);
    let by_request = matches!(method, DispatchMethod::Explicit | DispatchMethod::ExplicitFresh);
    // Our own callers see the agent themselves.
    let polls = profile.livekit.wait_for_agent && profile.evaluator.cekura().is_some();
    room + u32::from(by_request) + u32::from(polls) * POLLS_PER_RUN + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::profile::testing::profile_of;

    fn excess(url: &str, burst: u32, in_flight: u32) -> Option<u32> {
        let text = format!(
            "[livekit]\nurl = \"{url}\"\nagent = \"a\"\n[evaluator]\nkind = \"sandbox\"\n[[scenario]]\nid = 1\ncopies = {burst}\n[[stage]]\nburst = {burst}\n[limits]\nin_flight = {in_flight}\n"
        );
        let plan = Plan::new(profile_of(&text));
        cloud_excess(plan.profile(), &Forecast::new(&plan)).map(|excess| excess.rooms)
    }

    #[test]
    fn the_limit_applies_to_the_peak_on_livekit_cloud_only() {
        for cloud in ["wss://acme.livekit.cloud", "wss://ACME.LiveKit.Cloud:443/"] {
            assert_eq!(excess(cloud, 50, 1000), None);
            assert_eq!(excess(cloud, 51, 1000), Some(51));
            assert_eq!(excess(cloud, 400, 60), Some(60));
            assert_eq!(excess(cloud, 400, 50), None, "limits.in_flight caps the peak");
        }
        for other in [
            "ws://127.0.0.1:7880",
            "ws://10.1.2.3",
            "wss://livekit.example.com",
            "wss://livekit.cloud.example.com",
            "wss://notlivekit.cloud",
        ] {
            assert_eq!(excess(other, 400, 1000), None, "{other}");
        }
    }

    fn requests(url: &str, evaluator: &str, stage: &str) -> Option<(u32, u32)> {
        let text = format!(
            "[livekit]\nurl = \"{url}\"\nagent = \"a\"\n[evaluator]\nkind = \"{evaluator}\"\n[[scenario]]\nid = 1\n{}copies = 10000\n[[stage]]\n{stage}\n",
            if evaluator == "native" { "turns = [\"hello\"]\n" } else { "" }
        );
        let plan = Plan::new(profile_of(&text));
        let excess = cloud_quota_excess(plan.profile(), &Forecast::new(&plan))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        Some((excess.per_run, excess.per_minute.round() as u32))
    }

    #[test]
    fn the_quota_of_requests_applies_to_the_busiest_minute_on_livekit_cloud_only() {
        let cloud = "wss://acme.livekit.cloud";
        // Room, dispatch, up to five polls, deletion.
        assert_eq!(requests(cloud, "sandbox", "rate = \"2/s\"\nlasts = \"5m\""), None);
        let busy = "rate = \"3/s\"\nlasts = \"5m\"";
        assert_eq!(requests(cloud, "sandbox", busy), Some((8, 1_440)));
        assert_eq!(requests(cloud, "sandbox", "burst = 200"), Some((8, 1_600)));
        assert_eq!(requests(cloud, "sandbox", "rate = \"3/s\"\nlasts = \"20s\""), None);
        assert_eq!(requests("wss://livekit.example.com", "sandbox", busy), None);
    }
}
