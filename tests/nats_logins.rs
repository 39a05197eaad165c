//! Every way to log in to a server of NATS, on a real one: a token, an nkey, a file of credentials, TLS with the server's
//! certificate and with one of our own. Users with passwords are in `nats`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::support::{Authority, NatsServer, Rushhour, ServerCertificate, TestDir};

/// Variables of the environment.
type Environment<'a> = &'a [(&'a str, &'a str)];

fn with(rushhour: Rushhour, environment: Environment<'_>) -> Rushhour {
    environment.iter().fold(rushhour, |command, (name, value)| command.env(name, value))
}

/// A worker and the list of workers are let in with this login.
#[track_caller]
fn let_in(dir: &TestDir, url: &str, login: Environment<'_>) {
    let (worker, printed) =
        with(dir.rushhour(&["worker", url, "--capacity", "7"]), login).start_until("Worker ");
    let id = printed.split_whitespace().nth(1).expect("it prints its id");
    let listed = with(dir.rushhour(&["workers", url]), login).run().expect_exit(0);
    assert!(listed.stdout.contains(id) && listed.stdout.contains("0 of 7"), "{}", listed.stdout);
    worker.signal("TERM");
    worker.finish().expect_exit(0);
}

/// Neither is with this one, and each says why.
#[track_caller]
fn kept_out(dir: &TestDir, url: &str, login: Environment<'_>, words: &[&str]) {
    for command in ["worker", "workers"] {
        let mut ran = with(dir.rushhour(&[command, url]), login).run().expect_exit(2);
        for text in words {
            ran = ran.expect_stderr(text);
        }
    }
}

const REFUSED: &[&str] = &["did not accept the login", "hint: check NATS_USER and NATS_PASSWORD"];

#[test]
fn a_token_lets_in_and_another_one_does_not() {
    const TOKEN: &str = "token-of-the-workers-4711";
    let dir = TestDir::new();
    let server =
        NatsServer::start_with(dir.path(), "authorization { token: $TOKEN }", &[("TOKEN", TOKEN)]);
    let_in(&dir, &server.url(), &[("NATS_TOKEN", TOKEN)]);
    kept_out(&dir, &server.url(), &[("NATS_TOKEN", "token-of-somebody-else")], REFUSED);
    kept_out(&dir, &server.url(), &[], REFUSED);
}

#[test]
fn the_seed_of_an_nkey_lets_in_and_another_one_does_not() {
    let dir = TestDir::new();
    let (user, other) = (KeyPair::new_user(), KeyPair::new_user());
    let config = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", user.public_key());
    let server = NatsServer::start_with(dir.path(), &config, &[]);
    let file = |name: &str, key: &KeyPair| {
        let seed = key.seed().expect("it was made from one");
        dir.write(name, &format!("{seed}\n")).display().to_string()
    };
    let_in(&dir, &server.url(), &[("NATS_NKEY", &file("user.nk", &user))]);
    kept_out(&dir, &server.url(), &[("NATS_NKEY", &file("other.nk", &other))], REFUSED);
}

/// A JWT of NATS, signed with an nkey.
fn signed(claims: &Value, signer: &KeyPair) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let text = format!("{}.{}", part(&header), part(claims));
    let signature = signer.sign(text.as_bytes()).expect("it has a seed");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// What every claim of NATS says: who signed it, of whom it is, and what it grants.
fn claims(name: &str, signer: &KeyPair, of: &KeyPair, nats: &Value) -> Value {
    json!({
        "jti": name, "iat": 1_700_000_000, "name": name,
        "iss": signer.public_key(), "sub": of.public_key(), "nats": nats,
    })
}

