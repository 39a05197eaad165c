//! What a profile is charged for: which items its services bill, and that each of them has a price.

use url::Url;

use super::check::Resolver;
use super::check_livekit::{TargetKind, target_kind};
use super::model::{BillSettings, EvaluatorSettings, LiveKitSettings, LiveKitTarget, SessionMode};
use super::prices::{PriceItem, Prices};
use super::raw::RawProfile;
use crate::units::Usd;

/// Decides what is charged. What a session against stand-ins alone would come to is reckoned as if both
/// were the real services.
pub(super) fn check_bill(
    raw: &RawProfile,
    prices: Prices,
    (mode, livekit, evaluator): (SessionMode, Option<&LiveKitSettings>, Option<&EvaluatorSettings>),
    checker: &mut Resolver<'_>,
) -> BillSettings {
    checker.optional("prices", raw.prices.as_ref());
    let raw = raw.bill.as_ref().map(|at| at.value.clone()).unwrap_or_default();
    let messages = checker.at_least("bill.messages", raw.messages.as_ref(), 1, 8);
    let most_messages =
        checker.at_least("bill.most_messages", raw.most_messages.as_ref(), 1, messages.max(24));
    if let Some(at) = raw.most_messages.as_ref().filter(|at| at.value < messages) {
        let what = format!("at the most {} messages, and {messages} as a rule", at.value);
        checker.faults.at(&at.place, what, "not below bill.messages");
    }
    let metrics = checker.or_default("bill.metrics", raw.metrics.as_ref(), 0);
    let ask_above =
        checker.or_default("bill.ask_above", raw.ask_above.as_ref(), Usd::from_dollars(10.0));
    let with = raw.with.as_ref().map(|at| at.value.as_slice()).unwrap_or_default();
    let without = raw.without.as_ref().map(|at| at.value.as_slice()).unwrap_or_default();
    let in_both = with.iter().find(|item| without.contains(item));
    if let Some((item, at)) = in_both.zip(raw.without.as_ref()) {
        let what = format!("{item} is named in bill.with and in bill.without");
        checker.faults.at(&at.place, what, "keep one of them");
    }
    let parties =
        livekit.zip(evaluator).map(|(livekit, evaluator)| Parties::of(livekit, evaluator));
    let charged: Vec<PriceItem> = parties.as_ref().map_or(Vec::new(), |parties| {
        let is_used = |item: PriceItem| mode.modes().iter().any(|mode| item.is_of(*mode));
        let charges = |item: &PriceItem| {
            let is_charged = parties.charge(*item, metrics) || with.contains(item);
            is_used(*item) && is_charged && !without.contains(item)
        };
        PriceItem::ALL.into_iter().filter(charges).collect()
    });
    let unpriced = charged.iter().filter(|item| prices.of(**item).is_none());
    // A file that could not be read would be blamed for each of its rows again.
    if checker.faults.is_empty() {
        for item in unpriced {
            let what = format!("{} has no price of {item}, which this profile uses", prices.file);
            let hint = "add the row, or name it in bill.without where nothing is charged for it";
            checker.faults.missing(what, hint);
        }
    }
    let rehearsal = parties.is_some_and(|parties| parties.rehearsal);
    BillSettings { prices, charged, rehearsal, ask_above, messages, most_messages, metrics }
}

/// Who charges.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each party charges or does not, whatever the others do"
)]
struct Parties {
    rehearsal: bool,
    livekit: bool,
    models: bool,
    evaluator: bool,
}

impl Parties {
    /// A LiveKit server of one's own charges nothing; on a machine's or a private network's, the agent's
    /// models are not reckoned either. A stand-in charges nothing beside a real service.
    fn of(livekit: &LiveKitSettings, evaluator: &EvaluatorSettings) -> Self {
        let kind = match &livekit.target {
            LiveKitTarget::Sandbox => None,
            LiveKitTarget::Url(url) => {
                Some(Url::parse(url).map_or(TargetKind::Public, |url| target_kind(&url)))
            }
        };
        let is_real = evaluator.cekura().is_some_and(|cekura| cekura.url.is_some());
        let rehearsal = kind.is_none() && !is_real;
        Self {
            rehearsal,
            livekit: rehearsal || kind == Some(TargetKind::LiveKitCloud),
            models: rehearsal
                || matches!(kind, Some(TargetKind::LiveKitCloud | TargetKind::Public)),
            evaluator: rehearsal || is_real,
        }
    }

