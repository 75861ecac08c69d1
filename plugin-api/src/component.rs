//! How a plugin declares the components that a pipeline can name.

use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Aggregator, Batch, ChannelName, Connector, Context, EventDescription, EventTypes, Executor,
    Handover, Role, SchedulerError, Strategy, export::ComponentExport,
};

/// An input or output of a component, which the configuration connects to channels.
#[derive(Debug, Clone, Copy)]
pub struct Port {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) required: bool,
    pub(crate) events: &'static [EventDescription],
}

impl Port {
    /// A port that must be connected.
    pub const fn required(name: &'static str, description: &'static str) -> Self {
        Self { name, description, required: true, events: &[] }
    }

    /// A port that may stay unconnected.
    pub const fn optional(name: &'static str, description: &'static str) -> Self {
        Self { name, description, required: false, events: &[] }
    }

    /// The same port, which carries events of the type `E`, or of several: `of::<(A, B)>()`.
    ///
    /// The host refuses to connect an output and an input that tell their types and have
    /// none in common. A port that tells none connects to any.
    #[must_use]
    pub const fn of<E: EventTypes>(mut self) -> Self {
        self.events = E::TYPES;
        self
    }
}

/// A component that the host can create from its configuration.
///
/// For a task that listens to a channel, the first input port is the one that
/// `subscribed_event` names: `context.input("…")`.
pub trait Component: Sized + 'static {
    /// The type of the configuration, a serde type with `deny_unknown_fields`. Its schema goes into
    /// the plugin's manifest, and `hotbay validate` checks against it.
    type Config: DeserializeOwned + JsonSchema;
    /// The inputs; the first is the main one.
    const INPUTS: &'static [Port] = &[];
    /// The outputs; the first is the main one.
    const OUTPUTS: &'static [Port] = &[];
    /// A description of the component in one line.
    const DESCRIPTION: &'static str = "";

    /// What only one build of this component may hold at a time, in a few words each: a port that
    /// it listens on, a database, a session with an exchange.
    const RESOURCES: &'static [&'static str] = &[];
    /// How a build of this component gives way to the next: [`Exclusive`](Handover::Exclusive) if it
    /// has [resources](Self::RESOURCES), so that it is suspended before the next one is made.
    const HANDOVER: Handover = Handover::of(Self::RESOURCES);

    /// Checks what the type of the configuration can't say, such as ranges.
    ///
    /// # Errors
    /// One sentence that names the key and what was expected.
    fn check(_config: &Self::Config) -> Result<(), String> {
        Ok(())
    }

    /// Makes the component from its configuration. Opens nothing yet: that is for `initialize`.
    ///
    /// # Errors
    /// If the context lacks what the component needs.
    fn create(config: Self::Config, context: Context) -> Result<Self, SchedulerError>;
}

/// The configuration of a component that has none; any key is refused.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// Exports `C` as a connector of this name.
pub const fn connector<C: Component + Connector>(name: &'static str) -> ComponentExport {
    ComponentExport::background::<C>(name, Role::Connector)
}

/// Exports `C` as an aggregator of this name.
pub const fn aggregator<C: Component + Aggregator>(name: &'static str) -> ComponentExport {
    ComponentExport::background::<C>(name, Role::Aggregator)
}

/// Exports `C` as a strategy of this name.
pub const fn strategy<C: Component + Strategy<ChannelName, Batch>>(
    name: &'static str,
) -> ComponentExport {
    ComponentExport::event::<C>(name, Role::Strategy)
}

/// Exports `C` as an executor of this name.
pub const fn executor<C: Component + Executor<ChannelName, Batch>>(
    name: &'static str,
) -> ComponentExport {
    ComponentExport::event::<C>(name, Role::Executor)
}
