//! Checks the reference results digit by digit, with the plugins' logic called directly.
//!
//! There is no host and no thread: a failure here is a fault of the plugins' logic.
//! `HOTBAY_CAPTURES=…/shared/data cargo test -p paper-executor -- --ignored`

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod reference {
    pub(crate) mod captures;
    pub(crate) mod pipelines;
}

use reference::pipelines::{ema_cross, three_venues};

const HALT_NS: i64 = 1_723_161_420_000_000_000;

#[test]
#[ignore = "needs HOTBAY_CAPTURES"]
fn three_venues_give_the_reference_at_both_thresholds() {
    for (theta, fills, balance, fees) in
        [(3.0, 216, "999993.66245170", "6.66334830"), (5.0, 90, "999997.51268845", "2.77561155")]
    {
        let run = three_venues(theta, None);
        assert_eq!((run.quotes, run.late, run.updates), (113_265, 0, 112_646));
        let [row] = run.rows.try_into().unwrap();
        let found = (row.fills, row.final_balance.as_str(), row.fees.as_str());
        assert_eq!(found, (fills, balance, fees), "θ = {theta}");
        assert_eq!((row.denied, row.open_position.as_str()), (0, "flat"));
    }
}

#[test]
#[ignore = "needs HOTBAY_CAPTURES"]
fn a_halt_denies_every_signal_after_it() {
    let [row] = three_venues(3.0, Some(HALT_NS)).rows.try_into().unwrap();
    assert_eq!((row.signals, row.denied, row.fills), (9_427, 9_361, 66));
    assert_eq!(row.final_balance, "999997.94017150");
    assert_eq!(row.fees, "2.03862850");
}

#[test]
#[ignore = "needs HOTBAY_CAPTURES"]
fn the_ema_cross_gives_the_reference_for_each_instrument() {
    let run = ema_cross();
    assert_eq!((run.quotes, run.late), (17_634 + 12_033 + 9_301, 0));
    let expected = [
        ("BTCUSDT", 135, 14, "999999.45332096", "0.61069904"),
        ("ETHUSDT", 36, 6, "999999.84523700", "0.12356300"),
        ("SOLUSDT", 49, 6, "999999.88577350", "0.12922650"),
    ];
    let found: Vec<_> = run
        .rows
        .iter()
        .map(|row| {
            let name = row.account.as_str();
            let bars = run.bars.get(name).copied().unwrap_or_default();
            (name, bars, row.fills, row.final_balance.as_str(), row.fees.as_str())
        })
        .collect();
    assert_eq!(found, expected);
}
