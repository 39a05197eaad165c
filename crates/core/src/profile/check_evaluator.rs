//! The settings of the evaluator: which service, how it is spoken to, and what cannot go together.

use url::Url;

use super::check::Resolver;
use super::check_livekit::{TargetKind, target_kind};
use super::diagnostic::{Located, SourceSpan};
use super::model::{CekuraSettings, EvaluatorSettings, NativeSettings, SessionMode};
use super::raw::{RawEvaluator, RawEvaluatorKind, RawLiveKit};
use crate::units::PositiveDuration;

const CEKURA_URL: &str = "https://api.cekura.ai";
const VOICE_PATH: &str = "/test_framework/v1/scenarios-external/run_scenarios_livekit/";
const CHAT_PATH: &str = "/test_framework/v1/scenarios-external/run_scenarios_livekit_chat/";
const RUNS_PATH: &str = "/test_framework/v2/runs/bulk/";
const END_CALL_PATH: &str = "/test_framework/v2/runs/{id}/end_call/";

/// Decides the settings of the evaluator; `None` where its address cannot be used.
pub(super) fn check_evaluator(
    raw: Option<&Located<RawEvaluator>>,
    livekit: Option<&Located<RawLiveKit>>,
    mode: SessionMode,
    checker: &mut Resolver<'_>,
) -> Option<EvaluatorSettings> {
    let raw = raw.map(|at| at.value.clone()).unwrap_or_default();
    let livekit_url = livekit.and_then(|at| at.value.url.as_ref());
    let livekit_is_sandbox = livekit_url.is_some_and(|at| at.value == "sandbox");
    let default_kind =
        if livekit_is_sandbox { RawEvaluatorKind::Sandbox } else { RawEvaluatorKind::Cekura };
    let kind = checker.or_default("evaluator.kind", raw.kind.as_ref(), default_kind);
    let url = match kind {
        RawEvaluatorKind::Sandbox => {
            if let Some(at) = &raw.url {
                checker.faults.at(
                    &at.place,
                    "the embedded stand-in has no address",
                    "remove `url`, or set kind = \"cekura\"",
                );
            }
            None
        }
        RawEvaluatorKind::Cekura => {
            let url = check_service_url(raw.url.as_ref(), checker)?;
            reachable(&url, livekit_url, checker);
            Some(url.as_str().trim_end_matches('/').to_owned())
        }
        RawEvaluatorKind::Native => {
            return Some(EvaluatorSettings::Native(check_native(&raw, livekit_url, checker)));
        }
    };
    native_only(&raw, checker);
    chat_only(&raw, mode, checker);
    let entries_per_request =
        checker.at_least("evaluator.entries_per_request", raw.entries_per_request.as_ref(), 1, 1);
    if let Some(at) = raw.entries_per_request.as_ref().filter(|at| at.value > 200) {
        checker.faults.at(
            &at.place,
            format!("{} entries are too many for one request", at.value),
            "at most 200",
        );
    }
    let mut path = |name: &str, given: Option<&Located<String>>, default: &str| {
        check_path(&format!("evaluator.{name}"), given, default, checker)
    };
    let voice_path = path("voice_path", raw.voice_path.as_ref(), VOICE_PATH);
    let chat_path = path("chat_path", raw.chat_path.as_ref(), CHAT_PATH);
    let runs_path = path("runs_path", raw.runs_path.as_ref(), RUNS_PATH);
    let end_call_path = path("end_call_path", raw.end_call_path.as_ref(), END_CALL_PATH);
    Some(EvaluatorSettings::Cekura(CekuraSettings {
        url,
        key_file: checker.optional("evaluator.key_file", raw.key_file.as_ref()),
        entries_per_request,
        fill_within: checker.or_default(
            "evaluator.fill_within",
            raw.fill_within.as_ref(),
            PositiveDuration::secs(1),
        ),
        agent: checker.optional("evaluator.agent", raw.agent.as_ref()),
        publish_data_message: raw.publish_data_message.as_ref().map(|at| {
            at.value.0.iter().map(|(key, value)| (key.value.clone(), value.0.clone())).collect()
        }),
        poll_every: checker.or_default(
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

fn check_native(
    raw: &RawEvaluator,
    livekit: Option<&Located<String>>,
    checker: &mut Resolver<'_>,
) -> NativeSettings {
    if let Some(at) = livekit.filter(|at| at.value == "sandbox") {
        checker.faults.at(
            &at.place,
            "the embedded stand-in has no rooms to speak in",
            "give the address of a LiveKit server, such as \"ws://127.0.0.1:7880\"",
        );
    }
    let of_cekura = [
        ("url", raw.url.as_ref().map(|at| &at.place)),
        ("key_file", raw.key_file.as_ref().map(|at| &at.place)),
        ("entries_per_request", raw.entries_per_request.as_ref().map(|at| &at.place)),
        ("agent", raw.agent.as_ref().map(|at| &at.place)),
        ("publish_data_message", raw.publish_data_message.as_ref().map(|at| &at.place)),
        ("poll_every", raw.poll_every.as_ref().map(|at| &at.place)),
    ];
    not_here(of_cekura, "is of Cekura's service, and callers of our own have none", checker);
    let mut length = |name: &str, given: Option<&Located<PositiveDuration>>, default| {
        checker.or_default(&format!("evaluator.{name}"), given, default)
    };
    NativeSettings {
        join_within: length("join_within", raw.join_within.as_ref(), PositiveDuration::secs(15)),
        ready_within: length("ready_within", raw.ready_within.as_ref(), PositiveDuration::secs(15)),
        quiet: length("quiet", raw.quiet.as_ref(), PositiveDuration::millis(300)),
    }
}

fn native_only(raw: &RawEvaluator, checker: &mut Resolver<'_>) {
    let places = [
        ("join_within", raw.join_within.as_ref().map(|at| &at.place)),
        ("ready_within", raw.ready_within.as_ref().map(|at| &at.place)),
        ("quiet", raw.quiet.as_ref().map(|at| &at.place)),
    ];
    not_here(places, "is of callers of our own", checker);
}

fn not_here<const N: usize>(
    places: [(&str, Option<&SourceSpan>); N],
    why: &str,
    checker: &mut Resolver<'_>,
) {
    for (name, place) in places {
        if let Some(place) = place {
            checker.faults.at(place, format!("`{name}` {why}"), "remove it, or change `kind`");
        }
    }
}

fn check_service_url(given: Option<&Located<String>>, checker: &mut Resolver<'_>) -> Option<Url> {
    let text = checker.or_default("evaluator.url", given, CEKURA_URL.to_owned());
    let parsed = Url::parse(&text).ok();
    let fits = parsed.as_ref().is_some_and(|url| match url.scheme() {
        "https" => true,
        "http" => matches!(target_kind(url), TargetKind::Loopback | TargetKind::Private),
        _ => false,
    });
    if let (false, Some(at)) = (fits, given) {
        checker.faults.at(
            &at.place,
            "this is not the address of a service",
            format!("write an address that begins with https://, such as \"{CEKURA_URL}\""),
        );
        return None;
    }
    parsed
}

/// Cekura calls into the room from where it is: it cannot reach a LiveKit on this machine.
fn reachable(service: &Url, livekit: Option<&Located<String>>, checker: &mut Resolver<'_>) {
    let Some(at) = livekit else { return };
    if matches!(target_kind(service), TargetKind::Loopback | TargetKind::Private) {
        return;
    }
    let here = at.value == "sandbox"
        || Url::parse(&at.value).is_ok_and(|url| target_kind(&url) == TargetKind::Loopback);
    if here {
        checker.faults.at(
            &at.place,
            "Cekura cannot call into a LiveKit on this machine",
            "give a server that it can reach, or write \"sandbox\" in place of \"cekura\"",
        );
    }
}

fn chat_only(raw: &RawEvaluator, mode: SessionMode, checker: &mut Resolver<'_>) {
    if mode != SessionMode::Voice {
        return;
    }
    let places = [
        ("agent", raw.agent.as_ref().map(|at| &at.place)),
        ("publish_data_message", raw.publish_data_message.as_ref().map(|at| &at.place)),
    ];
    for (name, place) in places {
        if let Some(place) = place {
            checker.faults.at(
                place,
                format!("`{name}` is documented for chat only"),
                "set mode = \"chat\" or \"paired\", or remove it",
            );
        }
    }
}

fn check_path(
    setting: &str,
    given: Option<&Located<String>>,
    default: &str,
    checker: &mut Resolver<'_>,
) -> String {
    let Some(at) = given else { return default.to_owned() };
    if !at.value.starts_with('/') || at.value.contains(['?', '#', ' ']) {
        checker.faults.at(&at.place, "this is not a path", format!("such as \"{default}\""));
    }
    if default.contains("{id}") && !at.value.contains("{id}") {
        checker.faults.at(
            &at.place,
            "this path does not say where the id goes",
            "put {id} into it",
        );
    }
    checker.or_default(setting, given, String::new())
}