/// A file of credentials, as `nsc` writes them.
fn credentials(account: &KeyPair) -> String {
    let user = KeyPair::new_user();
    let rights = json!({
        "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2,
    });
    let jwt = signed(&claims("user", account, &user, &rights), account);
    let seed = user.seed().expect("it was made from one");
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

#[test]
fn a_file_of_credentials_lets_in_and_one_of_another_account_does_not() {
    let dir = TestDir::new();
    let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
    let operator_jwt = signed(
        &claims("operator", &operator, &operator, &json!({ "type": "operator", "version": 2 })),
        &operator,
    );
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1,
    });
    let grants = json!({
        "limits": limits, "default_permissions": { "pub": {}, "sub": {} },
        "type": "account", "version": 2,
    });
    let account_jwt = signed(&claims("account", &operator, &account, &grants), &operator);
    let config = format!(
        "operator: {operator_jwt}\nresolver: MEMORY\nresolver_preload: {{ {}: {account_jwt} }}\n",
        account.public_key()
    );
    let server = NatsServer::start_with(dir.path(), &config, &[]);
    let file = |name: &str, account: &KeyPair| {
        dir.write(name, &credentials(account)).display().to_string()
    };
    let_in(&dir, &server.url(), &[("NATS_CREDS", &file("user.creds", &account))]);
    let stranger = file("stranger.creds", &KeyPair::new_account());
    kept_out(&dir, &server.url(), &[("NATS_CREDS", &stranger)], REFUSED);
    let broken = dir.write("broken.creds", "-----BEGIN NATS USER JWT-----\n").display().to_string();
    kept_out(&dir, &server.url(), &[("NATS_CREDS", &broken)], &["not a file of credentials"]);
}

#[test]
fn a_server_over_tls_is_trusted_by_its_authority_and_asks_for_a_certificate_where_it_is_told_to() {
    let dir = TestDir::new();
    let (authority, other) = (Authority::new(), Authority::new());
    let file = |name: &str, text: &str| dir.write(name, text).display().to_string();
    let (ca, other_ca) = (file("ca.pem", &authority.pem()), file("other-ca.pem", &other.pem()));
    let pair = |name: &str, of: &Authority, host: &str| {
        let ServerCertificate { certificate, key } = of.certify(host);
        (file(&format!("{name}.pem"), &certificate), file(&format!("{name}.key"), &key))
    };
    let (certificate, key) = pair("server", &authority, "127.0.0.1");
    let tls = format!("cert_file: \"{certificate}\", key_file: \"{key}\"");
    let server = NatsServer::start_with(dir.path(), &format!("tls {{ {tls} }}"), &[]);
    let (plain, url) = (server.url(), server.url().replace("nats://", "tls://"));
    let_in(&dir, &url, &[("NATS_CA", &ca)]);
    // The server insists, so that `nats://` is encrypted too.
    let_in(&dir, &plain, &[("NATS_CA", &ca)]);
    let untrusted = ["no TLS with the NATS server", "hint: set NATS_CA"];
    kept_out(&dir, &url, &[("NATS_CA", &other_ca)], &untrusted);
    kept_out(&dir, &url, &[], &untrusted);
    kept_out(&dir, &url, &[("NATS_CA", &key)], &["NATS_CA"]);
    drop(server);

    let asking = format!("tls {{ {tls}, verify: true, ca_file: \"{ca}\" }}");
    let server = NatsServer::start_with(dir.path(), &asking, &[]);
    let url = server.url().replace("nats://", "tls://");
    let (own, own_key) = pair("worker", &authority, "worker.example");
    let (foreign, foreign_key) = pair("stranger", &other, "stranger.example");
    let_in(&dir, &url, &[("NATS_CA", &ca), ("NATS_CERT", &own), ("NATS_KEY", &own_key)]);
    kept_out(&dir, &url, &[("NATS_CA", &ca)], &untrusted);
    let stranger = [("NATS_CA", &*ca), ("NATS_CERT", &foreign), ("NATS_KEY", &foreign_key)];
    kept_out(&dir, &url, &stranger, &untrusted);
    drop(server);

    // A server without TLS, and an address that insists on it.
    let server = NatsServer::start(dir.path());
    let url = server.url().replace("nats://", "tls://");
    kept_out(&dir, &url, &[("NATS_CA", &ca)], &["NATS server"]);
}
