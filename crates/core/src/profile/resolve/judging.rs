//! Resolves `[judging]`.

use super::bill::{Services, resolve_bill};
use super::evaluator::resolve_evaluator;
use super::resolver::Resolver;
use crate::profile::diagnostic::Located;
use crate::profile::raw::RawProfile;
use crate::profile::raw::evaluator::{RawEvaluator, RawEvaluatorKind};
use crate::profile::raw::judging::{RawJudge, RawJudging};
use crate::profile::raw::scenario::RawScenario;
use crate::profile::settings::bill::BillSettings;
use crate::profile::settings::evaluator::EvaluatorSettings;
use crate::profile::settings::judging::JudgingSettings;
use crate::profile::settings::prices::Prices;
use crate::profile::settings::session_mode::SessionMode;
use crate::units::{Percent, PositiveDuration, Rate, Usd};

const MOST_RUNS: u32 = 10_000;
/// Judged runs must not load the agent.
const MOST_IN_FLIGHT: u32 = 50;

/// `None` if the profile has no `[judging]`, or it cannot be used.
pub(super) fn resolve_judging(
    raw: &RawProfile,
    prices: &Prices,
    services: Services<'_>,
    resolver: &mut Resolver<'_>,
) -> Option<JudgingSettings> {
    let scenarios = raw.scenario.as_ref().map(|at| at.value.as_slice()).unwrap_or_default();
    let Some(at) = &raw.judging else {
        for cekura in scenarios.iter().filter_map(|scenario| scenario.cekura.as_ref()) {
            resolver.diagnostics.conflict(
                &cekura.span,
                "`cekura` has no effect without [judging]",
                "add [judging] with by = \"cekura\", or remove it",
            );
        }
        return None;
    };
    if services.evaluator?.cekura().is_some() {
        resolver.diagnostics.conflict(
            &at.span,
            "only runs of native callers can be judged afterwards",
            "set evaluator.kind = \"native\", or remove [judging]",
        );
        return None;
    }
    if services.mode == SessionMode::Paired {
        resolver.diagnostics.conflict(
            &at.span,
            "a paired session cannot be judged afterwards: a sample would split its pairs",
            "set mode = \"voice\" or \"chat\", or remove [judging]",
        );
        return None;
    }
    check_scenarios_at_cekura(scenarios, resolver);
    let judging = &at.value;
    let as_evaluator = Located { value: evaluator_table(judging), span: at.span.clone() };
    let evaluator = resolver.recorded_as(path_in_judging, |resolver| {
        resolve_evaluator(Some(&as_evaluator), raw.livekit.as_ref(), services.mode, resolver)
    })?;
    let EvaluatorSettings::Cekura(cekura) = &evaluator else { return None };
    let sample = resolver.or_default(
        "judging.sample",
        judging.sample.as_ref(),
        Percent::from_fraction(0.05).unwrap_or_default(),
    );
    let failures = resolver.or_default("judging.failures", judging.failures.as_ref(), true);
    if let (true, false, Some(at)) = (sample == Percent::ZERO, failures, &judging.sample) {
        resolver.diagnostics.conflict(
            &at.span,
            "nothing would be judged",
            "write a share above \"0%\", or set failures = true",
        );
    }
    if let Some(at) = judging.budget.as_ref().filter(|at| at.value == Usd::ZERO) {
        resolver.diagnostics.invalid(
            &at.span,
            "no run could start with this limit",
            "write more than 0, or remove it",
        );
    }
    let most = resolver.at_least("judging.most", judging.most.as_ref(), 1, 50);
    if let Some(at) = judging.most.as_ref().filter(|at| at.value > MOST_RUNS) {
        let message = format!("{} runs are too many to judge", at.value);
        resolver.diagnostics.invalid(&at.span, message, format!("write at most {MOST_RUNS}"));
    }
    if let Some(at) = judging.in_flight.as_ref().filter(|at| at.value > MOST_IN_FLIGHT) {
        let message = format!("{} judged runs at once would be a load test of their own", at.value);
        let hint = format!("write at most {MOST_IN_FLIGHT}: judging must not load the agent");
        resolver.diagnostics.invalid(&at.span, message, hint);
    }
    let requests = resolver.or_default(
        "judging.requests",
        judging.requests.as_ref(),
        Rate::per_second_const(1),
    );
    Some(JudgingSettings {
        cekura: cekura.clone(),
        sample,
        failures,
        most,
        requests,
        in_flight: resolver.at_least("judging.in_flight", judging.in_flight.as_ref(), 1, 5),
        run_timeout: resolver.or_default(
            "judging.run_timeout",
            judging.run_timeout.as_ref(),
            PositiveDuration::secs(20 * 60),
        ),
        budget: resolver.optional("judging.budget", judging.budget.as_ref()),
        bill: judging_bill(
            raw,
            prices,
            Services { evaluator: Some(&evaluator), ..services },
            resolver,
        ),
    })
}

