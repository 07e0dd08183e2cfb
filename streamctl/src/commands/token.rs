//! `streamctl token`: who may watch.

use std::time::{Duration, SystemTime};

use clap::Subcommand;
use streamd_protocol::control::{
    AddToken, ListTokens, RevokeToken, RotateToken, TokenInfo, TokenReply,
};

use crate::{
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
};

/// Make, list and take away the tokens by which people may watch
///
/// For root and the daemon's own user. With --json: what the daemon says.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token and show it, once; from the first one on, nobody watches without one, unless
    /// the configuration says so
    Add {
        /// Its name: letters, digits, `-`, `_`, `.` or `@`
        name: String,
        /// What it is for
        #[arg(long, default_value = "viewer", value_parser = ["viewer", "operator", "metrics"])]
        role: String,
        /// The one camera that it is for
        #[arg(long, value_name = "NAME")]
        camera: Option<String>,
        /// It is good for so long: 30d, 12h, 90min or 60s
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        expires: Option<i64>,
    },
    /// List the tokens
    List,
    /// Take a token away, and disconnect who came with it
    Revoke {
        /// Its name
        name: String,
    },
    /// Make a new secret for a token and show it, once; the old one is good for another hour
    Rotate {
        /// Its name
        name: String,
    },
}

/// Does it.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    match args.verb {
        Verb::Add {
            name,
            role,
            camera,
            expires,
        } => show(
            &session.call(&AddToken {
                name,
                role: Some(role),
                camera,
                expires_seconds: expires,
            })?,
            session,
        ),
        Verb::Rotate { name } => show(&session.call(&RotateToken { name })?, session),
        Verb::Revoke { name } => {
            let reply = session.call(&RevokeToken { name })?;
            session.print(&reply, |_| {
                let clients = units::count(reply.disconnected, "client");
                format!("revoked; {clients} disconnected")
            })
        }
        Verb::List => {
            let reply = session.call(&ListTokens {})?;
            session.print(&reply.tokens, |screen| render(&reply.tokens, screen))
        }
    }
}

/// The token alone on standard output, for scripts; what it means beside it.
fn show(reply: &TokenReply, session: &Session) -> Result<(), Failure> {
    session.print(reply, |_| table::line(&reply.token))?;
    if !session.json {
        eprintln!(
            "It is not shown again. Show it as a bearer, as the password of any user, or at /login."
        );
    }
    Ok(())
}

fn render(tokens: &[TokenInfo], screen: Screen) -> String {
    const COLUMNS: &[Column<TokenInfo>] = &[
        Column::text("NAME", 0, |t| (table::clean(&t.name), Tone::Plain)),
        Column::text("ROLE", 1, |t| (table::clean(&t.role), Tone::Plain)),
        Column::text("CAMERA", 2, |t| {
            (units::text(&table::clean(&t.camera)), Tone::Plain)
        }),
        Column::text("EXPIRES", 3, |t| (expiry(t.expires), Tone::Plain)),
    ];
    match tokens {
        [] => "no tokens".into(),
        tokens => table::render(COLUMNS, tokens, screen),
    }
}

/// When a token ends, from now on.
fn expiry(at: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let left = at - now.unwrap_or(Duration::ZERO).as_secs() as i64;
    match at {
        0 => "never".into(),
        _ if left <= 0 => "over".into(),
        _ if left >= 2 * 86_400 => format!("in {} d", left / 86_400),
        _ => format!("in {} min", left / 60),
    }
}

/// A time with its unit, in seconds.
fn seconds(text: &str) -> Result<i64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let each = match unit {
        "s" => Some(1),
        "min" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    };
    let number = number.parse::<i64>().ok().filter(|n| *n > 0);
    each.zip(number)
        .and_then(|(each, number)| number.checked_mul(each))
        .ok_or_else(|| "a whole number with d, h, min or s is allowed, as in 30d".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, value) in [
            ("30d", 2_592_000),
            ("12h", 43_200),
            ("90min", 5_400),
            ("1s", 1),
        ] {
            assert_eq!(seconds(text), Ok(value));
        }
        for bad in [
            "",
            "30",
            "d",
            "0d",
            "-1d",
            "30 d",
            "1w",
            "99999999999999999d",
        ] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
