//! Describing a task spec in a few words.

use hotbay_plugin_api::{FunctionKind, Schedule, TaskSpec};
use serde_json::Value;

use super::wording::duration;

pub(super) fn function(function: FunctionKind) -> &'static str {
    match function {
        FunctionKind::Async => "async",
        FunctionKind::Sync => "sync",
    }
}

/// Describes the function and the schedule of a task, and each field that is not the default.
pub(super) fn describe(task: &TaskSpec) -> String {
    let mut text = format!("{}, {}", function(task.function), schedule(&task.schedule));
    let plain = TaskSpec::new(&task.name, task.function);
    for (field, value) in fields(task) {
        let told = ["description", "schedule", "arguments"].contains(&field.as_str());
        if !told && fields(&plain).get(&field) != Some(&value) {
            text.push_str(&format!("; {field} {value}"));
        }
    }
    text
}

fn fields(task: &TaskSpec) -> serde_json::Map<String, Value> {
    match serde_json::to_value(task) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => serde_json::Map::new(),
    }
}

fn schedule(schedule: &Schedule<String>) -> String {
    match schedule {
        Schedule::AtStart => "once, at start".to_owned(),
        Schedule::OnceAt(moment) => format!("once, at {moment}"),
        Schedule::Every(interval) => format!("every {}", duration(*interval)),
        Schedule::Cron { expression, zone } => format!("cron `{expression}` in {zone}"),
        Schedule::AfterDependencies => "after the tasks that it depends on".to_owned(),
        Schedule::OnEvent(channel) => format!("for each event of channel `{channel}`"),
        Schedule::Manual => "by hand".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hotbay_plugin_api::Priority;

    use super::*;

    #[test]
    fn a_task_is_described_by_what_it_says_beyond_a_plain_one() {
        let plain = TaskSpec::new("a", FunctionKind::Sync);
        assert_eq!(describe(&plain), "sync, once, at start");
        let every = Schedule::Every(std::time::Duration::from_secs(5));
        let task = TaskSpec { schedule: every, priority: Priority::HIGH, attempts: 3, ..plain };
        assert_eq!(describe(&task), "sync, every 5s; priority 100; attempts 3");
    }
}
