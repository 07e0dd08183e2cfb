//! `streamctl top`: the cameras and clients live, and what can be done about them.
//!
//! Three threads: [`feed`] reads the streaming GetStats, [`act`] makes the calls that keys ask
//! for, this one draws ([`page`]) and listens to keys ([`model`]); none waits for another.

mod act;
mod columns;
mod feed;
mod model;
mod page;

use std::{
    io::{self, IsTerminal},
    sync::Arc,
    time::Duration,
};

use ratatui::{Terminal, backend::CrosstermBackend};
use streamd_protocol::control::{GetStats, INTERVAL_MS};

use self::{
    act::Hand,
    columns::Sort,
    feed::Feed,
    model::{Model, Next},
};
use crate::{
    charset,
    failure::Failure,
    session::{Session, stdout_is_terminal},
    terminal::{
        input::Input,
        keyboard::Keyboard,
        raw::RawTerminal,
        wake::{Signals, Wakeups},
    },
};

/// The page is drawn this often at least: how old the figures are is on it.
const TICK: Duration = Duration::from_secs(1);

/// Show cameras and clients live; kick, set quality and fps by key
///
/// With --json: a Stats object a line, as of `stats --follow`.
#[derive(Debug, clap::Args)]
#[command(after_help = KEYS)]
pub struct Args {
    /// Between two updates, in ms, 100 to 60000
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(i64).range(INTERVAL_MS))]
    interval: i64,

    /// Sort the clients by
    #[arg(long, value_enum, default_value_t = Sort::Id)]
    sort: Sort,
}

const KEYS: &str = "\
Keys: up and down select, Tab clients or cameras, s sort, r reverse, k kick,
+ - quality, u quality as a number, f fps, ? help, q quit";

/// Shows the page until the user wants an end.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    if session.json {
        return follow(&args, session);
    }
    if !stdout_is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "top needs a terminal; for a file or a pipe use `stats --follow` or `top --json`"
                .into(),
        ));
    }
    // A daemon that is not there at the start is a mistake to tell; later it is waited for.
    drop(session.connect()?);
    let wakeups = Wakeups::new()?;
    let signals = Signals::catch(&wakeups)?;
    let feed = Feed::start(session.way(), args.interval, wakeups.waker()?)?;
    let hand = Hand::start(session.way(), wakeups.waker()?)?;
    let terminal = RawTerminal::enter()?;
    let shown = show(&args, session, &wakeups, &signals, &feed, &hand);
    drop(terminal);
    Ok(shown?)
}

/// One line of JSON after the other.
fn follow(args: &Args, session: &Session) -> Result<(), Failure> {
    let mut client = session.connect()?;
    let call = GetStats {
        interval_ms: Some(args.interval),
    };
    let interval = Duration::from_millis(args.interval.unsigned_abs());
    for reply in client.stream(&call, interval)? {
        session.print(&reply?.stats, |_| String::new())?;
    }
    Ok(())
}

fn show(
    args: &Args,
    session: &Session,
    wakeups: &Wakeups,
    signals: &Signals,
    feed: &Arc<Feed>,
    hand: &Hand,
) -> io::Result<()> {
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let mut model = Model::new(args.sort);
    let mut keyboard = Keyboard::default();
    loop {
        feed.update(&mut model);
        if let Some(said) = hand.said() {
            model.tell(said);
        }
        terminal.draw(|frame| {
            page::draw(frame, &mut model, session.screen.colour);
            if charset::is_ascii() {
                page::to_ascii(frame);
            }
        })?;
        let Some(inputs) = keyboard.listen(wakeups, TICK)? else {
            return Ok(());
        };
        if signals.stop() {
            return Ok(());
        }
        for input in inputs {
            let Input::Key(key) = input else { continue };
            match model.key(key) {
                Next::Nothing => {}
                Next::Quit => return Ok(()),
                Next::Act(action) => {
                    if !hand.act(action) {
                        model.tell("busy with the last one: try again".into());
                    }
                }
            }
        }
    }
}
