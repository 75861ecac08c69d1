//! Publishes merged events, and what is computed from them, on the connected channels.

use std::time::Duration;

use hotbay_market::{Bar, FairValue, Quote, Trade};
use hotbay_plugin_api::{Context, Port, Publisher, SchedulerError};
use serde::{Deserialize, Serialize};

use crate::{
    Bars, Fair, bars,
    config::Config,
    fair::{self, NoFair},
    pace::nanoseconds,
    raw,
    report::Totals,
};

/// The number of quotes without a fair value that are logged; all of them are counted.
const LOGGED: u64 = 5;

/// A market event of a kind that is merged.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Market {
    Quote(#[serde(with = "raw")] Quote),
    Trade(#[serde(with = "raw")] Trade),
}

#[derive(Debug)]
pub(crate) struct Outputs {
    quotes: Option<Publisher>,
    trades: Option<Publisher>,
    bars: Option<(Publisher, Bars)>,
    fair: Option<(Publisher, Fair)>,
    totals: Totals,
    last_ns: i64,
}

/// The saved state of the outputs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    bars: Option<Vec<bars::Saved>>,
    fair: Option<fair::Saved>,
    totals: Totals,
    last_ns: i64,
}

impl Outputs {
    pub(crate) const PORTS: &'static [Port] = &[
        Port::optional("quotes", "best bid and ask, merged").of::<Quote>(),
        Port::optional("trades", "trades, merged").of::<Trade>(),
        Port::optional(
            "bars",
            "bars of trades; at the end of the data each instrument's last quote",
        )
        .of::<(Bar, Quote)>(),
        Port::optional("fair", "the mid of several venues").of::<FairValue>(),
    ];

    pub(crate) fn new(context: &Context, config: Config) -> Result<Self, SchedulerError> {
        let (quotes, trades) =
            (context.optional_publisher("quotes"), context.optional_publisher("trades"));
        let bars = config.bars.map(|bars| Bars::new(bars.trades));
        let bars = paired(context, "bars", bars)?;
        let fair = config.fair.map(|config| {
            let fair = Fair::new(config.instruments, config.trade);
            fair.with_max_age(config.max_age.map_or(i64::MAX, nanoseconds))
        });
        let fair = paired(context, "fair", fair)?;
        if quotes.is_none() && trades.is_none() && bars.is_none() && fair.is_none() {
            return Err(SchedulerError::Configuration(format!(
                "{}: no output is connected; name a channel for quotes, trades, bars or fair \
                 under `outputs`",
                context.id()
            )));
        }
        Ok(Self { quotes, trades, bars, fair, totals: Totals::default(), last_ns: 0 })
    }

    pub(crate) fn save(&self) -> Saved {
        Saved {
            bars: self.bars.as_ref().map(|(_, bars)| bars.save()),
            fair: self.fair.as_ref().map(|(_, fair)| fair.save()),
            totals: self.totals,
            last_ns: self.last_ns,
        }
    }

    /// Restores the saved state.
    pub(crate) fn resume(&mut self, saved: Saved) {
        if let (Some((_, bars)), Some(saved)) = (&mut self.bars, saved.bars) {
            bars.resume(saved);
        }
        if let (Some((_, fair)), Some(saved)) = (&mut self.fair, saved.fair) {
            fair.resume(&saved);
        }
        (self.totals, self.last_ns) = (saved.totals, saved.last_ns);
    }

    /// Publishes an event of the merged stream, and the bar or fair value that it completes.
    ///
    /// Ages are counted to `now_ns`, which is the event's time in a replay.
    pub(crate) fn event(&mut self, time_ns: i64, now_ns: i64, market: &Market) {
        self.last_ns = time_ns;
        self.totals.merged += 1;
        match market {
            Market::Quote(quote) => self.quote(time_ns, now_ns, quote),
            Market::Trade(trade) => self.trade(time_ns, trade),
        }
    }

    fn quote(&mut self, time_ns: i64, now_ns: i64, quote: &Quote) {
        self.totals.quotes += 1;
        self.totals.one_sided += u64::from(!quote.is_two_sided());
        if let Some(out) = &mut self.quotes {
            out.push(time_ns, quote);
        }
        if let Some((_, bars)) = &mut self.bars {
            bars.quote(quote);
        }
        if let Some((out, fair)) = &mut self.fair {
            match fair.quote(now_ns, quote) {
                Ok(value) => {
                    self.totals.fair += 1;
                    out.push(time_ns, &value);
                }
                Err(NoFair::Old { instrument, age_ns }) => {
                    self.totals.fair_too_old += 1;
                    if self.totals.fair_too_old <= LOGGED {
                        let age = Duration::from_nanos(age_ns.unsigned_abs());
                        tracing::warn!(
                            %instrument, ?age, time_ns,
                            "no fair value: the last quote is older than `fair.max_age`"
                        );
                    }
                }
                Err(NoFair::Unrelated | NoFair::NoMid(_)) => {}
            }
        }
    }

    fn trade(&mut self, time_ns: i64, trade: &Trade) {
        self.totals.trades += 1;
        if let Some(out) = &mut self.trades {
            out.push(time_ns, trade);
        }
        if let Some((out, bars)) = &mut self.bars
            && let Some(bar) = bars.trade(time_ns, trade)
        {
            self.totals.bars += 1;
            out.push(time_ns, &bar);
        }
    }

    /// Publishes the last quotes at the end of the data, for valuing open positions.
    ///
    /// The quotes carry the time of the last event, so that time never runs backwards.
    pub(crate) fn end(&mut self) {
        if let Some((out, bars)) = &mut self.bars {
            for quote in bars.last_quotes() {
                out.push(self.last_ns, quote);
            }
        }
    }

    pub(crate) fn is_full(&mut self) -> bool {
        self.publishers().any(|out| out.is_full())
    }

    pub(crate) async fn flush(&mut self) -> Result<(), SchedulerError> {
        for out in self.publishers() {
            out.flush().await?;
        }
        Ok(())
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    fn publishers(&mut self) -> impl Iterator<Item = &mut Publisher> + Send {
        let plain = self.quotes.iter_mut().chain(&mut self.trades);
        let bars = self.bars.iter_mut().map(|(out, _)| out);
        let fair = self.fair.iter_mut().map(|(out, _)| out);
        plain.chain(bars).chain(fair)
    }
}

/// Pairs an output with the maker of its events; one without the other is an error.
fn paired<T>(
    context: &Context,
    name: &'static str,
    maker: Option<T>,
) -> Result<Option<(Publisher, T)>, SchedulerError> {
    match (context.optional_publisher(name), maker) {
        (Some(out), Some(maker)) => Ok(Some((out, maker))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(SchedulerError::Configuration(format!(
            "{}: output `{name}` is connected; say under `config.{name}` what makes it",
            context.id()
        ))),
        (None, Some(_)) => Err(SchedulerError::Configuration(format!(
            "{}: `config.{name}` is given, but output `{name}` is not connected; name a channel \
             for it under `outputs`",
            context.id()
        ))),
    }
}
