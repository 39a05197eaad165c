//! Checks of README.md and docs/: every TOML block is a valid profile, every command line parses, every link leads
//! to a file. The command lines in manifests parse too.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;
use rushhour_core::profile::{ProfileInput, explain, load};

use crate::command_line::CommandLine;

/// What a block needs around it to be a whole profile, by section; a section that the block has itself is left out.
const BASE: &[(&str, &str)] = &[
    ("livekit", "[livekit]\nurl = \"wss://acme.livekit.cloud\"\nagent = \"front-desk\"\n"),
    ("scenario", "[[scenario]]\nid = 30\ncopies = 20\n"),
    ("stage", "[[stage]]\nrate = \"1/s\"\n"),
];

struct Page {
    path: PathBuf,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<Page> {
    let docs = fs::read_dir(root().join("docs")).expect("docs/ exists");
    let mut paths: Vec<PathBuf> =
        docs.map(|entry| entry.expect("docs/ is readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name)));
    paths.retain(|path| path.exists());
    paths.sort();
    let page =
        |path: PathBuf| Page { text: fs::read_to_string(&path).expect("a page is text"), path };
    paths.into_iter().map(page).collect()
}

/// The fenced blocks of a page in one of these languages.
fn blocks(text: &str, languages: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<(bool, String)> = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        match (&mut block, trimmed.strip_prefix("```")) {
            (None, Some(language)) => {
                block = Some((languages.contains(&language.trim()), String::new()));
            }
            (Some((wanted, body)), Some(_)) => {
                if *wanted {
                    found.push(std::mem::take(body));
                }
                block = None;
            }
            (Some((_, body)), None) => {
                body.push_str(trimmed);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(block.is_none(), "a block is not closed");
    found
}

/// The names of a block's sections: `stage` of `[[stage]]`.
fn sections(block: &str) -> Vec<&str> {
    block
        .lines()
        .filter(|line| line.starts_with('['))
        .filter_map(|line| line.trim_start_matches('[').split(']').next())
        .collect()
}

/// A block made whole: its own keys before any section, what it lacks, its own sections.
fn whole_profile(block: &str) -> String {
    let first =
        block.lines().take_while(|line| !line.starts_with('[')).map(|line| line.len() + 1).sum();
    let (keys, own) = block.split_at(first);
    let sections = sections(own);
    let has = |section| sections.contains(&section);
    let needs_callers = ["network", "speech", "recording"].into_iter().any(has);
    let mut text = keys.to_owned();
    for (name, section) in BASE {
        if !sections.contains(name) {
            text.push_str(section);
            if *name == "scenario" && needs_callers {
                text.push_str("script = \"scripts/book-a-table.toml\"\n");
            }
        }
    }
    if !sections.contains(&"evaluator") {
        let native = needs_callers || has("judging") || own.contains("script =");
        let kind = if native { "native" } else { "sandbox" };
        let _ = write!(text, "[evaluator]\nkind = \"{kind}\"\n");
    }
    text.push_str(own);
    text
}

/// A part of a script, and a profile that names it.
fn whole_script(block: &str) -> Option<(String, String)> {
    let is_script =
        ["turn", "rule", "abandon", "redial"].iter().any(|one| sections(block).contains(one));
    let script = format!("{block}\n[[turn]]\nsay = \"Hello.\"\n");
    let profile = "[[scenario]]\nid = 1\ncopies = 1\nscript = \"block.toml\"\n";
    is_script.then(|| (script, format!("mode = \"chat\"\n{}", whole_profile(profile))))
}

fn file_of_a_profile(path: &str) -> io::Result<Vec<u8>> {
    // The one file that the reader makes: a copy of the shipped prices.
    let path = if path == "my-prices.toml" { "prices.toml" } else { path };
    fs::read(root().join("profiles").join(path))
}

/// The words of a command line, as a shell would see them, without a comment at its end.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, space) if space.is_whitespace() => words.extend(word.take()),
            (None, '#') if word.is_none() => break,
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// The arguments of each call of `rushhour` in a page, `cargo run -- ...` included.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in text.lines() {
        let Some(line) = line.trim_start().strip_prefix("$ ") else { continue };
        let words = shell_words(line);
        let program = words.iter().position(|word| !word.contains('='));
        let Some(program) = program else { continue };
        if words[program] == "rushhour" {
            found.push(words[program + 1..].to_vec());
        } else if words[program..].starts_with(&["cargo".to_owned(), "run".to_owned()])
            && let Some(end) = words.iter().position(|word| word == "--")
        {
            found.push(words[end + 1..].to_vec());
        }
    }
    found
}

/// The arguments of each container of Rushhour in a manifest of Kubernetes (`args`) or compose (`command`), which are
/// written as a list, a line each or all in one, or as words.
fn container_arguments(text: &str) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    // How far the key is indented whose list is open.
    let mut open = None;
    let is_ours = |words: &[String]| words.first().is_some_and(|word| !word.starts_with('-'));
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let trimmed = line.trim_start();
        if let (Some(start), Some(item)) = (open, trimmed.strip_prefix("- "))
            && indent >= start
        {
            let words = shell_words(item);
            found.last_mut().expect("a list is open").extend(words);
            continue;
        }
        open = None;
        let value = ["args:", "command:"].iter().find_map(|key| trimmed.strip_prefix(key));
        let Some(value) = value else { continue };
        let value = value.trim();
        let list = value.strip_prefix('[').and_then(|list| list.strip_suffix(']'));
        match list {
            Some(list) => found.push(shell_words(&list.replace(',', " "))),
            None => found.push(shell_words(value)),
        }
        open = value.is_empty().then_some(indent);
    }
    // Other images' arguments are options from the first word on.
    found.retain(|words| is_ours(words));
    found
}

fn manifests() -> Vec<Page> {
    let folders = ["deploy/kubernetes", "deploy/compose"].map(|folder| root().join(folder));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("it exists"));
    let mut paths: Vec<PathBuf> =
        files.map(|entry| entry.expect("the folder is readable").path()).collect();
    paths.push(root().join("compose.yaml"));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let page = |path: PathBuf| Page { text: fs::read_to_string(&path).expect("it is text"), path };
    paths.into_iter().map(page).collect()
}

