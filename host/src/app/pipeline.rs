//! Making the components and putting the engine together.

use hotbay_plugin_api::{Batch, ChannelName, SchedulerError, TradingEngineError};
use tokio_util::sync::CancellationToken;

use super::{HostError, plugins::Plugins, wiring::Wired};
use crate::{
    config::{Config, Role},
    engine::{ComponentOptions, TradingEngine, TradingEngineBuilder},
    plugin::{ComponentSetup, PluginComponent, Services},
    scheduler::ShutdownLimits,
};

/// The pipeline, ready to start.
pub(super) struct Pipeline {
    pub(super) engine: TradingEngine<ChannelName, Batch>,
    /// Asks the components to stop.
    pub(super) cancel: CancellationToken,
}

/// Makes every component in its plugin and wires them; `None` without a pipeline.
pub(super) async fn build(
    config: &Config,
    plugins: &Plugins,
    components: &[Wired],
    services: &Services,
) -> Result<Option<Pipeline>, HostError> {
    if components.is_empty() {
        return Ok(None);
    }
    let cancel = CancellationToken::new();
    let drain = config.shutdown.drain;
    let limits = ShutdownLimits { drain, total: drain * 2, ..ShutdownLimits::default() };
    let mut builder = TradingEngineBuilder::new(services.bus.clone()).with_limits(limits);
    for (wired, source) in components.iter().zip(1u32..) {
        let plugin = plugins.get(&wired.plugin).ok_or_else(|| missing(wired))?;
        let setup = ComponentSetup {
            id: wired.id.clone(),
            source,
            config: wired.config.clone(),
            connections: wired.connections.clone(),
            cancel: cancel.child_token(),
        };
        let made = plugin.create_component(&wired.component, setup, services).await;
        let made = made.map_err(|error| named(wired, &error))?;
        let outputs = wired.connections.outputs.values().flatten().cloned();
        let options = ComponentOptions::default()
            .with_id(wired.id.as_str())
            .with_runtime(plugin.handle().clone())
            .with_outputs(outputs);
        builder = match (made, wired.role) {
            (PluginComponent::Turns(it), Role::Connector) => builder.with_connector_as(options, it),
            (PluginComponent::Turns(it), Role::Aggregator) => {
                builder.with_aggregator_as(options, it)
            }
            (PluginComponent::Events(it), Role::Strategy) => builder.with_strategy_as(options, it),
            (PluginComponent::Events(it), Role::Executor) => builder.with_executor_as(options, it),
            // The manifest's role was checked; a plugin that makes something else lies.
            (PluginComponent::Turns(_) | PluginComponent::Events(_), _) => {
                let error = SchedulerError::InvalidState("not of the role it declares".to_owned());
                return Err(named(wired, &error));
            }
        };
    }
    Ok(Some(Pipeline { engine: builder.build()?, cancel }))
}

fn named(wired: &Wired, error: &SchedulerError) -> HostError {
    let message = format!("{} (plugin {}): {error}", wired.id, wired.plugin);
    HostError::Engine(TradingEngineError::SchedulerError(SchedulerError::InvalidState(message)))
}

fn missing(wired: &Wired) -> HostError {
    named(wired, &SchedulerError::InvalidState("its plugin is not loaded".to_owned()))
}
