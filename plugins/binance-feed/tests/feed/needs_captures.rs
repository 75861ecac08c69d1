//! The recorded captures, which are not in the repository: `HOTBAY_CAPTURES` names their folder.

use std::path::Path;

use hotbay_market::{Depth, Quote, Trade};
use hotbay_plugin_api::SchedulerError;
use serde_json::{Value, json};

use crate::samples::{replaying, run};

fn row(file: &str, config: Value) -> Value {
    let folder =
        std::env::var("HOTBAY_CAPTURES").expect("HOTBAY_CAPTURES names the captures' folder");
    let host = replaying(&Path::new(&folder).join(file), config);
    assert_eq!(run(&host), SchedulerError::Finished);
    let [row] = host.reports("sources").try_into().unwrap();
    let count = |kind| {
        let batches = host.published("market");
        batches
            .iter()
            .map(|batch| batch.iter().filter(|event| event.kind() == kind).count())
            .sum::<usize>()
    };
    let published = [
        count(<Quote as hotbay_plugin_api::Event>::KIND),
        count(<Trade as hotbay_plugin_api::Event>::KIND),
        count(Depth::UPDATE),
        count(Depth::SNAPSHOT),
    ];
    assert_eq!(row["events"], published.iter().sum::<usize>(), "{row}");
    row
}

const FILES: [(&str, [u64; 5]); 3] = [
    ("spot_btcusdt_20240808.gz", [41_249, 28_040, 9_757, 3_451, 1]),
    ("usdm_btcusdt_20240808.gz", [93_954, 66_089, 21_313, 6_551, 1]),
    ("cm_btcusd_perp_20240808.gz", [48_270, 19_136, 2_286, 26_847, 1]),
];

#[test]
#[ignore = "needs HOTBAY_CAPTURES"]
fn every_line_of_the_recordings_is_understood() {
    for (file, counts) in FILES {
        let row = row(file, json!({}));
        let found = ["lines", "book_ticker", "trade", "depth", "snapshot"]
            .map(|key| row[key].as_u64().unwrap());
        assert_eq!(found, counts, "{file}");
        assert_eq!((&row["events"], &row["skipped"]), (&row["lines"], &json!(0)), "{file}");
    }
}

#[test]
#[ignore = "needs HOTBAY_CAPTURES"]
fn what_is_skipped_is_counted_the_same() {
    for (file, counts) in FILES {
        let row = row(file, json!({ "kinds": ["book_ticker"], "event_time": "exchange" }));
        let found = ["lines", "book_ticker", "trade", "depth", "snapshot"]
            .map(|key| row[key].as_u64().unwrap());
        assert_eq!(found, counts, "{file}");
        assert_eq!(row["events"], counts[1], "{file}");
        let without = if file.starts_with("spot") { counts[1] } else { 0 };
        assert_eq!(row["without_exchange_time"], without, "{file}");
    }
}
