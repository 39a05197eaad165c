//! The settings of LiveKit: which server, which agent, and how it gets into the room.

use std::net::IpAddr;

use url::{Host, Url};

use super::check::Resolver;
use super::diagnostic::Located;
use super::model::{AgentDispatch, DispatchMethod, LiveKitSettings, LiveKitTarget, TextMode};
use super::raw::{RawLiveKit, RawProfile, RawTextMode};
use super::read::{Json, Named};
use crate::units::{AgentName, PositiveDuration};

/// What kind of machine an address points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// This machine.
    Loopback,
    /// A private network.
    Private,
    /// LiveKit Cloud, where load tests fall under the acceptable-use policy.
    LiveKitCloud,
    /// Any other server.
    Public,
}

/// What kind of machine a host is; names are judged by their look, nothing is looked up.
pub fn target_kind(url: &Url) -> TargetKind {
    // A name may end in the root's dot.
    let host = url.host().map(|host| match host {
        Host::Domain(domain) => Host::Domain(domain.strip_suffix('.').unwrap_or(domain)),
        other => other,
    });
    match host {
        Some(Host::Ipv4(address)) => ip_kind(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => ip_kind(IpAddr::V6(address)),
        Some(Host::Domain("localhost")) => TargetKind::Loopback,
        Some(Host::Domain(domain))
            if domain.ends_with(".livekit.cloud") || domain.ends_with(".livekit.run") =>
        {
            TargetKind::LiveKitCloud
        }
        Some(Host::Domain(domain))
            if !domain.contains('.')
                || [".local", ".internal", ".lan", ".svc"]
                    .iter()
                    .any(|end| domain.ends_with(end)) =>
        {
            TargetKind::Private
        }
        Some(Host::Domain(_)) | None => TargetKind::Public,
    }
}

fn ip_kind(address: IpAddr) -> TargetKind {
    let private = match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    match (address.is_loopback(), private) {
        (true, _) => TargetKind::Loopback,
        (false, true) => TargetKind::Private,
        (false, false) => TargetKind::Public,
    }
}

/// Decides the settings of LiveKit; `None` where the server or the agent is not known.
pub(super) fn check_livekit(
    profile: &RawProfile,
    checker: &mut Resolver<'_>,
) -> Option<LiveKitSettings> {
    let Some(raw) = &profile.livekit else {
        checker.missing(
            "the profile does not say where LiveKit is",
            "add a table [livekit] with `url` and `agent`, or set LIVEKIT_URL",
        );
        return None;
    };
    let raw = &raw.value;
    let target = check_url(raw, checker);
    let dispatch = check_dispatch(raw, checker);
    let text_mode = check_text_mode(raw.text_mode.as_ref(), checker);
    let metadata = check_metadata(raw.metadata.as_ref(), &text_mode, checker);
    let before_the_call =
        dispatch.as_ref().is_none_or(|dispatch| dispatch.method() != DispatchMethod::Token);
    if let Some(at) = raw.wait_for_agent.as_ref().filter(|at| at.value && !before_the_call) {
        checker.faults.at(
            &at.place,
            "with dispatch by token the agent comes only when the evaluator joins",
            "set wait_for_agent = false, or dispatch = \"explicit\"",
        );
    }
    let wait_for_agent =
        checker.or_default("livekit.wait_for_agent", raw.wait_for_agent.as_ref(), before_the_call);
    let agent_within = checker.or_default(
        "livekit.agent_within",
        raw.agent_within.as_ref(),
        PositiveDuration::secs(20),
    );
    let patient = PositiveDuration::millis((agent_within.micros().0 / 500).max(1));
    let give_up_after =
        checker.or_default("livekit.give_up_after", raw.give_up_after.as_ref(), patient);
    if let Some(at) = raw.give_up_after.as_ref().filter(|at| at.value < agent_within) {
        checker.faults.at(
            &at.place,
            format!("this gives an agent up before it is late, after {agent_within}"),
            "make give_up_after at least as long as agent_within",
        );
    }
    Some(LiveKitSettings {
        target: target?,
        dispatch: dispatch?,
        metadata,
        text_mode,
        room_prefix: check_prefix(raw.room_prefix.as_ref(), checker),
        wait_for_agent,
        agent_within,
        give_up_after,
        key_file: checker.optional("livekit.key_file", raw.key_file.as_ref()),
        secret_file: checker.optional("livekit.secret_file", raw.secret_file.as_ref()),
    })
}

fn check_url(raw: &RawLiveKit, checker: &mut Resolver<'_>) -> Option<LiveKitTarget> {
    let Some(at) = &raw.url else {
        if raw.spoiled {
            return None;
        }
        checker.faults.missing(
            "the profile does not say where LiveKit is",
            "set livekit.url, such as \"wss://example.livekit.cloud\", or LIVEKIT_URL",
        );
        return None;
    };
    checker.optional("livekit.url", Some(at));
    if at.value == "sandbox" {
        return Some(LiveKitTarget::Sandbox);
    }
    let rest = at.value.split_once("://").map_or(&*at.value, |(_, rest)| rest);
    let Ok(url) = Url::parse(&at.value) else {
        checker.faults.at(
            &at.place,
            "this is not an address",
            format!("write \"wss://{rest}\", or \"sandbox\" for the embedded stand-in"),
        );
        return None;
    };
    let local = matches!(target_kind(&url), TargetKind::Loopback | TargetKind::Private);
    let wanted = match url.scheme() {
        "wss" => None,
        "ws" if local => None,
        "http" if local => Some("ws"),
        _ => Some("wss"),
    };
    if let Some(scheme) = wanted {
        checker.faults.at(
            &at.place,
            format!("a LiveKit address does not begin with {}://", url.scheme()),
            format!("write \"{scheme}://{rest}\""),
        );
        return None;
    }
    if !url.username().is_empty() || url.password().is_some() {
        checker.faults.at(
            &at.place,
            "an address must not hold a user or a password",
            "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET in the environment",
        );
        return None;
    }
    Some(LiveKitTarget::Url(at.value.trim_end_matches('/').to_owned()))
}

fn check_dispatch(raw: &RawLiveKit, checker: &mut Resolver<'_>) -> Option<AgentDispatch> {
    let method =
        checker.or_default("livekit.dispatch", raw.dispatch.as_ref(), DispatchMethod::Explicit);
    let agent = checker.optional("livekit.agent", raw.agent.as_ref());
    let named = agent.filter(|name| !name.trim().is_empty()).map(AgentName::new);
    match (method, named) {
        (DispatchMethod::None, None) => Some(AgentDispatch::None),
        (DispatchMethod::None, Some(agent)) => {
            let place = raw.dispatch.as_ref().or(None).map(|at| at.place.clone());
            let what = format!("`{agent}` is named, but dispatch is none");
            let hint = "a named agent is never dispatched automatically: remove `agent`, or set dispatch = \"explicit\"";
            match place {
                Some(place) => checker.faults.at(&place, what, hint),
                None => checker.faults.missing(what, hint),
            }
            None
        }
        (_, None) => {
            let hint = "set livekit.agent to the name your worker registers, or dispatch = \"none\" for automatic dispatch";
            match &raw.agent {
                Some(at) => checker.faults.at(&at.place, "an agent's name is not empty", hint),
                None if raw.spoiled => {}
                None => checker.faults.missing("the profile does not say which agent", hint),
            }
            None
        }
        (DispatchMethod::Explicit, Some(agent)) => Some(AgentDispatch::Explicit { agent }),
        (DispatchMethod::ExplicitFresh, Some(agent)) => {
            Some(AgentDispatch::ExplicitFresh { agent })
        }
        (DispatchMethod::Room, Some(agent)) => Some(AgentDispatch::Room { agent }),
        (DispatchMethod::Token, Some(agent)) => Some(AgentDispatch::Token { agent }),
    }
}

fn check_text_mode(raw: Option<&Located<RawTextMode>>, checker: &mut Resolver<'_>) -> TextMode {
    let raw = raw.map(|at| at.value.clone()).unwrap_or_default();
    if let Some(at) = raw.key.as_ref().filter(|at| at.value.is_empty() || at.value == "scenario_id")
    {
        checker.faults.at(
            &at.place,
            "this key is taken or empty",
            "the usual key is \"text_mode\"",
        );
    }
    let mut value = |name: &str, given: Option<&Located<Json>>| {
        given.map(|at| {
            let shown = Located { value: at.value.0.to_string(), place: at.place.clone() };
            checker.optional(&format!("livekit.text_mode.{name}"), Some(&shown));
            at.value.0.clone()
        })
    };
    let chat = value("chat", raw.chat.as_ref()).or(Some(serde_json::Value::Bool(true)));
    let voice = value("voice", raw.voice.as_ref());
    let key = match raw.key.as_ref() {
        Some(at) => checker.or_default("livekit.text_mode.key", Some(at), String::new()),
        None => "text_mode".to_owned(),
    };
    TextMode { key, chat, voice }
}

fn check_metadata(
    raw: Option<&Located<Named<Json>>>,
    text_mode: &TextMode,
    checker: &mut Resolver<'_>,
) -> serde_json::Map<String, serde_json::Value> {
    let mut metadata = serde_json::Map::new();
    for (key, value) in raw.iter().flat_map(|at| &at.value.0) {
        if key.value == "scenario_id" {
            checker.faults.at(
                &key.place,
                "`scenario_id` is set for each run from its scenario",
                "remove it here",
            );
        } else if key.value == text_mode.key {
            checker.faults.at(
                &key.place,
                format!("`{}` is set for each run from the mode", key.value),
                "remove it here; [livekit.text_mode] says what it is in chat and in voice",
            );
        }
        let shown = Located { value: value.0.to_string(), place: key.place.clone() };
        checker.optional(&format!("livekit.metadata.{}", key.value), Some(&shown));
        metadata.insert(key.value.clone(), value.0.clone());
    }
    metadata
}

fn check_prefix(given: Option<&Located<String>>, checker: &mut Resolver<'_>) -> String {
    let fits = |prefix: &str| {
        (3..=40).contains(&prefix.len())
            && prefix.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    if let Some(at) = given.filter(|at| !fits(&at.value)) {
        checker.faults.at(
            &at.place,
            "this cannot begin a room's name",
            "3 to 40 letters, digits, `-` or `_`, so that sweeping finds no room of anybody else",
        );
    }
    checker.or_default("livekit.room_prefix", given, "rushhour-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart_by_their_look() {
        for (url, kind) in [
            ("ws://127.0.0.1:7880", TargetKind::Loopback),
            ("ws://localhost:7880", TargetKind::Loopback),
            ("ws://[::1]:7880", TargetKind::Loopback),
            ("ws://10.0.0.7", TargetKind::Private),
            ("ws://livekit", TargetKind::Private),
            ("ws://livekit.default.svc", TargetKind::Private),
            ("wss://acme.livekit.cloud", TargetKind::LiveKitCloud),
            ("wss://acme.livekit.cloud.", TargetKind::LiveKitCloud),
            ("wss://livekit.example.com", TargetKind::Public),
            ("wss://8.8.8.8", TargetKind::Public),
        ] {
            assert_eq!(target_kind(&Url::parse(url).unwrap()), kind, "{url}");
        }
    }
}
