//! A soak on the terminal: the answer, the figures behind it, and the notes.

use super::wrap::wrapped;
use crate::render::sentences::soak::{
    leak_sentence, percent, session_faults, soak_headline, soak_notes,
};
use crate::render::table::Style;
use crate::render::tables::soak::series_table;
use crate::render::visible;
use crate::session::SessionVerdict;
use crate::soak::{FALSE_ALARMS, LeakFinding, SoakAnalysis, SoakVerdict};

/// A soak as text.
pub fn soak_text(soak: &SoakAnalysis, verdict: &SessionVerdict, style: Style) -> String {
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
        lines.extend(series_table(soak).text(style));
    }
    lines.push(String::new());
    for leak in &soak.leaks {
        let paint = |line: String| match leak.finding {
            LeakFinding::Leaked => style.bad(&line),
            LeakFinding::Released => line,
            LeakFinding::NotObserved => style.unclear(&line),
        };
        lines.extend(wrapped(&visible(&leak_sentence(leak)), 0).into_iter().map(paint));
    }
    for line in session_faults(verdict) {
        lines.extend(wrapped(&line, 0).into_iter().map(|line| style.bad(&line)));
    }
    for note in &soak_notes(soak) {
        lines.extend(wrapped(&visible(note), 0).into_iter().map(|line| style.unclear(&line)));
    }
    lines.join("\n")
}
