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
