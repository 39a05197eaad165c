//! Resolves `[evaluator]`.

use std::collections::BTreeMap;

use url::Url;

use super::metadata::resolve_template;
use super::resolver::Resolver;
use crate::profile::address::{CEKURA_URL, is_path, parse_service_url};
use crate::profile::diagnostic::{Located, SourceSpan};
use crate::profile::from_node::DottedTexts;
use crate::profile::raw::evaluator::{RawEvaluator, RawEvaluatorKind};
use crate::profile::raw::livekit::RawLiveKit;
use crate::profile::settings::evaluator::{
    CallerPatience, CekuraSettings, EvaluatorSettings, HearTrack, NativeSettings,
    ReconnectSettings, SpeechSettings,
};
use crate::profile::settings::session_mode::SessionMode;
use crate::profile::settings::template::Template;
use crate::profile::target_kind::{TargetKind, target_kind};
use crate::units::{Decibels, PositiveDuration};

/// Noise fluctuates by some decibels around its floor.
const LEAST_MARGIN: Decibels = Decibels::whole(3);
const VOICE_PATH: &str = "/test_framework/v1/scenarios-external/run_scenarios_livekit/";
const CHAT_PATH: &str = "/test_framework/v1/scenarios-external/run_scenarios_livekit_chat/";
const RUNS_PATH: &str = "/test_framework/v2/runs/bulk/";
const END_CALL_PATH: &str = "/test_framework/v2/runs/{id}/end_call/";

/// `None` if the service's URL cannot be used.
pub(super) fn resolve_evaluator(
    raw: Option<&Located<RawEvaluator>>,
    livekit: Option<&Located<RawLiveKit>>,
    mode: SessionMode,
    resolver: &mut Resolver<'_>,
) -> Option<EvaluatorSettings> {
    let raw = raw.map(|at| at.value.clone()).unwrap_or_default();
    let livekit_url = livekit.and_then(|at| at.value.url.as_ref());
    let livekit_is_sandbox = livekit_url.is_some_and(|at| at.value == "sandbox");
    let default_kind =
        if livekit_is_sandbox { RawEvaluatorKind::Sandbox } else { RawEvaluatorKind::Cekura };
    let kind = resolver.or_default("evaluator.kind", raw.kind.as_ref(), default_kind);
    let url = match kind {
        RawEvaluatorKind::Sandbox => {
            if let Some(at) = &raw.url {
                resolver.diagnostics.conflict(
                    &at.span,
                    "the embedded stand-in has no URL",
                    "remove `url`, or set kind = \"cekura\"",
                );
            }
            None
        }
        RawEvaluatorKind::Cekura => {
            let url = resolve_service_url(raw.url.as_ref(), resolver)?;
            check_service_reaches_livekit(&url, livekit_url, resolver);
            Some(url.as_str().trim_end_matches('/').to_owned())
        }
        RawEvaluatorKind::Native => {
            return Some(EvaluatorSettings::Native(resolve_native(&raw, livekit_url, resolver)));
        }
    };
    reject_native_settings(&raw, resolver);
    reject_chat_settings(&raw, mode, resolver);
    let entries_per_request =
        resolver.at_least("evaluator.entries_per_request", raw.entries_per_request.as_ref(), 1, 1);
    if let Some(at) = raw.entries_per_request.as_ref().filter(|at| at.value > 200) {
        resolver.diagnostics.invalid(
            &at.span,
            format!("{} entries are too many for one request", at.value),
            "write at most 200",
        );
    }
    let mut path = |name: &str, given: Option<&Located<String>>, default: &str| {
        resolve_path(&format!("evaluator.{name}"), given, default, resolver)
    };
    let voice_path = path("voice_path", raw.voice_path.as_ref(), VOICE_PATH);
    let chat_path = path("chat_path", raw.chat_path.as_ref(), CHAT_PATH);
    let runs_path = path("runs_path", raw.runs_path.as_ref(), RUNS_PATH);
    let end_call_path = path("end_call_path", raw.end_call_path.as_ref(), END_CALL_PATH);
    Some(EvaluatorSettings::Cekura(CekuraSettings {
        url,
        key_file: resolver.optional("evaluator.key_file", raw.key_file.as_ref()),
        entries_per_request,
        fill_within: resolver.or_default(
            "evaluator.fill_within",
            raw.fill_within.as_ref(),
            PositiveDuration::secs(1),
        ),
        agent: resolver.optional("evaluator.agent", raw.agent.as_ref()),
        publish_data_message: raw.publish_data_message.as_ref().map(|at| {
            at.value.0.iter().map(|(key, value)| (key.value.clone(), value.0.clone())).collect()
        }),
        poll_every: resolver.or_default(
            "evaluator.poll_every",
            raw.poll_every.as_ref(),
            if kind == RawEvaluatorKind::Sandbox {
                PositiveDuration::secs(1)
            } else {
                PositiveDuration::secs(5)
            },
        ),
        voice_path,
        chat_path,
        runs_path,
        end_call_path,
    }))
}

