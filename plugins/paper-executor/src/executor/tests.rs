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
fn a_fill_is_in_the_file_when_its_order_has_been_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fills.csv");
    let host = host().with_config(json!({"fills": path}));
    let mut paper: PaperExecutor = host.create().unwrap();
    block_on(paper.initialize()).unwrap();
    for id in 1..=300 {
        let orders: Vec<_> = (0..id % 50).map(|at| (at as i64, order(id, Side::Sell))).collect();
        block_on(paper.handle_event(batch(&orders))).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n'), "{id}");
        let rows: u64 = (1..=id).map(|id| id % 50).sum();
        assert_eq!(text.lines().count() as u64, rows + 1, "{id}");
    }
}

#[test]
fn a_file_that_is_no_fills_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [path, link, hard] = ["capture", "link", "hard"].map(|name| folder.path().join(name));
    let recording = "1700000000000000000 {}\n".repeat(100);
    fs::write(&path, &recording).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    fs::hard_link(&path, &hard).unwrap();
    for fills in [&path, &link, &hard] {
        let host = host().with_config(json!({"fills": fills}));
        let mut paper: PaperExecutor = host.create().unwrap();
        let error = block_on(paper.initialize()).unwrap_err().to_string();
        assert!(error.contains(fills.to_str().unwrap()), "{error}");
        assert!(error.contains("is no fills file") && error.contains("change `fills`"), "{error}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), recording);
}

#[test]
fn two_executors_do_not_share_a_fills_file() {
    let folder = tempfile::tempdir().unwrap();
    let host = host().with_config(json!({"fills": folder.path().join("fills.csv")}));
    let mut one: PaperExecutor = host.create().unwrap();
    block_on(one.initialize()).unwrap();
    block_on(one.handle_event(batch(&[(10, order(1, Side::Sell))]))).unwrap();
    let mut other: PaperExecutor = host.create().unwrap();
    let error = block_on(other.initialize()).unwrap_err().to_string();
    assert!(error.contains("is being written by another executor"), "{error}");
    drop(one);
    block_on(other.initialize()).unwrap();
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
