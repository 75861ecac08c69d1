//! `tracing` inside a plugin has its own globals: this carries its events to the host.

use std::sync::{
    Arc, OnceLock, PoisonError, RwLock,
    atomic::{AtomicU8, Ordering},
};

use abi_stable::std_types::{RBox, RStr};
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Registry,
    layer::{Context, Layer, SubscriberExt},
    registry::LookupSpan,
};

use crate::{abi::HostLog_TO, guard};

type Host = Arc<HostLog_TO<'static, RBox<()>>>;

static HOST: RwLock<Option<Host>> = RwLock::new(None);
static MAX_LEVEL: AtomicU8 = AtomicU8::new(0);
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// Connects this library's `tracing` with the host's.
///
/// Several plugins linked into one program share one `tracing`, which is the
/// program's own; then there is nothing to bridge.
pub(crate) extern "C" fn connect(host: HostLog_TO<'static, RBox<()>>) {
    MAX_LEVEL.store(host.max_level(), Ordering::Relaxed);
    *HOST.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(host));
    INSTALLED.get_or_init(|| {
        tracing::subscriber::set_global_default(Registry::default().with(Bridge)).is_ok()
    });
}

/// Lets go of the host; later events go nowhere.
pub(crate) fn disconnect() {
    *HOST.write().unwrap_or_else(PoisonError::into_inner) = None;
}

struct Bridge;

/// The fields of a span, kept with it so that its events carry them.
struct SpanFields(Map<String, Value>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
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

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.map));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let host = HOST.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(host) = host else { return };
        let mut fields = Fields::default();
        let spans = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let mut path = String::new();
        for span in spans {
            path.push_str(if path.is_empty() { "" } else { ":" });
            path.push_str(span.name());
            if let Some(SpanFields(of_span)) = span.extensions().get::<SpanFields>() {
                fields.map.extend(of_span.clone());
            }
        }
        if !path.is_empty() {
            fields.map.insert("span".to_owned(), path.into());
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
        self.map.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.put(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
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
