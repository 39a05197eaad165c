//! What the session cost, item by item.

use maud::{Markup, html};

use super::super::money::{BillSummary, bill_words, old_prices_of};
use super::super::visible::visible;
use super::tables::scrolled;
use crate::fold::FoldedSession;

/// The bill; none where nothing is charged.
pub(super) fn bill(folded: &FoldedSession) -> Option<Markup> {
    let (bill, words) = (BillSummary::of(folded)?, bill_words(folded)?);
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "item" } th scope="col" { "side" } th scope="col" { "quantity" }
                th scope="col" { "each, USD" } th scope="col" { "list, USD" }
                th scope="col" { "forecast, USD" } th scope="col" { "off by" }
                th scope="col" { "after what is included, USD" } th scope="col" { "known" }
                th scope="col" { "price" }
            } }
            tbody {
                @for item in &bill.items {
                    tr {
                        th scope="row" { (item.item) }
                        td { (item.side) }
                        td { (format!("{:.3} ", item.quantity)) (item.unit) }
                        td { (item.each_usd) }
                        td { (format!("{:.2}", item.list_usd)) }
                        td { (format!("{:.2}", item.forecast_usd)) }
                        td { @if let Some(off) = item.forecast_error { (format!("{:+.0} %", off * 100.0)) } }
                        td { (format!("{:.2}", item.after_included_usd)) }
                        td { (item.known) }
                        td { (visible(&item.tier)) ", " (item.as_of) ", " (visible(&item.source)) }
                    }
                }
            }
        }
    };
    Some(html! {
        p { (words) }
        @if let Some(old) = old_prices_of(folded) { p class="aside" { "Note: " (visible(&old)) "." } }
        (scrolled(&table))
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::test_sessions::ordinary;
    use super::*;

    #[test]
    fn the_bill_has_a_row_for_each_item_and_says_how_it_is_known() {
        let (folded, _) = ordinary(10, "");
        let shown = bill(&folded).expect("a rehearsal is reckoned").into_string();
        assert_eq!(shown.matches("<tr>").count(), 6, "{shown}");
        // Ten chats of less than a minute each, and eight messages in each.
        assert!(shown.contains("10.000 minute") && shown.contains("80.000 message"), "{shown}");
        assert!(shown.contains("It would have cost 2.16 USD"), "{shown}");
        assert!(shown.contains("<td>derived</td>") && shown.contains("<td>assumed</td>"));
        assert!(!shown.contains("Note:"), "prices of 2026-02-17 are not old on 2026-01-01");
    }
}
