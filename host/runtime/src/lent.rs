//! The host as one component or task sees it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RBox, RErr, RNone, ROk, ROption, RResult, RSlice, RSome, RStr, RString, RVec},
};
use async_ffi::{FfiFuture, FutureExt};
use hotbay_plugin_api::{
    Batch, ChannelName, EventHeader, Mode, Overflow, SchedulerError,
    abi::{FfiError, Host, Host_TO, Inbox_TO, PublishWait, SharedCounter, SharedGauge},
};
use tokio_util::sync::CancellationToken;

use super::{
    ReportRow, Seat, Services,
    inbox::HostInbox,
    relay::{Dispatch, Relay},
    services::Progress,
};
use hotbay_core::bus::{EventSender, TrySendError, WaitsFor};

/// Which channels a component's ports are connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connections {
    /// Input port → channels, in order.
    pub inputs: BTreeMap<String, Vec<ChannelName>>,
    /// Output port → channels, in order.
    pub outputs: BTreeMap<String, Vec<ChannelName>>,
}

/// What one component or task is made with.
#[derive(Debug, Clone)]
pub struct ComponentSetup {
    /// Its name and what it takes over from the build before it.
    pub seat: Seat,
    /// Its configuration.
    pub config: serde_json::Value,
    /// Its channels.
    pub connections: Connections,
    /// Cancelled when it is to stop.
    pub cancel: CancellationToken,
}

/// Ends what a build says about itself in the report, when another goes on with its state.
#[derive(Debug, Clone, Default)]
pub struct Mute(Arc<AtomicBool>);

impl Mute {
    /// Ends it.
    pub fn mute(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is that of the same build of the same component.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Lets it begin again.
    pub fn unmute(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Lends the host to something that a plugin makes.
pub(crate) fn lend(
    services: &Services,
    dispatch: &Arc<Dispatch>,
    setup: ComponentSetup,
    mute: Mute,
) -> Result<Host_TO<'static, RBox<()>>, SchedulerError> {
    let mut outputs = Vec::new();
    for (port, channels) in &setup.connections.outputs {
        let senders = channels.iter().map(|channel| services.bus.clone_sender(channel));
        let senders = senders.collect::<Result<Vec<_>, _>>()?;
        outputs.push(Output { port: port.clone(), senders, next: setup.seat.numbers(port) });
    }
    let lent = Lent {
        config: setup.config.to_string(),
        outputs,
        setup,
        services: services.clone(),
        dispatch: Arc::clone(dispatch),
        mute,
    };
    Ok(Host_TO::from_value(lent, TD_Opaque))
}

type Sender = EventSender<ChannelName, Batch>;

struct Lent {
    setup: ComponentSetup,
    config: String,
    outputs: Vec<Output>,
    services: Services,
    dispatch: Arc<Dispatch>,
    mute: Mute,
}

struct Output {
    port: String,
    senders: Vec<Sender>,
    /// The number of the next event.
    next: Arc<AtomicU64>,
}

impl Lent {
    /// A future of the host's, safe for the plugin to poll.
    fn relay<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> FfiFuture<T> {
        let relay: Relay<_> = self.dispatch.relay(Box::pin(future));
        relay.into_ffi()
    }

    fn publish_all(
        &self,
        output: u32,
        headers: &[EventHeader],
        bytes: &[u8],
    ) -> Result<PublishWait, SchedulerError> {
        if self.mute.0.load(Ordering::Acquire) {
            let text = "another build goes on in its place".to_owned();
            return Err(SchedulerError::EventSend(text));
        }
        let Output { senders, next, .. } = self
            .outputs
            .get(output as usize)
            .ok_or_else(|| SchedulerError::EventSend(format!("there is no output {output}")))?;
        if let Some(last) = headers.last() {
            next.fetch_max(last.seq + 1, Ordering::Relaxed);
        }
        let capacity = senders.iter().map(|sender| sender.config().capacity).min().unwrap_or(1);
        let mut waiting: Vec<(Sender, Batch)> = Vec::new();
        for batch in batches(headers, bytes, capacity) {
            for sender in senders {
                // Behind a batch that waits, everything waits, or the order would be lost.
                if waiting.is_empty() {
                    match sender.try_send(batch.clone()) {
                        Ok(()) => continue,
                        Err(TrySendError::Full(_))
                            if sender.config().overflow == Overflow::Block => {}
                        Err(error) => {
                            let event = sender.event();
                            return Err(SchedulerError::EventSend(format!("{event}: {error}")));
                        }
                    }
                }
                waiting.push((sender.clone(), batch.clone()));
            }
        }
        if waiting.is_empty() {
            return Ok(RNone);
        }
        let publishing = self.setup.seat.wait(WaitsFor::Room);
        Ok(RSome(self.relay(async move {
            let _publishing = publishing;
            for (sender, batch) in waiting {
                if let Err(error) = sender.send(batch).await {
                    return RErr(FfiError::from(error));
                }
            }
            ROk(())
        })))
    }
}

/// Copies events into batches of at most `capacity` events each.
fn batches<'a>(
    headers: &'a [EventHeader],
    bytes: &'a [u8],
    capacity: usize,
) -> impl Iterator<Item = Batch> + 'a {
    headers.chunks(capacity).map(move |chunk| {
        if chunk.len() == headers.len() {
            return Batch::copy_from(chunk, bytes);
        }
        let payload = |header: &EventHeader| {
            let start = header.offset as usize;
            bytes.get(start..start.saturating_add(header.len as usize)).unwrap_or_default()
        };
        let mut own = Vec::new();
        let rebase = |header: &EventHeader| {
            let payload = payload(header);
            // Offsets and lengths shrink here, so they fit as they did before.
            let offset = u32::try_from(own.len()).unwrap_or(u32::MAX);
            own.extend_from_slice(payload);
            EventHeader { offset, len: u32::try_from(payload.len()).unwrap_or(0), ..*header }
        };
        let headers: Vec<EventHeader> = chunk.iter().map(rebase).collect();
        Batch::copy_from(&headers, &own)
    })
}

