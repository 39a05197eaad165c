//! `rushhour man`: writes the man pages, from the same text as the help.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory, ValueHint};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::command_line::CommandLine;
use crate::error::CliError;
use crate::exit::Exit;

/// Write the man pages, one for each command, into a folder; for packages.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder to write them to; it is created.
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

pub(crate) fn man(arguments: &ManArgs) -> Result<Exit, CliError> {
    let folder = &arguments.folder;
    let mut command = CommandLine::command().disable_help_subcommand(true);
    // Gives subcommands their names, such as `rushhour-run`.
    command.build();
    fs::create_dir_all(folder).and_then(|()| write_pages(&command, folder)).map_err(|error| {
        CliError::usage(format!("cannot write {}", folder.display())).caused_by(error)
    })?;
    Ok(Exit::Passed)
}

/// Writes the page of a command, and those of the commands below it.
fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    shown.into_iter().try_for_each(|below| write_pages(below, folder))?;
    let page = Man::new(command.clone());
    let mut file = File::create(folder.join(page.get_filename()))?;
    page.render_title(&mut file)?;
    page.render_name_section(&mut file)?;
    page.render_synopsis_section(&mut file)?;
    page.render_description_section(&mut file)?;
    page.render_options_section(&mut file)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut file)?;
    }
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    if let Some(text) = after {
        sections(&text.to_string()).to_writer(&mut file)?;
    }
    file.flush()
}

/// What stands below the options in the help. `clap_mangen` would fill its lines; here `Exit codes:` becomes a section
/// of its own, and indented lines stay as they are.
fn sections(text: &str) -> Roff {
    let mut page = Roff::new();
    let mut is_list = false;
    let mut is_first = true;
    for line in text.lines() {
        let indented = line.starts_with(' ');
        if is_list && !indented {
            page.control("fi", []);
            is_list = false;
        }
        match line.strip_suffix(':') {
            Some(heading) if !indented && !heading.contains(['.', ',']) => {
                page.control("SH", [heading.to_uppercase().as_str()]);
            }
            _ if indented => {
                if !is_list {
                    page.control("nf", []);
                    is_list = true;
                }
                page.text([roman(line)]);
            }
            _ if line.is_empty() => {
                page.control("PP", []);
            }
            _ => {
                if is_first {
                    page.control("SH", ["NOTES"]);
                }
                page.text([roman(line)]);
            }
        }
        is_first = false;
    }
    if is_list {
        page.control("fi", []);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_become_sections_and_indented_lines_stay() {
        let page = sections(
            "Examples:\n  rushhour run a.toml   one\n\nA sentence, long.\n\nExit codes:\n  0  passed",
        );
        assert_eq!(
            page.to_roff(),
            ".SH EXAMPLES\n.nf\n  rushhour run a.toml   one\n.fi\n.PP\nA sentence, long.\n.PP\n.SH \"EXIT CODES\"\n.nf\n  0  passed\n.fi\n"
        );
    }

    #[test]
    fn there_is_a_page_for_every_command_that_help_lists() {
        let folder = tempfile::tempdir().unwrap();
        man(&ManArgs { folder: folder.path().to_owned() }).unwrap();
        let mut expected: Vec<String> = CommandLine::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(|command| format!("rushhour-{}.1", command.get_name()))
            .collect();
        expected.push("rushhour.1".to_owned());
        expected.sort();
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut found: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        found.sort();
        assert_eq!(found, expected);
    }
}
