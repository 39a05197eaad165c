//! How to log in to NATS: the variables of its own command line, so that whoever uses that has them set.

use std::path::PathBuf;

use crate::bounded_file::{MAX_KEY, read_bounded};
use crate::error::CliError;
use crate::known_secrets;
use rushhour_core::units::Secret;
use rushhour_fleet::{NatsConfig, NatsLogin};

/// The server and the namespace with what the environment says of the login.
pub(crate) fn nats_config(url: &str, namespace: &str) -> Result<NatsConfig, CliError> {
    let login = login(&|variable| std::env::var(variable).ok())?;
    Ok(NatsConfig { url: url.to_owned(), namespace: namespace.to_owned(), login })
}

fn login(environment: &dyn Fn(&str) -> Option<String>) -> Result<NatsLogin, CliError> {
    let value = |variable: &str| {
        let text = environment(variable)?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let secret = |variable: &str| value(variable).map(Secret::new);
    let file =
        |variable: &str| value(variable).map(|path| secret_file(variable, &path)).transpose();
    let user = match (value("NATS_USER"), secret("NATS_PASSWORD")) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (Some(_), None) => return Err(alone("NATS_USER", "NATS_PASSWORD")),
        (None, Some(_)) => return Err(alone("NATS_PASSWORD", "NATS_USER")),
    };
    let path = |variable: &str| value(variable).map(PathBuf::from);
    let certificate = match (path("NATS_CERT"), path("NATS_KEY")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return Err(alone("NATS_CERT", "NATS_KEY")),
        (None, Some(_)) => return Err(alone("NATS_KEY", "NATS_CERT")),
    };
    let login = NatsLogin {
        user,
        token: secret("NATS_TOKEN"),
        nkey: file("NATS_NKEY")?,
        credentials: file("NATS_CREDS")?,
        authorities: path("NATS_CA"),
        certificate,
    };
    let password = login.user.as_ref().map(|(_, password)| password);
    let secrets = [password, login.token.as_ref(), login.nkey.as_ref(), login.credentials.as_ref()];
    secrets.into_iter().flatten().for_each(known_secrets::remember);
    Ok(login)
}

fn alone(given: &str, missing: &str) -> CliError {
    CliError::usage(format!("{given} is set and {missing} is not"))
        .with_hint("set both, or neither")
}

fn secret_file(variable: &str, path: &str) -> Result<Secret, CliError> {
    let bytes = read_bounded(path.as_ref(), MAX_KEY).map_err(|error| {
        CliError::usage(format!("cannot read {path}, which {variable} names")).caused_by(error)
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::usage(format!("{path}, which {variable} names, is not a text")))?;
    Ok(Secret::new(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_is_set_together() {
        let found = |set: &[(&str, &str)]| {
            login(&|variable| {
                let one = set.iter().find(|(name, _)| *name == variable)?;
                Some(one.1.to_owned())
            })
        };
        assert!(found(&[]).unwrap().user.is_none());
        let login = found(&[("NATS_USER", "me"), ("NATS_PASSWORD", "fleet-pass-123")]).unwrap();
        assert_eq!(login.user.unwrap().0, "me");
        for half in ["NATS_USER", "NATS_PASSWORD", "NATS_CERT", "NATS_KEY"] {
            let error = found(&[(half, "x")]).unwrap_err();
            assert!(error.to_string().contains(half), "{error}");
        }
        assert!(found(&[("NATS_CREDS", "/nowhere/at-all")]).is_err());
        assert!(found(&[("NATS_TOKEN", " ")]).unwrap().token.is_none());
    }
}