/// Where the links of a page lead, those to other hosts left out.
fn links(text: &str) -> Vec<&str> {
    let targets =
        text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(to, _)| to));
    targets.filter(|to| !to.contains("://") && !to.starts_with('#')).collect()
}

/// The files and folders of the repository that a page names in code spans, outside of blocks.
fn named_paths(text: &str) -> Vec<&str> {
    const FOLDERS: [&str; 7] =
        ["crates/", "src/", "tests/", "profiles/", "examples/", "deploy/", "packaging/"];
    let mut in_block = false;
    let prose = text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        !in_block && !fence
    });
    let spans = prose.flat_map(|line| line.split('`').skip(1).step_by(2));
    spans
        .filter(|span| FOLDERS.iter().any(|folder| span.starts_with(folder)))
        .filter(|span| !span.contains([' ', '<', '*', '{', '=']) && !span.contains("NAME"))
        .collect()
}

#[test]
fn every_file_that_a_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut checked = 0;
    for page in pages() {
        for path in named_paths(&page.text) {
            assert!(root.join(path).exists(), "{}: {path}", page.path.display());
            checked += 1;
        }
    }
    assert!(checked >= 15, "only {checked} paths were found");
    assert_eq!(named_paths("a `src/NAME.rs` `src/x.rs`\n```\n`src/y`\n```\n`z`"), ["src/x.rs"]);
}

#[test]
fn every_toml_block_is_a_valid_profile() {
    let mut checked = 0;
    for page in pages() {
        for block in blocks(&page.text, &["toml"]) {
            let script = whole_script(&block);
            let text = script.as_ref().map_or_else(|| whole_profile(&block), |two| two.1.clone());
            let read_file = |path: &str| match &script {
                Some((script, _)) if path == "block.toml" => Ok(script.clone().into_bytes()),
                _ => file_of_a_profile(path),
            };
            let input = ProfileInput {
                file: "documentation",
                bytes: text.as_bytes(),
                environment: &[],
                flags: &[],
                read_file: &read_file,
            };
            if let Err(invalid) = load(input) {
                panic!("{}: {}\n{text}", page.path.display(), explain(&invalid, false));
            }
            checked += 1;
        }
    }
    assert!(checked >= 5, "only {checked} blocks were found");
}

#[test]
fn every_command_line_parses() {
    let mut checked = 0;
    for page in pages() {
        for arguments in command_lines(&page.text) {
            let line = arguments.join(" ");
            let parsed = CommandLine::try_parse_from(
                std::iter::once("rushhour".to_owned()).chain(arguments),
            );
            if let Err(error) = parsed {
                panic!("{}: rushhour {line}\n{error}", page.path.display());
            }
            checked += 1;
        }
    }
    assert!(checked >= 15, "only {checked} command lines were found");
}

#[test]
fn every_command_line_of_a_manifest_parses() {
    let mut checked = 0;
    for manifest in manifests() {
        for arguments in container_arguments(&manifest.text) {
            let line = arguments.join(" ");
            let words = std::iter::once("rushhour".to_owned()).chain(arguments);
            if let Err(error) = CommandLine::try_parse_from(words) {
                panic!("{}: rushhour {line}\n{error}", manifest.path.display());
            }
            checked += 1;
        }
    }
    assert!(checked >= 8, "only {checked} command lines were found");
    let text = "  args:\n    - run\n    - --out=/x # why\n  x:\n    - y\n  command: agent --name e\n  \
                args: [soak, /p, --yes]\n  command: [\"--config\", n]\n";
    let words =
        [vec!["run", "--out=/x"], vec!["agent", "--name", "e"], vec!["soak", "/p", "--yes"]];
    assert_eq!(container_arguments(text), words);
}

#[test]
fn every_link_leads_to_a_file() {
    let mut checked = 0;
    for page in pages() {
        let folder = page.path.parent().expect("a page is in a folder");
        for link in links(&page.text) {
            let file = link.split('#').next().unwrap_or(link);
            assert!(folder.join(file).exists(), "{}: {link}", page.path.display());
            checked += 1;
        }
    }
    assert!(checked >= 15, "only {checked} links were found");
}

#[test]
fn blocks_commands_and_links_are_found() {
    let page = "a [b](c.md) [d](https://e)\n```toml\nx = 1\n```\n  ```console\n  $ A=b rushhour run 'p q' # why\n  ```\n";
    assert_eq!(blocks(page, &["toml"]), ["x = 1\n"]);
    assert_eq!(command_lines(page), [["run", "p q"]]);
    assert_eq!(links(page), ["c.md"]);
    assert!(whole_profile("x = 1\n[[stage]]\nhold = 2\n").starts_with("x = 1\n[livekit]"));
}
