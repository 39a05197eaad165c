//! The settings of judging: who judges, how many runs, at what rate and for how much.

use super::check::Resolver;
use super::check_bill::check_bill;
use super::check_evaluator::check_evaluator;
use super::diagnostic::Located;
use super::judging::JudgingSettings;
use super::model::{BillSettings, EvaluatorSettings, LiveKitSettings, SessionMode};
use super::prices::Prices;
use super::raw::{RawEvaluator, RawEvaluatorKind, RawJudge, RawJudging, RawProfile, RawScenario};
use crate::units::{Percent, PositiveDuration, Rate, Usd};

/// Judged runs at once, at the most: they are held without the load.
const MOST_IN_FLIGHT: u32 = 50;

/// Decides how runs are judged; `None` where the profile does not ask for it.
pub(super) fn check_judging(
    raw: &RawProfile,
    prices: &Prices,
    (mode, livekit, evaluator): (SessionMode, Option<&LiveKitSettings>, Option<&EvaluatorSettings>),
    checker: &mut Resolver<'_>,
) -> Option<JudgingSettings> {
    let scenarios = raw.scenario.as_ref().map(|at| at.value.as_slice()).unwrap_or_default();
    let Some(at) = &raw.judging else {
        for cekura in scenarios.iter().filter_map(|scenario| scenario.cekura.as_ref()) {
            checker.faults.at(
                &cekura.place,
                "`cekura` has no meaning without [judging]",
                "add [judging] with by = \"cekura\", or remove it",
            );
        }
        return None;
    };
    if evaluator?.cekura().is_some() {
        checker.faults.at(
            &at.place,
            "only runs of our own callers are judged a second time",
            "set evaluator.kind = \"native\", or remove [judging]",
        );
        return None;
    }
    if mode == SessionMode::Paired {
        checker.faults.at(
            &at.place,
            "a paired session is not judged a second time: its pairs would come apart",
            "set mode = \"voice\" or \"chat\", or remove [judging]",
        );
        return None;
    }
    stands_for_each(scenarios, checker);
    let judging = &at.value;
    let asked = judged_evaluator(judging);
    let asked = Located { value: asked, place: at.place.clone() };
    let decided = checker.shown_as(own_path, |checker| {
        check_evaluator(Some(&asked), raw.livekit.as_ref(), mode, checker)
    })?;
    let EvaluatorSettings::Cekura(cekura) = &decided else { return None };
    let sample = checker.or_default(
        "judging.sample",
        judging.sample.as_ref(),
        Percent::from_fraction(0.05).unwrap_or_default(),
    );
    let failures = checker.or_default("judging.failures", judging.failures.as_ref(), true);
    if let (true, false, Some(at)) = (sample == Percent::ZERO, failures, &judging.sample) {
        checker.faults.at(
            &at.place,
            "nothing would be judged",
            "a share above \"0%\", or failures = true",
        );
    }
    if let Some(at) = judging.budget.as_ref().filter(|at| at.value == Usd::ZERO) {
        checker.faults.at(&at.place, "this lets nothing start", "more than 0, or leave it out");
    }
    let most = checker.at_least("judging.most", judging.most.as_ref(), 1, 50);
    if let Some(at) = judging.most.as_ref().filter(|at| at.value > 10_000) {
        let what = format!("{} runs are too many to be judged a second time", at.value);
        checker.faults.at(&at.place, what, "at most 10000");
    }
    if let Some(at) = judging.in_flight.as_ref().filter(|at| at.value > MOST_IN_FLIGHT) {
        let what = format!("{} at once would be a load of their own", at.value);
        let hint = format!("at most {MOST_IN_FLIGHT}: judged runs are held without the load");
        checker.faults.at(&at.place, what, hint);
    }
    let requests = Rate::per_second_const(1);
    let requests = checker.or_default("judging.requests", judging.requests.as_ref(), requests);
    let run_timeout = judging.run_timeout.as_ref();
    let settings = JudgingSettings {
        cekura: cekura.clone(),
        sample,
        failures,
        most,
        requests,
        in_flight: checker.at_least("judging.in_flight", judging.in_flight.as_ref(), 1, 5),
        run_timeout: checker.or_default(
            "judging.run_timeout",
            run_timeout,
            PositiveDuration::secs(20 * 60),
        ),
        budget: checker.optional("judging.budget", judging.budget.as_ref()),
        bill: judging_bill(raw, prices, (mode, livekit, &decided), checker),
    };
    Some(settings)
}

/// The path of a setting of [evaluator] in [judging]; none where it has none there.
fn own_path(path: &str) -> Option<String> {
    match path.strip_prefix("evaluator.")? {
        "kind" => Some("judging.by".to_owned()),
        // Each run has a request of its own, so that it is certain which run is which.
        "entries_per_request" | "fill_within" => None,
        name => Some(format!("judging.{name}")),
    }
}

/// Every scenario says which one at Cekura stands for it.
fn stands_for_each(scenarios: &[RawScenario], checker: &mut Resolver<'_>) {
    for scenario in scenarios.iter().filter(|scenario| !scenario.spoiled) {
        let (Some(id), None) = (&scenario.id, &scenario.cekura) else { continue };
        checker.faults.at(
            &id.place,
            format!("scenario {} does not say which scenario at Cekura stands for it", id.value),
            "add `cekura`, the number of the same scenario at Cekura, such as cekura = 30",
        );
    }
}

