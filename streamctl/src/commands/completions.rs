//! `streamctl completions`: what a shell needs to complete streamctl's words.

use clap_complete::{Shell, env::Shells};

use crate::{complete, failure::Failure, session};

/// Print the completions for a shell
///
/// They ask streamctl itself, and so know the cameras, clients, settings and controls of the streamd
/// that runs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which
    shell: Shell,
}

/// In a folder of completions, zsh runs the file for the first completion: it has to answer.
const ZSH: &str =
    "\n[[ \"${funcstack[1]}\" = \"_streamctl\" ]] && _clap_dynamic_completer_streamctl \"$@\"\n";

/// Prints them.
pub fn run(args: Args) -> Result<(), Failure> {
    let name = args.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells.completer(&name);
    let shell = shell.ok_or_else(|| Failure::Usage(format!("{name} has no completions")))?;
    let mut script = Vec::new();
    let (var, own) = (complete::VARIABLE, "streamctl");
    shell.write_registration(var, own, own, own, &mut script)?;
    if args.shell == Shell::Zsh {
        script.extend_from_slice(ZSH.as_bytes());
    }
    session::write(&script)
}
