//! How far each figure of quality is from its truth: `cargo bench -- quality`. The calibration agent breaks up, loses
//! packets, talks over its callers, keeps them waiting and mishears them; its truth log says when and by how much, and the
//! callers' journal is compared with it, turn by turn. Prints the table of docs/statistics.md, in less than five minutes,
//! and fails if a row is outside the bound that is stated there. `quality-cuts quality-losses` are single sessions.

use std::path::Path;

use rushhour_callers::audio::{Clip, FRAME_DURATION};

use super::native::{profile, voice_script};
use super::native_rig::{CLIP, Rig};
use super::quality_gaps::{CUTS, CUTS_IN_A_VOICE, LONG_CUTS, LOSSES, STALLS, gap_rows, rate_rows};
use super::quality_logs::SessionLogs;
use super::quality_table::{Matched, Table};

/// What the callers' clip says,
const SAID: &str = "Do you have a vegetarian menu?";
/// and what the agent hears of it in each turn: with so many words misheard, and so many of the two key words heard.
const HEARD: [(&str, u64, u64); 4] = [
    ("Do you have a vegan menu?", 1, 1),
    ("You have vegetarian menu.", 2, 2),
    ("Do you have a very vegetarian lunch menu?", 2, 2),
    ("Did we have the menu?", 4, 1),
];
const WORDS_SAID: u64 = 6;
const KEY_WORDS: u64 = 2;

/// A session in which the agent does one thing.
struct Case {
    name: &'static str,
    callers: u32,
    turns: u32,
    options: &'static [&'static str],
    script: fn(u32) -> String,
    rows: fn(&SessionLogs<'_>, &mut Table),
}

/// What most sessions are like.
const CASE: Case =
    Case { name: "", callers: 12, turns: 4, options: &[], script: turns, rows: |_, _| {} };

const CASES: &[Case] = &[
    Case {
        name: "cuts",
        options: &["--speech", "4s", "--cuts", "20/min"],
        rows: |logs, table| {
            let truth = gap_rows(logs, table, &CUTS);
            rate_rows(logs, table, &truth, 10.0);
        },
        ..CASE
    },
    // Most of them are longer than a pause that belongs to speech.
    Case {
        name: "long-cuts",
        options: &["--speech", "4s", "--cuts", "20/min", "--cut-length", "uniform 200ms..600ms"],
        rows: |logs, table| {
            let truth = gap_rows(logs, table, &LONG_CUTS);
            rate_rows(logs, table, &truth, 25.0);
        },
        ..CASE
    },
    Case {
        name: "cuts-in-a-voice",
        options: &[
            "--clip",
            concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/scripts/clips/phone-number.opus"),
            "--cuts",
            "20/min",
        ],
        rows: |logs, table| {
            gap_rows(logs, table, &CUTS_IN_A_VOICE);
        },
        ..CASE
    },
    Case {
        name: "stalls",
        options: &["--speech", "4s", "--stalls", "20/min"],
        rows: |logs, table| {
            let truth = gap_rows(logs, table, &STALLS);
            rate_rows(logs, table, &truth, 10.0);
        },
        ..CASE
    },
    Case {
        name: "losses",
        options: &["--speech", "4s", "--losses", "20/min"],
        rows: |logs, table| {
            let truth = gap_rows(logs, table, &LOSSES);
            rate_rows(logs, table, &truth, 5.0);
        },
        ..CASE
    },
    Case {
        name: "talk-over",
        options: &[
            "--speech",
            "3s",
            "--talk-over",
            "50%",
            "--talk-over-after",
            "uniform 300ms..1s",
        ],
        rows: talk_over_rows,
        ..CASE
    },
    Case {
        name: "dead-air",
        options: &[
            "--speech",
            "2s",
            "--turn-delay",
            "uniform 400ms..1500ms",
            "--filler",
            "One moment.",
            "--tool-delay",
            "uniform 500ms..2s",
            "--hears",
            HEARD[0].0,
            "--hears",
            HEARD[1].0,
            "--hears",
            HEARD[2].0,
            "--hears",
            HEARD[3].0,
        ],
        script: turns_with_words,
        rows: |logs, table| {
            dead_air_rows(logs, table);
            hearing_rows(logs, table);
        },
        ..CASE
    },
    Case {
        name: "interruptions",
        options: &["--speech", "6s", "--yield-delay", "uniform 200ms..900ms"],
        script: interrupting_turns,
        rows: yield_rows,
        ..CASE
    },
    Case {
        name: "back-channels",
        callers: 24,
        turns: 1,
        options: &["--speech", "6s", "--no-yield", "50%"],
        script: turns_with_backchannel,
        rows: backchannel_rows,
    },
];

