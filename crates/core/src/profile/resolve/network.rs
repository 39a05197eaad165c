//! Resolves `[[network]]`.

use std::collections::BTreeSet;

use super::resolver::Resolver;
use crate::profile::diagnostic::Located;
use crate::profile::raw::network::RawNetwork;
use crate::profile::settings::network::{NO_NETWORK, NetworkConditions, NetworkDirection};
use crate::units::{Percent, PositiveDuration};

/// The most networks of a profile.
const MOST_NETWORKS: usize = 16;
/// The longest delay and jitter: beyond, no connection comes about.
const LONGEST: PositiveDuration = PositiveDuration::secs(10);

/// `native`: whether the evaluator is native callers.
pub(super) fn resolve_networks(
    raw: Option<&Located<Vec<RawNetwork>>>,
    native: bool,
    resolver: &mut Resolver<'_>,
) -> Vec<NetworkConditions> {
    let Some(raw) = raw.filter(|at| !at.value.is_empty()) else { return Vec::new() };
    if !native {
        resolver.diagnostics.conflict(
            &raw.span,
            "[[network]] applies to native callers only: Cekura's callers run elsewhere",
            "set evaluator.kind = \"native\", or remove [[network]]",
        );
    }
    if raw.value.len() > MOST_NETWORKS {
        resolver.diagnostics.invalid(
            &raw.span,
            format!("{} networks are too many", raw.value.len()),
            format!("write at most {MOST_NETWORKS}"),
        );
    }
    let mut names = BTreeSet::new();
    let mut networks = Vec::new();
    for (index, network) in raw.value.iter().enumerate() {
        let default_name = format!("network-{}", index + 1);
        let name = network.name.as_ref().map_or(default_name, |at| at.value.clone());
        if let Some(at) = &network.name
            && (name.trim().is_empty() || name == NO_NETWORK || !names.insert(name.clone()))
        {
            resolver.diagnostics.invalid(
                &at.span,
                format!("a network's name must be unique, not empty and not `{NO_NETWORK}`"),
                "give each network a name of its own",
            );
        }
        networks.push(resolve_network(network, name, raw, resolver));
    }
    let total: f64 = networks.iter().map(|network| network.share.fraction()).sum();
    if total > 1.0 + 1e-9 {
        resolver.diagnostics.conflict(
            &raw.span,
            format!("the shares of the networks add up to {:.0}%", total * 100.0),
            "write shares of at most 100% in all; the rest of the callers get no conditions",
        );
    }
    networks
}

fn resolve_network(
    network: &RawNetwork,
    name: String,
    list: &Located<Vec<RawNetwork>>,
    resolver: &mut Resolver<'_>,
) -> NetworkConditions {
    let path = format!("network.{name}");
    let key = |key: &str| format!("{path}.{key}");
    let all = Percent::from_fraction(1.0).expect("100% is a share");
    if network.share.is_none() && list.value.len() > 1 && !network.has_errors {
        resolver.diagnostics.missing_at(
            &list.span,
            format!("network `{name}` does not say how many callers get it"),
            "set `share`, such as \"50%\"; the rest of the callers get no conditions",
        );
    }
    let conditions = NetworkConditions {
        share: resolver.or_default(&key("share"), network.share.as_ref(), all),
        direction: resolver.or_default(
            &key("direction"),
            network.direction.as_ref(),
            NetworkDirection::Both,
        ),
        loss: resolver.optional(&key("loss"), network.loss.as_ref()),
        loss_burst: resolver.optional(&key("loss_burst"), network.loss_burst.as_ref()),
        delay: resolver.optional(&key("delay"), network.delay.as_ref()),
        jitter: resolver.optional(&key("jitter"), network.jitter.as_ref()),
        reorder: resolver.optional(&key("reorder"), network.reorder.as_ref()),
        bandwidth: resolver.optional(&key("bandwidth"), network.bandwidth.as_ref()),
        name,
    };
    check(&conditions, network, list, resolver);
    conditions
}

