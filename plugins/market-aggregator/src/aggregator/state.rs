//! What the aggregator hands to the next build of itself.

use hotbay_plugin_api::{SavedState, SchedulerError};
use serde::{Deserialize, Serialize};

use super::MarketAggregator;
use crate::{
    merge::{Merge, Patience},
    outputs::{Market, Saved as SavedOutputs},
};

/// Raised whenever what follows here changes its meaning.
const VERSION: u32 = 1;

/// `M` and `P`: lent where it is written, owned where it is read.
#[derive(Serialize, Deserialize)]
struct State<M, P> {
    sources: Vec<Source>,
    /// Where the sources stand, and the events that were taken from them and wait.
    merge: M,
    patience: Option<P>,
    next: usize,
    outputs: SavedOutputs,
}

#[derive(Serialize, Deserialize)]
struct Source {
    channel: String,
    depth: u64,
    other: u64,
}

impl MarketAggregator {
    pub(super) fn save(&self) -> Result<SavedState, SchedulerError> {
        let source = |source: &super::Source| Source {
            channel: source.channel.as_str().to_owned(),
            depth: source.depth,
            other: source.other,
        };
        let state = State {
            sources: self.sources.iter().map(source).collect(),
            merge: &self.merge,
            patience: self.pace.save(),
            next: self.inputs.next(),
            outputs: self.outputs.save(),
        };
        SavedState::json(VERSION, &state)
    }

    pub(super) fn resume(&mut self, state: &SavedState) -> Result<(), SchedulerError> {
        let state: State<Merge<Market>, Patience> = state.read_json(VERSION)?;
        // By place: the order of the sources decides ties.
        let ours = self.sources.iter().map(|source| source.channel.as_str());
        let same = ours.eq(state.sources.iter().map(|source| source.channel.as_str()));
        if !same || self.merge.resume(state.merge).is_err() {
            return Err(SchedulerError::State("it is of other sources than these".to_owned()));
        }
        for (source, saved) in self.sources.iter_mut().zip(state.sources) {
            (source.depth, source.other) = (saved.depth, saved.other);
        }
        self.pace.resume(state.patience);
        self.inputs.resume(state.next);
        self.outputs.resume(state.outputs);
        Ok(())
    }
}
