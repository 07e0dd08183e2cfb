//! streamd: reads the command line and the configuration, then runs the daemon.

use std::process::ExitCode;

use streamd::{
    access::{exposure::Exposed, tokens::Broken},
    args, config,
    daemon::Daemon,
    encode,
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
        return ExitCode::SUCCESS;
    }
    match Daemon::start(config, args.config).and_then(Daemon::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            if error.is::<Exposed>() || error.is::<Broken>() {
                // Nor does this get better by another start.
                return ExitCode::from(config::EX_CONFIG);
            }
            ExitCode::FAILURE
        }
    }
}
