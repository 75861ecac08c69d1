//! The saved state that the next build of the executor continues from.

use std::path::PathBuf;

use hotbay_plugin_api::{SavedState, SchedulerError};
use serde::{Deserialize, Serialize};

use super::{PaperExecutor, Turn};
use crate::paper::PaperState;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct State {
    paper: PaperState,
    /// The fills file that is in use; the next build appends to it and does not truncate it.
    fills: Option<PathBuf>,
    ignored: u64,
}

impl PaperExecutor {
    /// Returns the state to save.
    pub(super) fn saved(&mut self) -> Result<SavedState, SchedulerError> {
        let begun = self.fills.as_ref().map(|file| file.path().to_owned());
        let state = State {
            paper: self.paper.state(),
            // An executor that was restored and not yet initialized passes on the restored path.
            fills: begun.or_else(|| self.begun.clone()),
            ignored: self.ignored,
        };
        let saved = SavedState::json(VERSION, &state)?;
        self.turn = Turn::Repeatable;
        Ok(saved)
    }

    /// # Errors
    /// If the state can't be read or does not fit the configuration. Then nothing has changed.
    pub(super) fn go_on_from(&mut self, state: &SavedState) -> Result<(), SchedulerError> {
        let State { paper, fills, ignored } = state.read_json(VERSION)?;
        self.paper.go_on_from(paper)?;
        // An open file stays open: it appends after the lines that the other build wrote.
        (self.begun, self.ignored) = (fills, ignored);
        self.filled.clear();
        self.turn = Turn::Repeatable;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use hotbay_market::{Fixed, Instrument, Intent, Order};
    use hotbay_plugin_api::{
        Batch, EventTask,
        testing::{TestHost, batch, block_on},
    };
    use serde_json::{Value, json};

    use super::*;

    /// The first line of a fills file.
    const HEADER: &str =
        "time_ns,strategy,order,instrument,side,quantity,price,fee,profit,position,balance";

    fn host(accounts: &str, fills: &Path) -> TestHost {
        let config = json!({
            "accounts": accounts, "fills": fills, "fee_rate": "0.00037",
            "max_orders": {"count": 3, "window": "10ns"},
        });
        let host = TestHost::new().with_id("paper").with_config(config);
        host.with_input("orders", "orders").with_output("reports", "reports")
    }

    /// Orders of odd sizes: mean prices with all the digits that a decimal has.
    fn turn(time_ns: i64) -> Batch {
        let order = Order {
            id: time_ns.unsigned_abs(),
            instrument: Instrument::new(["A", "B"][(time_ns % 2) as usize]).unwrap(),
            side: u64::from(time_ns % 5 == 0 || time_ns % 7 == 0),
            intent: Intent::Signal.code(),
            quantity: Fixed::new(1 + time_ns % 3, 3),
            bid: Fixed::new(618_002 + time_ns * 7, 1),
            ask: Fixed::new(618_003 + time_ns * 7, 1),
        };
        let again = Order { id: order.id + 1_000, ..order };
        batch(&[(time_ns * 3, order), (time_ns * 3 + 1, again)])
    }

    async fn successor(host: &TestHost, old: &mut PaperExecutor) -> PaperExecutor {
        let state = old.save_state().await.unwrap().unwrap();
        let mut new: PaperExecutor = host.create().unwrap();
        new.restore(state).await.unwrap();
        new.initialize().await.unwrap();
        new
    }

    #[derive(Debug, PartialEq)]
    struct Outcome {
        events: Vec<(i64, Vec<u8>)>,
        rows: Vec<Value>,
        fills: String,
    }

    /// What comes of a run if the build is replaced before each of these turns.
    fn run(accounts: &str, replaced_before: &[i64]) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fills.csv");
        fs::write(&path, format!("{HEADER}\nof an earlier run")).unwrap();
        let host = host(accounts, &path);
        block_on(async {
            let mut paper: PaperExecutor = host.create().unwrap();
            paper.initialize().await.unwrap();
            for at in 1..=60 {
                if replaced_before.contains(&at) {
                    paper = successor(&host, &mut paper).await;
                }
                paper.handle_event(turn(at)).await.unwrap();
            }
            paper.end_of_input().await.unwrap();
            paper.shutdown().await.unwrap();
        });
        let events = host.published("reports").into_iter().flat_map(|batch| {
            batch.iter().map(|it| (it.time_ns(), it.payload().to_vec())).collect::<Vec<_>>()
        });
        Outcome {
            events: events.collect(),
            rows: host.reports("accounts"),
            fills: fs::read_to_string(&path).unwrap(),
        }
    }

