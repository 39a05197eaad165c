//! How exactly our own callers measure agents that behave as real ones do, and whether they judge them right:
//! `cargo bench -- behaviours` runs 10 voice and 20 chat callers against the calibration agent with each of its habits,
//! and prints the table of docs/callers.md. It takes about a quarter of an hour; `cargo bench -- behaviours-avatar
//! behaviours-typing` runs single rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::native::{chat_script, profile, voice_script};
use super::native_rig::{Measured, Rig, errors, percentile};
use super::quality_logs::SessionLogs;

/// A habit of the calibration agent.
struct Habit {
    name: &'static str,
    options: &'static [&'static str],
    /// Whether the agent says something before the caller's first turn.
    greets: bool,
    /// How often it hands over to another agent.
    hand_offs: u64,
    /// What the script expects of its answers, with which a filler is none.
    expect: Option<&'static str>,
}

impl Habit {
    const fn new(name: &'static str, options: &'static [&'static str]) -> Self {
        Self { name, options, greets: false, hand_offs: 0, expect: None }
    }
}

const FILLER: &[&str] = &["--filler", "One moment.", "--tool-delay", "2s"];

const HABITS: &[Habit] = &[
    Habit::new("none", &[]),
    Habit::new("ambience", &["--ambience", "-40dBFS"]),
    Habit::new("typing", &["--typing"]),
    Habit::new("typing-no-state", &["--typing", "--no-state"]),
    Habit::new("two-tracks", &["--two-tracks"]),
    Habit::new("filler", FILLER),
    Habit { expect: Some("You said|I have heard"), ..Habit::new("filler-expect", FILLER) },
    Habit::new("avatar", &["--avatar"]),
    Habit { hand_offs: 1, ..Habit::new("handoff", &["--handoff", "2"]) },
    Habit {
        hand_offs: 1,
        ..Habit::new("handoff-gap", &["--handoff", "2", "--handoff-gap", "500ms"])
    },
    Habit::new("late-greeting", &["--late-greeting", "4s"]),
    // It greets when the caller has just spoken its first turn, and does not know that yet.
    Habit::new(
        "greeting-too-late",
        &["--late-greeting", "3300ms", "--end-of-turn-delay", "1500ms"],
    ),
    Habit { greets: true, ..Habit::new("greeting", &["--greeting", "Good day."]) },
    Habit::new("no-state", &["--no-state"]),
];

/// The largest 99th percentile of the errors of first sounds, in milliseconds,
const VOICE_P99: f64 = 30.0;
/// and of first chunks.
const CHAT_P99: f64 = 5.0;
/// The largest 99th percentile of the errors of the ends of answers: in voice, the decay of a tone may be audible or not,
const VOICE_DONE_P99: f64 = 60.0;
/// and in chat.
const CHAT_DONE_P99: f64 = 10.0;

const TURN_DELAY: &str = "600ms";
const TURNS: u32 = 6;

/// One row for each habit.
pub(crate) fn figures() {
    rows(HABITS.iter());
}

/// The row of one habit, where there is one of this name.
pub(crate) fn row(name: &str) {
    if HABITS.iter().all(|habit| habit.name != name) {
        let names: Vec<&str> = HABITS.iter().map(|habit| habit.name).collect();
        println!("no row `{name}`; there are {}", names.join(", "));
        return;
    }
    rows(HABITS.iter().filter(|habit| habit.name == name));
}

fn rows<'a>(habits: impl Iterator<Item = &'a Habit>) {
    let Some(rig) = Rig::start() else { return };
    println!(
        "| option | voice: error of first sound, p50 and p99 | of `done` | chat: of first chunk, p50 and p99 | of `done` | \
         turns | in a wrong class | greetings invented or missed |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut missed = Vec::new();
    for habit in habits {
        let [voice, chat] = ["voice", "chat"].map(|mode| judge(&rig, habit, mode));
        let targets = [
            ("voice", &voice, VOICE_P99, VOICE_DONE_P99),
            ("chat", &chat, CHAT_P99, CHAT_DONE_P99),
        ];
        for (mode, found, first, done) in targets {
            if !found.meets(first, done) {
                missed.push(format!("{} {mode}", habit.name));
            }
        }
        let expects = if habit.expect.is_some() { ", `expect`" } else { "" };
        println!(
            "| `{}`{expects} | {} | {} | {} | {} | {} | {} | {} |",
            habit.options.join(" "),
            error_text(&voice.sorted),
            error_text(&voice.done),
            error_text(&chat.sorted),
            error_text(&chat.done),
            voice.turns + chat.turns,
            voice.wrong + chat.wrong,
            voice.greetings.0 + chat.greetings.0 + voice.greetings.1 + chat.greetings.1,
        );
        for (mode, found) in [("voice", voice), ("chat", chat)] {
            if !found.remarks.is_empty() {
                println!("  {} {mode}: {:?}", habit.name, found.remarks);
            }
        }
    }
    println!(
        "targets: p99 < {VOICE_P99} ms in voice and < {CHAT_P99} ms in chat, of `done` < {VOICE_DONE_P99} ms and < \
         {CHAT_DONE_P99} ms, every turn measured, no run in a wrong class, no greeting invented or missed"
    );
    println!(
        "MISSED in: {}",
        if missed.is_empty() { "none".to_owned() } else { missed.join(", ") }
    );
}

/// What the callers made of a habit.
struct Findings {
    /// The errors of first sounds or chunks: milliseconds, ascending.
    sorted: Vec<f64>,
    /// The same of the ends of answers.
    done: Vec<f64>,
    turns: usize,
    /// Turns that there should have been.
    expected_turns: usize,
    /// Runs that did not complete, or saw another number of hand-offs.
    wrong: usize,
    /// Runs whose greeting was reported without one, and runs whose greeting was missed.
    greetings: (usize, usize),
    remarks: Vec<String>,
}

impl Findings {
    fn meets(&self, first: f64, done: f64) -> bool {
        let is_right = self.wrong == 0 && self.greetings == (0, 0);
        let is_whole = [self.turns, self.done.len()] == [self.expected_turns; 2];
        let is_exact =
            percentile(&self.sorted, 0.99) < first && percentile(&self.done, 0.99) < done;
        is_right && is_whole && is_exact
    }
}

fn error_text(sorted: &[f64]) -> String {
    let [p50, p99] = [0.5, 0.99].map(|share| percentile(sorted, share));
    format!("{p50:.1} and {p99:.1} ms")
}

fn judge(rig: &Rig, habit: &Habit, mode: &str) -> Findings {
    let (callers, load, fact) = match mode {
        "voice" => (10, "rate = \"2/s\"", "first_audible"),
        _ => (20, "rate = \"5/s\"", "first_chunk"),
    };
    let script = match mode {
        "voice" => voice_script(TURNS, "100ms"),
        _ => chat_script(TURNS, "300ms"),
    };
    let script = match habit.expect {
        Some(expect) => script.replace("[[turn]]\n", &format!("[[turn]]\nexpect = \"{expect}\"\n")),
        None => script,
    };
    let mut options = vec!["--turn-delay", TURN_DELAY];
    options.extend(habit.options);
    let name = format!("{}-{mode}", habit.name);
    let measured = rig.session(&name, &options, &profile(mode, callers, load, "30s"), &script);
    let mut remarks = Vec::new();
    let (sorted, turns) = turn_errors(&measured, fact, habit.expect.is_some(), &mut remarks);
    let done = done_errors(&measured, mode, &mut remarks);
    let journal = journal(&measured);
    let hand_offs = hand_offs(&journal);
    let mut wrong = 0;
    for run in &measured.runs {
        let seen = hand_offs.get(&run["run"]).copied().unwrap_or(0);
        if run["outcome"] != "completed" || seen != habit.hand_offs {
            wrong += 1;
            remarks.push(format!("{} {} {} hand-offs", run["outcome"], run["detail"], seen));
        }
    }
    let missing = callers as usize - measured.runs.len();
    let greeted = runs_with(&journal, "greeted").len();
    let greetings = if habit.greets { (0, callers as usize - greeted) } else { (greeted, 0) };
    let expected_turns = (callers * TURNS) as usize;
    Findings { sorted, done, turns, expected_turns, wrong: wrong + missing, greetings, remarks }
}

/// The errors of the turns: of the filler's beginning, where there is one, else of the answer's. With an expectation, of
/// both.
fn turn_errors(
    measured: &Measured,
    fact: &str,
    is_expecting: bool,
    remarks: &mut Vec<String>,
) -> (Vec<f64>, usize) {
    let (answers, fillers) = (measured.agent_delays(fact), measured.agent_delays("filler_began"));
    let mut pairs = Vec::new();
    let mut turns = 0;
    for turn in &measured.turns {
        let key = (turn["room"].clone(), turn["turn"].parse().unwrap_or(0));
        let any = fillers.get(&key).or_else(|| answers.get(&key));
        let answer = if is_expecting { answers.get(&key) } else { any };
        let mut is_measured = true;
        let mut compare =
            |column: &str, truth: Option<&u64>| match (turn[column].parse::<u64>().ok(), truth) {
                (Some(found), Some(truth)) => {
                    if found.abs_diff(*truth) > 100_000 {
                        remarks.push(format!("{key:?}: {column} {found} us, truly {truth} us"));
                    }
                    pairs.push((found, *truth));
                }
                lost => {
                    is_measured = false;
                    remarks.push(format!("{key:?}: {column} {lost:?} {}", turn["ending"]));
                }
            };
        compare("first_us", answer);
        if is_expecting {
            compare("first_any_us", any);
        }
        turns += usize::from(is_measured);
    }
    (errors(pairs.into_iter()), turns)
}

/// The errors of the ends of answers: of the last frame that was spoken, or of the last chunk. A greeting that comes after
/// an answer and before the caller's next turn ends it.
fn done_errors(measured: &Measured, mode: &str, remarks: &mut Vec<String>) -> Vec<f64> {
    let logs = SessionLogs::of(measured);
    let (heard, said) = match mode {
        "voice" => ("heard_speech", "spoken"),
        _ => ("heard_text", "final_chunk"),
    };
    let (heard, said) = (logs.by_key(heard, "at_us"), logs.by_key(said, "at_us"));
    let mut pairs = Vec::new();
    for turn in &logs.turns {
        let key = turn.key();
        let truth = heard.get(&key).zip(said.get(&key)).and_then(|(heard_at, answered)| {
            let next = heard.get(&(key.0.clone(), key.1 + 1)).copied().unwrap_or(u64::MAX);
            let greeted = said.get(&(key.0.clone(), 0)).copied();
            let greeted = greeted.filter(|at| (*answered..next).contains(at));
            greeted.unwrap_or(*answered).checked_sub(*heard_at)
        });
        match (turn.done_after(), truth) {
            (Some(done), Some(truth)) => {
                if done.abs_diff(truth) > 200_000 {
                    remarks.push(format!("{key:?}: done after {done} us, truly {truth} us"));
                }
                pairs.push((done, truth));
            }
            lost => remarks.push(format!("{key:?}: done {lost:?}")),
        }
    }
    errors(pairs.into_iter())
}

pub(super) fn journal(measured: &Measured) -> Vec<Value> {
    let text = std::fs::read_to_string(measured.folder.join("journal.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The runs that have an event of this name.
fn runs_with(journal: &[Value], event: &str) -> BTreeSet<u64> {
    journal.iter().filter_map(|line| line["e"][event]["run"].as_u64()).collect()
}

/// The hand-offs that were seen, by run.
fn hand_offs(journal: &[Value]) -> HashMap<String, u64> {
    let seen: BTreeMap<u64, u64> = journal
        .iter()
        .map(|line| &line["e"]["conversation"])
        .filter_map(|event| Some((event["run"].as_u64()?, find(event, "hand_offs")?)))
        .collect();
    seen.into_iter().map(|(run, count)| (run.to_string(), count)).collect()
}

/// A number under this key, at any depth.
pub(super) fn find(value: &Value, key: &str) -> Option<u64> {
    let fields = value.as_object()?;
    let here = fields.get(key).and_then(Value::as_u64);
    here.or_else(|| fields.values().find_map(|inside| find(inside, key)))
}
