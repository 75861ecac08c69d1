//! How a configuration behaves for who writes one.

mod bounds;
mod diagnostics;
mod entries;
mod files;
mod pipeline;
mod places;
mod properties;
mod ranges;
mod secrets;
mod tasks;
mod trust;
mod values;
mod variables;

use std::env::VarError;
use std::path::Path;

use super::{Config, Diagnostics};

/// A whole configuration, which the tests change here and there.
const WHOLE: &str = r#"plugins:
  folder: ./plugins
  settings:
    binance-feed: { threads: 2 }
  probe_timeout: 3s
channels:
  spot: { capacity: 8192, description: Binance spot, overflow: drop-oldest }
  prices: { capacity: 64 }
  orders: { capacity: 16 }
pipeline:
  time: replay
  connectors:
    - id: spot
      plugin: binance-feed
      component: feed
      outputs: { events: spot }
      config: { path: "${CAPTURES}/spot.gz", quantity: ${QUANTITY:-0.001}, halt: ${HALT:-} }
  aggregator:
    id: merge
    plugin: market-aggregator
    inputs: { sources: [spot] }
    outputs: prices
  strategies:
    - { id: cross, plugin: ema-cross, inputs: [prices], outputs: orders }
  executors:
    - { id: paper, plugin: paper-executor, inputs: orders }
tasks:
  - plugin: hello
    task: heartbeat
    enabled: false
    interval: 1m 30s
    config: { greeting: hi }
shutdown: { drain: 2s }
"#;

/// Reads a text as the file `etc/x.yaml`, with the variables that a test sets.
fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, Diagnostics> {
    Config::parse(Path::new("etc/x.yaml"), text, &|name| {
        let found = variables.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
    })
}

fn parse(text: &str) -> Result<Config, Diagnostics> {
    parse_with(text, &[("CAPTURES", "/data")])
}

/// The findings about a text, one a line.
fn findings(text: &str) -> String {
    match parse(text) {
        Ok(config) => config.warnings.to_string(),
        Err(found) => found.to_string(),
    }
}

/// The whole configuration with one place changed.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(WHOLE.matches(from).count(), 1, "{from} stands once in the whole configuration");
    WHOLE.replace(from, to)
}

/// The configuration of a connector in an otherwise good file.
fn connector_config(
    config: &str,
    variables: &[(&str, &str)],
) -> Result<serde_json::Value, Diagnostics> {
    let written =
        "{ path: \"${CAPTURES}/spot.gz\", quantity: ${QUANTITY:-0.001}, halt: ${HALT:-} }";
    let config = parse_with(&changed(written, config), variables)?;
    Ok(config.pipeline.expect("there is a pipeline").connectors[0].config.clone())
}
