//! `streamctl certificate`: a certificate that this machine makes for itself.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{self, File, Permissions},
    io::Write,
    net::IpAddr,
    os::unix::fs::{OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::{
    ifaddrs::getifaddrs,
    net::if_::InterfaceFlags,
    unistd::{Group, gethostname},
};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{failure::Failure, session::Session, table};

/// Where the daemon's configuration is, and its group may read a key.
const FOLDER: &str = "/etc/streamd/tls";

/// The group of the service, which must be able to read the key.
const GROUP: &str = "streamd";

/// Days that scanners, and browsers of certificates of public authorities, don't take for too long.
const DAYS: u64 = 365;

/// Make a certificate with this machine's names and addresses, and its key, for `tls = true`
///
/// Nobody has vouched for it: who connects compares the fingerprint, or installs the certificate.
/// With --json: files, names and fingerprint.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One more name or address by which it is reached; may be there several times
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Where to put certificate.pem and key.pem
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    folder: PathBuf,
    /// For so many days
    #[arg(long, value_name = "DAYS", default_value_t = DAYS, value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: u64,
    /// In place of those that are there
    #[arg(long)]
    replace: bool,
}

/// What was made.
#[derive(Debug, Serialize)]
struct Made {
    certificate: PathBuf,
    key: PathBuf,
    names: Vec<String>,
    /// SHA-256, as browsers and `openssl x509 -fingerprint` show it.
    fingerprint: String,
}

/// Does it.
pub fn run(args: &Args, session: &Session) -> Result<(), Failure> {
    let names = names(&args.names)?;
    let key = KeyPair::generate().map_err(|error| Failure::Value(error.to_string()))?;
    let certificate = params(&names, args.days)
        .and_then(|params| params.self_signed(&key))
        .map_err(|error| Failure::Value(format!("no certificate for these names: {error}")))?;
    let made = Made {
        certificate: args.folder.join("certificate.pem"),
        key: args.folder.join("key.pem"),
        names,
        fingerprint: fingerprint(certificate.der()),
    };
    fs::create_dir_all(&args.folder).map_err(|error| refused(&args.folder, &error))?;
    for path in [&made.certificate, &made.key] {
        if !args.replace && path.exists() {
            return Err(Failure::File {
                path: path.clone(),
                why: "it is there already; --replace puts another one in its place".into(),
            });
        }
    }
    // A daemon that looks meanwhile finds two that do not belong together, and keeps the old ones.
    put(&made.key, 0o640, &key.serialize_pem())?;
    put(&made.certificate, 0o644, &certificate.pem())?;
    session.print(&made, |_| shown(&made))
}

fn shown(made: &Made) -> String {
    let names: Vec<_> = made.names.iter().map(|name| table::clean(name)).collect();
    let files = [&made.certificate, &made.key];
    let [certificate, key] = files.map(|path| toml::Value::from(path.display().to_string()));
    format!(
        "names        {}\nfingerprint  {}\n\nFor the configuration, with `tls = true` in [http] or [camera.NAME]:\n\n\
         [tls]\ncertificate = {certificate}\nkey = {key}",
        names.join(", "),
        made.fingerprint,
    )
}

/// By what this machine is reached, and `more`.
fn names(more: &[String]) -> Result<Vec<String>, Failure> {
    let mut all = BTreeSet::from(["localhost".to_owned()]);
    if let Some(host) = gethostname().ok().and_then(|name| name.into_string().ok())
        && host != "localhost"
    {
        if !host.contains('.') {
            all.insert(format!("{host}.local"));
        }
        all.insert(host);
    }
    let addresses = getifaddrs()
        .into_iter()
        .flatten()
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP));
    let addresses = addresses.filter_map(|interface| {
        let address = interface.address?;
        let four = address.as_sockaddr_in().map(|a| IpAddr::from(a.ip()));
        four.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::from(a.ip())))
    });
    all.extend(
        addresses
            .filter(is_reached)
            .map(|address| address.to_string()),
    );
    for name in more {
        let is_good = name.parse::<IpAddr>().is_ok()
            || !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ".-*".contains(c));
        if !is_good {
            let name = table::clean(name);
            return Err(Failure::Value(format!(
                "{name:?} is no host name and no address"
            )));
        }
        all.insert(name.clone());
    }
    Ok(all.into_iter().collect())
}

/// Addresses of a link alone have a zone, which no certificate has.
fn is_reached(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => !four.is_link_local(),
        IpAddr::V6(six) => !six.is_unicast_link_local(),
    }
}

fn params(names: &[String], days: u64) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names.to_vec())?;
    let mut subjects = names.iter();
    let subject = subjects.rfind(|name| name.parse::<IpAddr>().is_err());
    let subject = subject.map_or("streamd", String::as_str);
    params.distinguished_name.push(DnType::CommonName, subject);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Clocks differ.
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(3600)).into();
    params.not_after = (now + Duration::from_secs(days * 86_400)).into();
    Ok(params)
}

fn fingerprint(certificate: &[u8]) -> String {
    let digest = Sha256::digest(certificate);
    let mut text = String::new();
    for (n, byte) in digest.iter().enumerate() {
        let colon = if n == 0 { "" } else { ":" };
        write!(text, "{colon}{byte:02X}").expect("a string takes text");
    }
    text
}

/// Writes a file that only `mode` lets others read, from its first moment on.
fn put(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let written = || {
        let new = path.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        // Where there is no such service, its files stay with whoever makes them.
        if let Ok(Some(group)) = Group::from_name(GROUP) {
            let _ = chown(&new, None, Some(group.gid.as_raw()));
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().map_err(|error| refused(path, &error))
}

fn refused(path: &Path, error: &std::io::Error) -> Failure {
    let what = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "; as root, or with --folder somewhere of your own",
        _ => "",
    };
    Failure::File {
        path: path.into(),
        why: format!("{error}{what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_has_the_names_of_this_machine_and_those_that_are_given() {
        let names = names(&["cam.example".into(), "192.0.2.1".into()]).unwrap();
        for name in ["localhost", "127.0.0.1", "cam.example", "192.0.2.1"] {
            assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
        }
        params(&names, 30).unwrap();
        for bad in ["", "a b", "http://x"] {
            let refused = super::names(&[bad.to_owned()]);
            refused.unwrap_err();
        }
    }

    #[test]
    fn a_fingerprint_is_as_others_show_it() {
        let of_nothing = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:\
                          27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
        assert_eq!(fingerprint(b""), of_nothing);
    }
}
