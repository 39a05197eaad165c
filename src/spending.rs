//! What a session will cost, in words, and whether that is agreed to.

use std::fmt::Write;
use std::io::{self, BufRead, IsTerminal};

use jiff::civil::Date;

use crate::exit::CliError;
use crate::print;
use rushhour_core::bill::{BillForecast, Budget, BudgetLimits};
use rushhour_core::profile::Profile;
use rushhour_core::units::Usd;

/// Makes sure that the cost of the runs to start is agreed to, and that the caps let any start at all.
pub(crate) fn agree(profile: &Profile, runs: u64, yes: bool) -> Result<(), CliError> {
    agree_or(profile, runs, yes, "raise bill.ask_above")
}

/// The same, with what else could be done by who does not agree.
pub(crate) fn agree_or(
    profile: &Profile,
    runs: u64,
    yes: bool,
    otherwise: &str,
) -> Result<(), CliError> {
    if let Some(words) = Budget::new(BudgetLimits::new(profile)).refusal() {
        return Err(CliError::usage(format!(
            "{words}: raise it, or lower limits.run_timeout, which a run may take at its worst"
        )));
    }
    let Some(bill) = BillForecast::new(profile, runs) else { return Ok(()) };
    let Some(words) = to_be_asked(profile, &bill) else { return Ok(()) };
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(CliError::usage(format!(
            "{words}; nothing was started: run it with --yes, or {otherwise}"
        )));
    }
    print::err(&format!("{words}. Go on? [y/N]"));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(CliError::usage("nothing was started"))
}

/// What is to be agreed to, in words; none where nothing is charged, or not more than may be unasked.
fn to_be_asked(profile: &Profile, bill: &BillForecast) -> Option<String> {
    let ask_above = profile.bill.ask_above;
    let expected = bill.expected.list();
    // The budget is never exceeded, whatever the forecast.
    let most = profile.limits.budget.map_or(expected, |budget| expected.min(budget));
    (!profile.bill.rehearsal && most > ask_above).then(|| {
        format!("this will cost about {most} at list prices, which is above bill.ask_above of {ask_above}")
    })
}

/// The forecast in one line.
pub(crate) fn brief(profile: &Profile, bill: &BillForecast) -> String {
    let expected = &bill.expected;
    let mut text = format!(
        "about {} at list prices: agent {}, test {}; one run at most {}",
        expected.list(),
        expected.agent(),
        expected.evaluator(),
        bill.worst_run
    );
    if let Some(budget) = profile.limits.budget {
        let _ = write!(text, "; the budget is {budget}");
    }
    if profile.bill.rehearsal {
        text.push_str("; nothing is charged, both sides are stand-ins");
    }
    text
}

/// The forecast item by item, and what keeps it within bounds.
pub(crate) fn table(profile: &Profile, bill: &BillForecast) -> String {
    let mut text = format!("bill         {}\n", brief(profile, bill));
    for row in &bill.expected.rows {
        let Some(price) = profile.bill.prices.price(row.item) else { continue };
        let _ = writeln!(
            text,
            "  {:<18}{:>14.3} {:<14}{:>13} each{:>14}  {}, {}, {}",
            row.item.name(),
            row.quantity(),
            row.item.unit().name(),
            row.each.to_string(),
            row.list.to_string(),
            row.provenance.name(),
            price.tier,
            String::from(price.as_of),
        );
    }
    let after = bill.expected.after_included();
    if after != bill.expected.list() {
        let _ = writeln!(text, "  {after} where nothing else uses up what base fees include");
    }
    if let Some(budget) = profile.limits.budget
        && held_back(profile, bill) > budget
    {
        let _ = writeln!(
            text,
            "note         limits.budget of {budget} may be reached: up to {} would be spent or held back for runs in flight at their worst",
            held_back(profile, bill)
        );
    }
    text
}

/// What is spent, and held back for as many as may be in flight, when the last run starts.
fn held_back(profile: &Profile, bill: &BillForecast) -> Usd {
    let in_flight = u64::from(profile.limits.in_flight).min(bill.runs);
    let share = bill.expected.list().for_amount(bill.runs - in_flight, bill.runs);
    share + bill.worst_run.for_amount(in_flight, 1)
}

/// That prices have grown old, in words.
pub(crate) fn old_prices(profile: &Profile, today: Date) -> Option<String> {
    rushhour_report::report::old_prices(&profile.bill, today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::plan::{Forecast, Plan};
    use rushhour_core::profile::testing::profile_of;

    fn asked(more: &str) -> Option<String> {
        let text = format!(
            "mode = \"chat\"\n[livekit]\nurl = \"wss://x.livekit.cloud\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 50\nlasts = \"40s\"\n[[stage]]\nrate = \"1/s\"\n{more}"
        );
        let profile = profile_of(&text);
        let forecast = Forecast::new(&Plan::new(profile.clone()));
        to_be_asked(&profile, &BillForecast::new(&profile, forecast.runs).unwrap())
    }

    #[test]
    fn it_is_asked_above_a_sum_that_the_budget_lets_through() {
        // 50 chats of 8 messages: 10.00 USD at Cekura, 0.53 at LiveKit, 0.26 of models.
        let words = asked("").expect("10.79 USD is above 10");
        assert!(words.starts_with("this will cost about 10.79 USD"), "{words}");
        assert_eq!(asked("[bill]\nask_above = \"11 USD\"\n"), None);
        assert_eq!(asked("[limits]\nbudget = \"9 USD\"\n"), None);
        assert!(asked("[bill]\nask_above = \"0 USD\"\nmessages = 1\n").is_some());
    }
}
