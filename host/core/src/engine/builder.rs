//! Building an engine from its components.

use std::{fmt, sync::Arc};

use hotbay_plugin_api::{
    Aggregator, Connector, EventType, Executor, Role, Strategy, TaskId, TradingEngineError,
};
use tokio::sync::Mutex;

use super::{ComponentOptions, TradingEngine};
use crate::{
    bus::{EventBus, Payload},
    scheduler::{RegisteredTask, Scheduler, ShutdownLimits},
};

/// Collects the components of a [`TradingEngine`].
///
/// Components get their senders and receivers before they are added: the builder only connects the
/// channels to which strategies and executors subscribe.
pub struct TradingEngineBuilder<E: EventType, P: Payload = String> {
    bus: EventBus<E, P>,
    connectors: Vec<Component<E, P>>,
    aggregators: Vec<Component<E, P>>,
    strategies: Vec<Component<E, P>>,
    executors: Vec<Component<E, P>>,
    limits: ShutdownLimits,
}

struct Component<E: EventType, P: Payload> {
    task: RegisteredTask<E, P>,
    options: ComponentOptions<E>,
}

impl<E: EventType, P: Payload> TradingEngineBuilder<E, P> {
    /// Creates an engine without components, on this bus.
    pub fn new(bus: EventBus<E, P>) -> Self {
        Self {
            bus,
            connectors: Vec::new(),
            aggregators: Vec::new(),
            strategies: Vec::new(),
            executors: Vec::new(),
            limits: ShutdownLimits::default(),
        }
    }

    /// Adds a connector that others may hold as well.
    #[must_use]
    pub fn with_connector(self, connector: Arc<Mutex<dyn Connector>>) -> Self {
        self.with_task(
            Role::Connector,
            ComponentOptions::default(),
            RegisteredTask::Background(connector),
        )
    }

    /// Adds a connector of which the engine has the only copy, with options.
    #[must_use]
    pub fn with_connector_as(
        self,
        options: ComponentOptions<E>,
        connector: impl Connector + 'static,
    ) -> Self {
        let task = RegisteredTask::Background(Arc::new(Mutex::new(connector)));
        self.with_task(Role::Connector, options, task)
    }

    /// Adds the aggregator that others may hold as well.
    #[must_use]
    pub fn with_aggregator(self, aggregator: Arc<Mutex<dyn Aggregator>>) -> Self {
        self.with_task(
            Role::Aggregator,
            ComponentOptions::default(),
            RegisteredTask::Background(aggregator),
        )
    }

    /// Adds the aggregator of which the engine has the only copy, with options.
    #[must_use]
    pub fn with_aggregator_as(
        self,
        options: ComponentOptions<E>,
        aggregator: impl Aggregator + 'static,
    ) -> Self {
        let task = RegisteredTask::Background(Arc::new(Mutex::new(aggregator)));
        self.with_task(Role::Aggregator, options, task)
    }

    /// Adds a strategy that others may hold as well.
    #[must_use]
    pub fn with_strategy(self, strategy: Arc<Mutex<dyn Strategy<E, P>>>) -> Self {
        self.with_task(Role::Strategy, ComponentOptions::default(), RegisteredTask::Event(strategy))
    }

    /// Adds a strategy of which the engine has the only copy, with options.
    #[must_use]
    pub fn with_strategy_as(
        self,
        options: ComponentOptions<E>,
        strategy: impl Strategy<E, P> + 'static,
    ) -> Self {
        let task = RegisteredTask::Event(Arc::new(Mutex::new(strategy)));
        self.with_task(Role::Strategy, options, task)
    }

    /// Adds an executor that others may hold as well.
    #[must_use]
    pub fn with_executor(self, executor: Arc<Mutex<dyn Executor<E, P>>>) -> Self {
        self.with_task(Role::Executor, ComponentOptions::default(), RegisteredTask::Event(executor))
    }

    /// Adds an executor of which the engine has the only copy, with options.
    #[must_use]
    pub fn with_executor_as(
        self,
        options: ComponentOptions<E>,
        executor: impl Executor<E, P> + 'static,
    ) -> Self {
        let task = RegisteredTask::Event(Arc::new(Mutex::new(executor)));
        self.with_task(Role::Executor, options, task)
    }

    /// Adds a task in this role.
    #[must_use]
    pub fn with_task(
        mut self,
        role: Role,
        options: ComponentOptions<E>,
        task: RegisteredTask<E, P>,
    ) -> Self {
        let components = match role {
            Role::Connector => &mut self.connectors,
            Role::Aggregator => &mut self.aggregators,
            Role::Strategy => &mut self.strategies,
            Role::Executor => &mut self.executors,
        };
        components.push(Component { task, options });
        self
    }

    /// Sets how long the engine's shutdown may take.
    #[must_use]
    pub fn with_limits(mut self, limits: ShutdownLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Builds the engine, ready to start. Strategies and executors are subscribed from here on.
    ///
    /// # Errors
    /// [`TradingEngineError::MissingComponent`] if a role is not filled,
    /// [`TradingEngineError::DuplicateAggregator`] if there are several aggregators; what the
    /// scheduler says about a name used twice or a channel that was never declared.
    pub fn build(self) -> Result<TradingEngine<E, P>, TradingEngineError> {
        let roles = [
            ("connector", self.connectors),
            ("aggregator", self.aggregators),
            ("strategy", self.strategies),
            ("executor", self.executors),
        ];
        if let Some((role, _)) = roles.iter().find(|(_, components)| components.is_empty()) {
            return Err(TradingEngineError::MissingComponent(role));
        }
        let [_, (_, aggregators), _, _] = &roles;
        if aggregators.len() > 1 {
            return Err(TradingEngineError::DuplicateAggregator(aggregators.len()));
        }
        let scheduler = Scheduler::new(self.bus);
        let mut ids = [const { Vec::new() }; 4];
        for ((role, components), ids) in roles.into_iter().zip(&mut ids) {
            for (place, Component { task, options }) in components.into_iter().enumerate() {
                let id = options.id.unwrap_or_else(|| default_id(role, place + 1));
                ids.push(scheduler.core().register(id, task, options.task)?);
            }
        }
        Ok(TradingEngine::new(scheduler, ids, self.limits))
    }
}

fn default_id(role: &str, number: usize) -> TaskId {
    match role {
        // There is only one.
        "aggregator" => TaskId::from(role),
        _ => TaskId::new(format!("{role}-{number}")),
    }
}

impl<E: EventType, P: Payload> fmt::Debug for TradingEngineBuilder<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TradingEngineBuilder")
            .field("bus", &self.bus)
            .field("connectors", &self.connectors.len())
            .field("aggregators", &self.aggregators.len())
            .field("strategies", &self.strategies.len())
            .field("executors", &self.executors.len())
            .field("limits", &self.limits)
            .finish()
    }
}
