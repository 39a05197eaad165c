//! Resolves `[livekit]`.

use super::metadata::{resolve_dispatch_metadata, resolve_room_metadata};
use super::resolver::Resolver;
use crate::profile::address::parse_livekit_url;
use crate::profile::diagnostic::{DiagnosticKind, Located};
use crate::profile::from_node::Json;
use crate::profile::raw::livekit::{RawLiveKit, RawTextMode};
use crate::profile::settings::livekit::{
    AgentDispatch, DispatchMethod, LiveKitSettings, LiveKitTarget, MediaTransport, TextMode,
};
use crate::units::{AgentName, PositiveDuration};

/// `None` if the server or the agent is unknown.
pub(super) fn resolve_livekit(
    raw: Option<&Located<RawLiveKit>>,
    resolver: &mut Resolver<'_>,
) -> Option<LiveKitSettings> {
    let Some(raw) = raw else {
        resolver.missing_table(
            "the profile does not say where LiveKit is",
            "add a table [livekit] with `url` and `agent`, or set LIVEKIT_URL",
        );
        return None;
    };
    let raw = &raw.value;
    let target = resolve_url(raw, resolver);
    let api_url = resolve_api_url(raw, target.as_ref(), resolver);
    let dispatch = resolve_dispatch(raw, resolver);
    let text_mode = resolve_text_mode(raw.text_mode.as_ref(), resolver);
    let metadata = resolve_dispatch_metadata(raw, &text_mode, resolver);
    let room_metadata = resolve_room_metadata(raw.room_metadata.as_ref(), resolver);
    let agent_joins_first =
        dispatch.as_ref().is_none_or(|dispatch| dispatch.method() != DispatchMethod::Token);
    if let Some(at) = raw.wait_for_agent.as_ref().filter(|at| at.value && !agent_joins_first) {
        resolver.diagnostics.conflict(
            &at.span,
            "with dispatch = \"token\" the agent joins only after the evaluator",
            "set wait_for_agent = false, or dispatch = \"explicit\"",
        );
    }
    let wait_for_agent = resolver.or_default(
        "livekit.wait_for_agent",
        raw.wait_for_agent.as_ref(),
        agent_joins_first,
    );
    let agent_within = resolver.or_default(
        "livekit.agent_within",
        raw.agent_within.as_ref(),
        PositiveDuration::secs(20),
    );
    let twice_as_long = PositiveDuration::millis((agent_within.micros().0 / 500).max(1));
    let give_up_after =
        resolver.or_default("livekit.give_up_after", raw.give_up_after.as_ref(), twice_as_long);
    if let Some(at) = raw.give_up_after.as_ref().filter(|at| at.value < agent_within) {
        resolver.diagnostics.conflict(
            &at.span,
            format!("this gives up on an agent before it counts as late, after {agent_within}"),
            "make give_up_after at least as long as agent_within",
        );
    }
    Some(LiveKitSettings {
        target: target?,
        api_url,
        dispatch: dispatch?,
        metadata,
        room_metadata,
        text_mode,
        room_prefix: resolve_room_prefix(raw.room_prefix.as_ref(), resolver),
        wait_for_agent,
        agent_within,
        give_up_after,
        key_file: resolver.optional("livekit.key_file", raw.key_file.as_ref()),
        secret_file: resolver.optional("livekit.secret_file", raw.secret_file.as_ref()),
        ca_file: resolver.optional("livekit.ca_file", raw.ca_file.as_ref()),
        transport: resolver.or_default(
            "livekit.transport",
            raw.transport.as_ref(),
            MediaTransport::Any,
        ),
    })
}

fn resolve_url(raw: &RawLiveKit, resolver: &mut Resolver<'_>) -> Option<LiveKitTarget> {
    let Some(at) = &raw.url else {
        if !raw.has_errors {
            resolver.diagnostics.without_span(
                DiagnosticKind::Missing,
                "the profile does not say where LiveKit is",
                "set livekit.url, such as \"wss://example.livekit.cloud\", or LIVEKIT_URL",
            );
        }
        return None;
    };
    resolver.optional("livekit.url", Some(at));
    if at.value == "sandbox" {
        return Some(LiveKitTarget::Sandbox);
    }
    parse_or_report(at, resolver).map(LiveKitTarget::Url)
}

