//! Environment variables and flags, which override the profile's file.

use super::diagnostic::{DiagnosticKind, Diagnostics, Origin, SourceSpan};
use super::node::Node;
use super::sources::Sources;

/// Environment variables that are settings, each with the path of its setting.
pub const ENVIRONMENT_VARIABLES: [(&str, [&str; 2]); 2] =
    [("LIVEKIT_URL", ["livekit", "url"]), ("CEKURA_API_URL", ["evaluator", "url"])];

/// Overlays the profile with an environment variable.
pub(super) fn apply_variable(
    tree: &mut Node,
    variable: &str,
    value: &str,
    sources: &mut Sources<'_>,
    diagnostics: &mut Diagnostics,
) {
    let Some((_, path)) = ENVIRONMENT_VARIABLES.iter().find(|(known, _)| *known == variable) else {
        return;
    };
    let path = &path_in_profile(tree, *path);
    if value.trim().is_empty() || uses_sandbox(tree, path[0]) {
        return;
    }
    let source = sources.add(Origin::Environment, variable, value);
    let span = SourceSpan { source, range: 0..value.len() };
    let leaf = Node::string(value.trim().to_owned(), span);
    tree.overlay(Node::at_path(path, leaf), diagnostics);
}

/// With native callers, the evaluator service's URL is that of the judge, if there is one.
fn path_in_profile(tree: &Node, path: [&'static str; 2]) -> [&'static str; 2] {
    let is_native = tree
        .get("evaluator")
        .and_then(|evaluator| evaluator.get("kind"))
        .is_some_and(|kind| kind.is_string("native"));
    if path == ["evaluator", "url"] && is_native && tree.get("judging").is_some() {
        ["judging", "url"]
    } else {
        path
    }
}

/// A profile that asks for a stand-in must not reach a real service because a variable happens to be set.
fn uses_sandbox(tree: &Node, table: &str) -> bool {
    tree.get(table).is_some_and(|table| {
        ["url", "kind", "by"]
            .iter()
            .any(|key| table.get(key).is_some_and(|value| value.is_string("sandbox")))
    })
}

/// Overlays the profile with a flag `key=value`.
pub(super) fn apply_flag(
    tree: &mut Node,
    flag: &str,
    sources: &mut Sources<'_>,
    diagnostics: &mut Diagnostics,
) {
    const HINT: &str = "write key=value, such as limits.in_flight=50";
    let source = sources.add(Origin::Flag, "--set", flag);
    let whole = SourceSpan { source, range: 0..flag.len() };
    let Some((key, value)) = flag.split_once('=') else {
        diagnostics.at(DiagnosticKind::Syntax, &whole, "this sets nothing", HINT);
        return;
    };
    let mut syntax_errors = Diagnostics::default();
    let mut parsed = Node::parse(flag, source, &mut syntax_errors);
    if !syntax_errors.is_empty() {
        // Quotes are a nuisance in a shell: a value that is not TOML is a string.
        let path: Vec<&str> = key.trim().split('.').map(str::trim).collect();
        if path.iter().any(|name| name.is_empty()) {
            diagnostics.at(DiagnosticKind::Syntax, &whole, "this names no setting", HINT);
            return;
        }
        let span = SourceSpan { source, range: flag.len() - value.len()..flag.len() };
        parsed = Node::at_path(&path, Node::string(value.trim().to_owned(), span));
    }
    tree.overlay(parsed, diagnostics);
}
