//! The sandbox in a process of its own.

use super::binary::{RunningCommand, Rushhour};
use super::test_dir::TestDir;

/// A running `rushhour sandbox`, and the environment variables that lead to it.
pub(crate) struct SandboxProcess {
    running: RunningCommand,
    environment: Vec<(String, String)>,
}

impl SandboxProcess {
    pub(crate) fn start(dir: &TestDir, arguments: &[&str]) -> Self {
        let mut all = vec!["sandbox", "--port", "0"];
        all.extend(arguments);
        let (running, printed) = dir.rushhour(&all).start_until("CEKURA_API_KEY=");
        let environment = printed
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { running, environment }
    }

    /// Points a profile of the embedded sandbox, without its `[sandbox]` table, at this process.
    pub(crate) fn profile(&self, embedded: &str) -> String {
        let value = |name: &str| {
            self.environment.iter().find(|(key, _)| key == name).expect("it is printed").1.clone()
        };
        let evaluator = format!("[evaluator]\nurl = \"{}\"", value("CEKURA_API_URL"));
        embedded
            .replace("url = \"sandbox\"", &format!("url = \"{}\"", value("LIVEKIT_URL")))
            .replace("[evaluator]", &evaluator)
    }

    /// A command line with this sandbox's keys; those in `wrong_keys` have other values.
    pub(crate) fn rushhour(
        &self,
        dir: &TestDir,
        arguments: &[&str],
        wrong_keys: &[(&str, &str)],
    ) -> Rushhour {
        let keys = ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "CEKURA_API_KEY"];
        let mut rushhour = dir.rushhour(arguments);
        for (name, value) in self.environment.iter().filter(|(name, _)| keys.contains(&&**name)) {
            let wrong = wrong_keys.iter().find(|(key, _)| key == name);
            rushhour = rushhour.env(name, wrong.map_or(&**value, |(_, wrong)| wrong));
        }
        rushhour
    }

    pub(crate) fn stop(self) {
        self.running.signal("INT");
        self.running.finish_with_secrets();
    }
}