    const fn charge(&self, item: PriceItem, metrics: u32) -> bool {
        match item {
            PriceItem::AgentSession | PriceItem::Participant => self.livekit,
            PriceItem::SpeechToText
            | PriceItem::TextToSpeech
            | PriceItem::ModelInput
            | PriceItem::ModelOutput => self.models,
            PriceItem::EvaluatorVoice | PriceItem::EvaluatorChat => self.evaluator,
            PriceItem::EvaluatorMetric => self.evaluator && metrics > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::{InvalidProfile, LoadedProfile, PriceItem, ProfileInput, load};
    use crate::units::Usd;

    const CLOUD: &str = "mode = \"chat\"\nprices = \"mine.toml\"\n[livekit]\nurl = \"wss://x.livekit.cloud\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n";
    const SHIPPED: &str = include_str!("../../../../profiles/prices.toml");

    fn load_with(profile: &str, prices: &str) -> Result<LoadedProfile, InvalidProfile> {
        let lend = |name: &str| {
            (name == "mine.toml").then(|| prices.into()).ok_or_else(|| "not found".to_owned())
        };
        load(ProfileInput {
            file: "p.toml",
            bytes: profile.as_bytes(),
            environment: &[],
            flags: &[],
            files: &lend,
        })
    }

    fn mistakes(profile: &str, prices: &str) -> Vec<String> {
        let refused = load_with(profile, prices).unwrap_err();
        refused.faults.into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn who_charges_follows_from_where_the_session_goes() {
        let charged = |profile: &str| load_with(profile, SHIPPED).unwrap().profile.bill.charged;
        let chat = [
            PriceItem::AgentSession,
            PriceItem::Participant,
            PriceItem::ModelInput,
            PriceItem::ModelOutput,
            PriceItem::EvaluatorChat,
        ];
        assert_eq!(charged(CLOUD), chat);
        assert_eq!(charged(&format!("{CLOUD}[bill]\nwithout = [\"agent_session\"]\n")), chat[1..]);
        let here = CLOUD.replace("wss://x.livekit.cloud", "ws://10.0.0.7:7880");
        assert_eq!(charged(&here), chat[4..]);
        let with = "[bill]\nwith = [\"model_output\", \"text_to_speech\"]\n";
        assert_eq!(charged(&format!("{here}{with}")), chat[3..], "and no voice in chat");
        let both = format!("{CLOUD}{with}without = [\"model_output\"]\n");
        assert_eq!(
            mistakes(&both, SHIPPED),
            ["model_output is named in bill.with and in bill.without"]
        );
        let own = CLOUD.replace("x.livekit.cloud", "livekit.example.org");
        assert_eq!(charged(&own), chat[2..]);
        let voice = charged(&CLOUD.replace("chat", "voice"));
        assert!(
            voice.contains(&PriceItem::TextToSpeech) && voice.contains(&PriceItem::EvaluatorVoice)
        );
        let stand_ins = CLOUD.replace("wss://x.livekit.cloud", "sandbox");
        let bill = load_with(&stand_ins, SHIPPED).unwrap().profile.bill;
        assert!(bill.rehearsal && bill.charged == chat);
    }

    #[test]
    fn all_mistakes_in_a_price_file_are_told_at_once() {
        let wrong = SHIPPED
            .replace("\"0.01 USD\"\nunit = \"minute\"", "\"0 USD\"\nunit = \"minute\"")
            .replace("\"0.0005 USD\"\nunit = \"minute\"", "\"-1 USD\"\nunit = \"message\"")
            .replace("item = \"speech_to_text\"", "item = \"participant\"")
            .replace("as_of = 2026-08-20", "as_of = 2026-02-30");
        let found = mistakes(CLOUD, &wrong);
        for what in [
            "a price is more than nothing",
            "`-1 USD` is not between 0 and 1000000000 USD",
            "participant is not priced by the message",
        ] {
            assert!(found.iter().any(|fault| fault == what), "{what}: {found:?}");
        }
    }

    #[test]
    fn a_price_that_is_missing_is_named() {
        let without = SHIPPED.replace("item = \"evaluator_chat\"", "item = \"evaluator_voice\"");
        let twice = mistakes(CLOUD, &without);
        assert_eq!(
            twice,
            ["evaluator_voice has two prices", "evaluator_voice is not priced by the message"]
        );
        let some = SHIPPED.split("# Cekura").next().unwrap();
        let found = mistakes(CLOUD, some);
        assert_eq!(found, ["mine.toml has no price of evaluator_chat, which this profile uses"]);
        let paired = mistakes(&CLOUD.replace("\"chat\"", "\"paired\""), some);
        let named =
            |item: &str| format!("mine.toml has no price of {item}, which this profile uses");
        assert_eq!(paired, [named("evaluator_voice"), named("evaluator_chat")]);
        let elsewhere = CLOUD.replace("mine.toml", "none.toml");
        assert_eq!(mistakes(&elsewhere, ""), ["these prices cannot be read: not found"]);
    }

    #[test]
    fn a_price_grows_old_after_ninety_days() {
        let loaded = load_with(CLOUD, SHIPPED).unwrap();
        let price = loaded.profile.bill.prices.of(PriceItem::AgentSession).unwrap();
        assert_eq!(price.usd, Usd::from_dollars(0.01));
        assert!(!price.is_old_on(jiff::civil::date(2026, 5, 18)));
        assert!(price.is_old_on(jiff::civil::date(2026, 5, 19)));
    }
}
