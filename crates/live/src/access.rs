//! Who may ask: the Host header, and a token beyond loopback.

use std::net::{IpAddr, SocketAddr};

use super::address::ListenAddress;
use rushhour_core::units::Secret;

/// The fewest characters of a token that a user chose.
const SHORTEST_TOKEN: usize = 16;
/// The bytes of a token that we make.
const TOKEN_BYTES: usize = 16;

/// What a page that others can reach asks for.
#[derive(Debug, Clone)]
pub struct PageToken(Secret);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum PageTokenError {
    /// The system gives no random bytes.
    #[error("the system gives no random bytes for a token")]
    Random,
    /// It could be guessed, or would not fit into an address.
    #[error("a token has at least {SHORTEST_TOKEN} letters and digits")]
    Weak,
}

impl PageToken {
    /// A token that nobody can guess.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub fn random() -> Result<Self, PageTokenError> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| PageTokenError::Random)?;
        Ok(Self(Secret::new(bytes.map(|byte| format!("{byte:02x}")).concat())))
    }

    /// A token that a user chose.
    ///
    /// # Errors
    /// Where it is short, or holds more than letters, digits, `-` and `_`.
    pub fn chosen(text: &str) -> Result<Self, PageTokenError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if text.len() < SHORTEST_TOKEN || !text.bytes().all(is_plain) {
            return Err(PageTokenError::Weak);
        }
        Ok(Self(Secret::new(text)))
    }

    /// The token, for the one line that tells the user.
    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// Compares every byte, so that the time taken says nothing of how many are right.
    fn is(&self, text: &str) -> bool {
        let own = self.0.expose().as_bytes();
        let differences = own.iter().zip(text.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        differences == 0 && own.len() == text.len()
    }
}

/// What a request shows of who asks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Credentials<'a> {
    /// The Host header.
    pub(crate) host: Option<&'a str>,
    /// The host of a target that is a whole address, as proxies send it.
    pub(crate) target_host: Option<&'a str>,
    /// The Authorization header.
    pub(crate) authorization: Option<&'a str>,
    /// The Cookie header.
    pub(crate) cookies: Option<&'a str>,
    /// The parameter `t` of the address.
    pub(crate) parameter: Option<&'a str>,
}

/// Whether a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is.
    Granted,
    /// It has the token in its address, which becomes a cookie.
    SetCookie,
    /// It is for another host.
    WrongHost,
    /// It has no token, or a wrong one.
    NoToken,
}

/// Who may ask a listener.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    host: String,
    bound: SocketAddr,
    token: Option<PageToken>,
}

impl Access {
    pub(crate) fn new(asked: &ListenAddress, bound: SocketAddr, token: Option<PageToken>) -> Self {
        Self { host: asked.host.clone(), bound, token }
    }

