use super::{WHOLE, changed, findings};

#[test]
fn a_missing_role_is_named_with_its_remedy() {
    let without = |from: &str, to: &str| {
        let (start, end) = (WHOLE.find(from).unwrap(), WHOLE.find(to).unwrap());
        findings(&format!("{}{}", &WHOLE[..start], &WHOLE[end..]))
    };
    assert_eq!(
        without("  connectors:", "  aggregator:"),
        "etc/x.yaml:10:1: the pipeline has no connector; add at least one under `connectors:`"
    );
    assert_eq!(
        without("  aggregator:", "  strategies:"),
        "etc/x.yaml:10:1: the pipeline has no aggregator; add one under `aggregator:`"
    );
    assert_eq!(
        without("  strategies:", "  executors:"),
        "etc/x.yaml:10:1: the pipeline has no strategy; add at least one under `strategies:`"
    );
    assert_eq!(
        without("  executors:", "tasks:"),
        "etc/x.yaml:10:1: the pipeline has no executor; add at least one under `executors:`"
    );
}

#[test]
fn an_empty_list_is_a_missing_role() {
    let text = changed("\n    - { id: paper, plugin: paper-executor, inputs: orders }", " []");
    assert_eq!(
        findings(&text),
        "etc/x.yaml:10:1: the pipeline has no executor; add at least one under `executors:`"
    );
}

#[test]
fn two_aggregators_are_one_too_many() {
    let text = WHOLE
        .replace("    id: merge\n    plugin", "    - id: merge\n      plugin")
        .replace("    inputs: { sources", "      inputs: { sources")
        .replace("    outputs: prices\n", "      outputs: prices\n    - { id: b, plugin: c }\n");
    assert_eq!(
        findings(&text),
        "etc/x.yaml:23:7: the pipeline has 2 aggregators (lines 19 and 23); it takes exactly one\n\
         etc/x.yaml:23:7: warning: the aggregator `b` has no inputs; it gets no event like this\n\
         etc/x.yaml:23:7: warning: the aggregator `b` has no outputs; \
         nobody gets its events like this"
    );
}

#[test]
fn an_aggregator_may_be_a_list_of_one() {
    let text = WHOLE
        .replace("    id: merge\n    plugin", "    - id: merge\n      plugin")
        .replace("    inputs: { sources", "      inputs: { sources")
        .replace("    outputs: prices\n", "      outputs: prices\n");
    assert_eq!(findings(&text), "");
}

#[test]
fn a_wrong_entry_still_counts_for_its_role() {
    let text = changed("- { id: cross, plugin: ema-cross,", "- { id: cross, plugn: ema-cross,");
    assert_eq!(
        findings(&text),
        "etc/x.yaml:24:20: unknown key `plugn`; did you mean `plugin`? expected one of \
         `id`, `plugin`, `component`, `inputs`, `outputs`, `config`, `state`"
    );
}

#[test]
fn a_role_has_a_list() {
    let text = changed("    - { id: paper, plugin", "    { id: paper, plugin");
    assert_eq!(
        findings(&text),
        "etc/x.yaml:26:5: expected a list of components, found a mapping; \
         start each component with `- id: …`"
    );
}

#[test]
fn an_id_is_used_once() {
    assert_eq!(
        findings(&changed("id: paper", "id: spot")),
        "etc/x.yaml:26:13: the id `spot` is already used on line 13; give each component its own"
    );
}

#[test]
fn a_channel_has_to_be_declared() {
    assert_eq!(
        findings(&changed("inputs: { sources: [spot] }", "inputs: { sources: [spot, spoot] }")),
        "etc/x.yaml:21:31: no channel is named `spoot`; did you mean `spot`? \
         declared are `spot`, `prices`, `orders`"
    );
    assert_eq!(
        findings("plugins: { folder: p }\npipeline: { time: live, connectors: [{ id: a, plugin: b, outputs: x }] }")
            .lines()
            .last()
            .unwrap(),
        "etc/x.yaml:2:67: no channel is named `x`; declare it under `channels:`"
    );
}

#[test]
fn a_channel_stands_once_at_a_port() {
    assert_eq!(
        findings(&changed("inputs: { sources: [spot] }", "inputs: { sources: [spot, spot] }")),
        "etc/x.yaml:21:31: the channel `spot` stands twice at this port; leave one of the two"
    );
}

#[test]
fn a_channel_has_room_for_something() {
    assert_eq!(
        findings(&changed("orders: { capacity: 16 }", "orders: { capacity: 0 }")),
        "etc/x.yaml:9:23: expected a whole number from 1 to 16777216, found the number 0"
    );
}

#[test]
fn unused_channels_and_loose_ends_are_warnings() {
    assert_eq!(
        findings(&changed("  orders: {", "  spare: { capacity: 1 }\n  orders: {")),
        "etc/x.yaml:9:3: warning: the channel `spare` is used by no component; \
         leave it out, unless a task uses it"
    );
    assert_eq!(
        findings(&changed("inputs: [prices], outputs: orders }", "inputs: [prices] }")),
        "etc/x.yaml:9:3: warning: the channel `orders` is read and no component writes to it; \
         put it into the `outputs` of a component\n\
         etc/x.yaml:24:7: warning: the strategy `cross` has no outputs; \
         nobody gets its events like this"
    );
}

#[test]
fn time_is_said() {
    assert_eq!(
        findings(&changed("  time: replay\n", "")),
        "etc/x.yaml:11:3: the pipeline's key `time` is missing; \
         add `time: replay` for recorded events or `time: live` for the clock"
    );
    assert_eq!(
        findings(&changed("time: replay", "time: reply")),
        "etc/x.yaml:11:9: unknown value `reply`; did you mean `replay`? \
         expected one of `replay`, `live`"
    );
}

#[test]
fn a_component_that_reads_its_own_events_is_refused() {
    assert_eq!(
        findings(&changed("inputs: { sources: [spot] }", "inputs: { sources: [spot, prices] }")),
        "etc/x.yaml:21:13: `merge` reads its own events on channel `prices`; \
         leave one of these channels out of the inputs or outputs"
    );
}

#[test]
fn a_cycle_through_several_components_is_refused_with_its_way() {
    let text = changed("inputs: { sources: [spot] }", "inputs: { sources: [spot, orders] }");
    assert_eq!(
        findings(&text),
        "etc/x.yaml:21:13: the events of `merge` come back to it, through `cross` and the channels \
         `prices`, `orders`; leave one of these channels out of the inputs or outputs"
    );
}

#[test]
fn reports_of_an_executor_to_a_strategy_are_no_cycle() {
    let text = changed("inputs: orders }", "inputs: orders, outputs: reports }")
        .replace("inputs: [prices], ", "inputs: { bars: prices, reports: reports }, ")
        .replace("  orders: {", "  reports: { capacity: 16 }\n  orders: {");
    assert_eq!(findings(&text), "");
}
