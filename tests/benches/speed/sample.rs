//! Two sides, measured in turns.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use hotbay::{
    loader::{Loader, LoaderConfig},
    runtime::{
        ComponentSetup, ComponentSlot, ComponentSpec, Connections, Generation, PluginComponent,
        Services,
    },
};
use hotbay_plugin_api::{Batch, ChannelName, EventHeader, Kind};
use hotbay_tests::{hotbay, library};
use tokio_util::sync::CancellationToken;

/// How often each side is measured; the first time does not count.
const SAMPLES: usize = 15;

/// The medians of two sides that take turns.
pub(crate) async fn in_turns(
    mut a: impl AsyncFnMut() -> Duration,
    mut b: impl AsyncFnMut() -> Duration,
) -> (Duration, Duration, f64) {
    let (mut of_a, mut of_b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=SAMPLES {
        let (one, other) = (a().await, b().await);
        if round > 0 {
            of_a.push(one);
            of_b.push(other);
            ratios.push(one.as_secs_f64() / other.as_secs_f64());
        }
    }
    ratios.sort_by(f64::total_cmp);
    (median(of_a), median(of_b), ratios[ratios.len() / 2])
}

/// The samples of several sides that take turns, each second time in the other order.
pub(crate) async fn take_turns<const SIDES: usize>(
    mut measure: impl AsyncFnMut(usize) -> Duration,
) -> [Vec<Duration>; SIDES] {
    let mut samples = [const { Vec::new() }; SIDES];
    for round in 0..=SAMPLES {
        for turn in 0..SIDES {
            let side = if round % 2 == 0 { turn } else { SIDES - 1 - turn };
            let took = measure(side).await;
            if round > 0 {
                samples[side].push(took);
            }
        }
    }
    samples
}

/// The median of the ratios of samples that were taken in the same round.
pub(crate) fn ratio(of: &[Duration], to: &[Duration]) -> f64 {
    let pairs = of.iter().zip(to);
    let mut ratios: Vec<_> = pairs.map(|(of, to)| of.as_secs_f64() / to.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// The median of samples that took `events` each, per event.
pub(crate) fn nanoseconds(samples: &[Duration], events: u32) -> String {
    let each = median(samples.to_vec()).as_secs_f64() / f64::from(events);
    format!("{:.2} ns", each * 1e9)
}

pub(crate) fn median(mut of: Vec<Duration>) -> Duration {
    of.sort();
    of[of.len() / 2]
}

pub(crate) fn per_second(events: u64, time: Duration) -> String {
    format!("{:.2} M/s", events as f64 / time.as_secs_f64() / 1e6)
}

/// A loader that probes with the `hotbay` program.
pub(crate) fn loader() -> Loader {
    let probe_program = Some(hotbay().to_owned());
    Loader::new(LoaderConfig { probe_program, ..LoaderConfig::default() }).unwrap()
}

pub(crate) async fn load(loader: &Loader, package: &str) -> Generation {
    let inspected = loader.inspect(library(package), &Arc::default()).await.unwrap();
    Generation::load(loader, inspected, NonZeroUsize::new(1).unwrap()).await.unwrap()
}

/// Ports with their channels.
pub(crate) type Ports<'a> = &'a [(&'a str, &'a str)];

/// A component with one input channel, or one output channel, or both.
pub(crate) async fn component(
    plugin: &Generation,
    name: &str,
    config: serde_json::Value,
    ports: (Ports<'_>, Ports<'_>),
    services: &Services,
) -> PluginComponent {
    let map = |ports: Ports<'_>| {
        ports.iter().map(|(port, channel)| ((*port).to_owned(), vec![(*channel).into()])).collect()
    };
    let setup = ComponentSetup {
        slot: ComponentSlot::new(name, 1),
        spec: ComponentSpec {
            name: name.to_owned(),
            connections: Connections { inputs: map(ports.0), outputs: map(ports.1) },
            config,
            state: hotbay::config::StatePolicy::Keep,
        },
        cancel: CancellationToken::new(),
    };
    plugin.create_component(setup, services).await.unwrap()
}

pub(crate) fn services(channels: &[(&str, usize)]) -> Services {
    let declare = |(name, capacity): &(&str, usize)| {
        (ChannelName::from(*name), hotbay::ChannelConfig::new(*capacity, ""))
    };
    let bus = hotbay::EventBus::<ChannelName, Batch>::with_payload(
        channels.iter().map(declare).collect(),
    );
    Services::new(bus)
}

/// A batch of the numbers from `first` on.
pub(crate) fn numbers(first: u64, count: u64) -> Batch {
    let mut bytes = Vec::new();
    let headers: Vec<_> = (first..first + count)
        .map(|number| {
            let offset = u32::try_from(bytes.len()).unwrap();
            bytes.extend_from_slice(&number.to_le_bytes());
            let time_ns = i64::try_from(number).unwrap();
            EventHeader {
                time_ns,
                seq: number,
                source: 0,
                kind: Kind::BYTES.code(),
                offset,
                len: 8,
            }
        })
        .collect();
    Batch::copy_from(&headers, &bytes)
}
