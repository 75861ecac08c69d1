//! The fields of a task spec that this host supports.

use hotbay_plugin_api::{Backoff, Misfire, Overlap, Priority, Schedule, TaskSpec};

/// Returns what a task asks for that this host does not support yet, each with its field's name.
///
/// A spec is never applied in part: a task that asks for one of these is refused.
pub(crate) fn unsupported(task: &TaskSpec) -> Vec<String> {
    let mut wishes = Vec::new();
    let mut ask = |field: &str, wish: String| wishes.push(format!("{wish} (`{field}`)"));
    match &task.schedule {
        Schedule::AtStart | Schedule::Every(_) => {}
        Schedule::OnceAt(moment) => ask("schedule", format!("one run at {moment}")),
        Schedule::Cron { expression, zone } => {
            ask("schedule", format!("cron `{expression}` in {zone}"));
        }
        Schedule::AfterDependencies => ask("schedule", "runs after its dependencies".to_owned()),
        Schedule::Manual => ask("schedule", "runs by hand".to_owned()),
    }
    if task.priority != Priority::NORMAL {
        ask("priority", format!("priority {}", task.priority));
    }
    if !task.depends_on.is_empty() {
        ask("depends_on", format!("depends_on [{}]", task.depends_on.join(", ")));
    }
    if task.attempts != 1 {
        ask("attempts", format!("{} attempts", task.attempts));
    }
    if !task.retry_delay.is_zero() {
        ask("retry_delay", format!("a retry delay of {:?}", task.retry_delay));
    }
    if let Backoff::Exponential { cap } = task.backoff {
        ask("backoff", format!("exponential backoff up to {cap:?}"));
    }
    if let Some(timeout) = task.timeout {
        ask("timeout", format!("a timeout of {timeout:?}"));
    }
    match task.overlap {
        Overlap::Skip => {}
        other @ (Overlap::Queue | Overlap::Allow | Overlap::Replace) => {
            ask("overlap", format!("overlap {other:?}").to_lowercase());
        }
    }
    match task.misfire {
        Misfire::Skip => {}
        Misfire::Once => ask("misfire", "one run for those that it missed".to_owned()),
        Misfire::All { cap } => ask("misfire", format!("up to {cap} runs that it missed")),
    }
    if !task.jitter.is_zero() {
        ask("jitter", format!("a jitter of {:?}", task.jitter));
    }
    if let Some(failures) = task.alert_after {
        ask("alert_after", format!("an alert after {failures} failures"));
    }
    if needs_arguments(task) {
        ask("arguments", "arguments".to_owned());
    }
    wishes.extend(task.not_understood.keys().map(|field| format!("`{field}`")));
    wishes
}

/// Returns `true` if a run needs arguments, because this host gives none.
fn needs_arguments(task: &TaskSpec) -> bool {
    let required = task.arguments.get("required").and_then(|names| names.as_array());
    required.is_some_and(|names| !names.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hotbay_plugin_api::FunctionKind;
    use serde_json::json;

    use super::*;

    fn task() -> TaskSpec {
        TaskSpec::new("a", FunctionKind::Async)
    }

    #[test]
    fn a_task_at_start_or_at_an_interval_is_honoured() {
        assert!(unsupported(&task()).is_empty());
        let every = Schedule::Every(Duration::from_secs(1));
        let optional = json!({ "type": "object", "properties": { "days": {} }, "required": [] });
        let task = TaskSpec { schedule: every, enabled: false, arguments: optional, ..task() };
        assert!(unsupported(&task).is_empty());
    }

    #[test]
    fn whatever_else_a_task_asks_for_is_named_by_its_field() {
        let second = Duration::from_secs(1);
        let asks = [
            ("schedule", TaskSpec { schedule: Schedule::OnceAt(String::new()), ..task() }),
            ("schedule", TaskSpec { schedule: Schedule::AfterDependencies, ..task() }),
            ("schedule", TaskSpec { schedule: Schedule::Manual, ..task() }),
            ("priority", TaskSpec { priority: Priority(7), ..task() }),
            ("depends_on", TaskSpec { depends_on: vec!["b".to_owned()], ..task() }),
            ("attempts", TaskSpec { attempts: 2, ..task() }),
            ("retry_delay", TaskSpec { retry_delay: second, ..task() }),
            ("backoff", TaskSpec { backoff: Backoff::Exponential { cap: second }, ..task() }),
            ("timeout", TaskSpec { timeout: Some(second), ..task() }),
            ("overlap", TaskSpec { overlap: Overlap::Queue, ..task() }),
            ("misfire", TaskSpec { misfire: Misfire::Once, ..task() }),
            ("jitter", TaskSpec { jitter: second, ..task() }),
            ("alert_after", TaskSpec { alert_after: Some(3), ..task() }),
            ("arguments", TaskSpec { arguments: json!({ "required": ["days"] }), ..task() }),
        ];
        for (field, task) in asks {
            let wishes = unsupported(&task);
            assert!(
                wishes.len() == 1 && wishes[0].contains(&format!("`{field}`")),
                "{field}: {wishes:?}"
            );
        }
    }

    #[test]
    fn a_field_or_a_value_of_a_later_sdk_is_named() {
        let json = json!({
            "name": "a", "function": "async", "overlap": "merge", "grace_ms": 5, "exclusive": false,
        });
        let mut wishes = unsupported(&serde_json::from_value(json).unwrap());
        wishes.sort_unstable();
        assert_eq!(wishes, ["`grace_ms`", "`overlap`"]);
    }
}
