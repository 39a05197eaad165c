//! Resolves `[bill]`: which items the services charge, and that each of them has a price.

use url::Url;

use super::resolver::Resolver;
use crate::profile::diagnostic::DiagnosticKind;
use crate::profile::raw::RawProfile;
use crate::profile::settings::bill::BillSettings;
use crate::profile::settings::evaluator::EvaluatorSettings;
use crate::profile::settings::livekit::{LiveKitSettings, LiveKitTarget};
use crate::profile::settings::prices::{PriceItem, Prices};
use crate::profile::settings::session_mode::SessionMode;
use crate::profile::target_kind::{TargetKind, target_kind};
use crate::units::Usd;

/// The resolved settings that determine who charges what.
#[derive(Clone, Copy)]
pub(super) struct Services<'a> {
    pub(super) mode: SessionMode,
    pub(super) livekit: Option<&'a LiveKitSettings>,
    pub(super) evaluator: Option<&'a EvaluatorSettings>,
}

/// A session against stand-ins alone is billed as if both were the real services.
pub(super) fn resolve_bill(
    raw: &RawProfile,
    prices: Prices,
    services: Services<'_>,
    resolver: &mut Resolver<'_>,
) -> BillSettings {
    resolver.optional("prices", raw.prices.as_ref());
    let raw = raw.bill.as_ref().map(|at| at.value.clone()).unwrap_or_default();
    let messages = resolver.at_least("bill.messages", raw.messages.as_ref(), 1, 8);
    let most_messages =
        resolver.at_least("bill.most_messages", raw.most_messages.as_ref(), 1, messages.max(24));
    if let Some(at) = raw.most_messages.as_ref().filter(|at| at.value < messages) {
        let message = format!("`most_messages` of {} is below `messages` of {messages}", at.value);
        resolver.diagnostics.conflict(&at.span, message, "write at least bill.messages");
    }
    let metrics = resolver.or_default("bill.metrics", raw.metrics.as_ref(), 0);
    let ask_above =
        resolver.or_default("bill.ask_above", raw.ask_above.as_ref(), Usd::from_dollars(10.0));
    let with = raw.with.as_ref().map(|at| at.value.as_slice()).unwrap_or_default();
    let without = raw.without.as_ref().map(|at| at.value.as_slice()).unwrap_or_default();
    let in_both = with.iter().find(|item| without.contains(item));
    if let Some((item, at)) = in_both.zip(raw.without.as_ref()) {
        let message = format!("{item} is in both bill.with and bill.without");
        resolver.diagnostics.conflict(&at.span, message, "remove it from one of them");
    }
    let charges = services
        .livekit
        .zip(services.evaluator)
        .map(|(livekit, evaluator)| Charges::new(livekit, evaluator));
    let charged: Vec<PriceItem> = charges.as_ref().map_or(Vec::new(), |charges| {
        let modes = services.mode.modes();
        let is_charged = |item: &PriceItem| {
            modes.iter().any(|mode| item.applies_to(*mode))
                && (charges.include(*item, metrics) || with.contains(item))
                && !without.contains(item)
        };
        PriceItem::ALL.into_iter().filter(is_charged).collect()
    });
    // A price file that could not be read would be reported again for each of its rows.
    if resolver.diagnostics.is_empty() {
        for item in charged.iter().filter(|item| prices.price(**item).is_none()) {
            resolver.diagnostics.without_span(
                DiagnosticKind::Missing,
                format!("{} has no price for {item}, which this profile uses", prices.file),
                "add the row, or list the item in bill.without if it costs nothing",
            );
        }
    }
    let rehearsal = charges.is_some_and(|charges| charges.rehearsal);
    BillSettings { prices, charged, rehearsal, ask_above, messages, most_messages, metrics }
}

/// Which services charge.
#[expect(clippy::struct_excessive_bools, reason = "the services charge independently")]
struct Charges {
    /// Both services are stand-ins.
    rehearsal: bool,
    livekit: bool,
    models: bool,
    evaluator: bool,
}