fn resolve_native(
    raw: &RawEvaluator,
    livekit: Option<&Located<String>>,
    resolver: &mut Resolver<'_>,
) -> NativeSettings {
    if let Some(at) = livekit.filter(|at| at.value == "sandbox") {
        resolver.diagnostics.conflict(
            &at.span,
            "native callers need a LiveKit server; the embedded stand-in has no media",
            "write the URL of a server, such as \"ws://127.0.0.1:7880\"",
        );
    }
    let cekura_only = [
        ("url", raw.url.as_ref().map(|at| &at.span)),
        ("key_file", raw.key_file.as_ref().map(|at| &at.span)),
        ("entries_per_request", raw.entries_per_request.as_ref().map(|at| &at.span)),
        ("agent", raw.agent.as_ref().map(|at| &at.span)),
        ("publish_data_message", raw.publish_data_message.as_ref().map(|at| &at.span)),
        ("poll_every", raw.poll_every.as_ref().map(|at| &at.span)),
    ];
    reject(cekura_only, "applies to Cekura only, not to native callers", resolver);
    let usual = CallerPatience::DEFAULT;
    let mut duration = |name: &str, given: &Option<Located<PositiveDuration>>, default| {
        resolver.or_default(&format!("evaluator.{name}"), given.as_ref(), default)
    };
    NativeSettings {
        join_within: duration("join_within", &raw.join_within, PositiveDuration::secs(15)),
        ready_within: duration("ready_within", &raw.ready_within, PositiveDuration::secs(15)),
        quiet: duration("quiet", &raw.quiet, PositiveDuration::millis(300)),
        patience: CallerPatience {
            stateless_after: duration(
                "stateless_after",
                &raw.stateless_after,
                usual.stateless_after,
            ),
            longest_silence: duration(
                "longest_silence",
                &raw.longest_silence,
                usual.longest_silence,
            ),
            longest_answer: duration("longest_answer", &raw.longest_answer, usual.longest_answer),
            longest_tool: duration("longest_tool", &raw.longest_tool, usual.longest_tool),
            replaced_within: duration(
                "replaced_within",
                &raw.replaced_within,
                usual.replaced_within,
            ),
            resumes_within: duration("resumes_within", &raw.resumes_within, usual.resumes_within),
            yields_within: duration("yields_within", &raw.yields_within, usual.yields_within),
        },
        staying: resolve_reconnect(raw, resolver),
        hear: resolve_hear(raw.hear.as_ref(), resolver),
        rpc: resolve_rpc(raw.rpc.as_ref(), resolver),
        speech: Some(resolve_speech(raw, resolver)),
    }
}

