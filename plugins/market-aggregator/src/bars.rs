//! Bars of trades, one series for each instrument.

use std::{collections::HashMap, num::NonZeroU64};

use hotbay_market::{Bar, Fixed, Instrument, Quote, Trade};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::raw::Raw;

/// Combines each fixed number of trades of an instrument into a bar.
///
/// It does no I/O. A last bar that is incomplete is never returned.
#[derive(Debug)]
pub struct Bars {
    trades: u64,
    series: HashMap<Instrument, Series>,
    /// Instruments in the order of their first quote.
    quoted: Vec<Instrument>,
}

#[derive(Debug, Default)]
struct Series {
    /// The last quote with two sides.
    quote: Option<Quote>,
    /// The best bid and ask now; zeros while the book has no two sides.
    best: (Fixed, Fixed),
    open: Option<Open>,
}

/// A bar that is not yet complete; its volume is kept exact until the bar closes.
#[derive(Debug)]
struct Open {
    bar: Bar,
    volume: Decimal,
}

/// The saved state of one series. Quoted series come first, in the order of their first quotes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    instrument: Raw<Instrument>,
    quote: Option<Raw<Quote>>,
    best: (Raw<Fixed>, Raw<Fixed>),
    open: Option<SavedOpen>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedOpen {
    bar: Raw<Bar>,
    /// The output of [`Decimal::serialize`], which includes the scale.
    volume: [u8; 16],
}

impl Bars {
    /// Creates bars of this many trades each.
    pub fn new(trades: NonZeroU64) -> Self {
        Self { trades: trades.get(), series: HashMap::new(), quoted: Vec::new() }
    }

    pub(crate) fn save(&self) -> Vec<Saved> {
        let unquoted = self.series.iter().filter(|(_, series)| series.quote.is_none());
        let quoted = self.quoted.iter().filter_map(|of| self.series.get_key_value(of));
        let saved = |(instrument, series): (&Instrument, &Series)| Saved {
            instrument: Raw(*instrument),
            quote: series.quote.map(Raw),
            best: (Raw(series.best.0), Raw(series.best.1)),
            open: series.open.as_ref().map(Open::save),
        };
        quoted.chain(unquoted).map(saved).collect()
    }

    /// Restores the saved series.
    pub(crate) fn resume(&mut self, saved: Vec<Saved>) {
        let quoted = saved.iter().filter(|series| series.quote.is_some());
        self.quoted = quoted.map(|series| series.instrument.0).collect();
        let series = |saved: Saved| {
            let open = saved.open.map(|SavedOpen { bar, volume }| Open {
                bar: bar.0,
                volume: Decimal::deserialize(volume),
            });
            let quote = saved.quote.map(|quote| quote.0);
            let best = (saved.best.0.0, saved.best.1.0);
            (saved.instrument.0, Series { quote, best, open })
        };
        self.series = saved.into_iter().map(series).collect();
    }

    /// Records the new best bid and ask of an instrument.
    ///
    /// While the book has no two sides, bars close with a bid and an ask of zero.
    pub fn quote(&mut self, quote: &Quote) {
        let series = self.series.entry(quote.instrument).or_default();
        if !quote.is_two_sided() {
            series.best = (Fixed::ZERO, Fixed::ZERO);
            return;
        }
        series.best = (quote.bid, quote.ask);
        if series.quote.replace(*quote).is_none() {
            self.quoted.push(quote.instrument);
        }
    }

    /// Adds a trade and returns the bar that it completes, if any.
    ///
    /// What [is none](Trade::is_trade) does not belong here: a price of zero would be the low.
    pub fn trade(&mut self, time_ns: i64, trade: &Trade) -> Option<Bar> {
        let series = self.series.entry(trade.instrument).or_default();
        let open = series.open.get_or_insert_with(|| Open::new(time_ns, trade));
        open.add(trade);
        if open.bar.trades < self.trades {
            return None;
        }
        let done = series.open.take()?;
        Some(done.close(series.best))
    }

    /// Returns the last quote with two sides of each instrument, in the order of their first.
    pub fn last_quotes(&self) -> impl Iterator<Item = &Quote> {
        self.quoted.iter().filter_map(|instrument| self.series.get(instrument)?.quote.as_ref())
    }
}

impl Open {
    fn new(time_ns: i64, first: &Trade) -> Self {
        let Trade { instrument, price, .. } = *first;
        let bar = Bar {
            instrument,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Fixed::ZERO,
            bid: Fixed::ZERO,
            ask: Fixed::ZERO,
            trades: 0,
            opened_ns: time_ns,
        };
        Self { bar, volume: Decimal::ZERO }
    }

