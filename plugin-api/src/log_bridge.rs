//! The bridge from a plugin's `tracing` to the host: the library has `tracing` globals of its own.
//!
//! The subscriber is small and our own, because the global one of a library is
//! never dropped: `tracing_subscriber`'s registry would leave its shard table, 33 KB
//! *(measured)*, behind at every unload. This one is a static, and what it holds is freed in
//! [`disconnect`].

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    cell::RefCell,
    collections::HashMap,
    fmt::{self, Write},
    panic::PanicHookInfo,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use abi_stable::std_types::{RBox, RStr};
use serde_json::{Map, Value};
use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};

use crate::{
    abi::{HostLog_TO, dispatch_to},
    guard,
    limits::{self, cut},
};

type Host = Arc<HostLog_TO<'static, RBox<()>>>;

static HOST: RwLock<Option<Host>> = RwLock::new(None);
static MAX_LEVEL: AtomicU8 = AtomicU8::new(0);
static INSTALLED: OnceLock<bool> = OnceLock::new();
static SPANS: Mutex<Option<HashMap<u64, Span>>> = Mutex::new(None);
static NEXT_SPAN: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The spans that this thread is in, outermost first.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Connects this library's `tracing` with the host's.
///
/// Several plugins linked into one program share one `tracing`, which is the
/// program's own; then there is nothing to bridge.
pub(crate) extern "C" fn connect(host: HostLog_TO<'static, RBox<()>>) {
    MAX_LEVEL.store(host.max_level(), Ordering::Relaxed);
    *HOST.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(host));
    INSTALLED.get_or_init(|| {
        let dispatch = dispatch_to(&BRIDGE).unwrap_or_else(|| Dispatch::new(Bridge));
        let is_ours = tracing::dispatcher::set_global_default(dispatch).is_ok();
        // What was logged so far, before there was a subscriber, is of interest from now on.
        tracing::callsite::rebuild_interest_cache();
        // A process that is about to abort can only be told about on standard error.
        if is_ours && !cfg!(panic = "abort") {
            std::panic::set_hook(Box::new(log_panic));
        }
        is_ours
    });
}

/// Logs a panic, where the standard library would write to the standard error of the process, which
/// is the host's, and without the plugin's name.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let text = guard::panic_text(panic.payload());
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!("panicked at {place}: {text}\n{backtrace}");
    } else {
        tracing::error!("panicked at {place}: {text}");
    }
}

/// Disconnects from the host. Later events are dropped.
pub(crate) fn disconnect() {
    *HOST.write().unwrap_or_else(PoisonError::into_inner) = None;
    *spans() = None;
}

/// An open span, with all that its events are to carry.
#[derive(Clone, Default)]
struct Span {
    /// The names of the enclosing spans and of this one, as `outer:inner`.
    path: String,
    fields: Map<String, Value>,
    references: usize,
}

fn spans() -> MutexGuard<'static, Option<HashMap<u64, Span>>> {
    SPANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The span that something with this parentage belongs to.
fn context(is_contextual: bool, parent: Option<&Id>) -> Option<Span> {
    let id = match parent {
        Some(parent) => Some(parent.into_u64()),
        None if is_contextual => with_entered(|entered| entered.last().copied()).flatten(),
        None => None,
    };
    spans().as_ref()?.get(&id?).cloned()
}

/// Reads or changes the spans that this thread is in.
///
/// Returns `None` while the thread ends and its list is gone already: a destructor of another
/// thread-local may still log, and a panic in there would end the process.
fn with_entered<T>(of: impl FnOnce(&mut Vec<u64>) -> T) -> Option<T> {
    ENTERED.try_with(|entered| of(&mut entered.borrow_mut())).ok()
}

struct Bridge;

static BRIDGE: Bridge = Bridge;

