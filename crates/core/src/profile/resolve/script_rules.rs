//! Resolves what a script has beside its turns: rules, back-channels, and callers that hang up early.

use regex::{Regex, RegexBuilder};

use super::resolver::Resolver;
use super::scenarios::ScenarioContext;
use super::script::{has_words, path_from_profile, resolve_keys};
use crate::profile::diagnostic::Located;
use crate::profile::raw::scenario::{RawAbandon, RawBackchannel, RawRedial, RawRule};
use crate::profile::settings::script::{Abandonment, Backchannel, Redial, RuleAction, ScriptRule};
use crate::units::{Mode, Percent, PositiveDuration};

/// The most that a rule may be followed in one conversation.
const MOST_USES: u32 = 100;

pub(super) fn resolve_rules(
    raw: Option<&Located<Vec<RawRule>>>,
    folder: &str,
    context: &ScenarioContext<'_>,
    resolver: &mut Resolver<'_>,
) -> Vec<ScriptRule> {
    let Some(at) = raw else { return Vec::new() };
    if at.value.len() > ScriptRule::MOST {
        resolver.diagnostics.invalid(
            &at.span,
            format!("{} rules are too many", at.value.len()),
            format!("write at most {}", ScriptRule::MOST),
        );
    }
    let numbered = (1..).zip(&at.value);
    numbered
        .filter_map(|(number, rule)| resolve_rule(number, rule, at, folder, context, resolver))
        .collect()
}

fn resolve_rule(
    number: usize,
    raw: &RawRule,
    rules: &Located<Vec<RawRule>>,
    folder: &str,
    context: &ScenarioContext<'_>,
    resolver: &mut Resolver<'_>,
) -> Option<ScriptRule> {
    let Some(hears) = &raw.hears else {
        if !raw.has_errors {
            resolver.diagnostics.missing_at(
                &rules.span,
                format!("rule {number} hears nothing"),
                "add `hears`, a regular expression such as \"(?i)spell\"",
            );
        }
        return None;
    };
    check_expression(hears, resolver);
    let hangs_up = raw.hang_up.as_ref().is_some_and(|at| at.value);
    let said = [&raw.say, &raw.play, &raw.dtmf].into_iter().flatten().next();
    let action = match (hangs_up, said) {
        (true, Some(said)) => {
            resolver.diagnostics.conflict(
                &said.span,
                format!("rule {number} hangs up, and says something"),
                "remove `hang_up`, or what it says",
            );
            return None;
        }
        (true, None) => RuleAction::HangUp,
        (false, _) => {
            check_has_content(number, raw, hears, context, resolver);
            RuleAction::Say {
                say: raw.say.as_ref().map(|at| at.value.clone()),
                play: raw.play.as_ref().map(|at| path_from_profile(folder, &at.value)),
                dtmf: resolve_keys(raw.dtmf.as_ref(), raw.play.is_some(), resolver),
            }
        }
    };
    let at_most = raw.at_most.as_ref().map_or(1, |at| at.value);
    if let Some(at) = raw.at_most.as_ref().filter(|at| !(1..=MOST_USES).contains(&at.value)) {
        resolver.diagnostics.invalid(
            &at.span,
            format!("a rule cannot be followed {} times", at.value),
            format!("write 1 to {MOST_USES}: an agent may ask for ever"),
        );
    }
    if let Some(expect) = &raw.expect {
        compiled(expect, resolver);
    }
    Some(ScriptRule {
        hears: hears.value.clone(),
        action,
        at_most,
        expect: raw.expect.as_ref().map(|at| at.value.clone()),
        within: raw.within.as_ref().map_or(PositiveDuration::secs(20), |at| at.value),
    })
}

fn compiled(at: &Located<String>, resolver: &mut Resolver<'_>) -> Option<Regex> {
    match RegexBuilder::new(&at.value).size_limit(ScriptRule::MOST_OF_AN_EXPRESSION).build() {
        Ok(expression) => Some(expression),
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim();
            resolver.diagnostics.invalid(
                &at.span,
                format!("this is not a regular expression: {reason}"),
                "write a short one such as \"(?i)spell|letters\"",
            );
            None
        }
    }
}

/// One that matches nothing at all matches whatever the agent says.
fn check_expression(at: &Located<String>, resolver: &mut Resolver<'_>) {
    if compiled(at, resolver).is_some_and(|expression| expression.is_match("")) {
        resolver.diagnostics.invalid(
            &at.span,
            "this matches whatever the agent says",
            "write what the agent says when the rule is to be followed, such as \"(?i)spell\"",
        );
    }
}

