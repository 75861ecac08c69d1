//! The component `merge`, which connects the merge to its channels.

mod state;

use futures_lite::future::or;
use hotbay_market::{Depth, DepthSnapshot, DepthUpdate, Quote, Trade};
use hotbay_plugin_api::{
    Aggregator, BackgroundTask, Batch, ChannelName, Component, Context, EventRef, Mode, Port,
    Received, SavedState, SchedulerError, Subscriptions, async_trait,
};
use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    merge::{self, Arrival, Jump, Key, Merge},
    outputs::{Market, Outputs},
    pace::{Pace, nanoseconds},
    report,
};

/// The number of late events of each source that are logged; all of them are counted.
const LOGGED: u64 = 5;

/// Merges its sources by event time.
///
/// In a replay the merge waits for data without a limit. Live, an event waits for
/// sources that send nothing no longer than the largest lateness.
#[derive(Debug)]
pub struct MarketAggregator {
    context: Context,
    sources: Vec<Source>,
    inputs: Subscriptions,
    merge: Merge<Market>,
    pace: Pace,
    outputs: Outputs,
    reported: bool,
}

#[derive(Debug)]
struct Source {
    channel: ChannelName,
    counts: Counts,
}

/// What of a source is counted here; the merge counts the rest.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Counts {
    depth: u64,
    other: u64,
    no_trade: u64,
    jumps: u64,
    set_back: u64,
}

impl Component for MarketAggregator {
    type Config = Config;
    const INPUTS: &'static [Port] = &[Port::required(
        "sources",
        "quotes and trades; at equal times the first listed goes first",
    )
    .of::<(Quote, Trade, DepthUpdate, DepthSnapshot)>()];
    const OUTPUTS: &'static [Port] = Outputs::PORTS;
    const DESCRIPTION: &'static str =
        "Merges market data by event time into quotes, trades, bars and fair values";

    fn check(config: &Config) -> Result<(), String> {
        config.check()
    }

    fn create(config: Config, context: Context) -> Result<Self, SchedulerError> {
        let channels = context.inputs("sources");
        let wrong = |message| SchedulerError::Configuration(format!("{}: {message}", context.id()));
        let latenesses = config.latenesses(&channels).map_err(wrong)?;
        let longest = latenesses.iter().max().copied().unwrap_or_default();
        if context.mode() == Mode::Live && channels.len() > 1 && longest.is_zero() {
            tracing::warn!(
                "live with a lateness of zero: of two sources, the one that comes second is late; \
                 set `lateness`"
            );
        }
        // Subscribed here and not in `initialize`, so that no source's first events are missed.
        let inputs = context.subscribe_all("sources")?;
        let pace = Pace::new(context.mode(), longest);
        let merge = Merge::new(latenesses.into_iter().map(nanoseconds));
        let merge = merge.with_jump(nanoseconds(config.jump));
        let outputs = Outputs::new(&context, config)?;
        let source = |channel| Source { channel, counts: Counts::default() };
        let sources = channels.into_iter().map(source).collect();
        Ok(Self { context, sources, inputs, merge, pace, outputs, reported: false })
    }
}

#[async_trait]
impl BackgroundTask for MarketAggregator {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        let (merge, pace) = (&self.merge, &self.pace);
        let arrived = match self.inputs.try_recv_from(|place| pace.wants(merge, place)) {
            Some(arrived) => Some(arrived),
            // Publish what is ready before waiting.
            None => {
                self.outputs.flush().await?;
                self.wait().await
            }
        };
        // There is no await between receiving and `absorb`: a received batch is in the merge,
        // and so in the saved state, before the turn can be dropped.
        match arrived {
            Some(Received::Batch(place, batch)) => self.absorb(place, &batch),
            Some(Received::Ended(place)) => {
                self.merge.end(place);
                self.note_jumps(place);
            }
            None => {}
        }
        self.release().await?;
        if !self.merge.is_done() {
            return Ok(());
        }
        self.outputs.end();
        self.outputs.flush().await?;
        self.report();
        Err(self.lost().map_or(SchedulerError::Finished, SchedulerError::TaskExecution))
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        // Events that were released by the merge are not part of the state, so publish them now.
        self.outputs.flush().await?;
        self.save().map(Some)
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        self.resume(&state)
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        self.outputs.flush().await?;
        // A merge that has ended has said so already.
        let lost = self.lost().filter(|_| !self.reported);
        self.report();
        lost.map_or(Ok(()), |lost| Err(SchedulerError::TaskShutdown(lost)))
    }
}

impl Aggregator for MarketAggregator {}

impl MarketAggregator {
    /// Waits until a source delivers, an event's waiting time is over or the host asks to stop.
    async fn wait(&mut self) -> Option<Received> {
        let context = &self.context;
        let expiry = self.pace.next_expiry(context.now_ns(), self.merge.released());
        let (merge, pace) = (&self.merge, &self.pace);
        let arrival = async { Some(self.inputs.recv_from(|place| pace.wants(merge, place)).await) };
        let stop = async {
            context.cancelled().await;
            None
        };
        let Some(left) = expiry else { return or(arrival, stop).await };
        let expired = async {
            context.sleep(left).await;
            None
        };
        or(arrival, or(expired, stop)).await
    }

