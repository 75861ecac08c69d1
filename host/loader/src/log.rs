//! Forwards the `tracing` events of a plugin to the host's subscriber.

use std::sync::Arc;

use abi_stable::{sabi_trait::TD_Opaque, std_types::RStr};
use hotbay_plugin_api::abi::{HostLog, HostLog_TO, PluginRef};
use tracing::level_filters::LevelFilter;

/// Connects a plugin's `tracing` events to the host's subscriber, under the plugin's name.
///
/// This runs code of the plugin, so call it on one of the threads of its bay.
pub fn connect(module: PluginRef, plugin: Arc<str>) {
    module.connect_log()(HostLog_TO::from_value(PluginLog { plugin }, TD_Opaque));
}

/// The receiver for the events of one plugin.
struct PluginLog {
    plugin: Arc<str>,
}

impl HostLog for PluginLog {
    fn max_level(&self) -> u8 {
        match LevelFilter::current() {
            LevelFilter::OFF => 0,
            LevelFilter::ERROR => 1,
            LevelFilter::WARN => 2,
            LevelFilter::INFO => 3,
            LevelFilter::DEBUG => 4,
            LevelFilter::TRACE => 5,
        }
    }

    fn log(
        &self,
        level: u8,
        target: RStr<'_>,
        task: RStr<'_>,
        message: RStr<'_>,
        fields: RStr<'_>,
    ) {
        let (plugin, target, task) = (&*self.plugin, target.as_str(), task.as_str());
        let (message, fields) = (message.as_str(), fields.as_str());
        macro_rules! emit {
            ($level:ident) => {
                tracing::event!(
                    target: "plugin",
                    tracing::Level::$level,
                    plugin,
                    task,
                    module = target,
                    // Most events have no fields, and an empty object would only be noise.
                    fields = (fields != "{}").then_some(fields),
                    "{message}"
                )
            };
        }
        match level {
            1 => emit!(ERROR),
            2 => emit!(WARN),
            3 => emit!(INFO),
            4 => emit!(DEBUG),
            _ => emit!(TRACE),
        }
    }
}