fn resolve_api_url(
    raw: &RawLiveKit,
    target: Option<&LiveKitTarget>,
    resolver: &mut Resolver<'_>,
) -> Option<String> {
    let at = raw.api_url.as_ref()?;
    resolver.optional("livekit.api_url", Some(at));
    if target == Some(&LiveKitTarget::Sandbox) {
        resolver.diagnostics.conflict(
            &at.span,
            "the embedded sandbox has one address for everything",
            "remove `api_url`, or set livekit.url to a server's address",
        );
        return None;
    }
    parse_or_report(at, resolver)
}

fn parse_or_report(at: &Located<String>, resolver: &mut Resolver<'_>) -> Option<String> {
    match parse_livekit_url(&at.value) {
        Ok(address) => Some(address),
        Err(problem) => {
            resolver.diagnostics.at(problem.kind, &at.span, problem.message, problem.hint);
            None
        }
    }
}

fn resolve_dispatch(raw: &RawLiveKit, resolver: &mut Resolver<'_>) -> Option<AgentDispatch> {
    let method =
        resolver.or_default("livekit.dispatch", raw.dispatch.as_ref(), DispatchMethod::Explicit);
    let agent = resolver.optional("livekit.agent", raw.agent.as_ref());
    let agent = agent.filter(|name| !name.trim().is_empty()).map(AgentName::new);
    match (method, agent) {
        (DispatchMethod::None, None) => Some(AgentDispatch::None),
        (DispatchMethod::None, Some(agent)) => {
            if let Some(at) = &raw.dispatch {
                resolver.diagnostics.conflict(
                    &at.span,
                    format!("`agent` is \"{agent}\", but dispatch is \"none\""),
                    "LiveKit never dispatches a named agent automatically: remove `agent`, or set dispatch = \"explicit\"",
                );
            }
            None
        }
        (_, None) => {
            let hint = "set livekit.agent to the name your worker registers, or dispatch = \"none\" for automatic dispatch";
            match &raw.agent {
                Some(at) => {
                    resolver.diagnostics.invalid(
                        &at.span,
                        "an agent's name must not be empty",
                        hint,
                    );
                }
                None if raw.has_errors => {}
                None => resolver.diagnostics.without_span(
                    DiagnosticKind::Missing,
                    "the profile does not name the agent",
                    hint,
                ),
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

fn resolve_text_mode(raw: Option<&Located<RawTextMode>>, resolver: &mut Resolver<'_>) -> TextMode {
    let raw = raw.map(|at| at.value.clone()).unwrap_or_default();
    let is_unusable = |key: &str| key.is_empty() || key == "scenario_id";
    if let Some(at) = raw.key.as_ref().filter(|at| is_unusable(&at.value)) {
        resolver.diagnostics.invalid(
            &at.span,
            "this key is reserved or empty",
            "the usual key is \"text_mode\"",
        );
    }
    let mut value = |name: &str, given: Option<&Located<Json>>| {
        given.map(|at| {
            let shown = Located { value: at.value.0.to_string(), span: at.span.clone() };
            resolver.optional(&format!("livekit.text_mode.{name}"), Some(&shown));
            at.value.0.clone()
        })
    };
    let chat = value("chat", raw.chat.as_ref()).or(Some(serde_json::Value::Bool(true)));
    let voice = value("voice", raw.voice.as_ref());
    let key = resolver
        .optional("livekit.text_mode.key", raw.key.as_ref())
        .unwrap_or_else(|| "text_mode".to_owned());
    TextMode { key, chat, voice }
}

fn resolve_room_prefix(given: Option<&Located<String>>, resolver: &mut Resolver<'_>) -> String {
    let is_valid = |prefix: &str| {
        (3..=40).contains(&prefix.len())
            && prefix.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    if let Some(at) = given.filter(|at| !is_valid(&at.value)) {
        resolver.diagnostics.invalid(
            &at.span,
            "this is not a valid prefix for room names",
            "use 3 to 40 letters, digits, `-` or `_`: `sweep` must find no room of anybody else",
        );
    }
    resolver.or_default("livekit.room_prefix", given, "rushhour-".to_owned())
}
