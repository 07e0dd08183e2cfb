//! Any text as a configuration file.

use streamd::config;

/// What parses prints, and the print parses to the same.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
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
}
