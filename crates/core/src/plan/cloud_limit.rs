//! Plans that are too large for LiveKit Cloud without permission.

use url::Url;

use super::forecast::Forecast;
use crate::profile::{LiveKitTarget, Profile, TargetKind, target_kind};

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
}
