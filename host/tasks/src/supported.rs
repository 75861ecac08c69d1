//! The fields of a task spec that this host supports.

use hotbay_plugin_api::{Schedule, TaskSpec};

/// Returns what a task asks for that this host does not support yet, each with its field.
///
/// A spec is never applied in part: a task that asks for one of these is refused.
pub(crate) fn unsupported(task: &TaskSpec) -> Vec<(&str, String)> {
    let mut wishes = Vec::new();
    if needs_arguments(task) && task.schedule != Schedule::Manual {
        wishes.push(("arguments", "arguments".to_owned()));
    }
    wishes.extend(task.not_understood.keys().map(|field| (field.as_str(), String::new())));
    wishes
}

/// Returns `true` if a run needs arguments that it does not have: one that is asked for by hand has
/// those that are given, and one for an event has the event.
fn needs_arguments(task: &TaskSpec) -> bool {
    let required = task.arguments.get("required").and_then(|names| names.as_array());
    let is_event = matches!(task.schedule, Schedule::OnEvent(_));
    let mut names = required.into_iter().flatten();
    names.any(|name| !(is_event && name == "event"))
}

#[cfg(test)]
mod tests {
    use hotbay_plugin_api::FunctionKind;
    use serde_json::json;

    use super::*;

    fn task() -> TaskSpec {
        TaskSpec::new("a", FunctionKind::Async)
    }

    #[test]
    fn a_task_without_required_arguments_is_honoured() {
        assert!(unsupported(&task()).is_empty());
        let optional = json!({ "type": "object", "properties": { "days": {} }, "required": [] });
        assert!(unsupported(&TaskSpec { arguments: optional, ..task() }).is_empty());
    }

    #[test]
    fn a_task_that_runs_by_hand_may_require_arguments() {
        let arguments = json!({ "required": ["days"] });
        let by_hand = TaskSpec { schedule: Schedule::Manual, arguments, ..task() };
        assert!(unsupported(&by_hand).is_empty());
    }

    #[test]
    fn a_task_that_runs_for_events_may_require_the_event() {
        let schedule = Schedule::OnEvent("fills".to_owned());
        let of = |required| {
            let arguments = json!({ "required": required });
            unsupported(&TaskSpec { schedule: schedule.clone(), arguments, ..task() }).len()
        };
        assert_eq!((of(json!(["event"])), of(json!(["event", "days"]))), (0, 1));
    }

    #[test]
    fn what_is_not_honoured_is_named_by_its_field() {
        let asks =
            [("arguments", TaskSpec { arguments: json!({ "required": ["days"] }), ..task() })];
        for (field, task) in asks {
            let wishes = unsupported(&task);
            let [(named, _)] = &wishes[..] else { panic!("{field}: {wishes:?}") };
            assert_eq!(*named, field);
        }
    }

    #[test]
    fn a_field_or_a_value_of_a_later_sdk_is_named() {
        let json = json!({
            "name": "a", "function": "async", "overlap": "merge", "patience_ms": 5, "exclusive": false,
        });
        let task = serde_json::from_value(json).unwrap();
        let mut fields: Vec<_> = unsupported(&task).into_iter().map(|(field, _)| field).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["overlap", "patience_ms"]);
    }
}