fn resolve_reconnect(raw: &RawEvaluator, resolver: &mut Resolver<'_>) -> ReconnectSettings {
    let usual = ReconnectSettings::DEFAULT;
    let given = raw.reconnect_attempts.as_ref();
    let attempts = resolver.at_least("evaluator.reconnect_attempts", given, 1, usual.attempts);
    if let Some(at) = given.filter(|at| at.value > MAX_RECONNECT_ATTEMPTS) {
        resolver.diagnostics.invalid(
            &at.span,
            format!("{} attempts are too many", at.value),
            format!("write at most {MAX_RECONNECT_ATTEMPTS}"),
        );
    }
    let within = raw.reconnect_within.as_ref();
    ReconnectSettings {
        mode: resolver.or_default("evaluator.reconnect", raw.reconnect.as_ref(), usual.mode),
        attempts,
        within: resolver.or_default("evaluator.reconnect_within", within, usual.within),
    }
}

/// Attempts follow one another every 7 s in the end.
const MAX_RECONNECT_ATTEMPTS: u32 = 1_000;

fn resolve_speech(raw: &RawEvaluator, resolver: &mut Resolver<'_>) -> SpeechSettings {
    if let Some(at) = raw.speech_margin.as_ref().filter(|at| at.value < LEAST_MARGIN) {
        resolver.diagnostics.invalid(
            &at.span,
            format!("noise itself is often {} above its floor", at.value),
            format!("write at least \"{LEAST_MARGIN}\"; \"{}\" is usual", SpeechSettings::MARGIN),
        );
    }
    let threshold = raw.speech_threshold.as_ref();
    let margin = raw.speech_margin.as_ref();
    SpeechSettings {
        threshold: resolver.or_default(
            "evaluator.speech_threshold",
            threshold,
            SpeechSettings::THRESHOLD,
        ),
        margin: Some(resolver.or_default(
            "evaluator.speech_margin",
            margin,
            SpeechSettings::MARGIN,
        )),
    }
}

/// LiveKit's limits: a method's name has at most 64 bytes, a payload at most 15 KiB.
const MAX_RPC_METHOD: usize = 64;
const MAX_RPC_PAYLOAD: usize = 15 * 1024;

fn resolve_rpc(
    raw: Option<&Located<DottedTexts>>,
    resolver: &mut Resolver<'_>,
) -> BTreeMap<String, Template> {
    let mut answers = BTreeMap::new();
    for (method, payload) in raw.iter().flat_map(|at| &at.value.0) {
        if method.value.is_empty() || method.value.len() > MAX_RPC_METHOD {
            resolver.diagnostics.invalid(
                &method.span,
                "LiveKit has no RPC method of this name",
                format!("write a name of 1 to {MAX_RPC_METHOD} bytes"),
            );
        }
        if payload.len() > MAX_RPC_PAYLOAD {
            resolver.diagnostics.invalid(
                &method.span,
                format!("a payload of {} bytes is too long for LiveKit's RPC", payload.len()),
                format!("write at most {MAX_RPC_PAYLOAD} bytes"),
            );
        }
        let path = format!("evaluator.rpc.{}", method.value);
        let template = resolve_template(&path, payload, &method.span, resolver);
        answers.insert(method.value.clone(), template);
    }
    answers
}

fn resolve_hear(given: Option<&Located<String>>, resolver: &mut Resolver<'_>) -> HearTrack {
    let text = resolver.or_default("evaluator.hear", given, "microphone".to_owned());
    if let Some(at) = given.filter(|at| at.value.trim().is_empty()) {
        resolver.diagnostics.invalid(
            &at.span,
            "an empty text names no track",
            "write \"microphone\", \"all\" or the name of a track",
        );
    }
    HearTrack::from(text)
}

