//! The log: to the journal with its fields where stderr is the journal, else as plain text to stderr.

use std::{
    fmt,
    io::{self, IsTerminal},
    sync::Arc,
};

use nix::sys::stat::fstat;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    warn,
};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    field::RecordFields,
    filter::FilterExt,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{ChronoLocal, FormatTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use streamd_protocol::printable::is_hidden;

use super::{
    audit::{Audit, Keeping, WithId},
    flood::{Bounded, Flood},
};
use crate::config::check_filter;

/// Changes what is logged, while the daemon runs.
///
/// The default one checks a filter and changes nothing: for a process that logs elsewhere.
#[derive(Debug, Clone, Default)]
pub struct LogLevel {
    filter: Option<reload::Handle<EnvFilter, Registry>>,
    /// What is left out of the log, and counted.
    pub flood: Arc<Flood>,
    /// Who came in, who was refused and who changed what.
    pub audit: Arc<Audit>,
}

impl LogLevel {
    /// Logs by `filter` from now on: a level, or a filter such as `info,streamd::capture=debug`.
    ///
    /// # Errors
    /// What is allowed, if `filter` is not; the old filter stays.
    pub fn set(&self, filter: &str) -> Result<(), String> {
        let filter = parse(filter)?;
        match &self.filter {
            Some(handle) => handle.reload(filter).map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }
}

/// A library that logs each attempt to connect; what is worth a line of it, our own code says.
const OWN_VOICE: &str = "async_nats";

fn parse(filter: &str) -> Result<EnvFilter, String> {
    check_filter(filter)?;
    let filter = match filter.contains(OWN_VOICE) {
        true => filter.to_owned(),
        false => format!("{filter},{OWN_VOICE}=off"),
    };
    EnvFilter::try_new(&filter).map_err(|error| format!("log level {filter:?}: {error}"))
}

/// Starts logging for the whole process; once.
///
/// # Errors
/// `level` is no filter, or the process logs already.
pub fn init(level: &str) -> Result<LogLevel, String> {
    let (filter, handle) = reload::Layer::new(parse(level)?);
    let level = LogLevel {
        filter: Some(handle),
        flood: Arc::default(),
        audit: Arc::default(),
    };
    let keeping = Keeping(Arc::clone(&level.audit));
    let bounded = Bounded(Arc::clone(&level.flood));
    let journal = stderr_is_journal().then(journal).transpose();
    let (output, failed): (Box<dyn Layer<_> + Send + Sync>, _) = match journal {
        Ok(Some(journal)) => (journal.boxed(), None),
        Ok(None) => (text(io::stderr, colours()).boxed(), None),
        Err(error) => (text(io::stderr, colours()).boxed(), Some(error)),
    };
    tracing_subscriber::registry()
        .with(output.with_filter(filter.and(bounded)))
        .with(keeping.with_filter(WithId))
        .try_init()
        .map_err(|error| error.to_string())?;
    if let Some(error) = failed {
        warn!(%error, "the journal's socket can't be used; logging plain text");
    }
    Ok(level)
}

fn journal() -> io::Result<tracing_journald::Layer> {
    let layer = tracing_journald::layer()?
        .with_field_prefix(None)
        .with_syslog_identifier("streamd".into())
        .with_priority_mappings(PriorityMappings {
            info: Priority::Informational,
            debug: Priority::Debug,
            ..PriorityMappings::new()
        });
    Ok(layer)
}

/// Whether stderr is the journal's socket itself, and not redirected somewhere by a shell in between.
fn stderr_is_journal() -> bool {
    let Ok(stat) = fstat(io::stderr()) else {
        return false;
    };
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    is_stream(&stream, stat.st_dev, stat.st_ino)
}

/// `JOURNAL_STREAM` is `device:inode`, decimal. How wide the numbers are is the processor's affair.
fn is_stream(stream: &str, device: impl Into<u64>, inode: impl Into<u64>) -> bool {
    let numbers = stream.split_once(':');
    numbers.is_some_and(|(d, i)| d.parse() == Ok(device.into()) && i.parse() == Ok(inode.into()))
}

fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

fn text<S, W>(writer: W, colours: bool) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .with_ansi(colours)
        // They would be reported by `eprintln!`, which panics when the reader of stderr has gone.
        .log_internal_errors(false)
        .with_writer(writer)
        .fmt_fields(Fields)
        .event_format(Line(ChronoLocal::new("%Y-%m-%d %H:%M:%S".into())))
}

/// A line: local time, level, message, the event's fields, then the fields of the spans around it.
struct Line(ChronoLocal);

impl<S> FormatEvent<S, Fields> for Line
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Fields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        self.0.format_time(&mut writer)?;
        let level = *event.metadata().level();
        match colour(level).filter(|_| writer.has_ansi_escapes()) {
            Some(colour) => write!(writer, " \x1b[{colour}m{level:<5}\x1b[0m")?,
            None => write!(writer, " {level:<5}")?,
        }
        Fields.format_fields(writer.by_ref(), event)?;
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<Fields>>() {
                write!(writer, " {}{{{}}}", span.name(), fields.trim_start())?;
            }
        }
        writeln!(writer)
    }
}

