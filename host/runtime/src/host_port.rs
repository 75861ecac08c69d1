//! The host as one component or one run sees it: its side of the ABI's [`Host`] trait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
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
    abi::{FfiError, Host, Host_TO, Inbox_TO, PassedFd, PublishWait, SharedCounter, SharedGauge},
    limits,
};

use super::{
    ComponentSetup, ReportGate, Services,
    board::Progress,
    inbox::HostInbox,
    relay::{Relay, WakeDispatcher},
    split_batch::batches,
};
use hotbay_core::bus::{EventSender, TrySendError, WaitsFor};

/// Makes the host that a plugin's object gets.
///
/// # Errors
/// If a channel of an output was never declared.
pub(crate) fn open(
    services: &Services,
    dispatcher: &Arc<WakeDispatcher>,
    setup: ComponentSetup,
    report_gate: ReportGate,
) -> Result<Host_TO<'static, RBox<()>>, SchedulerError> {
    let mut outputs = Vec::new();
    for (port, channels) in &setup.spec.connections.outputs {
        let senders = channels.iter().map(|channel| services.bus.clone_sender(channel));
        let senders = senders.collect::<Result<Vec<_>, _>>()?;
        outputs.push(Output { port: port.clone(), senders, next: setup.slot.next_seq(port) });
    }
    let port = HostPort {
        config: setup.spec.config.to_string(),
        outputs,
        setup,
        services: services.clone(),
        dispatcher: Arc::clone(dispatcher),
        report_gate,
    };
    Ok(Host_TO::from_value(port, TD_Opaque))
}

type Sender = EventSender<ChannelName, Batch>;

/// The host's side of one component or run.
struct HostPort {
    setup: ComponentSetup,
    /// The configuration of the component or run, as JSON.
    config: String,
    outputs: Vec<Output>,
    services: Services,
    dispatcher: Arc<WakeDispatcher>,
    report_gate: ReportGate,
}

/// One output port, with the senders of its channels.
struct Output {
    port: String,
    senders: Vec<Sender>,
    /// The sequence number of the next event.
    next: Arc<AtomicU64>,
}

impl HostPort {
    /// Wraps a future of the host so that the plugin may poll it.
    fn relay<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> FfiFuture<T> {
        let relay: Relay<_> = self.dispatcher.relay(Box::pin(future));
        relay.into_ffi()
    }

    fn publish_all(
        &self,
        output: u32,
        headers: &[EventHeader],
        bytes: &[u8],
    ) -> Result<PublishWait, SchedulerError> {
        if self.report_gate.is_closed() {
            let text = "another build has taken over".to_owned();
            return Err(SchedulerError::EventSend(text));
        }
        let Output { senders, next, .. } = self
            .outputs
            .get(output as usize)
            .ok_or_else(|| SchedulerError::EventSend(format!("there is no output {output}")))?;
        limits::check_events(headers)?;
        if let Some(last) = headers.last() {
            next.fetch_max(last.seq.saturating_add(1), Ordering::Relaxed);
        }
        let capacity = senders.iter().map(|sender| sender.config().capacity).min().unwrap_or(1);
        let mut waiting: Vec<(Sender, Batch)> = Vec::new();
        for batch in batches(headers, bytes, capacity) {
            for sender in senders {
                // Behind a batch that waits, every other one waits too: otherwise the order of
                // the events would change.
                if waiting.is_empty() {
                    match sender.try_send(batch.clone()) {
                        Ok(()) => continue,
                        Err(TrySendError::Full(_)) if sender.overflow() == Overflow::Block => {}
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
        let publishing = self.setup.slot.wait(WaitsFor::Room);
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

impl Host for HostPort {
    fn id(&self) -> RStr<'_> {
        RStr::from(self.setup.slot.id())
    }

    fn source(&self) -> u32 {
        self.setup.slot.source()
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
        let channels = self.setup.spec.connections.inputs.get(port.as_str());
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
        let own = self.setup.spec.connections.inputs.values().flatten().any(|input| *input == name);
        if !own {
            let error =
                SchedulerError::InvalidChannel(format!("{name} is not an input of this component"));
            return RErr(error.into());
        }
        let new = || self.services.bus.subscribe(&name);
        match self.setup.slot.subscription(&name, new) {
            Ok(input) => {
                let slot = self.setup.slot.clone();
                let inbox = HostInbox::new(input, slot, &self.dispatcher);
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
        // An async block, so that the timer is made at the first poll, on the bay's runtime.
        self.relay(async move { clock.sleep(Duration::from_nanos(nanoseconds)).await })
    }

    fn is_cancelled(&self) -> bool {
        self.setup.cancel.is_cancelled()
    }

    fn cancelled(&self) -> FfiFuture<()> {
        self.relay(self.setup.cancel.clone().cancelled_owned())
    }

    fn counter(&self, name: RStr<'_>) -> SharedCounter {
        self.services.board.counter(self.setup.slot.id(), name.as_str())
    }

    fn gauge(&self, name: RStr<'_>) -> SharedGauge {
        self.services.board.gauge(self.setup.slot.id(), name.as_str())
    }

    fn progress(&self, done: u64, total: u64) {
        self.services.board.progress(self.setup.slot.id(), Progress { done, total });
    }

    fn report(&self, section: RStr<'_>, json: RStr<'_>) {
        if !self.report_gate.is_closed() {
            self.services.board.row(self.setup.slot.id(), &section, &json);
        }
    }

    fn keep_fd(&self, name: RStr<'_>, fd: PassedFd) -> RResult<(), FfiError> {
        let Some(fd) = fd.into_owned() else { return ROk(()) };
        let kept = self.services.descriptors.keep(self.setup.slot.id(), name.as_str(), fd);
        kept.map_err(FfiError::from).into()
    }

    fn take_fd(&self, name: RStr<'_>) -> ROption<PassedFd> {
        let taken = self.services.descriptors.take(self.setup.slot.id(), name.as_str());
        taken.map(PassedFd::from).into()
    }
}
