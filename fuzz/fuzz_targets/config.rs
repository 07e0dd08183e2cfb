//! Any text as a configuration file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamd::config;

fuzz_target!(|text: &str| {
    match config::parse(text, "fuzz") {
        Ok(mut config) => {
            // Printed is what is in force: where the file names no socket, the environment's.
            config.control.socket = Some(config.control_socket());
            let printed = config.to_toml();
            match config::parse(&printed, "printed") {
                Ok(again) => assert_eq!(config, again, "printed as\n{printed}"),
                Err(error) => panic!("printed as\n{printed}\n{error}"),
            }
        }
        // What is wrong can be shown, whatever it is.
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
