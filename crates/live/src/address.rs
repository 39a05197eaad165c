//! Where to listen, as a user writes it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// The port unless another is given; k6's page has it too.
const PORT: u16 = 5665;

/// An address to listen on: `127.0.0.1:5665`, `localhost:0`, `[::1]:5665`, or a port alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A text is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write an address with a port, such as 127.0.0.1:5665")]
pub struct InvalidAddress;

impl Default for ListenAddress {
    fn default() -> Self {
        Self { host: Ipv4Addr::LOCALHOST.to_string(), port: PORT }
    }
}

impl FromStr for ListenAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port),
            None => ("127.0.0.1", text),
        };
        let port = port.parse().map_err(|_| InvalidAddress)?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(Some(address)) => {
                let address: IpAddr = address.parse().map_err(|_| InvalidAddress)?;
                address.to_string()
            }
            Some(None) => return Err(InvalidAddress),
            None => host.to_owned(),
        };
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        let is_host =
            host.parse::<IpAddr>().is_ok() || (!host.is_empty() && host.chars().all(is_name));
        if is_host { Ok(Self { host, port }) } else { Err(InvalidAddress) }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse() {
            Ok(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_or_a_port_alone() {
        for (text, shown) in [
            ("127.0.0.1:5665", "127.0.0.1:5665"),
            ("9464", "127.0.0.1:9464"),
            ("localhost:0", "localhost:0"),
            ("[::1]:80", "[::1]:80"),
            ("0.0.0.0:5665", "0.0.0.0:5665"),
            ("load-gen.example:5665", "load-gen.example:5665"),
        ] {
            let address: ListenAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), shown);
        }
        for text in
            ["", ":", ":80", "my-agent.toml", "127.0.0.1", "a b:80", "[::1:80", "host:99999"]
        {
            assert_eq!(text.parse::<ListenAddress>(), Err(InvalidAddress), "{text}");
        }
        assert_eq!(ListenAddress::default().to_string(), "127.0.0.1:5665");
    }
}