    fn save(&self) -> SavedOpen {
        SavedOpen { bar: Raw(self.bar), volume: self.volume.serialize() }
    }

    fn add(&mut self, trade: &Trade) {
        self.bar.high = self.bar.high.max(trade.price);
        self.bar.low = self.bar.low.min(trade.price);
        self.bar.close = trade.price;
        self.bar.trades += 1;
        self.volume = self.volume.saturating_add(trade.quantity.to_decimal());
    }

    fn close(self, (bid, ask): (Fixed, Fixed)) -> Bar {
        Bar { volume: nearest(self.volume), bid, ask, ..self.bar }
    }
}

/// Rounds the decimal to as many places as fit into an event.
fn nearest(value: Decimal) -> Fixed {
    let fits = |places| Fixed::try_from(value.round_dp(places)).ok();
    (0..=value.scale()).rev().find_map(fits).unwrap_or(Fixed::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(name: &str, price: &str, quantity: &str) -> Trade {
        let (price, quantity) = (price.parse().unwrap(), quantity.parse().unwrap());
        Trade { instrument: Instrument::new(name).unwrap(), price, quantity, id: 0, side: 0 }
    }

    fn quote(name: &str, bid: &str, ask: &str) -> Quote {
        let (bid, ask) = (bid.parse().unwrap(), ask.parse().unwrap());
        let size = Fixed::new(1, 0);
        let instrument = Instrument::new(name).unwrap();
        Quote { instrument, bid, bid_size: size, ask, ask_size: size }
    }

    #[test]
    fn a_bar_closes_with_its_last_trade_and_the_quote_known_then() {
        let mut bars = Bars::new(NonZeroU64::new(3).unwrap());
        assert_eq!(bars.trade(1, &trade("A", "10.0", "0.1")), None);
        bars.quote(&quote("A", "8", "9"));
        bars.quote(&quote("B", "1", "2"));
        assert_eq!(bars.trade(2, &trade("B", "1.5", "7")), None);
        assert_eq!(bars.trade(3, &trade("A", "12.5", "0.25")), None);
        let bar = bars.trade(4, &trade("A", "9.75", "1")).unwrap();
        let fixed = |text: &str| text.parse::<Fixed>().unwrap();
        assert_eq!(
            (bar.open, bar.high, bar.low, bar.close),
            (fixed("10"), fixed("12.5"), fixed("9.75"), fixed("9.75"))
        );
        assert_eq!((bar.volume, bar.trades, bar.opened_ns), (fixed("1.35"), 3, 1));
        assert_eq!((bar.bid, bar.ask), (fixed("8"), fixed("9")));
        assert_eq!(bars.trade(5, &trade("A", "9", "1")), None, "the next bar is a new one");
    }

    #[test]
    fn a_bar_closes_without_a_quote_while_the_book_has_no_two_sides() {
        let mut bars = Bars::new(NonZeroU64::MIN);
        let mut best = |quote: Quote| {
            bars.quote(&quote);
            let bar = bars.trade(1, &trade("A", "9", "1")).unwrap();
            (bar.bid, bar.ask)
        };
        let whole = quote("A", "8", "9");
        let zero = Fixed::ZERO;
        assert_eq!(best(whole), (Fixed::new(8, 0), Fixed::new(9, 0)));
        assert_eq!(best(Quote { bid: zero, bid_size: zero, ..whole }), (zero, zero));
        assert_eq!(best(Quote { bid: Fixed::new(10, 0), ..whole }), (zero, zero), "crossed");
        assert_eq!(bars.last_quotes().copied().collect::<Vec<_>>(), [whole], "to close at the end");
    }

    #[test]
    fn the_last_quotes_come_in_the_order_in_which_instruments_appeared() {
        let mut bars = Bars::new(NonZeroU64::MIN);
        for (name, bid) in [("B", "1"), ("A", "2"), ("B", "3")] {
            bars.quote(&quote(name, bid, "9"));
        }
        let last: Vec<_> =
            bars.last_quotes().map(|quote| (quote.instrument.to_string(), quote.bid)).collect();
        assert_eq!(last, [("B".into(), Fixed::new(3, 0)), ("A".into(), Fixed::new(2, 0))]);
    }

    #[test]
    fn a_volume_beyond_an_event_loses_places_before_it_loses_size() {
        let value = Decimal::from_i128_with_scale((1 << 96) - 1, 4);
        assert_eq!(nearest(value).to_string(), "7922816251426433759354395.034");
    }
}
