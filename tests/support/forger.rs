//! Journals forged from real ones: any value may be any other, and the checksums match all the same.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::rng::SplitMix64;

/// The lines that are kept of a real journal, so that many can be forged in little time.
const MOST_LINES: usize = 120;

/// The whole runs that are kept of a session that has ended.
const WHOLE_RUNS: usize = 6;

/// Forges journals from real ones.
pub(crate) struct Forger {
    rng: SplitMix64,
    originals: Vec<Vec<Value>>,
    /// Texts that a journal's author would like to see used: hosts, paths, names.
    baits: Vec<String>,
}

impl Forger {
    /// A forger of these journals, who puts `baits` into them.
    pub(crate) fn new(seed: u64, journals: &[PathBuf], baits: &[String]) -> Self {
        let originals = journals.iter().map(|path| read_lines(path)).collect();
        Self { rng: SplitMix64::new(seed), originals, baits: baits.to_vec() }
    }

    /// A forger of a few whole runs of each of these sessions, with their end.
    pub(crate) fn of_ended_sessions(seed: u64, journals: &[PathBuf], baits: &[String]) -> Self {
        let originals = journals.iter().map(|path| read_whole_runs(path)).collect();
        Self { rng: SplitMix64::new(seed), originals, baits: baits.to_vec() }
    }

    /// The journal of this file, forged; none where it has no whole line.
    pub(crate) fn forge_again(&mut self, path: &Path) -> Option<Vec<u8>> {
        let mut lines = read_lines(path);
        if lines.is_empty() {
            return None;
        }
        self.change(&mut lines);
        Some(journal_of(&lines))
    }

    /// Lets two thirds of the journals name these services. `judging` is how their runs are judged.
    pub(crate) fn name_hosts(&mut self, livekit: &str, cekura: &str, judging: &Value) {
        let before = self.originals.clone();
        self.name_all_hosts(livekit, cekura, judging);
        // And one that has not ended, so that there is something to resume and to sweep.
        let mut open = self.originals.clone();
        for lines in &mut open {
            lines.truncate(lines.len() * 2 / 3);
        }
        self.originals.extend(open);
        self.originals.extend(before);
    }

    /// Lets all journals name these services.
    pub(crate) fn name_all_hosts(&mut self, livekit: &str, cekura: &str, judging: &Value) {
        for header in self.originals.iter_mut().map(|lines| &mut lines[0]["e"]["opened"]) {
            let profile = &mut header["profile"];
            profile["livekit"]["target"] = json!({ "url": livekit });
            if profile["evaluator"]["kind"] == "cekura" {
                profile["evaluator"]["url"] = json!(cekura);
            } else {
                profile["judging"] = judging.clone();
                add_to_scripted(&mut profile["mix"], "cekura", &json!("30"));
            }
            profile.as_object_mut().expect("it is one").remove("agent_health");
            set_everywhere(profile, "run_timeout", &json!("2s"));
            set_everywhere(profile, "poll_every", &json!("200ms"));
            set_everywhere(profile, "watch_unknown", &json!("1s"));
            // No agent comes.
            set_everywhere(profile, "agent_within", &json!("1s"));
            set_everywhere(profile, "give_up_after", &json!("1s"));
        }
    }

    /// The bytes of the next journal.
    pub(crate) fn forge(&mut self) -> Vec<u8> {
        let mut lines = self.originals[self.rng.index(self.originals.len())].clone();
        self.change(&mut lines);
        let mut bytes = journal_of(&lines);
        if self.rng.below(20) == 0 {
            // A torn tail: its writer died.
            bytes.truncate(bytes.len() - self.rng.index(bytes.len().min(200)));
        }
        bytes
    }

    /// Changes lines as a forger does.
    fn change(&mut self, lines: &mut Vec<Value>) {
        // One change in most: what is refused at once shows little.
        let changes = if self.rng.below(3) == 0 { 1 + self.rng.below(6) } else { 1 };
        for _ in 0..changes {
            match self.rng.below(12) {
                0 => self.change_lines(lines),
                1 | 2 => self.set_bait(lines),
                _ => {
                    // Most of what steers a command is in the header.
                    let line = if self.rng.below(3) == 0 { 0 } else { self.rng.index(lines.len()) };
                    self.change_value(&mut lines[line]["e"]);
                }
            }
        }
    }

    /// Repeats, moves or removes lines.
    fn change_lines(&mut self, lines: &mut Vec<Value>) {
        let (one, other) = (self.rng.index(lines.len()), self.rng.index(lines.len()));
        match self.rng.below(4) {
            0 => lines.swap(one, other),
            1 => lines.insert(other, lines[one].clone()),
            2 if lines.len() > 1 => drop(lines.remove(one)),
            _ => {
                let most = [u64::MAX, 1_000_000_000_000, 5_000, 1][self.rng.index(4)];
                let rest = json!({"rest_not_started": {"from": self.rng.below(3), "count": most}});
                lines.push(json!({"t": u64::MAX, "e": rest}));
            }
        }
    }

