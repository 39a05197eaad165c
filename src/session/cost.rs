//! What a session will cost, as text, and whether the user agrees to it.

use std::fmt::Write;
use std::io::{self, BufRead, IsTerminal};

use crate::error::{CliError, ErrorKind};
use crate::print;
use rushhour_core::bill::{BillForecast, Budget, BudgetLimits};
use rushhour_core::profile::Profile;
use rushhour_core::units::Usd;

/// Runs to start, and what is said about them where they are too expensive.
pub(crate) struct CostCheck<'a> {
    pub(crate) profile: &'a Profile,
    /// How many runs are to start.
    pub(crate) runs: u64,
    /// Whether the user agreed beforehand, with `--yes`.
    pub(crate) agreed: bool,
    /// The table of the profile with the limits: `limits`, or `judging`.
    pub(crate) section: &'static str,
    /// What to do instead of agreeing: a clause in the imperative.
    pub(crate) alternative: &'static str,
}

impl<'a> CostCheck<'a> {
    pub(crate) const fn new(profile: &'a Profile, runs: u64, agreed: bool) -> Self {
        Self { profile, runs, agreed, section: "limits", alternative: "raise bill.ask_above" }
    }

    /// Makes sure that the limits allow one run, and that the user agrees to the cost of all of them.
    ///
    /// # Errors
    /// Where no run could start, or the user does not agree.
    pub(crate) fn confirm(&self) -> Result<(), CliError> {
        if Budget::new(BudgetLimits::new(self.profile)).refusal().is_some() {
            return Err(self.no_run_fits());
        }
        let Some(bill) = BillForecast::new(self.profile, self.runs) else { return Ok(()) };
        let Some(expected) = cost_to_confirm(self.profile, &bill) else { return Ok(()) };
        if self.agreed {
            return Ok(());
        }
        let message = format!(
            "this will cost about {expected} at list prices, which is above bill.ask_above of {}",
            self.profile.bill.ask_above
        );
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(CliError::usage(format!("{message}; nothing was started"))
                .with_hint(format!("run it with --yes, or {}", self.alternative)));
        }
        print::stderr(&format!("{message}. Continue? [y/N]"));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(CliError::new(ErrorKind::Declined, "nothing was started"))
    }

    /// Which limit the first run, at its worst, would exceed.
    fn no_run_fits(&self) -> CliError {
        let (limits, section) = (&self.profile.limits, self.section);
        let worst = BillForecast::new(self.profile, 1).map_or(Usd::ZERO, |bill| bill.worst_run);
        let message = match limits.budget {
            Some(budget) if worst > budget => format!(
                "the first run could exceed {section}.budget of {budget}: it may cost up to {worst}"
            ),
            _ => format!(
                "the first run could exceed {section}.max_minutes of {}",
                limits.max_minutes.unwrap_or_default()
            ),
        };
        CliError::usage(message).with_hint(format!(
            "raise it, or lower {section}.run_timeout, which bounds how long a run may take"
        ))
    }
}

/// The cost that the user has to agree to; none where nothing is charged, or little enough not to ask.
fn cost_to_confirm(profile: &Profile, bill: &BillForecast) -> Option<Usd> {
    let expected = bill.expected.list();
    // The budget is never exceeded, whatever the forecast.
    let most = profile.limits.budget.map_or(expected, |budget| expected.min(budget));
    (!profile.bill.rehearsal && most > profile.bill.ask_above).then_some(most)
}

/// The forecast cost, on one line.
pub(crate) fn summary(profile: &Profile, bill: &BillForecast) -> String {
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
        text.push_str("; nothing is charged, because both sides are the embedded sandbox");
    }
    text
}

/// The forecast cost item by item.
pub(crate) fn table(profile: &Profile, bill: &BillForecast) -> String {
    let mut text = format!("bill         {}\n", summary(profile, bill));
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
        let _ = writeln!(text, "  {after} if nothing else uses what the base fees include");
    }
    let committed = committed_at_peak(profile, bill);
    if let Some(budget) = profile.limits.budget
        && committed > budget
    {
        let _ = writeln!(
            text,
            "note         limits.budget of {budget} may be reached: up to {committed} would be spent or reserved for runs in flight at their worst"
        );
    }
    text
}

/// What is spent, and reserved for as many runs as can be in flight, when the last run starts.
fn committed_at_peak(profile: &Profile, bill: &BillForecast) -> Usd {
    let in_flight = u64::from(profile.limits.in_flight).min(bill.runs);
    let spent = bill.expected.list().for_amount(bill.runs - in_flight, bill.runs);
    spent + bill.worst_run.for_amount(in_flight, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushhour_core::plan::{Forecast, Plan};
    use rushhour_core::profile::testing::profile_of;

    fn profile(more: &str) -> Profile {
        profile_of(&format!(
            "mode = \"chat\"\n[livekit]\nurl = \"wss://x.livekit.cloud\"\nagent = \"a\"\n[[scenario]]\nid = 1\ncopies = 50\nlasts = \"40s\"\n[[stage]]\nrate = \"1/s\"\n{more}"
        ))
    }

    fn confirmed(more: &str) -> Option<String> {
        let profile = profile(more);
        let forecast = Forecast::new(&Plan::new(profile.clone()));
        let bill = BillForecast::new(&profile, forecast.runs).unwrap();
        cost_to_confirm(&profile, &bill).map(|cost| cost.to_string())
    }

    #[test]
    fn a_cost_above_the_limit_that_the_budget_allows_is_confirmed() {
        // 50 chats of 8 messages: 10.00 USD at Cekura, 0.53 at LiveKit, 0.26 of models.
        assert_eq!(confirmed("").as_deref(), Some("10.79 USD"));
        assert_eq!(confirmed("[bill]\nask_above = \"11 USD\"\n"), None);
        assert_eq!(confirmed("[limits]\nbudget = \"9 USD\"\n"), None);
        assert!(confirmed("[bill]\nask_above = \"0 USD\"\nmessages = 1\n").is_some());
    }

    #[test]
    fn the_limit_that_no_run_fits_into_is_named_with_its_section() {
        let refused = |more: &str, section| {
            let profile = profile(more);
            let check = CostCheck { section, ..CostCheck::new(&profile, 1, true) };
            check.confirm().expect_err("no run fits").to_string()
        };
        let budget = "[limits]\nbudget = \"0.01 USD\"\n";
        let exceeds = |message: String, limit| {
            assert!(
                message.starts_with(&format!("the first run could exceed {limit}")),
                "{message}"
            );
        };
        exceeds(refused(budget, "limits"), "limits.budget of 0.01 USD");
        exceeds(refused(budget, "judging"), "judging.budget of 0.01 USD");
        let minutes = "[limits]\nbudget = \"90 USD\"\nmax_minutes = 1\n";
        exceeds(refused(minutes, "limits"), "limits.max_minutes of 1");
    }
}