fn check(
    conditions: &NetworkConditions,
    network: &RawNetwork,
    list: &Located<Vec<RawNetwork>>,
    resolver: &mut Resolver<'_>,
) {
    let loss = conditions.loss.map_or(0.0, Percent::fraction);
    if let Some(at) = network.loss.as_ref().filter(|_| loss >= 1.0) {
        resolver.diagnostics.invalid(
            &at.span,
            "where everything is lost, no caller connects",
            "write less than 100%",
        );
    }
    if let Some(at) = &network.loss_burst {
        // In Gilbert's model the good state lasts one datagram at least.
        let least = loss / (1.0 - loss);
        if network.loss.is_none() {
            resolver.diagnostics.conflict(
                &at.span,
                "`loss_burst` has no effect without `loss`",
                "add `loss`, such as \"5%\"",
            );
        } else if !(at.value >= least.max(1.0) && at.value <= 1_000.0) {
            resolver.diagnostics.invalid(
                &at.span,
                format!("{} is not a possible length of bursts", at.value),
                format!("write a number from {:.1} to 1000, such as 3", least.max(1.0)),
            );
        }
    }
    for at in [&network.delay, &network.jitter].into_iter().flatten() {
        if at.value > LONGEST {
            resolver.diagnostics.invalid(
                &at.span,
                format!("with {} no caller connects", at.value),
                format!("write at most \"{LONGEST}\""),
            );
        }
    }
    let NetworkConditions { loss, delay, jitter, reorder, bandwidth, .. } = conditions;
    let is_idle = loss.is_none()
        && delay.is_none()
        && jitter.is_none()
        && reorder.is_none()
        && bandwidth.is_none();
    if is_idle && !network.has_errors {
        resolver.diagnostics.missing_at(
            &list.span,
            format!("network `{}` does nothing", conditions.name),
            "set one of `loss`, `delay`, `jitter`, `reorder` and `bandwidth`",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::Profile;
    use crate::profile::testing::load_text;

    const GOOD: &str = r#"
[livekit]
url = "ws://127.0.0.1:7880"
agent = "a"
[evaluator]
kind = "native"
[[scenario]]
id = 1
copies = 1
[[stage]]
rate = "1/s"
"#;

    fn mistakes(network: &str) -> Vec<String> {
        let error = load_text(&format!("{GOOD}{network}")).unwrap_err();
        let messages = error.diagnostics.into_iter().map(|one| one.message);
        // A profile without files has no script.
        messages.filter(|message| !message.contains("script")).collect()
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_a_message() {
        for (network, message) in [
            ("loss = \"100%\"", "where everything is lost, no caller connects"),
            ("loss_burst = 3", "`loss_burst` has no effect without `loss`"),
            ("loss = \"50%\"\nloss_burst = 0.5", "0.5 is not a possible length of bursts"),
            ("loss = \"80%\"\nloss_burst = 2.0", "2 is not a possible length of bursts"),
            ("loss = \"8%\"\nloss_burst = nan", "NaN is not a possible length of bursts"),
            ("delay = \"11s\"", "with 11s no caller connects"),
            ("jitter = \"1m\"", "with 1m no caller connects"),
            ("bandwidth = \"64\"", "`64` has no unit"),
            ("name = \"x\"", "network `x` does nothing"),
        ] {
            let found = mistakes(&format!("[[network]]\n{network}\n"));
            assert!(found.iter().any(|one| one == message), "{network}: {found:?}");
        }
        let two = |first: &str, second: &str| {
            mistakes(&format!(
                "[[network]]\n{first}\nloss = \"5%\"\n[[network]]\n{second}\nloss = \"5%\"\n"
            ))
        };
        let has = |found: Vec<String>, part: &str| {
            assert!(found.iter().any(|one| one.contains(part)), "{found:?}");
        };
        has(two("", "share = \"50%\""), "does not say how many callers get it");
        has(two("share = \"60%\"", "share = \"50%\""), "add up to 110%");
        has(two("name = \"a\"\nshare = \"6%\"", "name = \"a\"\nshare = \"5%\""), "must be unique");
        has(two("name = \"none\"\nshare = \"6%\"", "share = \"5%\""), "not `none`");
    }

    #[test]
    fn cekuras_callers_have_the_network_they_have() {
        let text = GOOD.replace("kind = \"native\"\n", "");
        let error = load_text(&format!("{text}[[network]]\nloss = \"5%\"\n")).unwrap_err();
        let messages: Vec<String> = error.diagnostics.into_iter().map(|one| one.message).collect();
        assert!(messages.iter().any(|one| one.contains("native callers only")), "{messages:?}");
    }

    #[test]
    fn a_profile_without_networks_has_the_same_hash_as_before() {
        let profile = crate::profile::testing::profile_of(
            "[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n",
        );
        let json = serde_json::to_string(&profile).unwrap();
        assert!(!json.contains("network"), "{json}");
        assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), profile);
    }
}
