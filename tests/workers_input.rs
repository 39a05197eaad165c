//! What workers and coordinators are told that does not fit: by others on the same server of NATS, and by users. Each is
//! said in words before money is spent, and costs no run.

use std::sync::mpsc::channel;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::native_callers::{profile, start_agent, test_dir};
use crate::support::{LiveKitServer, NatsServer, TestDir, wait_until};

/// Answers each roll call as a worker of another version does, until the server is gone.
fn answer_as_another_version(nats: &NatsServer) {
    let (mut listener, mut speaker) = (nats.client(None), nats.client(None));
    listener.subscribe("rh.rushhour.all.roll").expect("it is allowed");
    thread::spawn(move || {
        // Once for each command that asks.
        for _ in 0..2 {
            let Some(inbox) = listener.next().reply else { continue };
            let answer = r#"{"rushhour":9,"version":"7.0","body":{"worker":"0a1b2c3d"}}"#;
            speaker.publish(&inbox, None, answer).expect("it is allowed");
            // A message of somebody else's on the same subject.
            speaker.publish(&inbox, None, "hello").expect("it is allowed");
        }
    });
}

#[test]
fn a_worker_of_another_version_is_told_as_such() {
    let dir = test_dir();
    let nats = NatsServer::start(dir.path());
    answer_as_another_version(&nats);
    let url = nats.url();
    let words = "it is of Rushhour 7.0, protocol 9";
    dir.rushhour(&["workers", &url])
        .run()
        .expect_exit(2)
        .expect_stderr(words)
        .expect_stderr("this is not a message of Rushhour")
        .expect_stderr("no worker answers");
    let server = LiveKitServer::start(dir.path());
    dir.write("profile.toml", &profile(&server, "voice", 2, "1/s"));
    let run = dir.rushhour(&["run", "profile.toml", "--yes", "--workers", &url]);
    let run = server.with_keys(run);
    run.run()
        .expect_exit(2)
        .expect_stderr("no worker answers on nats://")
        .expect_stderr(words)
        .expect_stderr("the same version");
    assert_eq!(dir.sessions(), [] as [std::path::PathBuf; 0], "no session was begun");
}

/// A profile of callers on workers whose LiveKit server does not exist: nothing may be asked of it.
fn unreachable_profile(nats: &str) -> String {
    format!(
        "name = \"nobody\"\nmode = \"voice\"\n[livekit]\nurl = \"ws://127.0.0.1:1\"\nagent = \"echo\"\n\
         [evaluator]\nkind = \"native\"\n[workers]\nnats = \"{nats}\"\n\
         [[scenario]]\nid = 1\ncopies = 2\nscript = \"script.toml\"\nlasts = \"5s\"\n[[stage]]\nrate = \"1/s\"\n"
    )
}

#[test]
fn a_clip_that_is_missing_or_broken_is_told_before_any_worker_is_asked() {
    let dir = TestDir::new();
    // Nobody listens there: whoever asked for workers would say so.
    dir.write("profile.toml", &unreachable_profile("nats://127.0.0.1:1"));
    let expect = |words: &[&str]| {
        let run = dir.rushhour(&["run", "profile.toml", "--yes"]);
        let run = run
            .env("LIVEKIT_API_KEY", "key")
            .env("LIVEKIT_API_SECRET", "a-secret-of-nobody-that-is-long-enough");
        let mut ran = run.run().expect_exit(2);
        for text in words {
            ran = ran.expect_stderr(text);
        }
        assert!(!ran.stderr.contains("NATS"), "{}", ran.stderr);
    };
    dir.write("script.toml", "[[turn]]\nsay = \"Hello.\"\nplay = \"nowhere.opus\"\n");
    expect(&["nowhere.opus"]);
    dir.write("broken.opus", "this is no audio");
    dir.write("script.toml", "[[turn]]\nsay = \"Hello.\"\nplay = \"broken.opus\"\n");
    expect(&["broken.opus cannot be played as a clip"]);
}

