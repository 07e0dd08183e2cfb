//! streamd: reads the command line and the configuration, then runs the daemon.

use std::process::ExitCode;

use streamd::{
    access::{
        exposure::{self, Exposed},
        rules::{Rules, Unusable},
    },
    args,
    config::{self, Config},
    daemon::Daemon,
    encode,
    link::tls,
};

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os(), encode::simd()) {
        Ok(args) => args,
        Err(error) => return args::end(&error),
    };
    let config = match config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(config::EX_CONFIG);
        }
    };
    if args.print_config {
        print!("{}", config.to_toml());
        return ExitCode::SUCCESS;
    }
    if args.check_config {
        let warnings = config.warnings();
        warnings.iter().for_each(|w| eprintln!("warning: {w}"));
        if let Err(error) = check_access(&config).and_then(|()| check_certificate(&config)) {
            eprintln!("{error}");
            return ExitCode::from(config::EX_CONFIG);
        }
        return ExitCode::SUCCESS;
    }
    match Daemon::start(config, args.config).and_then(Daemon::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            if error.is::<Exposed>() || error.is::<Unusable>() || error.is::<tls::Error>() {
                // Nor does this get better by another start.
                return ExitCode::from(config::EX_CONFIG);
            }
            ExitCode::FAILURE
        }
    }
}

/// Whether certificate and key are good. Who may not read them, as anybody may check a file, is
/// told nothing of them; credentials are there in the service only.
fn check_certificate(config: &Config) -> Result<(), anyhow::Error> {
    match tls::Files::of(&config.tls).map(tls::Tls::load) {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(tls::Error::Read { error, .. }))
            if error.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Ok(())
        }
        Some(Err(error)) => Err(error.into()),
    }
}

/// Whether streamd would start with this configuration and the tokens there are. Who may not read
/// them, as anybody may check a file, is told nothing of them.
fn check_access(config: &Config) -> Result<(), anyhow::Error> {
    match Rules::load(&config.access) {
        Ok(rules) if rules.are_there() => Ok(()),
        Ok(_) => Ok(exposure::check(config)?),
        Err(broken) if broken.is_denied() => Ok(()),
        Err(broken) => Err(broken.into()),
    }
}