/// One session after the other; those that are named, where any are. Returns whether every row is within its bound.
pub(crate) fn figures(names: &[&str]) -> bool {
    let Some(rig) = Rig::start() else { return false };
    let mut table = Table::default();
    for case in CASES.iter().filter(|case| names.is_empty() || names.contains(&case.name)) {
        let measured = rig.session(
            &format!("quality-{}", case.name),
            case.options,
            &profile("voice", case.callers, "rate = \"2/s\"", "30s"),
            &(case.script)(case.turns),
        );
        let logs = SessionLogs::of(&measured);
        table.begin(case.name);
        table.count("runs that completed", case.callers.into(), logs.completed(), 0);
        let turns = case.callers * case.turns;
        table.count("turns that were reported", turns.into(), logs.turns.len() as u64, 0);
        (case.rows)(&logs, &mut table);
    }
    table.print()
}

fn turns(count: u32) -> String {
    voice_script(count, "1ms")
}

fn turn(more: &str) -> String {
    format!("{}{more}\n", turns(1))
}

fn turns_with_words(count: u32) -> String {
    turn(&format!("say = \"{SAID}\"\nhears = [\"vegetarian\", \"menu\"]")).repeat(count as usize)
}

/// All but the first interrupt the agent.
fn interrupting_turns(count: u32) -> String {
    turns(1) + &turn("interrupt = \"1s\"").repeat(count as usize - 1)
}

fn turns_with_backchannel(count: u32) -> String {
    turn(&format!("backchannel = {{ play = \"{CLIP}\", after = \"1s\" }}")).repeat(count as usize)
}

fn talk_over_rows(logs: &SessionLogs<'_>, table: &mut Table) {
    let began = logs.by_key("talked_over", "at_us");
    let ended = logs.by_key("heard_speech", "at_us");
    let clip = clip_length();
    let mut matched = Matched::default();
    let (mut overlaps, mut speech) = (Vec::new(), Vec::new());
    for turn in &logs.turns {
        let key = turn.key();
        let both = began.get(&key).zip(ended.get(&key));
        matched.add(both.is_some().into(), turn.talked_over().into());
        if let Some((began, ended)) = both {
            let overlap = ended.saturating_sub(*began);
            overlaps.push((turn.number_of("taking", "overlap"), overlap));
        }
        speech.push((turn.number_of("taking", "caller_speech"), clip));
    }
    table.events("talk_over", matched, (0.0, 0.0));
    let turns = logs.turns.len() as f64;
    let share = overlaps.len() as f64 / turns * 100.0;
    let found = logs.summary(&["quality", "talk_over", "value"]) * 100.0;
    table.amount("talk_over, share of the turns", " %", (share, found), 0.0);
    table.times("overlap of a turn that was talked over", &overlaps, 20.0);
    table.times("what the caller says in a turn", &speech, 20.0);
    let overlap = overlaps.iter().map(|pair| pair.1).sum::<u64>();
    let share = overlap as f64 / (clip as f64 * turns) * 100.0;
    let found = logs.summary(&["quality", "overlap", "value"]) * 100.0;
    table.amount("overlap", " %", (share, found), 5.0);
}

/// How long the callers' clip is audible, in microseconds, from its first audible frame to its last.
fn clip_length() -> u64 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/scripts/clips").join(CLIP);
    let bytes = std::fs::read(path).expect("the clip is shipped");
    let clip = Clip::from_bytes(&bytes).expect("it is a clip");
    (clip.last_audible() - clip.first_audible()) as u64 * FRAME_DURATION.0
}