/// The room of a conversation that a worker is asked to have, and what the token for it allows.
fn grants(command: &str) -> Option<(String, Value)> {
    let command: Value = serde_json::from_str(command).ok()?;
    let submit = &command["body"]["submit"];
    let (room, token) = (submit["room"].as_str()?, submit["token"].as_str()?);
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    Some((room.to_owned(), serde_json::from_slice(&claims).ok()?))
}

/// Somebody on the server repeats every message of the workers and of the coordinator, whole and cut, and says nonsense
/// on every subject.
#[test]
fn what_others_say_on_the_server_costs_no_run_and_doubles_nothing() {
    let dir = test_dir();
    let server = LiveKitServer::start(dir.path());
    let nats = NatsServer::start(dir.path());
    let agent = start_agent(&dir, &server, &["--turn-delay", "300ms"]);
    let url = nats.url();
    let (worker, _) = dir.rushhour(&["worker", &url, "--capacity", "50"]).start_until("Worker ");
    let (mut listener, mut speaker) = (nats.client(None), nats.client(None));
    // Beats last: they come while others are subscribed.
    for subject in ["rh.rushhour.up.*.updates", "rh.rushhour.w.*.command", "rh.rushhour.up.beat.*"]
    {
        listener.subscribe(subject).expect("it is allowed");
    }
    let (repeated, told) = channel();
    let secret = server.secret();
    thread::spawn(move || {
        let mut own: Vec<(String, String)> = Vec::new();
        let mut tokens = Vec::new();
        let mut counts = [0_u32; 3];
        while counts.iter().any(|count| *count < 2) {
            let message = listener.next();
            // What was repeated comes to this listener too, among others' messages.
            let is_own = |(subject, words): &(String, String)| {
                *subject == message.subject && *words == message.payload
            };
            if let Some(index) = own.iter().position(is_own) {
                own.swap_remove(index);
                continue;
            }
            let kind = ["updates", "beat", "command"]
                .iter()
                .position(|kind| message.subject.contains(*kind))
                .expect("nothing else was subscribed");
            counts[kind] += 1;
            assert!(!message.payload.contains(secret.expose()), "{}", message.subject);
            tokens.extend(grants(&message.payload));
            let half = &message.payload[..message.payload.len() / 2];
            let foreign = message.payload.replacen("\"rushhour\":1", "\"rushhour\":9", 1);
            for words in [&*message.payload, half, &foreign, "nonsense", "{}", ""] {
                speaker.publish(&message.subject, None, words).expect("it is allowed");
                own.push((message.subject.clone(), words.to_owned()));
            }
        }
        let _ = repeated.send(tokens);
    });
    dir.write("profile.toml", &profile(&server, "chat", 6, "3/s"));
    let run = dir.rushhour(&["run", "profile.toml", "--quiet", "--workers", &url]);
    server.with_keys(run).run().expect_exit_unless_busy(0);
    let mut tokens = Vec::new();
    wait_until("messages of each kind were repeated", || {
        tokens.extend(told.try_iter().flatten());
        !tokens.is_empty()
    });
    for (room, claims) in tokens {
        let video = &claims["video"];
        assert_eq!(video["room"], room, "a worker gets a token for one room");
        for right in ["roomCreate", "roomList", "roomAdmin", "roomRecord"] {
            assert!(video[right].is_null() || video[right] == false, "{right}: {claims}");
        }
    }
    worker.signal("TERM");
    worker.finish().expect_exit(0);
    agent.signal("INT");
    agent.finish().expect_exit(0);
    let session = dir.session();
    assert_eq!(session.tally("outcome")["completed"], 6, "{:?}", session.runs);
    let turns = crate::native_callers::journal_values(&session, "turn");
    let turns = turns.iter().filter(|one| one["turn"].is_object()).count();
    assert_eq!(turns, 12, "each turn is in the journal once");
    assert_eq!(server.rooms(), [] as [String; 0]);
}
