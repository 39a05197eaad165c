//! The programs in `examples/`, run as the documentation says.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs an example with these arguments and this standard input.
fn run_example(name: &str, arguments: &[&str], input: &str) -> Output {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let mut child = Command::new(cargo)
        .args(["run", "--quiet", "--locked", "--example", name, "--"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cargo is installed");
    let mut stdin = child.stdin.take().expect("it is piped");
    // An example with arguments may exit without reading.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it exits")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("it prints text")
}

#[test]
fn estimate_interval_prints_percentiles_with_their_intervals() {
    let numbers: Vec<String> = (1..=400).map(|number| number.to_string()).collect();
    let printed = stdout(&run_example("estimate_interval", &[], &numbers.join("\n")));
    let rows: Vec<Vec<&str>> =
        printed.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
    // scipy.stats.binom(400, q) stays between these ranks with 95 %.
    assert_eq!(rows[0], ["p50", "200", "[180,", "221]", "6"], "{printed}");
    assert_eq!(rows[1], ["p95", "380", "[371,", "389]", "72"], "{printed}");
    assert_eq!(rows[2], ["p99", "396", "[392,", "400]", "368"], "{printed}");
    assert_eq!(rows.len(), 3);

    let few = stdout(&run_example("estimate_interval", &["3", "1.5", "2"], ""));
    assert!(few.starts_with("3 samples") && few.contains("too few samples"), "{few}");
    let refused = run_example("estimate_interval", &["fast"], "");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`fast`"));
}