impl Subscriber for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        number(metadata.level()) <= MAX_LEVEL.load(Ordering::Relaxed)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match MAX_LEVEL.load(Ordering::Relaxed) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let outer = context(attributes.is_contextual(), attributes.parent());
        let Span { mut path, fields, .. } = outer.unwrap_or_default();
        // A span within many others, such as one that a recursion opens, has the outer names only.
        if path.len() < limits::NAME {
            path.push_str(if path.is_empty() { "" } else { ":" });
            path.push_str(attributes.metadata().name());
        }
        let mut fields = Fields { message: String::new(), map: fields };
        attributes.record(&mut fields);
        let id = NEXT_SPAN.fetch_add(1, Ordering::Relaxed);
        let span = Span { path, fields: fields.map, references: 1 };
        let mut spans = spans();
        let open = spans.get_or_insert_default();
        if open.len() < limits::SPANS {
            open.insert(id, span);
        }
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = spans().as_mut().and_then(|spans| spans.get_mut(&id.into_u64())) {
            let mut all = Fields { message: String::new(), map: std::mem::take(&mut span.fields) };
            fields.map.into_iter().for_each(|(name, value)| all.insert(name, value));
            span.fields = all.map;
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let host = HOST.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(host) = host else { return };
        let Span { path, fields, .. } =
            context(event.is_contextual(), event.parent()).unwrap_or_default();
        let mut fields = Fields { message: String::new(), map: fields };
        if !path.is_empty() {
            fields.insert("span".to_owned(), path.into());
        }
        event.record(&mut fields);
        let task = guard::current();
        host.log(
            number(event.metadata().level()),
            RStr::from(event.metadata().target()),
            RStr::from(task.as_deref().unwrap_or_default()),
            RStr::from(fields.message.as_str()),
            RStr::from(Value::Object(fields.map).to_string().as_str()),
        );
    }

    fn enter(&self, id: &Id) {
        with_entered(|entered| entered.push(id.into_u64()));
    }

    fn exit(&self, id: &Id) {
        with_entered(|entered| {
            if let Some(at) = entered.iter().rposition(|known| *known == id.into_u64()) {
                entered.remove(at);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = spans().as_mut().and_then(|spans| spans.get_mut(&id.into_u64())) {
            span.references += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut spans = spans();
        let Some(open) = spans.as_mut() else { return false };
        let Some(span) = open.get_mut(&id.into_u64()) else { return false };
        span.references -= 1;
        let closes = span.references == 0;
        if closes {
            open.remove(&id.into_u64());
        }
        closes
    }
}

fn number(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    map: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.insert(field.name().to_owned(), value);
    }

    fn insert(&mut self, name: String, value: Value) {
        if self.map.len() < limits::LOG_FIELDS || self.map.contains_key(&name) {
            self.map.insert(name, value);
        }
    }
}

/// The text of a value that is being formatted, which ends the formatting at its limit.
struct Bounded {
    text: String,
    limit: usize,
}

impl Bounded {
    /// Formats a value into at most `limit` bytes, and marks a text that was longer.
    fn debug(value: &dyn fmt::Debug, limit: usize) -> String {
        let mut bounded = Self { text: String::new(), limit };
        if write!(bounded, "{value:?}").is_err() {
            bounded.text.push('…');
        }
        bounded.text
    }
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.limit - self.text.len();
        self.text.push_str(limits::start(more, room));
        if more.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = Bounded::debug(value, limits::LOG_MESSAGE);
        } else {
            self.put(field, Bounded::debug(value, limits::LOG_FIELD).into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, cut(value, limits::LOG_FIELD).into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct LogsWhenDropped;

    impl Drop for LogsWhenDropped {
        fn drop(&mut self) {
            assert!(context(true, None).is_none());
            BRIDGE.enter(&Id::from_u64(u64::MAX));
            BRIDGE.exit(&Id::from_u64(u64::MAX));
        }
    }

    thread_local! {
        static LOGS: LogsWhenDropped = const { LogsWhenDropped };
    }

    #[test]
    fn a_thread_local_may_log_while_its_thread_ends() {
        let thread = std::thread::spawn(|| {
            // Thread-locals are dropped in the reverse order of their first use.
            LOGS.with(|_| ());
            BRIDGE.enter(&Id::from_u64(u64::MAX));
        });
        thread.join().unwrap();
    }
}
