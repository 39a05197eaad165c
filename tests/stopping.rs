//! `rushhour stop` and `mark` while no run is in flight: after the last one, and between two levels of a search.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{HostileServer, TestDir, wait_for_events, wait_until};

/// The settings of a worker whose one job never ends once it was asked a first time.
pub(crate) fn health_that_never_settles() -> String {
    let polls = AtomicU64::new(0);
    let worker = HostileServer::start(move |_| {
        let jobs = polls.fetch_add(1, Ordering::Relaxed).min(1);
        (200, format!("{{\"active_jobs\":{jobs},\"worker_load\":0.25}}").into_bytes())
    });
    let address = worker.address();
    format!("[agent_health]\nurl = \"http://{address}/worker\"\nsettle = \"1h\"\n")
}

#[test]
fn a_stop_after_the_last_run_ends_the_wait_for_the_agents_worker() {
    let dir = TestDir::new();
    let health = health_that_never_settles();
    dir.write(
        "profile.toml",
        &format!(
            "name = \"settling\"\nmode = \"chat\"\n[livekit]\nurl = \"sandbox\"\nagent = \"a\"\n\
             [[scenario]]\nid = 30\ncopies = 5\nlasts = \"200ms\"\n[[stage]]\nrate = \"20/s\"\n\
             [evaluator]\npoll_every = \"100ms\"\n[sandbox]\nconversation = {{ median = \"200ms\" }}\n{health}"
        ),
    );
    let running = dir.rushhour(&["run", "profile.toml"]).start();
    let folder = dir.wait_for_session();
    wait_for_events(&folder, "closed", 1);
    let session = dir.session_argument();
    dir.rushhour(&["mark", &session, "too late"])
        .run()
        .expect_exit(2)
        .expect_stderr("every run of the session in ");
    let stopped = dir.rushhour(&["stop", &session]).run().expect_exit(0);
    assert!(stopped.stdout.starts_with("Every run has ended."), "{}", stopped.stdout);
    running.finish().expect_stderr("rushhour stop: every run has ended");
    assert!(folder.join("report.html").exists());
}

#[test]
fn a_stop_between_two_levels_of_a_search_waits_for_the_next_one() {
    let dir = TestDir::new();
    let search = dir.path().join("search");
    fs::create_dir_all(search.join("levels/1")).expect("a folder");
    let log = File::create(search.join("search.jsonl")).expect("a file");
    log.lock().expect("nobody else has it");
    let stopping = dir.rushhour(&["stop", "search"]).start();
    stopping.wait_for_stderr("the search is between two levels");
    let next = search.join("levels/2");
    fs::create_dir(&next).expect("a folder");
    let listener = UnixListener::bind(next.join("control.sock")).expect("a socket");
    listener.set_nonblocking(true).expect("it is a socket");
    let mut accepted = None;
    wait_until("the next level is asked", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (mut stream, _) = accepted.expect("it was waited for");
    stream.set_nonblocking(false).expect("it is a socket");
    let mut asked = String::new();
    BufReader::new(&stream).read_line(&mut asked).expect("a line");
    assert_eq!(asked.trim(), "{\"stop\":{\"now\":false}}");
    stream.write_all(b"{\"done\":{\"at_us\":5}}\n").expect("it reads");
    stopping.finish().expect_exit(0);
    drop((log, listener));
    dir.rushhour(&["stop", "search"]).run().expect_exit(2).expect_stderr("no session runs in ");
}