/// The agent says that it needs a moment, and is silent twice: before it and after it.
fn dead_air_rows(logs: &SessionLogs<'_>, table: &mut Table) {
    let before = logs.by_key("filler_began", "delay_us");
    let fell_silent = logs.by_key("tool_began", "at_us");
    let answered = logs.by_key("first_audible", "at_us");
    let silence = |key: &(String, u64)| {
        let after = answered.get(key)?.saturating_sub(*fell_silent.get(key)?);
        Some(after.max(*before.get(key)?))
    };
    let pairs: Vec<(u64, u64)> = logs
        .turns
        .iter()
        .filter_map(|turn| Some((turn.number_of("taking", "dead_air"), silence(&turn.key())?)))
        .collect();
    table.times("dead_air of a turn", &pairs, 20.0);
    let longest = pairs.iter().map(|pair| pair.1).max().unwrap_or(0) as f64 / 1e3;
    let found = logs.summary(&["quality", "dead_air_us"]) / 1e3;
    table.amount("dead_air, the longest", " ms", (longest, found), 2.0);
    let gaps = logs
        .turns
        .iter()
        .flat_map(|turn| ["starved", "late", "lost"].map(|cause| turn.number_of("sound", cause)));
    table.count("speech.gaps", 0, gaps.sum(), 2);
    let over = logs.turns.iter().filter(|turn| turn.talked_over()).count() as u64;
    table.count("talk_over", 0, over, 0);
}

fn hearing_rows(logs: &SessionLogs<'_>, table: &mut Table) {
    let transcripts = logs.transcripts();
    let (mut misheard, mut key_words, mut turns, mut differ) = (0, 0, 0, 0);
    for turn in &logs.turns {
        let text = transcripts.get(&turn.key());
        let truth = HEARD.iter().find(|one| text.is_some_and(|text| *text == one.0));
        let Some((_, errors, heard)) = truth else { continue };
        turns += 1;
        misheard += *errors;
        key_words += *heard;
        differ += u64::from(turn.misheard() != Some(*errors));
    }
    table.count("turns with a transcript", logs.turns.len() as u64, turns, 0);
    table.count("turns whose misheard words differ", 0, differ, 0);
    let share = |count: u64, of: u64| count as f64 / (of * turns) as f64 * 100.0;
    let found = logs.summary(&["heard", "wer"]) * 100.0;
    table.amount("heard.wer", " %", (share(misheard, WORDS_SAID), found), 0.01);
    let found = logs.summary(&["heard", "key_words", "share"]) * 100.0;
    table.amount("heard.words", " %", (share(key_words, KEY_WORDS), found), 0.01);
}

fn yield_rows(logs: &SessionLogs<'_>, table: &mut Table) {
    // By the turn that was being answered when the caller began the next one.
    let truth = logs.by_key("yielded", "delay_us");
    let (mut matched, mut pairs) = (Matched::default(), Vec::new());
    for turn in &logs.turns {
        let (room, number) = turn.key();
        let truth = truth.get(&(room, number.saturating_sub(1)));
        let found = turn.yielded();
        matched.add(truth.is_some().into(), found.is_some().into());
        pairs.extend(found.zip(truth.copied()));
    }
    table.events("interruptions to which the agent yielded", matched, (0.0, 0.0));
    table.times("time_to_yield", &pairs, 50.0);
}

fn backchannel_rows(logs: &SessionLogs<'_>, table: &mut Table) {
    let stopped = logs.by_room("yielded");
    let went_on = logs.by_room("kept_talking");
    let mut matched = Matched::default();
    for (room, found) in &logs.false_interruptions {
        matched.add(stopped.get(&**room).copied().unwrap_or(0), *found);
    }
    let heard = stopped.values().chain(went_on.values()).sum();
    table.count("back-channels that the agent heard", logs.turns.len() as u64, heard, 0);
    table.events("false interruptions", matched, (0.0, 0.0));
}
