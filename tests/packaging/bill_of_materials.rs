//! The list of what Rushhour is built of.

use std::collections::HashSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{root, script, succeed, tool};

const CHECK: &str = "\
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
with open(sys.argv[1]) as file:
    error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(file.read())
sys.exit(str(error) if error else 0)
";

#[test]
fn it_follows_its_schema_and_names_every_crate_that_is_built_in() {
    let place = tempfile::tempdir().unwrap();
    let cyclonedx = tool("cargo-cyclonedx");
    let tools = cyclonedx.parent().expect("it is in a folder").display().to_string();
    let path = format!("{tools}:{}", std::env::var("PATH").expect("there is one"));
    let printed = succeed(script("packaging/sbom").env("PATH", path).arg(place.path()));
    succeed(Command::new(tool("python")).args(["-c", CHECK, printed.trim()]));
    let text = fs::read_to_string(printed.trim()).expect("it was written");
    let list: Value = serde_json::from_str(&text).expect("it is JSON");
    let subject = &list["metadata"]["component"];
    assert_eq!(subject["name"], "rushhour");
    assert_eq!(subject["version"], env!("CARGO_PKG_VERSION"));
    let components = list["components"].as_array().expect("a list");
    let named: HashSet<&str> =
        components.iter().filter_map(|component| component["name"].as_str()).collect();
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--locked", "--edges", "normal,build", "--prefix", "none"]);
    let tree = succeed(tree.args(["--format", "{p}"]).current_dir(root()));
    let built: HashSet<&str> =
        tree.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert!(built.len() > 200, "{tree}");
    for name in built {
        assert!(named.contains(name), "{name} is not in the list");
    }
    assert!(!text.contains(&root().display().to_string()), "it names no folder of the machine");
}