fn check_has_content(
    number: usize,
    raw: &RawRule,
    hears: &Located<String>,
    context: &ScenarioContext<'_>,
    resolver: &mut Resolver<'_>,
) {
    if raw.has_errors {
        return;
    }
    for mode in context.mode.modes() {
        let (is_said, hint) = match mode {
            Mode::Chat => {
                (has_words(raw.say.as_ref()), "add `say`, the text to send, or hang_up = true")
            }
            Mode::Voice => (
                raw.play.is_some()
                    || raw.dtmf.is_some()
                    || has_words(raw.say.as_ref()) && context.synthesises,
                "add `play`, a WAV or Ogg Opus file, `dtmf`, keys to press, or hang_up = true; [speech] in the profile says what `say` has",
            ),
        };
        if !is_said {
            let message = format!("rule {number} does nothing in {mode}");
            resolver.diagnostics.missing_at(&hears.span, message, hint);
        }
    }
}

pub(super) fn resolve_backchannel(
    at: &Located<RawBackchannel>,
    folder: &str,
    context: &ScenarioContext<'_>,
    resolver: &mut Resolver<'_>,
) -> Backchannel {
    let raw = &at.value;
    let is_said = raw.play.is_some() || has_words(raw.say.as_ref()) && context.synthesises;
    let speaks = context.mode.modes().contains(&Mode::Voice);
    if speaks && !is_said && !raw.has_errors {
        resolver.diagnostics.missing_at(
            &at.span,
            "this back-channel says nothing in voice",
            "add `play`, a WAV or Ogg Opus file, or `say` with [speech] in the profile",
        );
    }
    Backchannel {
        say: raw.say.as_ref().map(|at| at.value.clone()),
        play: raw.play.as_ref().map(|at| path_from_profile(folder, &at.value)),
        after: raw.after.as_ref().map_or(PositiveDuration::secs(1), |at| at.value),
    }
}

pub(super) fn resolve_abandonment(
    at: &Located<RawAbandon>,
    resolver: &mut Resolver<'_>,
) -> Option<Abandonment> {
    let raw = &at.value;
    if raw.after.is_none() && raw.silence.is_none() {
        if !raw.has_errors {
            resolver.diagnostics.missing_at(
                &at.span,
                "[abandon] does not say when callers hang up",
                "add `after`, such as \"20s\" after they joined, or `silence`, such as \"6s\" without an answer",
            );
        }
        return None;
    }
    let share = raw.share.as_ref().map(|at| at.value);
    if let Some(share) = raw.share.as_ref().filter(|at| at.value <= Percent::ZERO) {
        resolver.diagnostics.invalid(
            &share.span,
            "no caller would hang up",
            "write a share such as \"10%\", or remove [abandon]",
        );
    }
    Some(Abandonment {
        share: share.or_else(|| Percent::from_fraction(1.0))?,
        after: raw.after.as_ref().map(|at| at.value),
        silence: raw.silence.as_ref().map(|at| at.value),
    })
}

pub(super) fn resolve_redial(
    at: &Located<RawRedial>,
    context: &ScenarioContext<'_>,
    resolver: &mut Resolver<'_>,
) -> Option<Redial> {
    let raw = &at.value;
    if context.mode.is_paired() {
        resolver.diagnostics.conflict(
            &at.span,
            "in a paired session nobody calls again",
            "remove [redial], or choose one mode: a second call would have no partner in the other",
        );
        return None;
    }
    if let Some(share) = raw.share.as_ref().filter(|at| at.value <= Percent::ZERO) {
        resolver.diagnostics.invalid(
            &share.span,
            "no caller would call again",
            "write a share such as \"50%\", or remove [redial]",
        );
    }
    let pause = raw.pause.as_ref().map_or(PositiveDuration::secs(30), |at| at.value);
    if let Some(at) = raw.pause.as_ref().filter(|at| at.value > Redial::LONGEST_PAUSE) {
        resolver.diagnostics.invalid(
            &at.span,
            format!("callers cannot wait {} before they call again", at.value),
            format!("write at most {}: the session waits for them", Redial::LONGEST_PAUSE),
        );
    }
    let at_most = raw.at_most.as_ref().map_or(1, |at| at.value);
    if let Some(at) = raw.at_most.as_ref().filter(|at| !(1..=Redial::MOST).contains(&at.value)) {
        resolver.diagnostics.invalid(
            &at.span,
            format!("a caller cannot call again {} times", at.value),
            format!("write 1 to {}", Redial::MOST),
        );
    }
    let share = raw.share.as_ref().map(|at| at.value);
    Some(Redial { share: share.or_else(|| Percent::from_fraction(1.0))?, pause, at_most })
}
