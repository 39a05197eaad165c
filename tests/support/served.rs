//! The stand-ins in a process of their own.

use super::binary::{Running, Rushhour};
use super::workplace::Workplace;

/// A sandbox of its own process, and the environment that leads to it.
pub(crate) struct Served {
    running: Running,
    environment: Vec<(String, String)>,
}

impl Served {
    pub(crate) fn start(workplace: &Workplace, words: &[&str]) -> Self {
        let mut all = vec!["sandbox", "--port", "0"];
        all.extend(words);
        let (running, first) = workplace.rushhour(&all).start_until("CEKURA_API_KEY=");
        let environment = first
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { running, environment }
    }

    /// A profile of the embedded stand-ins, without their table, pointed at these.
    pub(crate) fn profile(&self, embedded: &str) -> String {
        let value = |name: &str| {
            self.environment.iter().find(|(key, _)| key == name).expect("it is printed").1.clone()
        };
        let evaluator = format!("[evaluator]\nurl = \"{}\"", value("CEKURA_API_URL"));
        embedded
            .replace("url = \"sandbox\"", &format!("url = \"{}\"", value("LIVEKIT_URL")))
            .replace("[evaluator]", &evaluator)
    }

    /// A command line with the keys of these stand-ins, but for those that are to be wrong.
    pub(crate) fn rushhour(
        &self,
        workplace: &Workplace,
        words: &[&str],
        wrong: &[(&str, &str)],
    ) -> Rushhour {
        let keys = ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "CEKURA_API_KEY"];
        let mut rushhour = workplace.rushhour(words);
        for (name, value) in self.environment.iter().filter(|(name, _)| keys.contains(&&**name)) {
            let value =
                wrong.iter().find(|(key, _)| key == name).map_or(&**value, |(_, wrong)| wrong);
            rushhour = rushhour.with(name, value);
        }
        rushhour
    }

    pub(crate) fn stop(self) {
        self.running.signal("INT");
        self.running.finish_secretly();
    }
}
