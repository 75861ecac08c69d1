//! The two pipelines of the reference, built from the plugins' logic without a host.

use std::{collections::BTreeMap, num::NonZeroU64};

use ema_cross::Cross;
use hotbay_market::{Fixed, Instrument, Intent, Order, Quote, Side, Stance};
use market_aggregator::{Bars, Fair, Merge, merge::Arrival};
use mean_reversion::Reversion;
use paper_executor::{AccountRow, Accounts, Limits, Paper};

use super::captures::{Market, raw_quotes, sample};

#[derive(Default)]
pub(crate) struct Run {
    pub(crate) quotes: u64,
    pub(crate) late: u64,
    pub(crate) updates: u64,
    pub(crate) bars: BTreeMap<String, u64>,
    pub(crate) rows: Vec<AccountRow>,
}

/// One strategy's orders, each filled or denied at once.
struct Desk {
    paper: Paper,
    orders: u64,
}

impl Desk {
    fn new(accounts: Accounts, halt_at_ns: Option<i64>) -> Self {
        let limits = Limits::new(halt_at_ns, None, None);
        let (balance, fee_rate) = (Fixed::new(1_000_000, 0), Fixed::new(5, 4));
        Self { paper: Paper::new(balance, fee_rate, accounts, limits), orders: 0 }
    }

    /// Places an order and gives the position afterwards.
    fn place(
        &mut self,
        time_ns: i64,
        intent: Intent,
        (side, quantity): (Side, Fixed),
        (instrument, bid, ask): (Instrument, Fixed, Fixed),
    ) -> Fixed {
        self.orders += 1;
        let (side, intent) = (side.code(), intent.code());
        let order = Order { id: self.orders, instrument, side, intent, quantity, bid, ask };
        self.paper.order(time_ns, 1, &order).report.position
    }
}

/// Pushes every source's events into a merge, a few of each in turn, and hands on what leaves.
fn merge<T>(latenesses: &[i64], sources: Vec<Vec<(i64, T)>>, mut leave: impl FnMut(i64, T)) -> u64 {
    let mut merge = Merge::new(latenesses.iter().copied());
    let mut sources: Vec<_> = sources.into_iter().map(Vec::into_iter).collect();
    let mut late = 0;
    while !merge.is_done() {
        for (place, source) in sources.iter_mut().enumerate() {
            if !merge.waits_for(place) {
                continue;
            }
            match source.next() {
                Some((time_ns, event)) => {
                    let arrival = merge.push(place, time_ns, event);
                    late += u64::from(matches!(arrival, Arrival::Late { .. }));
                }
                None => merge.end(place),
            }
        }
        while let Some((key, event)) = merge.pop() {
            leave(key.time_ns, event);
        }
    }
    late
}

pub(crate) fn three_venues(theta: f64, halt_at_ns: Option<i64>) -> Run {
    let names = ["BTCUSDT@spot", "BTCUSDT@usdm", "BTCUSD_PERP@cm"];
    let files =
        ["spot_btcusdt_20240808.gz", "usdm_btcusdt_20240808.gz", "cm_btcusd_perp_20240808.gz"];
    let sources = files.iter().zip(names).map(|(file, name)| raw_quotes(file, name)).collect();
    let instruments = names.map(|name| Instrument::new(name).unwrap());
    let mut fair = Fair::new(instruments.to_vec(), instruments[1]);
    let mut reversion = Reversion::new(theta, 1_000, 1_000);
    let mut desk = Desk::new(Accounts::Shared, halt_at_ns);
    let (mut run, mut position, mut last) = (Run::default(), Fixed::ZERO, None);
    let quantity = Fixed::new(1, 3);
    run.late = merge(&[0, 0, 0], sources, |time_ns, quote: Quote| {
        run.quotes += 1;
        let Ok(value) = fair.quote(time_ns, &quote) else { return };
        let at = (value.instrument, value.bid, value.ask);
        last = Some((time_ns, at));
        if let Some(side) = reversion.update(value.mid, value.fair, Stance::of(position)) {
            position = desk.place(time_ns, Intent::Signal, (side, quantity), at);
        }
    });
    if let (Some((time_ns, at)), Some(side)) = (last, Stance::of(position).closing_side()) {
        desk.place(time_ns, Intent::CloseAtEnd, (side, position.abs()), at);
    }
    run.updates = reversion.updates();
    run.rows = desk.paper.rows("paper");
    run
}

pub(crate) fn ema_cross() -> Run {
    let quantities: BTreeMap<_, _> = [("BTCUSDT", 1, 3), ("ETHUSDT", 2, 2), ("SOLUSDT", 3, 1)]
        .into_iter()
        .map(|(name, mantissa, scale)| (name.to_owned(), Fixed::new(mantissa, scale)))
        .collect();
    let mut bars = Bars::new(NonZeroU64::new(50).unwrap());
    let mut states: BTreeMap<String, (Cross, Fixed)> = BTreeMap::new();
    let mut desk = Desk::new(Accounts::PerInstrument, None);
    let (mut run, mut end_ns) = (Run::default(), 0);
    run.late = merge(&[1_000_000_000], vec![sample()], |time_ns, event| {
        end_ns = time_ns;
        let trade = match event {
            Market::Quote(quote) => {
                run.quotes += 1;
                return bars.quote(&quote);
            }
            Market::Trade(trade) => trade,
        };
        let Some(bar) = bars.trade(time_ns, &trade) else { return };
        let name = bar.instrument.to_string();
        *run.bars.entry(name.clone()).or_default() += 1;
        let quantity = quantities[&name];
        let fresh = || (Cross::new(10, 20, 20), Fixed::ZERO);
        let (cross, position) = states.entry(name).or_insert_with(fresh);
        let Some(trend) = cross.update(&bar) else { return };
        let at = (bar.instrument, bar.bid, bar.ask);
        if let Some(close) = trend.close(*position) {
            *position = desk.place(time_ns, Intent::Signal, close, at);
        }
        if let Some(open) = trend.open(*position, quantity) {
            *position = desk.place(time_ns, Intent::Signal, open, at);
        }
    });
    for quote in bars.last_quotes() {
        let Some((_, position)) = states.get(quote.instrument.as_str()) else { continue };
        if let Some(side) = Stance::of(*position).closing_side() {
            let at = (quote.instrument, quote.bid, quote.ask);
            desk.place(end_ns, Intent::CloseAtEnd, (side, position.abs()), at);
        }
    }
    run.rows = desk.paper.rows("paper");
    run
}
