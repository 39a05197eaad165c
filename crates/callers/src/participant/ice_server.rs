//! TURN servers as LiveKit names them: URLs (RFC 7065) with a user name and a password.

use livekit_protocol as proto;

use rushhour_core::event::MediaPath;
use rushhour_core::units::Secret;

/// TURN servers that are kept, at most.
const MAX_SERVERS: usize = 8;
/// The longest host name (RFC 1035), user name and password (RFC 8489).
const MAX_TEXT: usize = 512;

/// A TURN server.
#[derive(Debug, Clone)]
pub struct IceServer {
    /// The way that leads over it.
    pub path: MediaPath,
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user name.
    pub username: String,
    /// The password.
    pub credential: Secret,
}

impl IceServer {
    /// Its address, as messages show it.
    pub fn shown(&self) -> String {
        let Self { path, host, port, .. } = self;
        if host.contains(':') {
            format!("{path} at [{host}]:{port}")
        } else {
            format!("{path} at {host}:{port}")
        }
    }
}

/// The TURN servers among those that a server names; the rest, STUN servers, are of no use: the server sees the address
/// that packets come from.
pub(super) fn turn_servers(servers: Vec<proto::IceServer>) -> Vec<IceServer> {
    let mut found = Vec::new();
    for server in servers {
        if server.username.len() > MAX_TEXT || server.credential.len() > MAX_TEXT {
            continue;
        }
        for url in server.urls {
            let Some((path, host, port)) = parse_url(&url) else { continue };
            if found.len() < MAX_SERVERS {
                let credential = Secret::new(server.credential.clone());
                found.push(IceServer {
                    path,
                    host,
                    port,
                    username: server.username.clone(),
                    credential,
                });
            }
        }
    }
    found
}

/// Reads `turn:host[:port][?transport=udp|tcp]` or `turns:...`.
fn parse_url(url: &str) -> Option<(MediaPath, String, u16)> {
    let (scheme, rest) = url.split_once(':')?;
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let transport = query.split('&').find_map(|part| part.strip_prefix("transport="));
    let (path, default_port) = match (scheme, transport) {
        ("turn", None | Some("udp")) => (MediaPath::TurnUdp, 3478),
        ("turn", Some("tcp")) => (MediaPath::TurnTcp, 3478),
        ("turns", None | Some("tcp")) => (MediaPath::TurnTls, 5349),
        _ => return None,
    };
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
    (!host.is_empty() && host.len() <= MAX_TEXT).then(|| (path, host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_turn_servers_are_read_and_those_of_stun_servers_left_out() {
        let server = |urls: &[&str]| proto::IceServer {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            username: "user".to_owned(),
            credential: "password".to_owned(),
        };
        let servers = turn_servers(vec![
            server(&["stun:stun.example:19302"]),
            server(&[
                "turn:127.0.0.1:3478?transport=udp",
                "turns:turn.example:443?transport=tcp",
                "turn:turn.example?transport=tcp",
                "turn:[::1]:3479",
                "turns:turn.example",
                "turns:turn.example?transport=udp",
                "turn::1",
                "turn:a.example:99999",
            ]),
        ]);
        let shown: Vec<String> = servers.iter().map(IceServer::shown).collect();
        assert_eq!(
            shown,
            [
                "TURN over UDP at 127.0.0.1:3478",
                "TURN over TLS at turn.example:443",
                "TURN over TCP at turn.example:3478",
                "TURN over UDP at [::1]:3479",
                "TURN over TLS at turn.example:5349",
            ]
        );
        assert!(!format!("{servers:?}").contains("password"));
        assert_eq!(turn_servers(vec![server(&["turn:a.example"; 50])]).len(), MAX_SERVERS);
    }
}
