//! What a session cost, for every report: the bill as words, and as an object for programs.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bill::{BillForecast, BillRow};
use crate::profile::BillSettings;
use crate::record::Folded;
use crate::units::Usd;

/// What a session cost at list prices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BillSummary {
    /// The price file.
    pub prices: String,
    /// Whether both sides were stand-ins: it is what the session would have cost, and nothing was charged.
    pub rehearsal: bool,
    /// Item by item.
    pub items: Vec<BillItem>,
    /// The agent's side: its host, its room, its models.
    pub agent_usd: f64,
    /// The test's side: the evaluator.
    pub test_usd: f64,
    /// All of it.
    pub list_usd: f64,
    /// All of it, where nothing else uses up what base fees include.
    pub after_included_usd: f64,
    /// All of it for each completed run.
    pub per_completed_usd: Option<f64>,
    /// What the same number of runs was forecast to cost.
    pub forecast_usd: f64,
    /// What the session was allowed to cost.
    pub budget_usd: Option<f64>,
}

/// One item of a bill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BillItem {
    /// The item.
    pub item: String,
    /// `agent` or `test`: whose side it is on.
    pub side: String,
    /// How many units.
    pub quantity: f64,
    /// The unit.
    pub unit: String,
    /// The price of a unit.
    pub each_usd: f64,
    /// What it comes to at that price.
    pub list_usd: f64,
    /// What is left, where nothing else uses up what base fees include.
    pub after_included_usd: f64,
    /// How the quantity is known: `measured`, `derived` or `assumed`.
    pub known: String,
    /// The service, its tier, the model.
    pub tier: String,
    /// The day on which the source said so.
    pub as_of: String,
    /// Where the price stands to be read.
    pub source: String,
}

impl BillSummary {
    /// The bill of a session; none where nothing is charged.
    pub(super) fn of(folded: &Folded) -> Option<Self> {
        let (bill, profile) = (&folded.bill, &folded.opening.profile);
        let forecast = forecast(folded)?;
        let item = |row: &BillRow| {
            let price = profile.bill.prices.of(row.item)?;
            Some(BillItem {
                item: row.item.word().to_owned(),
                side: side(row.item.is_evaluators()).to_owned(),
                quantity: row.quantity(),
                unit: row.item.unit().word().to_owned(),
                each_usd: row.each.dollars(),
                list_usd: row.list.dollars(),
                after_included_usd: row.after_included.dollars(),
                known: row.known.word().to_owned(),
                tier: price.tier.clone(),
                as_of: price.as_of.into(),
                source: price.source.clone(),
            })
        };
        Some(Self {
            prices: profile.bill.prices.file.clone(),
            rehearsal: profile.bill.rehearsal,
            items: bill.rows.iter().filter_map(item).collect(),
            agent_usd: bill.agent().dollars(),
            test_usd: bill.evaluator().dollars(),
            list_usd: bill.list().dollars(),
            after_included_usd: bill.after_included().dollars(),
            per_completed_usd: per_completed(folded).map(Usd::dollars),
            forecast_usd: forecast.dollars(),
            budget_usd: profile.limits.budget.map(Usd::dollars),
        })
    }
}

const fn side(is_evaluators: bool) -> &'static str {
    if is_evaluators { "test" } else { "agent" }
}

/// What as many runs as were started were forecast to cost; none where nothing is charged.
fn forecast(folded: &Folded) -> Option<Usd> {
    let forecast = BillForecast::new(&folded.opening.profile, folded.tally.started)?;
    Some(forecast.expected.list())
}

fn per_completed(folded: &Folded) -> Option<Usd> {
    let completed = folded.tally.completed;
    (completed > 0).then(|| folded.bill.list().for_amount(1, completed))
}

/// The bill in one sentence, and how far the forecast was off; none where nothing is charged.
pub(super) fn bill_words(folded: &Folded) -> Option<String> {
    let forecast = forecast(folded)?;
    let list = folded.bill.list();
    let verb =
        if folded.opening.profile.bill.rehearsal { "It would have cost" } else { "It cost about" };
    let each = per_completed(folded)
        .map_or(String::new(), |each| format!(", {each} for each completed run"));
    let off = if forecast == Usd::ZERO {
        String::new()
    } else {
        let share = (list.dollars() / forecast.dollars() - 1.0) * 100.0;
        format!("; so many runs were forecast at {forecast} ({share:+.0} %)")
    };
    Some(format!(
        "{verb} {list} at list prices: agent {}, test {}{each}{off}.",
        folded.bill.agent(),
        folded.bill.evaluator()
    ))
}

/// That prices of a session had grown old when it began, in words.
pub(super) fn old_prices_of(folded: &Folded) -> Option<String> {
    let began: Timestamp = folded.opening.anchor.parse().ok()?;
    old_prices(&folded.opening.profile.bill, began.to_zoned(TimeZone::UTC).date())
}

/// That prices had grown old by a day, in words; none where those that are charged had not.
pub fn old_prices(bill: &BillSettings, day: Date) -> Option<String> {
    let old: Vec<&str> = bill
        .charged
        .iter()
        .filter(|item| bill.prices.of(**item).is_some_and(|price| price.is_old_on(day)))
        .map(|item| item.word())
        .collect();
    let oldest = bill.prices.rows.iter().map(|price| price.as_of.0).min()?;
    (!old.is_empty()).then(|| {
        format!(
            "prices older than 90 days in {}, the oldest of {oldest}: {}",
            bill.prices.file,
            old.join(", ")
        )
    })
}
