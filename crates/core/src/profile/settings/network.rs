//! Network conditions of native callers, and which runs have which.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::profile::table::choice;
use crate::rng::KeyedRng;
use crate::units::{Bandwidth, PairId, Percent, PositiveDuration, RunIndex};

/// What runs without conditions are called where they are compared.
pub const NO_NETWORK: &str = "none";

choice! {
    /// Which datagrams network conditions apply to.
    #[schemars(rename = "RawNetworkDirection")]
    pub NetworkDirection {
        /// Those that the caller sends, and those that it receives.
        Both = "both",
        /// Those that the caller sends.
        Send = "send",
        /// Those that the caller receives.
        Receive = "receive",
    }
}

/// Conditions of a network that a share of the native callers get.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkConditions {
    /// Their name in reports, unique in the profile.
    pub name: String,
    /// The share of the callers.
    pub share: Percent,
    /// Which datagrams they apply to.
    pub direction: NetworkDirection,
    /// The share of the datagrams that are lost; below 100 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Percent>,
    /// How many datagrams are lost in a row, on average; `None` if each is lost independently of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_burst: Option<f64>,
    /// The least time that a datagram takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<PositiveDuration>,
    /// The standard deviation of the time that datagrams take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<PositiveDuration>,
    /// The share of the datagrams that are overtaken by later ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reorder: Option<Percent>,
    /// How much the network carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Bandwidth>,
}

impl fmt::Display for NetworkConditions {
    /// What they do: `5% loss in bursts of 3, 50 ms delay`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(loss) = self.loss {
            let burst = self.loss_burst.map(|burst| format!(" in bursts of {burst}"));
            parts.push(format!("{loss} loss{}", burst.unwrap_or_default()));
        }
        parts.extend(self.delay.map(|delay| format!("{delay} delay")));
        parts.extend(self.jitter.map(|jitter| format!("{jitter} jitter")));
        parts.extend(self.reorder.map(|reorder| format!("{reorder} reordered")));
        parts.extend(self.bandwidth.map(|bandwidth| bandwidth.to_string()));
        match self.direction {
            NetworkDirection::Both => {}
            NetworkDirection::Send => parts.push("only what the caller sends".to_owned()),
            NetworkDirection::Receive => parts.push("only what the caller receives".to_owned()),
        }
        f.write_str(&parts.join(", "))
    }
}

/// The position of the conditions that a run gets, if it gets any. Both runs of a pair get the same.
///
/// Each run is drawn on its own rather than every n-th taken: scenarios take turns too, and a network would always meet
/// the same one.
pub(crate) fn network_of(
    networks: &[NetworkConditions],
    seed: u64,
    run: RunIndex,
    pair: Option<PairId>,
) -> Option<u32> {
    if networks.is_empty() {
        return None;
    }
    let key = pair.map_or_else(|| run.0.to_string(), |pair| format!("pair {}", pair.0));
    let drawn = KeyedRng::new(seed).draw("network", &key).uniform();
    let mut below = 0.0;
    let found = networks.iter().position(|network| {
        below += network.share.fraction();
        drawn < below
    });
    u32::try_from(found?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(name: &str, share: &str) -> NetworkConditions {
        NetworkConditions {
            name: name.to_owned(),
            share: share.parse().unwrap(),
            direction: NetworkDirection::Both,
            loss: Some("5%".parse().unwrap()),
            loss_burst: Some(3.0),
            delay: None,
            jitter: Some(PositiveDuration::millis(50)),
            reorder: None,
            bandwidth: Some("64 kbit/s".parse().unwrap()),
        }
    }

    #[test]
    fn each_network_gets_its_share_of_the_runs_and_pairs_stay_together() {
        let networks = [conditions("a", "20%"), conditions("b", "50%")];
        let mut counts = [0_u32; 3];
        for run in 0..10_000 {
            let found = network_of(&networks, 7, RunIndex(run), None);
            assert_eq!(found, network_of(&networks, 7, RunIndex(run), None));
            counts[found.map_or(2, |at| at as usize)] += 1;
        }
        // Five standard deviations of a binomial are 200 and 250.
        assert!(counts[0].abs_diff(2_000) < 200, "{counts:?}");
        assert!(counts[1].abs_diff(5_000) < 250, "{counts:?}");
        for pair in 0..100 {
            let one = |run| network_of(&networks, 7, RunIndex(run), Some(PairId(pair)));
            assert_eq!(one(2 * pair), one(2 * pair + 1));
        }
        assert_eq!(network_of(&[], 7, RunIndex(0), None), None);
        let all = [conditions("all", "100%")];
        assert!((0..1_000).all(|run| network_of(&all, 7, RunIndex(run), None) == Some(0)));
    }

    #[test]
    fn conditions_are_told_in_one_line() {
        let mut network = conditions("a", "20%");
        assert_eq!(network.to_string(), "5% loss in bursts of 3, 50ms jitter, 64 kbit/s");
        network.direction = NetworkDirection::Receive;
        assert!(network.to_string().ends_with(", only what the caller receives"));
    }
}
