//! Lines in the exchange's own formats; the numbers are made up.

use std::path::Path;

use binance_feed::Feed;
use hotbay_plugin_api::{
    BackgroundTask, SchedulerError,
    testing::{TestHost, block_on},
};
use serde_json::{Value, json};

pub(crate) const SPOT_TICKER: &str = r#"1700000000000000001 {"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#;
pub(crate) const SPOT_TRADE: &str = r#"1700000000000000002 {"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1700000000342,"m":true,"M":true}}"#;
pub(crate) const SPOT_DEPTH: &str = r#"1700000000000000003 {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1700000000208,"s":"BTCUSDT","U":50093239189,"u":50093239202,"b":[["61737.63000000","0.00000000"],["61730.17000000","2.50000000"]],"a":[["61837.64000000","1.54698000"]]}}"#;
pub(crate) const SPOT_SNAPSHOT: &str = r#"1700000000000000004 {"lastUpdateId":50093239218,"bids":[["61837.63000000","3.78826000"]],"asks":[["61837.64000000","1.54698000"],["61838.00000000","0.10000000"]]}"#;
pub(crate) const USDM_TICKER: &str = r#"1700000000000000005 {"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.510","T":1700000000313,"E":1700000000314}}"#;
pub(crate) const USDM_TRADE: &str = r#"1700000000000000006 {"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000322,"T":1700000000321,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#;
pub(crate) const USDM_DEPTH: &str = r#"1700000000000000007 {"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1700000000299,"T":1700000000298,"s":"BTCUSDT","U":5123107832006,"u":5123107837557,"pu":5123107831937,"b":[["58710.20","0.014"]],"a":[]}}"#;
pub(crate) const COINM_TICKER: &str = r#"1700000000000000008 {"stream":"btcusd_perp@bookTicker","data":{"u":1007198632021,"e":"bookTicker","s":"BTCUSD_PERP","ps":"BTCUSD","b":"61804.7","B":"35","a":"61804.8","A":"1645","T":1700000000465,"E":1700000000476}}"#;
pub(crate) const COINM_SNAPSHOT: &str = r#"1700000000000000009 {"lastUpdateId":1007198635033,"E":1700000000835,"T":1700000000823,"symbol":"BTCUSD_PERP","pair":"BTCUSD","bids":[["61804.7","35"]],"asks":[]}"#;
pub(crate) const AGG_TRADE: &str = r#"1700000000000000010 {"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1700000000322,"s":"BTCUSDT","a":1,"p":"1.0","q":"2.0","f":1,"l":2,"T":1700000000321,"m":false}}"#;

pub(crate) const USUAL: [&str; 9] = [
    SPOT_TICKER,
    SPOT_TRADE,
    SPOT_DEPTH,
    SPOT_SNAPSHOT,
    USDM_TICKER,
    USDM_TRADE,
    USDM_DEPTH,
    COINM_TICKER,
    COINM_SNAPSHOT,
];

/// The message of a line.
pub(crate) fn message(line: &str) -> &str {
    line.split_once(' ').expect("a line of a capture").1
}

/// A host for a feed with this configuration.
pub(crate) fn host(config: Value) -> TestHost {
    TestHost::new().with_id("spot").with_config(config).with_output("events", "market")
}

/// A host for a feed that replays this file.
pub(crate) fn replaying(path: &Path, more: Value) -> TestHost {
    let mut config = json!({ "path": path });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host(config)
}

/// Runs a feed until a turn fails, then shuts it down; how it ended.
pub(crate) fn run(host: &TestHost) -> SchedulerError {
    let mut feed: Feed = host.create().unwrap();
    block_on(async {
        if let Err(error) = feed.initialize().await {
            return error;
        }
        let end = loop {
            if let Err(end) = feed.execute().await {
                break end;
            }
        };
        feed.shutdown().await.unwrap();
        end
    })
}