    /// The address to open in a browser, with the token.
    pub(crate) fn url(&self) -> String {
        let host = match self.bound.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            IpAddr::V6(ip) => format!("[{ip}]"),
            IpAddr::V4(ip) => ip.to_string(),
        };
        let token = self.token.as_ref();
        let token = token.map_or(String::new(), |token| format!("?t={}", token.0.expose()));
        format!("http://{host}:{}/{token}", self.bound.port())
    }

    /// What to do for whoever asked for another host; without the token.
    pub(crate) fn where_to_open(&self) -> String {
        let (host, bound, port) = (&self.host, self.bound, self.bound.port());
        let is_named = host.parse::<IpAddr>().is_err();
        match bound.ip() {
            ip if ip.is_unspecified() => format!(
                "Open http://ADDRESS:{port}/ with an IP address of the machine: names other than localhost are not answered. For a name, listen on it: --live NAME:{port}.\n"
            ),
            ip if ip.is_loopback() => format!(
                "Open http://{bound}/: other hosts and ports are not answered. A tunnel needs the same port on both sides: ssh -L {port}:{bound} MACHINE.\n"
            ),
            _ if is_named => format!(
                "Open http://{host}:{port}/ or http://{bound}/: other hosts and ports are not answered.\n"
            ),
            _ => format!("Open http://{bound}/: other hosts and ports are not answered.\n"),
        }
    }

    /// The cookie's name: cookies are shared by all ports of a host.
    pub(crate) fn cookie(&self) -> String {
        format!("rushhour_live_{}", self.bound.port())
    }

    /// The cookie that holds the token.
    pub(crate) fn set_cookie(&self) -> Option<String> {
        let token = self.token.as_ref()?.0.expose();
        Some(format!("{}={token}; HttpOnly; SameSite=Strict; Path=/", self.cookie()))
    }

    pub(crate) fn admit(&self, shown: &Credentials<'_>) -> Admission {
        let is_ours = shown.host.is_some_and(|host| self.is_our_host(host))
            && shown.target_host.is_none_or(|host| self.is_our_host(host));
        if !is_ours {
            return Admission::WrongHost;
        }
        let Some(token) = &self.token else { return Admission::Granted };
        let bearer = shown.authorization.and_then(|text| text.strip_prefix("Bearer "));
        let name = self.cookie();
        let mut cookies = shown.cookies.into_iter().flat_map(|all| all.split(';'));
        let cookie = cookies.find_map(|one| one.trim().strip_prefix(&name)?.strip_prefix('='));
        if [bearer, cookie].into_iter().flatten().any(|text| token.is(text)) {
            Admission::Granted
        } else if shown.parameter.is_some_and(|text| token.is(text)) {
            Admission::SetCookie
        } else {
            Admission::NoToken
        }
    }

    /// Whether a Host header names this listener. A page of another site that has its own name resolve to this machine
    /// (DNS rebinding) sends that name.
    fn is_our_host(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
                (name, port.parse().ok())
            }
            _ => (host, Some(80)),
        };
        let address =
            name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        let is_localhost = name.eq_ignore_ascii_case("localhost");
        let ip: Option<IpAddr> = address.parse().ok();
        let bound = self.bound.ip();
        if bound.is_unspecified() {
            // Ports of containers are mapped, so theirs may be another; and there is a token.
            return is_localhost || ip.is_some() || name.eq_ignore_ascii_case(&self.host);
        }
        let is_named = name.eq_ignore_ascii_case(&self.host)
            || ip == Some(bound)
            || (bound.is_loopback() && (is_localhost || ip.is_some_and(|ip| ip.is_loopback())));
        is_named && port == Some(self.bound.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(asked: &str, bound: &str, token: Option<&str>) -> Access {
        let token = token.map(|text| PageToken::chosen(text).expect("it is long enough"));
        Access::new(&asked.parse().expect("an address"), bound.parse().expect("it is bound"), token)
    }

    #[test]
    fn only_our_own_host_and_port_are_answered() {
        let local = access("127.0.0.1:0", "127.0.0.1:5665", None);
        let admit = |host| local.admit(&Credentials { host, ..Credentials::default() });
        for host in ["127.0.0.1:5665", "localhost:5665", "LOCALHOST:5665", "[::1]:5665"] {
            assert_eq!(admit(Some(host)), Admission::Granted, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:5665",
            "127.0.0.1:80",
            "127.0.0.1",
            "127.0.0.1.evil.example:5665",
            "10.0.0.1:5665",
            "localhost:5665.evil.example",
            "",
        ] {
            assert_eq!(admit(Some(host)), Admission::WrongHost, "{host}");
        }
        assert_eq!(admit(None), Admission::WrongHost);
        let target = Credentials {
            host: Some("127.0.0.1:5665"),
            target_host: Some("evil.example"),
            ..Credentials::default()
        };
        assert_eq!(local.admit(&target), Admission::WrongHost);
    }

    #[test]
    fn a_name_is_answered_where_it_was_given() {
        let named = access("load.example:5665", "10.0.0.7:5665", Some("0123456789abcdef"));
        let host = |host| Credentials { host: Some(host), ..Credentials::default() };
        for ours in ["load.example:5665", "10.0.0.7:5665"] {
            assert_eq!(named.admit(&host(ours)), Admission::NoToken, "{ours}");
        }
        assert_eq!(named.admit(&host("localhost:5665")), Admission::WrongHost);
        let everywhere = access("0.0.0.0:5665", "0.0.0.0:5665", Some("0123456789abcdef"));
        assert_eq!(everywhere.admit(&host("10.0.0.7:8080")), Admission::NoToken);
        assert_eq!(everywhere.admit(&host("evil.example:5665")), Admission::WrongHost);
    }

    #[test]
    fn who_asked_for_another_host_is_told_what_to_open() {
        let token = Some("0123456789abcdef");
        for (asked, bound, told) in [
            ("127.0.0.1:0", "127.0.0.1:5665", "ssh -L 5665:127.0.0.1:5665 "),
            ("[::1]:0", "[::1]:5665", "Open http://[::1]:5665/: "),
            ("0.0.0.0:0", "0.0.0.0:5665", "Open http://ADDRESS:5665/ with an IP address"),
            (
                "load.example:0",
                "10.0.0.7:5665",
                "http://load.example:5665/ or http://10.0.0.7:5665/",
            ),
            ("10.0.0.7:0", "10.0.0.7:5665", "Open http://10.0.0.7:5665/: "),
        ] {
            let text = access(asked, bound, token).where_to_open();
            assert!(text.contains(told) && !text.contains("0123456789abcdef"), "{text}");
        }
    }

    #[test]
    fn a_token_comes_in_a_header_a_cookie_or_once_in_the_address() {
        let guarded = access("127.0.0.1:0", "127.0.0.1:7000", Some("0123456789abcdef"));
        let own = Credentials { host: Some("127.0.0.1:7000"), ..Credentials::default() };
        let bearer = |text| Credentials { authorization: Some(text), ..own };
        let cookies = |text| Credentials { cookies: Some(text), ..own };
        let parameter = |text| Credentials { parameter: Some(text), ..own };
        for (shown, admission) in [
            (bearer("Bearer 0123456789abcdef"), Admission::Granted),
            (cookies("a=b; rushhour_live_7000=0123456789abcdef"), Admission::Granted),
            (parameter("0123456789abcdef"), Admission::SetCookie),
            (own, Admission::NoToken),
            (bearer("0123456789abcdef"), Admission::NoToken),
            (bearer("Bearer 0123456789abcdeg"), Admission::NoToken),
            (bearer("Bearer 0123456789abcdef0"), Admission::NoToken),
            (bearer("Bearer "), Admission::NoToken),
            (cookies("rushhour_live_7001=0123456789abcdef"), Admission::NoToken),
            (parameter("0123456789abcde"), Admission::NoToken),
        ] {
            assert_eq!(guarded.admit(&shown), admission, "{shown:?}");
        }
        assert_eq!(guarded.url(), "http://127.0.0.1:7000/?t=0123456789abcdef");
        let cookie = "rushhour_live_7000=0123456789abcdef; HttpOnly; SameSite=Strict; Path=/";
        assert_eq!(guarded.set_cookie().as_deref(), Some(cookie));
    }

    #[test]
    fn tokens_are_long_and_different() {
        let (one, other) =
            (PageToken::random().expect("random"), PageToken::random().expect("random"));
        assert_eq!(one.secret().expose().len(), 32);
        assert_ne!(one.secret().expose(), other.secret().expose());
        for weak in ["", "short", "0123456789abcde", "0123456789abcdef;", "0123456789 abcdef"] {
            assert!(PageToken::chosen(weak).is_err(), "{weak}");
        }
    }
}
