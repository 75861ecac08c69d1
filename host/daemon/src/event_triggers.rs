//! Requests for runs of tasks that run for each event of a channel.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hotbay_core::bus::EventReceiver;
use hotbay_plugin_api::{Batch, ChannelName, EventRef};
use hotbay_runtime::Services;
use hotbay_tasks::{ControlError, TaskAnswer, TaskControl, TaskRequest};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The most runs of one task that wait, before its events wait in the channel.
const MOST_WAITING: u64 = 1_000;

/// After how many accepted events the number of runs that wait is looked up.
const LOOK_AFTER: u32 = 100;

/// The time between two looks at a queue of runs that is full.
const PAUSE: Duration = Duration::from_millis(50);

/// The channels that are followed for tasks.
#[derive(Debug, Default)]
pub(crate) struct EventTriggers {
    /// What ends the following of a channel when it is dropped, by the id of the task and the name of
    /// the channel.
    followed: BTreeMap<(Arc<str>, String), DropGuard>,
}

impl EventTriggers {
    /// Follows the channels of these tasks, and no others.
    pub(crate) fn follow(
        &mut self,
        wanted: Vec<(Arc<str>, String)>,
        services: &Services,
        control: &TaskControl,
    ) {
        self.followed.retain(|key, _| wanted.contains(key));
        for (task, channel) in wanted {
            if self.followed.contains_key(&(Arc::clone(&task), channel.clone())) {
                continue;
            }
            let receiver = match services.bus.subscribe(&ChannelName::from(channel.as_str())) {
                Ok(receiver) => receiver,
                Err(error) => {
                    tracing::error!(%error, task = &*task, channel, "its events are not followed");
                    continue;
                }
            };
            let stop = CancellationToken::new();
            let following = Following { task: Arc::clone(&task), control: control.clone() };
            let follow = stop.clone().run_until_cancelled_owned(following.run(receiver));
            tokio::spawn(follow);
            self.followed.insert((task, channel), stop.drop_guard());
        }
    }
}

/// Requests a run of one task for each event of a channel.
struct Following {
    task: Arc<str>,
    control: TaskControl,
}

impl Following {
    async fn run(self, mut receiver: EventReceiver<ChannelName, Batch>) {
        let channel: Arc<str> = receiver.event().to_string().into();
        let (mut until_look, mut refused) = (LOOK_AFTER, 0u64);
        while let Some(batch) = receiver.recv().await {
            for arguments in batch.iter().map(|event| arguments(&channel, event)) {
                match self.request(&channel, arguments).await {
                    Ok(()) => {
                        if std::mem::take(&mut refused) > 0 {
                            tracing::debug!(
                                task = &*self.task,
                                channel = &*channel,
                                "runs for events again"
                            );
                        }
                        until_look -= 1;
                        if until_look == 0 {
                            until_look = LOOK_AFTER;
                            self.wait_for_room().await;
                        }
                    }
                    Err(ControlError::Stopping) => return,
                    Err(error) => {
                        // The first of a row says why; a fast channel would fill the log.
                        if refused == 0 {
                            let task = &*self.task;
                            tracing::info!(
                                task,
                                channel = &*channel,
                                "no run for an event: {error}"
                            );
                        }
                        refused += 1;
                    }
                }
            }
        }
    }

    async fn request(&self, channel: &Arc<str>, arguments: Value) -> Result<(), ControlError> {
        let (task, channel) = (Arc::clone(&self.task), Arc::clone(channel));
        self.control.run_for_event(task, channel, arguments).await.map(drop)
    }

    /// Waits while many runs wait for their turn. Meanwhile the channel's overflow policy decides what
    /// becomes of further events.
    async fn wait_for_room(&self) {
        loop {
            let show = TaskRequest::Show { task: self.task.to_string() };
            match self.control.ask(show).await {
                Ok(TaskAnswer::Task(task, _)) if task.waiting >= MOST_WAITING => {}
                Ok(_) | Err(_) => return,
            }
            sleep(PAUSE).await;
        }
    }
}

/// Returns the arguments of a run for an event. A payload that is text is `text`, and any other one
/// `bytes`, in hexadecimal.
fn arguments(channel: &str, event: EventRef<'_>) -> Value {
    let header = event.header();
    let (key, payload) = match event.text() {
        Some(text) => ("text", text.to_owned()),
        None => ("bytes", hexadecimal(event.payload())),
    };
    json!({
        "event": {
            "channel": channel,
            "time_ns": header.time_ns,
            "source": header.source,
            "seq": header.seq,
            "kind": header.kind,
            key: payload,
        }
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |number: u8| char::from_digit(u32::from(number), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use hotbay_plugin_api::{EventHeader, Kind};

    use super::*;

    fn of(kind: Kind, payload: &[u8]) -> Value {
        let len = u32::try_from(payload.len()).unwrap();
        let header =
            EventHeader { time_ns: 5, seq: 2, source: 1, kind: kind.code(), offset: 0, len };
        let batch = Batch::copy_from(&[header], payload);
        arguments("fills", batch.get(0).unwrap())["event"].take()
    }

    #[test]
    fn the_event_is_the_argument_of_its_run() {
        let text = of(Kind::TEXT, "é".as_bytes());
        assert_eq!((&text["channel"], &text["text"]), (&"fills".into(), &"é".into()));
        assert_eq!(
            (&text["time_ns"], &text["seq"], &text["source"]),
            (&5.into(), &2.into(), &1.into())
        );
        let bytes = of(Kind::BYTES, &[0, 255, 16]);
        assert_eq!((&bytes["bytes"], bytes.get("text")), (&"00ff10".into(), None));
    }
}