    #[test]
    fn a_new_build_goes_on_as_if_the_old_one_had() {
        for accounts in ["shared", "per-instrument"] {
            let whole = run(accounts, &[]);
            let denied = whole.rows[0]["denied"].as_u64().unwrap();
            assert!(denied > 0 && whole.fills.lines().count() > 50, "{denied} denied");
            assert_eq!(run(accounts, &[30]), whole);
            assert_eq!(run(accounts, &(1..=60).collect::<Vec<_>>()), whole);
        }
    }

    #[test]
    fn after_a_roll_back_the_fills_file_has_each_fill_once() {
        let folder = tempfile::tempdir().unwrap();
        let [path, whole] = ["fills.csv", "whole.csv"].map(|name| folder.path().join(name));
        block_on(async {
            let mut one: PaperExecutor = host("shared", &whole).create().unwrap();
            one.initialize().await.unwrap();
            for at in 1..=8 {
                one.handle_event(turn(at)).await.unwrap();
            }
            one.shutdown().await.unwrap();

            let host = host("shared", &path);
            let mut old: PaperExecutor = host.create().unwrap();
            old.initialize().await.unwrap();
            for at in 1..=3 {
                old.handle_event(turn(at)).await.unwrap();
            }
            let mut new = successor(&host, &mut old).await;
            new.handle_event(turn(4)).await.unwrap();
            let checkpoint = new.save_state().await.unwrap().unwrap();
            // The turn after it breaks off where it awaits: its fills are the old build's to write.
            new.filled = fills_of(&mut new, 5);
            new.shutdown().await.unwrap();
            old.restore(checkpoint).await.unwrap();
            for at in 5..=8 {
                old.handle_event(turn(at)).await.unwrap();
            }
            old.shutdown().await.unwrap();
        });
        assert_eq!(fs::read_to_string(&path).unwrap(), fs::read_to_string(&whole).unwrap());
    }

    fn fills_of(paper: &mut PaperExecutor, at: i64) -> Vec<crate::fills::Fill> {
        let decide = |event: hotbay_plugin_api::EventRef<'_>| {
            let order = event.read::<Order>().unwrap();
            paper.paper.order(event.time_ns(), 0, &order).fill
        };
        let fills: Vec<_> = turn(at).iter().filter_map(decide).collect();
        assert!(!fills.is_empty());
        fills
    }

    #[test]
    fn a_fills_file_that_was_moved_away_is_begun_again_with_its_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fills.csv");
        let host = host("shared", &path);
        block_on(async {
            let mut old: PaperExecutor = host.create().unwrap();
            old.initialize().await.unwrap();
            fs::rename(&path, folder.path().join("moved.csv")).unwrap();
            successor(&host, &mut old).await;
        });
        assert!(fs::read_to_string(&path).unwrap().starts_with("time_ns,strategy,"));
    }

    #[test]
    fn a_state_of_another_version_or_other_accounts_is_refused() {
        let path = Path::new("unused.csv");
        let mut paper: PaperExecutor = host("shared", path).create().unwrap();
        let saved = paper.saved().unwrap();
        let other = SavedState { version: VERSION + 1, ..saved.clone() };
        let error = block_on(paper.restore(other)).unwrap_err();
        assert!(matches!(&error, SchedulerError::State(_)), "{error}");
        let mut paper: PaperExecutor = host("per-instrument", path).create().unwrap();
        let error = block_on(paper.restore(saved)).unwrap_err().to_string();
        assert!(error.contains("`accounts`"), "{error}");
    }
}