/// Where a setting of `[evaluator]` is in `[judging]`, if it is there.
fn path_in_judging(path: &str) -> Option<String> {
    match path.strip_prefix("evaluator.")? {
        "kind" => Some("judging.by".to_owned()),
        // Each run has its own request, so that the mapping of runs is certain.
        "entries_per_request" | "fill_within" => None,
        name => Some(format!("judging.{name}")),
    }
}

/// Every scenario must name the matching one at Cekura.
fn check_scenarios_at_cekura(scenarios: &[RawScenario], resolver: &mut Resolver<'_>) {
    for scenario in scenarios.iter().filter(|scenario| !scenario.has_errors) {
        let (Some(id), None) = (&scenario.id, &scenario.cekura) else { continue };
        resolver.diagnostics.missing_at(
            &id.span,
            format!("scenario {} does not name the matching scenario at Cekura", id.value),
            "add `cekura`, the number of that scenario, such as cekura = 30",
        );
    }
}

/// The service's settings as a table `[evaluator]`.
fn evaluator_table(raw: &RawJudging) -> RawEvaluator {
    let kind = raw.by.as_ref().map(|by| Located {
        value: match by.value {
            RawJudge::Cekura => RawEvaluatorKind::Cekura,
            RawJudge::Sandbox => RawEvaluatorKind::Sandbox,
        },
        span: by.span.clone(),
    });
    RawEvaluator {
        kind,
        url: raw.url.clone(),
        key_file: raw.key_file.clone(),
        agent: raw.agent.clone(),
        publish_data_message: raw.publish_data_message.clone(),
        poll_every: raw.poll_every.clone(),
        voice_path: raw.voice_path.clone(),
        chat_path: raw.chat_path.clone(),
        runs_path: raw.runs_path.clone(),
        end_call_path: raw.end_call_path.clone(),
        ..RawEvaluator::default()
    }
}

/// The charges for judged runs follow from `[bill]`, whose settings and mistakes are already recorded.
fn judging_bill(
    raw: &RawProfile,
    prices: &Prices,
    services: Services<'_>,
    resolver: &mut Resolver<'_>,
) -> BillSettings {
    if !resolver.diagnostics.is_empty() {
        return BillSettings::default();
    }
    resolver.recorded_as(|_| None, |resolver| resolve_bill(raw, prices.clone(), services, resolver))
}

#[cfg(test)]
mod tests {
    use std::io;

    use crate::profile::{
        CallersVerdict, JudgingSelection, LoadedProfile, PriceItem, Profile, ProfileError,
        ProfileInput, ScenarioMix, SelectedRun, SelectedScenario, load,
    };
    use crate::units::{RunIndex, SessionId, Usd};

    const JUDGED: &str = r#"
mode = "chat"
[livekit]
url = "wss://x.livekit.cloud"
agent = "a"
[evaluator]
kind = "native"
[judging]
by = "cekura"
budget = "5 USD"
[[scenario]]
id = "greet"
cekura = 30
copies = 4
script = "s.toml"
[[scenario]]
id = "book"
cekura = 31
copies = 4
script = "s.toml"
[[stage]]
rate = "1/s"
"#;

    fn load_text(text: &str) -> Result<LoadedProfile, ProfileError> {
        let read_file = |name: &str| match name {
            "s.toml" => Ok(b"[[turn]]\nsay = \"Good evening.\"\n".to_vec()),
            _ => Err(io::Error::other("not found")),
        };
        load(ProfileInput {
            file: "p.toml",
            bytes: text.as_bytes(),
            environment: &[],
            flags: &[],
            read_file: &read_file,
        })
    }

    fn profile(text: &str) -> Profile {
        load_text(text).unwrap_or_else(|refused| panic!("{:?}", refused.diagnostics)).profile
    }