fn reject_native_settings(raw: &RawEvaluator, resolver: &mut Resolver<'_>) {
    let native_only = [
        ("join_within", raw.join_within.as_ref().map(|at| &at.span)),
        ("ready_within", raw.ready_within.as_ref().map(|at| &at.span)),
        ("quiet", raw.quiet.as_ref().map(|at| &at.span)),
        ("rpc", raw.rpc.as_ref().map(|at| &at.span)),
        ("hear", raw.hear.as_ref().map(|at| &at.span)),
        ("stateless_after", raw.stateless_after.as_ref().map(|at| &at.span)),
        ("longest_silence", raw.longest_silence.as_ref().map(|at| &at.span)),
        ("longest_answer", raw.longest_answer.as_ref().map(|at| &at.span)),
        ("longest_tool", raw.longest_tool.as_ref().map(|at| &at.span)),
        ("replaced_within", raw.replaced_within.as_ref().map(|at| &at.span)),
        ("resumes_within", raw.resumes_within.as_ref().map(|at| &at.span)),
        ("yields_within", raw.yields_within.as_ref().map(|at| &at.span)),
        ("reconnect", raw.reconnect.as_ref().map(|at| &at.span)),
        ("reconnect_attempts", raw.reconnect_attempts.as_ref().map(|at| &at.span)),
        ("reconnect_within", raw.reconnect_within.as_ref().map(|at| &at.span)),
        ("speech_threshold", raw.speech_threshold.as_ref().map(|at| &at.span)),
        ("speech_margin", raw.speech_margin.as_ref().map(|at| &at.span)),
    ];
    reject(native_only, "applies to native callers only", resolver);
}

/// Reports the settings that are given, though they do not apply to this kind of evaluator.
fn reject<const N: usize>(
    settings: [(&str, Option<&SourceSpan>); N],
    why: &str,
    resolver: &mut Resolver<'_>,
) {
    for (name, span) in settings {
        if let Some(span) = span {
            let message = format!("`{name}` {why}");
            resolver.diagnostics.conflict(span, message, "remove it, or change `kind`");
        }
    }
}

fn resolve_service_url(
    given: Option<&Located<String>>,
    resolver: &mut Resolver<'_>,
) -> Option<Url> {
    let text = resolver.or_default("evaluator.url", given, CEKURA_URL.to_owned());
    match parse_service_url(&text) {
        Ok(url) => Some(url),
        Err(problem) => {
            if let Some(at) = given {
                resolver.diagnostics.at(problem.kind, &at.span, problem.message, problem.hint);
            }
            None
        }
    }
}

/// Cekura joins the room from its own network: it cannot reach a LiveKit server on this machine.
fn check_service_reaches_livekit(
    service: &Url,
    livekit: Option<&Located<String>>,
    resolver: &mut Resolver<'_>,
) {
    let Some(at) = livekit else { return };
    if matches!(target_kind(service), TargetKind::Loopback | TargetKind::Private) {
        return;
    }
    let is_here = at.value == "sandbox"
        || Url::parse(&at.value).is_ok_and(|url| target_kind(&url) == TargetKind::Loopback);
    if is_here {
        resolver.diagnostics.conflict(
            &at.span,
            "Cekura cannot reach a LiveKit server on this machine",
            "write the URL of a server that Cekura can reach, or \"sandbox\" instead of \"cekura\"",
        );
    }
}

fn reject_chat_settings(raw: &RawEvaluator, mode: SessionMode, resolver: &mut Resolver<'_>) {
    if mode != SessionMode::Voice {
        return;
    }
    let chat_only = [
        ("agent", raw.agent.as_ref().map(|at| &at.span)),
        ("publish_data_message", raw.publish_data_message.as_ref().map(|at| &at.span)),
    ];
    for (name, span) in chat_only {
        if let Some(span) = span {
            resolver.diagnostics.conflict(
                span,
                format!("Cekura documents `{name}` for chat only"),
                "set mode = \"chat\" or \"paired\", or remove it",
            );
        }
    }
}

fn resolve_path(
    setting: &str,
    given: Option<&Located<String>>,
    default: &str,
    resolver: &mut Resolver<'_>,
) -> String {
    const ID: &str = "{id}";
    let Some(at) = given else { return default.to_owned() };
    if !is_path(&at.value) {
        let hint = format!("write a path such as \"{default}\"");
        resolver.diagnostics.invalid(&at.span, "this is not a path", hint);
    }
    if default.contains(ID) && !at.value.contains(ID) {
        resolver.diagnostics.invalid(
            &at.span,
            "this path does not contain {id}",
            "write {id} where the run's id belongs",
        );
    }
    resolver.optional(setting, given);
    at.value.clone()
}
