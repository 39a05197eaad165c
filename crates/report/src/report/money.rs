//! What a session cost, for every report: the bill as words, and as an object for programs.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fold::FoldedSession;
use rushhour_core::bill::{Bill, BillForecast, BillRow};
use rushhour_core::profile::{BillSettings, PriceItem};
use rushhour_core::units::Usd;

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
    /// At list prices, for each run, each completed one and each that was judged as passed.
    #[serde(default)]
    pub list_each: CostEach,
    /// The same where nothing else uses up what base fees include.
    #[serde(default)]
    pub after_included_each: CostEach,
    /// What the same number of runs was forecast to cost.
    pub forecast_usd: f64,
    /// How far the bill lies above the forecast, as a share of it; negative where it lies below.
    #[serde(default)]
    pub forecast_error: Option<f64>,
    /// What the session was allowed to cost.
    pub budget_usd: Option<f64>,
}

/// What runs cost together, and each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostEach {
    /// All of them.
    pub total_usd: f64,
    /// For each run.
    pub per_run_usd: Option<f64>,
    /// For each completed run.
    pub per_completed_usd: Option<f64>,
    /// For each run that was judged as passed; none where nothing was judged.
    pub per_successful_usd: Option<f64>,
}

impl CostEach {
    /// What so many runs cost that came to so much.
    pub(super) fn of(total: Usd, runs: u64, completed: u64, successful: Option<u64>) -> Self {
        let each = |count: u64| (count > 0).then(|| total.dollars() / count as f64);
        Self {
            total_usd: total.dollars(),
            per_run_usd: each(runs),
            per_completed_usd: each(completed),
            per_successful_usd: successful.and_then(each),
        }
    }
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
    /// What the same number of runs was forecast to cost of it.
    #[serde(default)]
    pub forecast_usd: f64,
    /// How far it lies above its forecast, as a share of that; none where nothing was forecast.
    #[serde(default)]
    pub forecast_error: Option<f64>,
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
    pub(super) fn of(folded: &FoldedSession) -> Option<Self> {
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
                forecast_usd: forecast_of(&forecast, row.item).dollars(),
                forecast_error: error(row.list, forecast_of(&forecast, row.item)),
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
            list_each: each(folded, bill.list()),
            after_included_each: each(folded, bill.after_included()),
            forecast_usd: forecast.list().dollars(),
            forecast_error: error(bill.list(), forecast.list()),
            budget_usd: profile.limits.budget.map(Usd::dollars),
        })
    }
}

const fn side(is_evaluators: bool) -> &'static str {
    if is_evaluators { "test" } else { "agent" }
}

/// What as many runs as were started were forecast to cost; none where nothing is charged.
fn forecast(folded: &FoldedSession) -> Option<Bill> {
    let forecast = BillForecast::new(&folded.opening.profile, folded.tally.started)?;
    Some(forecast.expected)
}

fn forecast_of(forecast: &Bill, item: PriceItem) -> Usd {
    let row = forecast.rows.iter().find(|row| row.item == item);
    row.map_or(Usd::ZERO, |row| row.list)
}

/// How far a bill lies above its forecast, as a share of the forecast; none where nothing was forecast.
fn error(billed: Usd, forecast: Usd) -> Option<f64> {
    (forecast > Usd::ZERO).then(|| billed.dollars() / forecast.dollars() - 1.0)
}

/// What runs cost each that cost so much together.
fn each(folded: &FoldedSession, total: Usd) -> CostEach {
    let tally = &folded.tally;
    let judged = tally.judged_passed + tally.judged_failed;
    let successful = (judged > 0).then_some(tally.judged_passed);
    CostEach::of(total, tally.started, tally.completed, successful)
}

fn per_completed(folded: &FoldedSession) -> Option<Usd> {
    let completed = folded.tally.completed;
    (completed > 0).then(|| folded.bill.list().for_amount(1, completed))
}

/// The bill in one sentence, and how far the forecast was off; none where nothing is charged.
pub(super) fn bill_words(folded: &FoldedSession) -> Option<String> {
    let forecast = forecast(folded)?;
    let list = folded.bill.list();
    let verb =
        if folded.opening.profile.bill.rehearsal { "It would have cost" } else { "It cost about" };
    let each = per_completed(folded)
        .map_or(String::new(), |each| format!(", {each} for each completed run"));
    let successful =
        self::each(folded, list).per_successful_usd.filter(|_| judged_otherwise(folded));
    let successful = successful.map_or(String::new(), |each| {
        format!(", {} for each that was judged as passed", Usd::from_dollars(each))
    });
    let off = error(list, forecast.list()).map_or(String::new(), |share| {
        format!(
            "; so many runs were forecast at {} ({:+.0} %{})",
            forecast.list(),
            // Nothing is off by minus zero.
            (share * 100.0).round() + 0.0,
            furthest_off(folded, &forecast)
        )
    });
    Some(format!(
        "{verb} {list} at list prices: agent {}, test {}{each}{successful}{off}.",
        folded.bill.agent(),
        folded.bill.evaluator()
    ))
}

/// Whether not every completed run was judged as passed, so that a success costs more than a completion.
fn judged_otherwise(folded: &FoldedSession) -> bool {
    folded.tally.judged_passed < folded.tally.completed
}

/// The item whose bill is furthest from its forecast in money, where items are off by other shares than
/// the whole.
fn furthest_off(folded: &FoldedSession, forecast: &Bill) -> String {
    let off = |row: &BillRow| row.list.micros().abs_diff(forecast_of(forecast, row.item).micros());
    let rows = folded.bill.rows.iter().filter(|row| off(row) > 0);
    let furthest = rows.max_by_key(|row| off(row));
    let share = furthest
        .and_then(|row| Some((row.item, error(row.list, forecast_of(forecast, row.item))?)));
    share.map_or(String::new(), |(item, share)| {
        format!("; {item} {:+.0} %", (share * 100.0).round() + 0.0)
    })
}

/// That prices of a session had grown old when it began, in words.
pub(super) fn old_prices_of(folded: &FoldedSession) -> Option<String> {
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
