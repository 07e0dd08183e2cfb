//! `streamctl kick`: disconnects clients.

use serde_json::json;
use streamd_protocol::control::KickClient;

use crate::{
    complete,
    failure::Failure,
    session::{Session, explain},
    table::lines,
    units,
};

/// Disconnect clients
///
/// With --json: {"kicked":N}.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("who").required(true).args(["ids", "all"]))]
pub struct Args {
    /// The clients' numbers in `streamctl clients`
    #[arg(value_name = "ID", add = complete::clients())]
    ids: Vec<i64>,

    /// All clients
    #[arg(long)]
    all: bool,

    /// Told to the clients and logged
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Disconnects them, all those it can; the first that failed is the failure.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    let mut client = session.connect()?;
    let calls: Vec<KickClient> = if args.all {
        vec![kick(None, &args)]
    } else {
        args.ids.iter().map(|id| kick(Some(*id), &args)).collect()
    };
    let mut kicked = 0;
    let mut failed = None;
    for call in calls {
        match client.call(&call) {
            Ok(reply) => kicked += reply.kicked,
            Err(error) if failed.is_none() => failed = Some(explain(&mut client, error)),
            Err(error) => {
                let why = explain(&mut client, error).to_string();
                eprintln!("streamctl: {}", lines(&why));
            }
        }
    }
    if kicked > 0 || failed.is_none() {
        session.print(&json!({ "kicked": kicked }), |_| {
            format!("{} disconnected", units::count(kicked, "client"))
        })?;
    }
    failed.map_or(Ok(()), Err)
}

fn kick(id: Option<i64>, args: &Args) -> KickClient {
    KickClient {
        id,
        all: args.all.then_some(true),
        reason: args.reason.clone(),
    }
}