    fn absorb(&mut self, place: usize, batch: &Batch) {
        if self.context.mode() == Mode::Live {
            self.merge.set_now(self.context.now_ns());
        }
        let mut newest: Option<Key> = None;
        for event in batch.iter() {
            let arrival = match read(&event, &mut self.sources[place].counts) {
                Some(market) => self.merge.push(place, event.time_ns(), market),
                None => self.merge.observe(place, event.time_ns()),
            };
            match arrival {
                Arrival::Accepted(key) => newest = newest.max(Some(key)),
                Arrival::Late { by_ns } => self.late(place, event.time_ns(), by_ns),
                Arrival::Held => {}
            }
        }
        self.note_jumps(place);
        if let Some(key) = newest {
            self.pace.note(self.context.now_ns(), key);
        }
    }

    fn late(&self, place: usize, time_ns: i64, by_ns: i64) {
        if self.merge.arrived(place).late <= LOGGED {
            let source = &self.sources[place].channel;
            tracing::warn!(%source, time_ns, by_ns, "a late event is left out; raise `lateness`");
        }
    }

    /// Counts and logs the jumps in the times of a source.
    fn note_jumps(&mut self, place: usize) {
        let Source { channel: source, counts } = &mut self.sources[place];
        for jump in self.merge.take_jumps(place) {
            counts.jumps += 1;
            counts.set_back += u64::from(matches!(jump, Jump::SetBack { .. }));
            if counts.jumps > LOGGED {
                continue;
            }
            match jump {
                Jump::LeftOut { events, ahead_ns } => tracing::warn!(
                    %source, events, ahead_ns,
                    "events with times far from those around them are left out"
                ),
                Jump::SetBack { by_ns } => tracing::warn!(
                    %source, by_ns,
                    "the times of a source were set back; they are shifted from here on"
                ),
            }
        }
    }

    /// Returns the sources that lost more than half of their events, as the error of the run.
    fn lost(&self) -> Option<String> {
        let lost = self.sources.iter().enumerate().filter_map(|(place, source)| {
            let merge::Arrived { events, late, jumped } = self.merge.arrived(place);
            let most = (late + jumped) * 2 > events;
            most.then(|| {
                let lost = late + jumped;
                format!("{} ({lost} of {events}, {late} of them late)", source.channel)
            })
        });
        let lost: Vec<_> = lost.collect();
        (!lost.is_empty()).then(|| {
            format!(
                "most events were left out because of their times, of {}; check the clocks of                  the sources, or raise `lateness` or `jump`",
                lost.join(", ")
            )
        })
    }

    /// Publishes the events that are in order and, live, those whose waiting time is over.
    async fn release(&mut self) -> Result<(), SchedulerError> {
        while let Some((key, market)) = self.merge.pop() {
            self.emit(key, &market).await?;
        }
        let Some(limit) = self.pace.expired(self.context.now_ns()) else { return Ok(()) };
        while let Some((key, market)) = self.merge.pop_through(limit) {
            self.emit(key, &market).await?;
        }
        Ok(())
    }

    async fn emit(&mut self, key: Key, market: &Market) -> Result<(), SchedulerError> {
        let now_ns = match self.context.mode() {
            Mode::Replay => key.time_ns,
            Mode::Live => self.context.now_ns(),
        };
        self.outputs.event(key.time_ns, now_ns, market);
        if self.outputs.is_full() { self.outputs.flush().await } else { Ok(()) }
    }

    fn report(&mut self) {
        if std::mem::replace(&mut self.reported, true) {
            return;
        }
        for (place, source) in self.sources.iter().enumerate() {
            let merge::Arrived { events, late, jumped } = self.merge.arrived(place);
            let Counts { depth, other, no_trade, set_back, .. } = source.counts;
            let source = source.channel.as_str();
            let row = report::SourceRow {
                source,
                events,
                late,
                jumped,
                set_back,
                no_trade,
                depth,
                other,
            };
            report::source(&self.context, row);
        }
        report::totals(&self.context, self.outputs.totals());
    }
}

/// Reads what is merged, and counts what is not.
fn read(event: &EventRef<'_>, counts: &mut Counts) -> Option<Market> {
    if let Some(quote) = event.read::<Quote>() {
        return Some(Market::Quote(quote));
    }
    if let Some(trade) = event.read::<Trade>() {
        if trade.is_trade() {
            return Some(Market::Trade(trade));
        }
        counts.no_trade += 1;
        return None;
    }
    let kind = event.kind();
    match kind == Depth::UPDATE || kind == Depth::SNAPSHOT {
        true => counts.depth += 1,
        false => counts.other += 1,
    }
    None
}

#[cfg(test)]
mod tests;