    /// Puts a host, a path or a name where a command may use it.
    fn set_bait(&mut self, lines: &mut [Value]) {
        let bait = json!(self.baits[self.rng.index(self.baits.len())]);
        let health = json!({"url": bait, "metrics": bait, "every": "1s", "settle": "1s"});
        let places: [(&[&str], &Value); 18] = [
            (&["profile", "livekit", "target"], &json!({ "url": bait })),
            (&["profile", "livekit", "target"], &json!({ "url": bait })),
            (&["profile", "livekit", "api_url"], &bait),
            (&["profile", "livekit", "key_file"], &bait),
            (&["profile", "livekit", "secret_file"], &bait),
            (&["profile", "livekit", "room_prefix"], &bait),
            (&["profile", "evaluator", "url"], &bait),
            (&["profile", "evaluator", "url"], &bait),
            (&["profile", "evaluator", "runs_path"], &bait),
            (&["profile", "evaluator", "end_call_path"], &bait),
            (&["profile", "evaluator", "key_file"], &bait),
            (&["profile", "agent_health"], &health),
            (&["profile", "agent_health"], &health),
            (&["profile", "judging", "cekura", "url"], &bait),
            (&["profile", "name"], &bait),
            (&["session"], &bait),
            (&["livekit_url"], &bait),
            (&["evaluator_url"], &bait),
        ];
        match self.rng.index(places.len() + 2) {
            place if place < places.len() => {
                let (path, value) = places[place];
                if let Some(opened) = lines[0]["e"].get_mut("opened") {
                    set(opened, path, value);
                }
            }
            place => {
                let name = if place == places.len() { "play" } else { "room" };
                for line in lines {
                    set_everywhere(&mut line["e"], name, &bait);
                }
            }
        }
    }

    /// Changes one value somewhere below.
    fn change_value(&mut self, value: &mut Value) {
        let deeper = self.rng.below(8) != 0;
        match value {
            Value::Object(fields) if deeper && !fields.is_empty() => {
                let at = self.rng.index(fields.len());
                let field = fields.values_mut().nth(at).expect("it is below the length");
                self.change_value(field);
            }
            Value::Array(items) if deeper && !items.is_empty() => {
                let at = self.rng.index(items.len());
                self.change_value(&mut items[at]);
            }
            Value::Object(fields) => self.change_fields(fields),
            Value::Array(items) => self.change_items(items),
            Value::Number(_) if self.rng.below(8) != 0 => *value = self.number(),
            Value::String(_) if self.rng.below(8) != 0 => *value = self.text(),
            Value::Bool(is) => *value = Value::Bool(!*is),
            _ => *value = self.anything(),
        }
    }

    fn change_fields(&mut self, fields: &mut Map<String, Value>) {
        if fields.is_empty() {
            return;
        }
        let name = fields.keys().nth(self.rng.index(fields.len())).expect("there is one").clone();
        let value = fields.remove(&name).expect("it was just found");
        match self.rng.below(3) {
            0 => {}
            1 => drop(fields.insert(format!("{name}_"), value)),
            _ => drop(fields.insert(name, self.anything())),
        }
    }

    fn change_items(&mut self, items: &mut Vec<Value>) {
        match self.rng.below(4) {
            0 => items.clear(),
            1 => items.reverse(),
            2 => items.push(self.anything()),
            _ => {
                let Some(first) = items.first().cloned() else { return };
                items.extend(std::iter::repeat_n(first, 500));
            }
        }
    }

    fn number(&mut self) -> Value {
        match self.rng.below(12) {
            0 => json!(0),
            1 => json!(1),
            2 => json!(u64::MAX),
            3 => json!(i64::MAX),
            4 => json!(-1),
            5 => json!(u32::MAX),
            6 => json!(1_u64 << 53),
            7 => json!(1e300),
            8 => json!(0.5),
            9 => json!(1_000_000_000_000_u64),
            10 => json!(u64::MAX - 1),
            _ => json!(self.rng.next_u64() >> self.rng.below(64)),
        }
    }