    #[test]
    fn settings_have_defaults_and_are_recorded_under_judging() {
        let loaded = load_text(JUDGED).unwrap();
        let judging = loaded.profile.judging.as_ref().expect("the profile has [judging]");
        assert_eq!((judging.most, judging.in_flight, judging.failures), (50, 5, true));
        assert_eq!(judging.sample.to_string(), "5%");
        assert_eq!(judging.cekura.url.as_deref(), Some("https://api.cekura.ai"));
        assert!(judging.bill.charged.contains(&PriceItem::EvaluatorChat));
        assert!(!loaded.profile.bill.charged.contains(&PriceItem::EvaluatorChat));
        let shown = |path: &str| loaded.settings.iter().filter(|s| s.path == path).count();
        let paths = ["judging.by", "judging.url", "evaluator.kind", "bill.messages"];
        assert_eq!(paths.map(shown), [1, 1, 1, 1]);
        assert_eq!(["evaluator.url", "judging.kind", "judging.fill_within"].map(shown), [0, 0, 0]);
    }

    #[test]
    fn contradictions_are_reported() {
        for (find, put, what) in [
            ("cekura = 31\n", "", "scenario book does not name the matching scenario at Cekura"),
            (
                "kind = \"native\"",
                "kind = \"cekura\"",
                "only runs of native callers can be judged afterwards",
            ),
            (
                "[judging]\nby = \"cekura\"\nbudget = \"5 USD\"\n",
                "",
                "`cekura` has no effect without [judging]",
            ),
            (
                "by = \"cekura\"",
                "by = \"cekura\"\nsample = \"0%\"\nfailures = false",
                "nothing would be judged",
            ),
            ("by = \"cekura\"", "by = \"me\"", "`me` is not one of the choices"),
            ("by = \"cekura\"", "most = 0", "0 is too small"),
            ("by = \"cekura\"", "most = 99999", "99999 runs are too many to judge"),
            (
                "by = \"cekura\"",
                "in_flight = 51",
                "51 judged runs at once would be a load test of their own",
            ),
            ("\"5 USD\"", "\"0 USD\"", "no run could start with this limit"),
            (
                "wss://x.livekit.cloud",
                "ws://127.0.0.1:7880",
                "Cekura cannot reach a LiveKit server on this machine",
            ),
            (
                "by = \"cekura\"",
                "by = \"sandbox\"\nurl = \"https://x\"",
                "the embedded stand-in has no URL",
            ),
        ] {
            assert!(JUDGED.contains(find), "{find}");
            let refused = load_text(&JUDGED.replace(find, put)).unwrap_err();
            let found: Vec<&str> =
                refused.diagnostics.iter().map(|diagnostic| &*diagnostic.message).collect();
            assert!(found.contains(&what), "{what}: {found:?}");
        }
    }

    #[test]
    fn the_judging_session_reruns_the_selection_within_its_own_limits() {
        let parent = profile(JUDGED);
        let selected = |run| SelectedRun { run: RunIndex(run), verdict: CallersVerdict::Passed };
        let selection = JudgingSelection {
            session: SessionId::new("s"),
            passed: 8,
            failed: 0,
            excluded: 0,
            scenarios: vec![SelectedScenario { scenario: 1, runs: vec![selected(6), selected(2)] }],
        };
        let judging = parent.judging_profile(&selection).expect("the selection is not empty");
        let ScenarioMix::Copies(mix) = &judging.mix else { panic!("{:?}", judging.mix) };
        assert_eq!((mix.len(), mix[0].0.id.as_str(), mix[0].1), (1, "31", 2));
        assert_eq!(mix[0].0.name, "book");
        assert_eq!(judging.limits.budget, Some(Usd::from_dollars(5.0)));
        assert!(judging.evaluator.cekura().is_some() && judging.judging.is_none());
        assert_eq!(selection.selected_run(0, 1), Some(selected(2)));
        assert_eq!(
            (selection.selected_run(0, 2), selection.selected_run(1, 0), selection.count()),
            (None, None, 2)
        );
        let empty = JudgingSelection { scenarios: Vec::new(), ..selection };
        assert_eq!(parent.judging_profile(&empty), None);
        // The journal stores it.
        let json = serde_json::to_string(&judging).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), judging);
    }
}
