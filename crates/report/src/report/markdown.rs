//! A session as Markdown, short enough for a pull request: the verdict first.

use std::fmt::Write;

use super::figures::{PercentileFigure, figure};
use super::headline::{SessionStanding, verdict_sentence, warnings, what_happened};
use super::judged::judged_words;
use super::measured::measured;
use super::money::bill_words;
use super::paired::{PairedComparison, pairs_words, table_rows};
use super::terminal::{PERCENTILES, SHOWN};
use super::verdict::{Criterion, SessionVerdict, Verdict};
use super::visible::visible;
use crate::fold::FoldedSession;

/// The session in Markdown, with tables of thresholds, latencies and failures.
pub fn markdown(folded: &FoldedSession, overall: &SessionVerdict, judgement: Criterion) -> String {
    let standing = SessionStanding::of(overall);
    let mut text = format!(
        "### {}: {}\n\n{}\n",
        standing.word(),
        quoted(&verdict_sentence(folded, overall, judgement)),
        quoted(&what_happened(folded))
    );
    for warning in warnings(folded) {
        let _ = write!(text, "\n> {}\n", quoted(&warning));
    }
    for check in overall.validity.broken() {
        let words = format!("{}: {}; {}", check.name, check.found, check.advice);
        let _ = write!(text, "\n- {}", quoted(&words));
    }
    if !overall.validity.holds() {
        text.push('\n');
    }
    thresholds(overall, standing, judgement, &mut text);
    latencies(folded, &mut text);
    failures(folded, &mut text);
    if let Some(words) = bill_words(folded) {
        let _ = write!(text, "\n{}\n", quoted(&words));
    }
    if let Some(pairs) = &overall.pairs {
        paired(pairs, &mut text);
    }
    for words in overall.judged.iter().flat_map(judged_words) {
        let _ = write!(text, "\n{}\n", quoted(&words));
    }
    let opening = &folded.opening;
    let _ = write!(
        text,
        "\n<sub>Seed {}, profile {}, dispatched by `{}`, Rushhour {}.</sub>\n",
        opening.profile.seed,
        quoted(opening.profile_hash.get(..12).unwrap_or(&opening.profile_hash)),
        opening.profile.livekit.dispatch.method(),
        quoted(&opening.rushhour)
    );
    text
}

fn thresholds(
    overall: &SessionVerdict,
    standing: SessionStanding,
    judgement: Criterion,
    text: &mut String,
) {
    if overall.thresholds.is_empty() {
        return;
    }
    let found = judgement.found_heading();
    let _ = writeln!(text, "\n| threshold | {found} | verdict |\n| --- | --- | --- |");
    for result in &overall.thresholds {
        let word = match (standing, &result.verdict) {
            (SessionStanding::Invalid, _) => "not judged".to_owned(),
            (_, Verdict::Undecided { needs: Some(needs) }) => {
                format!("not enough data, needs about {needs}")
            }
            (_, verdict) => verdict.word().to_owned(),
        };
        let _ =
            writeln!(text, "| {} | {} | {word} |", quoted(&result.name()), quoted(&result.found));
    }
}

fn latencies(folded: &FoldedSession, text: &mut String) {
    let mut begun = false;
    for one in measured(folded, SHOWN) {
        if !begun {
            text.push_str(
                "\n| latency | n | p50 | p95 | p99 |\n| --- | ---: | ---: | ---: | ---: |\n",
            );
            begun = true;
        }
        let _ = write!(text, "| `{}` | {} ", one.label(), one.latencies.count());
        for percentile in PERCENTILES {
            let _ = match figure(one.latencies, percentile) {
                PercentileFigure::Known { value, low, high } => {
                    write!(text, "| {value} [{low}, {high}] ")
                }
                PercentileFigure::TooFew { needs, .. } => write!(text, "| n/a (needs {needs}) "),
            };
        }
        text.push_str("|\n");
    }
}

fn paired(pairs: &PairedComparison, text: &mut String) {
    let _ = write!(text, "\n**{}**\n", quoted(&pairs.answer));
    if !pairs.differences.is_empty() {
        text.push_str(
            "\n| pairs | chat | voice | voice less chat, with its 95 % interval | voice / chat |\n| --- | ---: | ---: | ---: | ---: |\n",
        );
    }
    for row in table_rows(pairs) {
        let _ = writeln!(text, "| {} |", row.map(|cell| quoted(&cell)).join(" | "));
    }
    for words in pairs_words(pairs) {
        let _ = write!(text, "\n{}\n", quoted(&words));
    }
}

fn failures(folded: &FoldedSession, text: &mut String) {
    if folded.tally.failed.is_empty() {
        return;
    }
    text.push_str(
        "\n| failed | runs | in the other side's words, most often |\n| --- | ---: | --- |\n",
    );
    for (class, count) in folded.tally.failures_by_count() {
        let words = folded.failure_messages.of(class);
        let words = words.first().map_or(String::new(), |(words, _)| quoted(words));
        let _ = writeln!(text, "| `{class}` | {count} | {words} |");
    }
}

/// Words of others as Markdown shows them unchanged: nothing in them is markup, a mention or a table's edge.
fn quoted(words: &str) -> String {
    let mut quoted = String::with_capacity(words.len());
    for character in visible(words).chars() {
        match character {
            '<' => quoted.push_str("&lt;"),
            '>' => quoted.push_str("&gt;"),
            '&' => quoted.push_str("&amp;"),
            '@' => quoted.push_str("&#64;"),
            '#' => quoted.push_str("&#35;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '!' | '~' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            plain => quoted.push(plain),
        }
    }
    // Nor is it a link.
    quoted.replace("://", "&#58;//").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::super::test_sessions::{Fate, HOSTILE, Made, ordinary};
    use super::*;
    use rushhour_core::units::{Micros, SessionTime};

    #[test]
    fn the_verdict_comes_first_and_every_table_keeps_its_columns() {
        let thresholds = "[thresholds]\n\"agent_join p95\" = \"< 2s\"\n";
        let (folded, overall) = ordinary(400, thresholds);
        let text = markdown(&folded, &overall, Criterion::Interval);
        assert!(
            text.starts_with("### Passed: the one threshold holds, with 95 % confidence"),
            "{text}"
        );
        assert!(text.contains("| `agent_join` | 400 |"), "{text}");
        let mut made = Made::of(thresholds);
        made.run(SessionTime(0), Micros::ZERO, Fate::Fails(HOSTILE));
        let (folded, overall) = made.closed();
        let text = markdown(&folded, &overall, Criterion::Interval);
        let row = text.lines().find(|line| line.contains("`submit_rejected`")).unwrap();
        let edges = row.replace("\\|", "").matches('|').count();
        assert_eq!(edges, 4, "{row}");
        assert!(!text.contains("<script>"));
    }

    #[test]
    fn words_of_others_are_no_markup() {
        assert_eq!(
            quoted("a|b <img> [x](y) @all #1 `c`\n- http://d"),
            "a\\|b &lt;img&gt; \\[x\\]\\(y\\) &#64;all &#35;1 \\`c\\` - http&#58;//d"
        );
    }
}
