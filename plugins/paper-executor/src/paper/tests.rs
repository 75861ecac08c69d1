use hotbay_market::Outcome;

use super::*;

fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

fn paper(accounts: Accounts, halt_at_ns: Option<i64>) -> Paper {
    let limits = Limits::new(halt_at_ns, None, None);
    Paper::new(fixed("1000000"), fixed("0.0005"), accounts, limits)
}

fn order(id: u64, side: Side, quantity: &str) -> Order {
    Order {
        id,
        instrument: Instrument::new("BTCUSDT").unwrap(),
        side: side.code(),
        intent: Intent::Signal.code(),
        quantity: fixed(quantity),
        bid: fixed("61800.20"),
        ask: fixed("61800.30"),
    }
}

#[test]
fn a_buy_pays_the_ask_and_a_sell_takes_the_bid_with_a_fee_on_each() {
    let mut paper = paper(Accounts::Shared, None);
    let bought = paper.order(1, 7, &order(1, Side::Buy, "0.001"));
    assert_eq!((bought.report.price, bought.report.position), (fixed("61800.3"), fixed("0.001")));
    assert_eq!((bought.report.order, bought.report.strategy), (1, 7));
    let sold = paper.order(2, 7, &order(2, Side::Sell, "0.001"));
    assert_eq!((sold.report.price, sold.report.position), (fixed("61800.2"), Fixed::ZERO));
    let [row] = paper.rows("paper").try_into().unwrap();
    // Fees 0.03090015 and 0.03090010, loss 0.0001.
    assert_eq!((row.fees.as_str(), row.final_balance.as_str()), ("0.06180025", "999999.93809975"));
    assert_eq!((row.signals, row.fills, row.open_position.as_str()), (2, 2, "flat"));
}

#[test]
fn a_denied_order_changes_nothing_but_the_counts() {
    let mut paper = paper(Accounts::Shared, Some(10));
    paper.order(9, 1, &order(1, Side::Sell, "0.001"));
    let denied = paper.order(10, 1, &order(2, Side::Buy, "0.001"));
    assert_eq!((denied.report.result(), denied.fill), (Outcome::Denied, None));
    assert_eq!(denied.report.outcome, DenyReason::Halted.code());
    assert_eq!(denied.report.position, fixed("-0.001"));
    let [row] = paper.rows("paper").try_into().unwrap();
    assert_eq!((row.signals, row.denied, row.fills), (2, 1, 1));
    assert_eq!(row.open_position, "BTCUSDT -0.001");
}

#[test]
fn closing_at_the_end_is_no_signal_and_is_not_sent_while_halted() {
    let close = Order { intent: Intent::CloseAtEnd.code(), ..order(1, Side::Buy, "0.001") };
    let mut open = paper(Accounts::Shared, None);
    assert_eq!(open.order(10, 1, &close).report.result(), Outcome::Filled);
    let mut halted = paper(Accounts::Shared, Some(10));
    assert_eq!(halted.order(10, 1, &close).report.result(), Outcome::Denied);
    let [open] = open.rows("paper").try_into().unwrap();
    let [halted] = halted.rows("paper").try_into().unwrap();
    assert_eq!((open.signals, open.fills, open.unsent_closes), (0, 1, 0));
    assert_eq!((halted.signals, halted.denied, halted.fills, halted.unsent_closes), (0, 0, 0, 1));
}

#[test]
fn each_instrument_has_its_own_account_where_asked_for() {
    let mut paper = paper(Accounts::PerInstrument, None);
    let other = Order { instrument: Instrument::new("A").unwrap(), ..order(1, Side::Buy, "1") };
    paper.order(1, 1, &order(1, Side::Buy, "0.001"));
    paper.order(2, 1, &other);
    let rows = paper.rows("paper");
    let names: Vec<_> = rows.iter().map(|row| row.account.as_str()).collect();
    assert_eq!(names, ["A", "BTCUSDT"]);
    assert_eq!(rows[1].final_balance, "999999.96909985");
    assert_eq!(rows[0].open_position, "A 1");
}

#[test]
fn strategies_hold_their_positions_apart() {
    let mut paper = paper(Accounts::Shared, None);
    paper.order(1, 1, &order(1, Side::Buy, "2"));
    let report = paper.order(2, 2, &order(1, Side::Sell, "0.5")).report;
    assert_eq!(report.position, fixed("-0.5"));
    assert_eq!(paper.rows("paper")[0].open_position, "BTCUSDT 1.5");
}

#[test]
fn an_order_without_a_price_that_could_be_traded_is_denied() {
    let mut paper = paper(Accounts::Shared, None);
    let huge = Fixed::MAX;
    for wrong in [
        order(1, Side::Buy, "0"),
        order(1, Side::Buy, "-1"),
        Order { ask: Fixed::ZERO, ..order(1, Side::Buy, "1") },
        Order { bid: Fixed::new(1_000_000, 0), ..order(1, Side::Buy, "1") },
        Order { bid: Fixed::new(1_000_000, 0), ..order(1, Side::Sell, "1") },
        Order { ask: huge, quantity: huge, ..order(1, Side::Buy, "1") },
    ] {
        let report = paper.order(1, 1, &wrong).report;
        assert_eq!(report.outcome, DenyReason::Invalid.code(), "{wrong:?}");
    }
    assert_eq!(paper.rows("paper")[0].denied, 6);
}
