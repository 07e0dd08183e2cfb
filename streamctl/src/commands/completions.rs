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

/// Bash parts `--camera=fr` into three words, and completes the last one alone.
const BASH: &str = r#"
_streamctl() {
    local joined=() current=0 at
    for at in "${!COMP_WORDS[@]}"; do
        if ((at > 1)) && [[ "${COMP_WORDS[at]}" == "=" || "${COMP_WORDS[at - 1]}" == "=" ]]; then
            joined[-1]+="${COMP_WORDS[at]}"
        else
            joined+=("${COMP_WORDS[at]}")
        fi
        ((at == COMP_CWORD)) && current=$((${#joined[@]} - 1))
    done
    local COMP_WORDS=("${joined[@]}") COMP_CWORD=$current word="${joined[current]}"
    _clap_complete_streamctl "$1" "$word" "$3"
    [[ "$word" == *=* ]] && COMPREPLY=("${COMPREPLY[@]#"${word%%=*}="}")
}
complete -o nospace -o bashdefault -o nosort -F _streamctl streamctl
"#;

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
    let more = match args.shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        _ => "",
    };
    script.extend_from_slice(more.as_bytes());
    session::write(&script)
}
