//! `streamd-bench fleet`: cameras from host to host, over a real server of NATS.
//!
//! A host that films the test pattern, the server, a relay and viewers run on this machine, so that
//! all have one clock; where a row has a link, it is one of `streamd-bench link`.

mod cases;
mod check;
mod plan;
mod rows;
mod site;
mod watch;

use self::{cases::Bench, check::Report};
use crate::{args, process::Stop};

/// Measures the rows and prints them.
///
/// # Errors
/// When something can't be started, or a promise is not kept.
pub fn run(arguments: &args::Fleet, stop: &Stop) -> anyhow::Result<()> {
    if arguments.plan {
        plan::print();
        return Ok(());
    }
    let bench = Bench { arguments, stop };
    let mut reports = Vec::new();
    for row in rows::chosen(arguments)? {
        eprintln!("{} …", row.name);
        reports.push(Report {
            name: row.name.into(),
            checks: bench.case(&row.case)?,
        });
    }
    anyhow::ensure!(
        check::print(&reports),
        "not everything is kept that is promised"
    );
    Ok(())
}