impl Charges {
    /// A self-hosted LiveKit server charges nothing; if it is on this machine or a private network, the
    /// agent's models are not billed either. A stand-in next to a real service charges nothing.
    fn new(livekit: &LiveKitSettings, evaluator: &EvaluatorSettings) -> Self {
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

    const fn include(&self, item: PriceItem, metrics: u32) -> bool {
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
    use std::io;

    use crate::profile::{LoadedProfile, PriceItem, ProfileError, ProfileInput, load};
    use crate::units::Usd;

    const CLOUD: &str = "mode = \"chat\"\nprices = \"mine.toml\"\n[livekit]\nurl = \"wss://x.livekit.cloud\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 1\n[[stage]]\nrate = \"1/s\"\n";
    const SHIPPED: &str = include_str!("../../../../../profiles/prices.toml");

    fn load_with(profile: &str, prices: &str) -> Result<LoadedProfile, ProfileError> {
        let read_file = |name: &str| {
            (name == "mine.toml")
                .then(|| prices.into())
                .ok_or_else(|| io::Error::other("not found"))
        };
        load(ProfileInput {
            file: "p.toml",
            bytes: profile.as_bytes(),
            environment: &[],
            flags: &[],
            read_file: &read_file,
        })
    }

    fn mistakes(profile: &str, prices: &str) -> Vec<String> {
        let refused = load_with(profile, prices).unwrap_err();
        refused.diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect()
    }

    #[test]
    fn charges_follow_from_the_services() {
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
            ["model_output is in both bill.with and bill.without"]
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
    fn all_mistakes_in_a_price_file_are_reported_at_once() {
        let wrong = SHIPPED
            .replace("\"0.01 USD\"\nunit = \"minute\"", "\"0 USD\"\nunit = \"minute\"")
            .replace("\"0.0005 USD\"\nunit = \"minute\"", "\"-1 USD\"\nunit = \"message\"")
            .replace("item = \"speech_to_text\"", "item = \"participant\"")
            .replace("as_of = 2026-08-20", "as_of = 2026-02-30");
        let found = mistakes(CLOUD, &wrong);
        for what in [
            "a price must be above zero",
            "`-1 USD` is not between 0 and 1000000000 USD",
            "participant is not priced per message",
        ] {
            assert!(found.iter().any(|message| message == what), "{what}: {found:?}");
        }
    }

    #[test]
    fn a_missing_price_is_named() {
        let without = SHIPPED.replace("item = \"evaluator_chat\"", "item = \"evaluator_voice\"");
        let twice = mistakes(CLOUD, &without);
        assert_eq!(
            twice,
            ["evaluator_voice has two prices", "evaluator_voice is not priced per message"]
        );
        let some = SHIPPED.split("# Cekura").next().unwrap();
        let found = mistakes(CLOUD, some);
        assert_eq!(found, ["mine.toml has no price for evaluator_chat, which this profile uses"]);
        let paired = mistakes(&CLOUD.replace("\"chat\"", "\"paired\""), some);
        let named =
            |item: &str| format!("mine.toml has no price for {item}, which this profile uses");
        assert_eq!(paired, [named("evaluator_voice"), named("evaluator_chat")]);
        let elsewhere = CLOUD.replace("mine.toml", "none.toml");
        assert_eq!(mistakes(&elsewhere, ""), ["this price file cannot be read: not found"]);
    }

    #[test]
    fn a_price_is_old_after_ninety_days() {
        let loaded = load_with(CLOUD, SHIPPED).unwrap();
        let price = loaded.profile.bill.prices.price(PriceItem::AgentSession).unwrap();
        assert_eq!(price.usd, Usd::from_dollars(0.01));
        assert!(!price.is_old_on(jiff::civil::date(2026, 5, 18)));
        assert!(price.is_old_on(jiff::civil::date(2026, 5, 19)));
    }
}
