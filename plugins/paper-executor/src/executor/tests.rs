use std::fs;

use hotbay_market::{Fixed, Instrument, Intent, OrderReport, Side};
use hotbay_plugin_api::testing::{TestHost, batch, block_on};
use serde_json::json;

use super::*;

fn host() -> TestHost {
    let host = TestHost::new().with_id("paper").with_input("orders", "orders");
    host.with_output("reports", "reports")
}

fn order(id: u64, side: Side) -> Order {
    Order {
        id,
        instrument: Instrument::new("BTCUSDT@usdm").unwrap(),
        side: side.code(),
        intent: Intent::Signal.code(),
        quantity: Fixed::new(1, 3),
        bid: Fixed::new(618_002, 1),
        ask: Fixed::new(618_003, 1),
    }
}

#[test]
fn every_order_gets_a_report_at_its_own_time() {
    let host = host().with_config(json!({"halt_at_ns": 20}));
    let mut paper: PaperExecutor = host.create().unwrap();
    block_on(paper.initialize()).unwrap();
    let orders = [(10, order(1, Side::Sell)), (20, order(2, Side::Buy))];
    block_on(paper.handle_event(batch(&orders))).unwrap();
    let reports = host.events::<OrderReport>("reports");
    let seen: Vec<_> = reports.iter().map(|(time, it)| (*time, it.order, it.outcome)).collect();
    assert_eq!(seen, [(10, 1, 0), (20, 2, 1)]);
}

#[test]
fn the_report_names_the_accounts_once() {
    let host = host();
    let mut paper: PaperExecutor = host.create().unwrap();
    block_on(paper.handle_event(batch(&[(10, order(1, Side::Sell))]))).unwrap();
    block_on(paper.end_of_input()).unwrap();
    block_on(paper.shutdown()).unwrap();
    let row = json!({
        "executor": "paper", "account": "shared", "signals": 1, "denied": 0, "fills": 1,
        "fees": "0.03090010", "final_balance": "999999.96909990",
        "open_position": "BTCUSDT@usdm -0.001", "unsent_closes": 0,
    });
    assert_eq!(host.reports("accounts"), [row]);
}

#[test]
fn the_fills_file_is_complete_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fills.csv");
    let host = host().with_config(json!({"fills": path}));
    let mut paper: PaperExecutor = host.create().unwrap();
    block_on(paper.initialize()).unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("time_ns,strategy,order,instrument"));
    let orders = [(10, order(1, Side::Sell)), (20, order(2, Side::Buy))];
    block_on(paper.handle_event(batch(&orders))).unwrap();
    block_on(paper.end_of_input()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "10,0,1,BTCUSDT@usdm,sell,0.001,61800.2,0.03090010,0.00000000,-0.001,999999.96909990",
            "20,0,2,BTCUSDT@usdm,buy,0.001,61800.3,0.03090015,-0.00010000,0,999999.93809975",
        ]
    );
}

#[test]
fn a_fills_file_that_cannot_be_made_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("fills.csv");
    let host = host().with_config(json!({"fills": path}));
    let mut paper: PaperExecutor = host.create().unwrap();
    let error = block_on(paper.initialize()).unwrap_err();
    assert!(matches!(&error, SchedulerError::TaskInitialization(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()) && text.contains("create its folder"), "{text}");
}

#[test]
fn a_build_that_takes_over_goes_on_with_money_positions_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let run = |cut: bool| {
        let path = folder.path().join(format!("fills-{cut}.csv"));
        let config = json!({
            "fills": path, "accounts": "per-instrument",
            "max_orders": { "count": 2, "window": "1s" },
        });
        let host = host().with_config(config);
        let mut paper: PaperExecutor = host.create().unwrap();
        block_on(paper.initialize()).unwrap();
        for number in 1..=4 {
            if cut {
                let state = block_on(paper.save_state()).unwrap().unwrap();
                let mut next: PaperExecutor = host.create().unwrap();
                block_on(next.restore(state)).unwrap();
                block_on(next.initialize()).unwrap();
                paper = next;
            }
            let side = if number == 2 { Side::Buy } else { Side::Sell };
            let time = i64::try_from(number).unwrap();
            block_on(paper.handle_event(batch(&[(time, order(number, side))]))).unwrap();
        }
        block_on(paper.end_of_input()).unwrap();
        let reports = host.events::<OrderReport>("reports");
        (reports, host.reports("accounts"), fs::read_to_string(path).unwrap())
    };
    let whole = run(false);
    assert_eq!(whole.0.iter().filter(|(_, it)| it.outcome == 0).count(), 2, "two in the window");
    assert_eq!(run(true), whole);
}

#[test]
fn a_state_of_another_version_or_of_other_accounts_is_refused() {
    let host = host();
    let mut paper: PaperExecutor = host.create().unwrap();
    let state = block_on(paper.save_state()).unwrap().unwrap();
    let newer = SavedState { version: STATE_VERSION + 1, ..state.clone() };
    assert!(matches!(block_on(paper.restore(newer)), Err(SchedulerError::State(_))));
    let host = host.with_config(json!({"accounts": "per-instrument"}));
    let mut other: PaperExecutor = host.create().unwrap();
    let error = block_on(other.restore(state)).unwrap_err().to_string();
    assert!(error.contains("`state: discard`"), "{error}");
}
