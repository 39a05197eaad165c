//! A soak on the terminal: the answer, what stands behind it, and what could not be said.

use super::super::compare::wrapped;
use super::super::terminal::Style;
use super::super::verdict::{SessionVerdict, Verdict};
use super::super::visible::visible;
use crate::soak::{
    FALSE_ALARMS, LeakFinding, SeriesFinding, SeriesJudgement, SoakAnalysis, SoakVerdict,
    leak_sentence, percent, soak_headline, soak_notes,
};

/// A soak in words.
pub fn soak_text(soak: &SoakAnalysis, overall: &SessionVerdict, style: Style) -> String {
    let head = format!("{}: {}.", soak.verdict.label(), visible(&soak_headline(soak)));
    let paint = |line: &String| match soak.verdict {
        SoakVerdict::Steady => style.good(line),
        SoakVerdict::Drifts | SoakVerdict::Invalid => style.bad(line),
        SoakVerdict::NotEnoughData => style.unclear(line),
    };
    let mut lines: Vec<String> = wrapped(&head, 0).iter().map(paint).collect();
    lines.push(String::new());
    lines.push(format!(
        "{} measured runs in {} windows of {}; {} series judged as one family, false alarms at most {}",
        soak.runs,
        soak.windows.windows.len(),
        soak.windows.width,
        soak.family,
        percent(FALSE_ALARMS)
    ));
    if !soak.series.is_empty() {
        lines.push(String::new());
        lines.push(format!(
            "{:<26}{:>9}{:>9}  {:<26}{}",
            "", "begins", "ends", "change over it all", "found"
        ));
        lines.extend(soak.series.iter().map(|one| series_line(one, style)));
    }
    lines.push(String::new());
    for leak in &soak.leaks {
        let line = visible(&leak_sentence(leak));
        let paint = |line: String| match leak.finding {
            LeakFinding::Leaked => style.bad(&line),
            LeakFinding::Released => line,
            LeakFinding::NotObserved => style.unclear(&line),
        };
        lines.extend(wrapped(&line, 0).into_iter().map(paint));
    }
    let failed = overall
        .thresholds
        .iter()
        .filter(|result| matches!(result.verdict, Verdict::Failed | Verdict::NoSamples));
    for result in failed {
        let line = format!("threshold {} does not hold: found {}", result.threshold, result.found);
        lines.extend(wrapped(&line, 0).into_iter().map(|line| style.bad(&line)));
    }
    for check in overall.validity.broken() {
        let line = format!("{}: {}; {}", check.name, check.found, check.advice);
        lines.extend(wrapped(&line, 0).into_iter().map(|line| style.bad(&line)));
    }
    for note in &soak_notes(soak) {
        lines.extend(wrapped(&visible(note), 0).into_iter().map(|line| style.unclear(&line)));
    }
    lines.join("\n")
}

fn series_line(one: &SeriesJudgement, style: Style) -> String {
    let amount = |value: f64| one.series.unit().amount(value);
    let name = format!("{:<26}", one.series.name());
    let found = match one.finding {
        SeriesFinding::TooFew => style.unclear("too few windows"),
        SeriesFinding::Steady => style.good("steady"),
        SeriesFinding::Immaterial => style.good("does not matter"),
        SeriesFinding::Rises => style.bad("grows"),
        SeriesFinding::StepsUp => style.bad("steps up"),
        SeriesFinding::Falls => style.unclear("shrinks"),
        SeriesFinding::StepsDown => style.unclear("steps down"),
    };
    let Some(slope) = &one.slope else {
        return format!("{name}{:>9}{:>9}  {:<26}{found}", amount(one.level), "", "");
    };
    let range = format!("{} to {}", amount(slope.change_low), amount(slope.change_high));
    format!(
        "{name}{:>9}{:>9}  {range:<26}{found}",
        amount(slope.start.max(0.0)),
        amount(slope.end.max(0.0))
    )
}