impl Host for Lent {
    fn id(&self) -> RStr<'_> {
        RStr::from(self.setup.seat.id())
    }

    fn source(&self) -> u32 {
        self.setup.seat.source()
    }

    fn config(&self) -> RStr<'_> {
        RStr::from(self.config.as_str())
    }

    fn is_replay(&self) -> bool {
        self.services.mode == Mode::Replay
    }

    fn output(&self, port: RStr<'_>) -> ROption<u32> {
        let at = self.outputs.iter().position(|output| output.port == port.as_str());
        at.and_then(|at| u32::try_from(at).ok()).into()
    }

    fn next_seq(&self, output: u32) -> u64 {
        let output = self.outputs.get(output as usize);
        output.map_or(0, |output| output.next.load(Ordering::Relaxed))
    }

    fn input(&self, port: RStr<'_>) -> RVec<RString> {
        let channels = self.setup.connections.inputs.get(port.as_str());
        channels.into_iter().flatten().map(|channel| RString::from(channel.as_str())).collect()
    }

    fn publish(
        &self,
        output: u32,
        headers: RSlice<'_, EventHeader>,
        bytes: RSlice<'_, u8>,
    ) -> RResult<PublishWait, FfiError> {
        self.publish_all(output, headers.as_slice(), bytes.as_slice()).map_err(Into::into).into()
    }

    fn subscribe(&self, channel: RStr<'_>) -> RResult<Inbox_TO<'static, RBox<()>>, FfiError> {
        let name = ChannelName::from(channel.as_str());
        let own = self.setup.connections.inputs.values().flatten().any(|input| *input == name);
        if !own {
            let error = SchedulerError::InvalidChannel(format!("{name} is none of the inputs"));
            return RErr(error.into());
        }
        let new = || self.services.bus.subscribe(&name);
        match self.setup.seat.subscription(&name, new) {
            Ok(queue) => {
                let seat = self.setup.seat.clone();
                let inbox = HostInbox::new(queue, seat, Arc::clone(&self.dispatch));
                ROk(Inbox_TO::from_value(inbox, TD_Opaque))
            }
            Err(error) => RErr(error.into()),
        }
    }

    fn now_ns(&self) -> i64 {
        self.services.clock.now_ns()
    }

    fn sleep(&self, nanoseconds: u64) -> FfiFuture<()> {
        let clock = Arc::clone(&self.services.clock);
        // The timer is made at the first poll, on the bay's runtime.
        self.relay(async move { clock.sleep(Duration::from_nanos(nanoseconds)).await })
    }

    fn is_cancelled(&self) -> bool {
        self.setup.cancel.is_cancelled()
    }

    fn cancelled(&self) -> FfiFuture<()> {
        self.relay(self.setup.cancel.clone().cancelled_owned())
    }

    fn counter(&self, name: RStr<'_>) -> SharedCounter {
        self.services.board.counter(self.setup.seat.id(), name.as_str())
    }

    fn gauge(&self, name: RStr<'_>) -> SharedGauge {
        self.services.board.gauge(self.setup.seat.id(), name.as_str())
    }

    fn progress(&self, done: u64, total: u64) {
        self.services.board.progress(self.setup.seat.id(), Progress { done, total });
    }

    fn report(&self, section: RStr<'_>, json: RStr<'_>) {
        if self.mute.0.load(Ordering::Acquire) {
            return;
        }
        match serde_json::from_str(json.as_str()) {
            Ok(row) => self.services.board.row(ReportRow {
                section: section.as_str().to_owned(),
                component: self.setup.seat.id().to_owned(),
                row,
            }),
            Err(error) => {
                tracing::error!(%error, component = self.setup.seat.id(), "a report row is not JSON");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(offset: u32, len: u32) -> EventHeader {
        EventHeader { time_ns: 0, seq: 0, source: 0, kind: 0, offset, len }
    }

    #[test]
    fn what_does_not_fit_into_a_channel_at_once_is_split_in_order() {
        let headers = [header(0, 1), header(1, 2), header(3, 1)];
        let split: Vec<_> = batches(&headers, b"abcd", 2).collect();
        let payloads =
            |batch: &Batch| batch.iter().map(|it| it.payload().to_vec()).collect::<Vec<_>>();
        assert_eq!(payloads(&split[0]), [b"a".to_vec(), b"bc".to_vec()]);
        assert_eq!(payloads(&split[1]), [b"d".to_vec()]);
        assert_eq!(split.len(), 2);
    }

    #[test]
    fn a_header_that_points_outside_loses_its_payload_only() {
        let headers = [header(9, 9), header(0, 1), header(1, 1)];
        let split: Vec<_> = batches(&headers, b"ab", 2).collect();
        assert_eq!(split[0].get(0).unwrap().payload(), b"");
        assert_eq!(split[0].get(1).unwrap().payload(), b"a");
    }
}
