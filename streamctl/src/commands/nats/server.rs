//! The configuration of a server of NATS for a fleet: who may what there.

use std::{fmt::Write as _, path::Path};

use streamd_protocol::fleet::{INBOX, STREAM, SUBJECTS};

/// Users are written above this line.
const USERS_END: &str = "    # `streamctl nats add` writes above this line.\n";

/// Begins the line that says where machines find the server.
const SERVERS: &str = "# servers = ";

/// A machine, as the server knows it.
#[derive(Debug, Clone)]
pub struct User {
    /// Its name.
    pub name: String,
    /// It takes the cameras of others.
    pub relay: bool,
    /// The public key.
    pub key: String,
}

/// How the server is set up.
#[derive(Debug, Clone)]
pub struct Server<'s> {
    /// Where machines find it, as `streamd.toml` has it.
    pub url: &'s str,
    /// Where it listens.
    pub listen: &'s str,
    /// The folder of JetStream.
    pub store: &'s Path,
    /// Certificate and key.
    pub tls: Option<(&'s Path, &'s Path)>,
}

/// The whole file.
pub fn file(server: &Server<'_>, users: &[User]) -> String {
    let tls = server.tls.map_or(String::new(), |(certificate, key)| {
        let (certificate, key) = (quoted_path(certificate), quoted_path(key));
        format!("tls {{ cert_file: {certificate}, key_file: {key} }}\n")
    });
    format!(
        "# A server of NATS for cameras of streamd, by `streamctl nats init`. Machines find it at:\n\
         {SERVERS}[{url}]\n\
         listen: {listen}\n\
         {tls}\
         # The largest picture.\n\
         max_payload: 4MB\n\
         # A relay that is slow must not hold a host up. Servers before 2.10.26 refuse this line.\n\
         #no_fast_producer_stall: true\n\
         # Pictures are in memory: the newest of each camera.\n\
         jetstream {{ store_dir: {store}, max_mem: 256M }}\n\
         authorization {{\n  users: [\n{users}{USERS_END}  ]\n}}\n",
        url = quoted(server.url),
        listen = quoted(server.listen),
        store = quoted_path(server.store),
        users = users.iter().map(user).collect::<String>(),
    )
}

/// The file with one more user; `None` where the file is another one.
pub fn add(file: &str, one: &User) -> Option<String> {
    let (before, after) = file.split_once(USERS_END)?;
    Some(format!("{before}{}{USERS_END}{after}", user(one)))
}

/// Where machines find the server, by its file.
pub fn url(file: &str) -> Option<&str> {
    let line = file.lines().find_map(|line| line.strip_prefix(SERVERS))?;
    line.strip_prefix("[\"")?.strip_suffix("\"]")
}

/// What a machine may do.
fn user(user: &User) -> String {
    let User { name, relay, key } = user;
    let own = format!("{SUBJECTS}.{name}.>");
    // Whoever looks for services finds it.
    let asked = ["$SRV.*", "$SRV.*.streamd", "$SRV.*.streamd.*"].map(str::to_owned);
    let mut publish = vec![own.clone()];
    let mut subscribe = vec![own, format!("{INBOX}.{name}.>")];
    subscribe.extend(asked);
    if *relay {
        publish.push(format!("{SUBJECTS}.*.*.want"));
        publish.extend(["CREATE", "INFO"].map(|verb| format!("$JS.API.STREAM.{verb}.{STREAM}")));
        publish.push(format!("$JS.API.CONSUMER.CREATE.{STREAM}.>"));
        let verbs = ["INFO", "DELETE", "MSG.NEXT"];
        publish.extend(verbs.map(|verb| format!("$JS.API.CONSUMER.{verb}.{STREAM}.*")));
        publish.push("$SRV.>".into());
        subscribe.push(format!("{SUBJECTS}.*.presence"));
    }
    let what = if *relay { "relay" } else { "host" };
    let mut text = format!("    # {what} {name}\n    {{ nkey: {key}, permissions: {{\n");
    for (verb, subjects) in [("publish", publish), ("subscribe", subscribe)] {
        let subjects: Vec<_> = subjects.iter().map(|subject| quoted(subject)).collect();
        let subjects = subjects.join(",\n        ");
        writeln!(text, "      {verb}: {{ allow: [\n        {subjects} ] }},")
            .expect("a string takes text");
    }
    text + "      allow_responses: true } }\n"
}

/// A string of the server's language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, relay: bool) -> User {
        User {
            name: name.into(),
            relay,
            key: format!("U{name}"),
        }
    }

    #[test]
    fn a_user_more_stands_behind_the_others_and_the_server_is_found_again() {
        let server = Server {
            url: "tls://nats.example:4222",
            listen: "0.0.0.0:4222",
            store: Path::new("/var/lib/nats"),
            tls: Some((Path::new("/c.pem"), Path::new("/k.pem"))),
        };
        let (robot, wall) = (named("robot7", false), named("wall", true));
        let made = file(&server, std::slice::from_ref(&robot));
        assert_eq!(url(&made), Some(server.url));
        assert!(made.contains("cert_file: \"/c.pem\""), "{made}");
        assert_eq!(add(&made, &wall), Some(file(&server, &[robot, wall])));
        assert_eq!(add("listen: \"0.0.0.0:4222\"\n", &named("a", false)), None);
    }

    #[test]
    fn a_host_speaks_and_hears_under_its_own_name_alone() {
        let text = user(&named("robot7", false));
        let subjects = text.split('"').skip(1).step_by(2);
        for subject in subjects {
            let is_own = subject.split('.').any(|token| token == "robot7");
            assert!(is_own || subject.starts_with("$SRV."), "{subject}");
        }
        assert!(!user(&named("wall", true)).contains("jpeg"));
    }
}