fn judged_evaluator(raw: &RawJudging) -> RawEvaluator {
    let kind = raw.by.as_ref().map(|by| Located {
        value: match by.value {
            RawJudge::Cekura => RawEvaluatorKind::Cekura,
            RawJudge::Sandbox => RawEvaluatorKind::Sandbox,
        },
        place: by.place.clone(),
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

/// What judged runs are charged for follows from [bill], which is decided already: it is neither shown
/// nor blamed a second time.
fn judging_bill(
    raw: &RawProfile,
    prices: &Prices,
    (mode, livekit, evaluator): (SessionMode, Option<&LiveKitSettings>, &EvaluatorSettings),
    checker: &mut Resolver<'_>,
) -> BillSettings {
    if !checker.faults.is_empty() {
        return BillSettings::default();
    }
    checker.shown_as(
        |_| None,
        |checker| check_bill(raw, prices.clone(), (mode, livekit, Some(evaluator)), checker),
    )
}

#[cfg(test)]
mod tests {
    use crate::profile::{
        CallersVerdict, InvalidProfile, JudgingSelection, LoadedProfile, PriceItem, Profile,
        ProfileInput, ScenarioMix, SelectedRun, SelectedScenario, load,
    };
    use crate::units::{RunIndex, SessionId, Usd};

    const HYBRID: &str = r#"
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

    fn load_text(text: &str) -> Result<LoadedProfile, InvalidProfile> {
        let lend = |name: &str| match name {
            "s.toml" => Ok(b"[[turn]]\nsay = \"Good evening.\"\n".to_vec()),
            _ => Err("not found".to_owned()),
        };
        let file = "p.toml";
        load(ProfileInput {
            file,
            bytes: text.as_bytes(),
            environment: &[],
            flags: &[],
            files: &lend,
        })
    }

    fn profile(text: &str) -> Profile {
        load_text(text).unwrap_or_else(|refused| panic!("{:?}", refused.faults)).profile
    }

    #[test]
    fn its_settings_have_defaults_and_are_shown_as_its_own() {
        let loaded = load_text(HYBRID).unwrap();
        let judging = loaded.profile.judging.as_ref().expect("it was asked for");
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
    fn what_cannot_be_judged_is_refused_in_words() {
        for (find, put, what) in [
            (
                "cekura = 31\n",
                "",
                "scenario book does not say which scenario at Cekura stands for it",
            ),
            (
                "kind = \"native\"",
                "kind = \"cekura\"",
                "only runs of our own callers are judged a second time",
            ),
            (
                "[judging]\nby = \"cekura\"\nbudget = \"5 USD\"\n",
                "",
                "`cekura` has no meaning without [judging]",
            ),
            (
                "by = \"cekura\"",
                "by = \"cekura\"\nsample = \"0%\"\nfailures = false",
                "nothing would be judged",
            ),
            ("by = \"cekura\"", "by = \"me\"", "`me` is none of the choices"),
            ("by = \"cekura\"", "most = 0", "0 is too few"),
            (
                "by = \"cekura\"",
                "most = 99999",
                "99999 runs are too many to be judged a second time",
            ),
            ("by = \"cekura\"", "in_flight = 51", "51 at once would be a load of their own"),
            ("\"5 USD\"", "\"0 USD\"", "this lets nothing start"),
            (
                "wss://x.livekit.cloud",
                "ws://127.0.0.1:7880",
                "Cekura cannot call into a LiveKit on this machine",
            ),
            (
                "by = \"cekura\"",
                "by = \"sandbox\"\nurl = \"https://x\"",
                "the embedded stand-in has no address",
            ),
        ] {
            assert!(HYBRID.contains(find), "{find}");
            let refused = load_text(&HYBRID.replace(find, put)).unwrap_err();
            let found: Vec<&str> = refused.faults.iter().map(|fault| &*fault.message).collect();
            assert!(found.contains(&what), "{what}: {found:?}");
        }
    }

    #[test]
    fn the_judging_session_holds_the_chosen_runs_within_limits_of_its_own() {
        let parent = profile(HYBRID);
        let chosen = |run| SelectedRun { run: RunIndex(run), verdict: CallersVerdict::Passed };
        let selection = JudgingSelection {
            session: SessionId::new("s"),
            passed: 8,
            failed: 0,
            apart: 0,
            chosen: vec![SelectedScenario { scenario: 1, runs: vec![chosen(6), chosen(2)] }],
        };
        let judging = parent.judging_session(&selection).expect("something was chosen");
        let ScenarioMix::Copies(mix) = &judging.mix else { panic!("{:?}", judging.mix) };
        assert_eq!((mix.len(), mix[0].0.id.as_str(), mix[0].1), (1, "31", 2));
        assert_eq!(mix[0].0.name, "book");
        assert_eq!(judging.limits.budget, Some(Usd::from_dollars(5.0)));
        assert!(judging.evaluator.cekura().is_some() && judging.judging.is_none());
        assert_eq!(selection.of(0, 1), Some(chosen(2)));
        assert_eq!((selection.of(0, 2), selection.of(1, 0), selection.count()), (None, None, 2));
        let nothing = JudgingSelection { chosen: Vec::new(), ..selection };
        assert_eq!(parent.judging_session(&nothing), None);
        // It is kept in the journal, and read back.
        let kept = serde_json::to_string(&judging).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&kept).unwrap(), judging);
    }
}