fn colour(level: Level) -> Option<u8> {
    match level {
        Level::ERROR => Some(31),
        Level::WARN => Some(33),
        Level::INFO => None,
        _ => Some(2),
    }
}

/// Fields as ` message key=value`, in which nothing a client sends can break a line or move the cursor.
struct Fields;

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut text = Text::default();
        fields.record(&mut text);
        let mut writer = writer;
        write!(writer, "{}{}", text.message, text.fields)
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn add(&mut self, field: &Field, value: &str) {
        match field.name() {
            // It is for the journal's search; to a reader it says nothing.
            "message_id" => {}
            "message" => {
                self.message.push(' ');
                escape(value, &mut self.message);
            }
            name => {
                self.fields.extend([" ", name, "="]);
                escape(value, &mut self.fields);
            }
        }
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != "message" && value.contains([' ', '"', '=']) {
            self.add(field, &format!("{value:?}"));
        } else {
            self.add(field, value);
        }
    }
}

fn escape(text: &str, to: &mut String) {
    for c in text.chars() {
        if is_hidden(c) {
            to.extend(c.escape_default());
        } else {
            to.push(c);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use tracing::{debug, info, info_span};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `run` logs on this thread, as plain text.
    pub(crate) fn logged(run: impl FnOnce()) -> String {
        in_colour(false, run)
    }

    fn in_colour(colours: bool, run: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::registry().with(text(move || writer.clone(), colours));
        tracing::subscriber::with_default(subscriber, run);
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_time_level_message_fields_and_spans() {
        let text = logged(|| {
            let span = info_span!("client", client = 7, peer = "192.0.2.1:5");
            let _inside = span.enter();
            info!(
                message_id = "abc",
                camera = "main",
                name = "Front door",
                "connected"
            );
        });
        let (time, rest) = text.split_at(19);
        assert!(chrono_like(time), "{time}");
        assert_eq!(
            rest,
            " INFO  connected camera=main name=\"Front door\" client{client=7 peer=192.0.2.1:5}\n"
        );
    }

    /// `2026-11-23 10:30:15`
    fn chrono_like(time: &str) -> bool {
        let shape: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        shape == "0000-00-00 00:00:00"
    }

    #[test]
    fn what_a_client_sends_stays_on_its_line() {
        let name = "x\n2026-01-01 00:00:00 ERROR \x1b[31m";
        let text = logged(|| info!(name, shown = %name, "hello {name}"));
        assert_eq!(text.lines().count(), 1);
        assert!(!text.trim_end().contains(char::is_control), "{text:?}");
    }

    #[test]
    fn colour_is_for_terminals() {
        assert!(in_colour(true, || warn!("w")).contains("\x1b[33mWARN \x1b[0m w"));
        assert!(logged(|| warn!("w")).ends_with(" WARN  w\n"));
    }

    #[test]
    fn the_level_changes_live_and_a_wrong_one_changes_nothing() {
        let (filter, handle) = reload::Layer::new(parse("info").unwrap());
        let level = LogLevel {
            filter: Some(handle),
            flood: Arc::default(),
            audit: Arc::default(),
        };
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::registry()
            .with(filter)
            .with(text(move || writer.clone(), false));
        tracing::subscriber::with_default(subscriber, || {
            debug!("one");
            level.set("debug").unwrap();
            debug!("two");
            assert!(level.set("loud").unwrap_err().contains("is allowed"));
            debug!("three");
        });
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        let words: Vec<_> = text
            .lines()
            .map(|l| l.rsplit(' ').next().unwrap())
            .collect();
        assert_eq!(words, ["two", "three"]);
    }

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        assert!(is_stream("8:1234", 8_u64, 1234_u64));
        for other in ["", "8", "8:", "9:1234", "8:1235", "8:1234:1", "a:b"] {
            assert!(!is_stream(other, 8_u64, 1234_u64), "{other}");
        }
    }
}