    fn text(&mut self) -> Value {
        const TEXTS: [&str; 22] = [
            "",
            "..",
            "../../outside/precious",
            "/dev/zero",
            "/proc/self/environ",
            "=HYPERLINK(\"http://evil\")",
            "\u{1b}[2J\u{202e}\u{e0041}\u{0}\n\r",
            "<script>alert(1)</script>",
            "0s",
            "1us",
            "999999999999h",
            "18446744073709551615s",
            "0%",
            "100%",
            "0/s",
            "1000000000000/s",
            "1/week",
            "0.000000 USD",
            "18446744073709.551615 USD",
            "9999-12-31T23:59:59Z",
            "-009999-01-01T00:00:00Z",
            "NaN",
        ];
        match self.rng.below(30) {
            0 => json!("x".repeat(100_000)),
            1..=5 => json!(self.baits[self.rng.index(self.baits.len())]),
            _ => json!(TEXTS[self.rng.index(TEXTS.len())]),
        }
    }

    fn anything(&mut self) -> Value {
        match self.rng.below(8) {
            0 => Value::Null,
            1 => json!([]),
            2 => json!({}),
            3 => json!(true),
            4 => json!([[[[[[[[[[]]]]]]]]]]),
            5 => self.text(),
            _ => self.number(),
        }
    }
}

/// Sets the field at a path, as far as there are objects on it.
fn set(value: &mut Value, path: &[&str], to: &Value) {
    let Value::Object(fields) = value else { return };
    match path {
        [name] => drop(fields.insert((*name).to_owned(), to.clone())),
        [name, rest @ ..] => {
            if let Some(field) = fields.get_mut(*name) {
                set(field, rest, to);
            }
        }
        [] => {}
    }
}

/// Adds a field to every object that has a script.
fn add_to_scripted(value: &mut Value, name: &str, field: &Value) {
    match value {
        Value::Object(fields) if fields.contains_key("script") => {
            fields.insert(name.to_owned(), field.clone());
        }
        Value::Object(fields) => {
            for inner in fields.values_mut() {
                add_to_scripted(inner, name, field);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| add_to_scripted(item, name, field)),
        _ => {}
    }
}

/// Sets every field of this name.
fn set_everywhere(value: &mut Value, name: &str, to: &Value) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                if field == name {
                    *value = to.clone();
                } else {
                    set_everywhere(value, name, to);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| set_everywhere(item, name, to)),
        _ => {}
    }
}

/// The first lines of a journal, and its last one: no run ends without having started.
fn read_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a journal can be read");
    let lines: Vec<&str> = text.lines().collect();
    let parsed = |line: &&str| -> Value { serde_json::from_str(line).expect("a line is JSON") };
    if lines.len() <= MOST_LINES {
        return lines.iter().map(parsed).collect();
    }
    let last = &lines[lines.len() - 1..];
    lines[..MOST_LINES - 1].iter().chain(last).map(parsed).collect()
}

/// A few measured runs of a session, whole, with what is about no run.
fn read_whole_runs(path: &Path) -> Vec<Value> {
    /// The run that an event is about, or the first one.
    fn run(line: &Value) -> Option<u64> {
        let event = line["e"].as_object()?.values().next()?;
        let first = event["runs"].get(0).or_else(|| event["entered"].get(0)?.get("run"));
        first.or_else(|| event.get("run"))?.as_u64()
    }
    let text = fs::read_to_string(path).expect("a journal can be read");
    let parsed = |line: &str| -> Value { serde_json::from_str(line).expect("a line is JSON") };
    let lines: Vec<Value> = text.lines().map(parsed).collect();
    let stages = &lines[0]["e"]["opened"]["profile"]["stages"];
    let is_measured = |started: &Value| {
        let stage = started["stage"].as_u64().and_then(|stage| usize::try_from(stage).ok());
        stage.is_some_and(|stage| stages[stage]["measured"] == true)
    };
    let started = lines.iter().map(|line| &line["e"]["run_started"]);
    let measured = started.filter(|started| is_measured(started));
    let runs: Vec<u64> =
        measured.filter_map(|started| started["run"].as_u64()).take(WHOLE_RUNS).collect();
    lines.iter().filter(|line| run(line).is_none_or(|run| runs.contains(&run))).cloned().collect()
}

/// These lines with checksums that match: each is the CRC-32 of the one before and of the line without it.
pub(crate) fn journal_of(lines: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut checksum = 0_u32;
    for line in lines {
        let mut fields = line.as_object().cloned().unwrap_or_default();
        fields.remove("c");
        // The order in which Rushhour writes them.
        let (t, e) = (fields.remove("t"), fields.remove("e"));
        let text = format!("{{\"t\":{},\"e\":{}", t.unwrap_or_default(), e.unwrap_or_default());
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&checksum.to_le_bytes());
        hasher.update(text.as_bytes());
        checksum = hasher.finalize();
        bytes.extend_from_slice(format!("{text},\"c\":\"{checksum:08x}\"}}\n").as_bytes());
    }
    bytes
}
