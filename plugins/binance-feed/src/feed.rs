//! The component `feed`, which publishes the market data of Binance.

use hotbay_market::{DepthSnapshot, DepthUpdate, Quote, Trade};
use hotbay_plugin_api::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Config,
    capture::{Capture, Place, Turn},
    config::Origin,
    instruments::Seen,
    intake::{Intake, Saved},
    live::{Attempts, Live},
    tally::Tally,
};

/// The connector `feed`, which reads Binance's messages and publishes market events.
#[derive(Debug)]
pub struct Feed {
    config: Config,
    source: Source,
    /// The restored progress of an earlier build, until the source is open.
    resumed: Option<Progress>,
    intake: Intake,
}

#[derive(Debug)]
enum Source {
    Unopened(Origin),
    Capture(Box<Capture>),
    Live(Box<Live>),
}

impl Component for Feed {
    type Config = Config;

    const DESCRIPTION: &'static str = "Binance market data from a raw capture or a live websocket";
    const OUTPUTS: &'static [Port] = &[Port::required("events", "quotes, trades and depth").of::<(
        Quote,
        Trade,
        DepthUpdate,
        DepthSnapshot,
    )>(
    )];

    fn check(config: &Config) -> Result<(), String> {
        config.check()
    }

    fn create(config: Config, context: Context) -> Result<Self, SchedulerError> {
        let wrong = |problem| SchedulerError::Configuration(format!("{}: {problem}", context.id()));
        config.check().map_err(wrong)?;
        let origin = config.origin().map_err(wrong)?;
        let name = match &origin {
            Origin::Capture { path } => {
                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
            }
            Origin::Live { url } => url.clone(),
        };
        let intake = Intake::new(&config, name, context)?;
        Ok(Self { config, source: Source::Unopened(origin), resumed: None, intake })
    }
}

#[async_trait]
impl BackgroundTask for Feed {
    async fn initialize(&mut self) -> Result<(), SchedulerError> {
        self.source = match &self.source {
            Source::Unopened(Origin::Capture { path }) => {
                let mut capture = Capture::open(path, self.config.speed)
                    .map_err(SchedulerError::initialization)?;
                if let Some(Progress::Capture(place)) = self.resumed.take() {
                    capture.resume(&place);
                }
                Source::Capture(Box::new(capture))
            }
            Source::Unopened(Origin::Live { url }) => {
                let mut live = Live::new(url, self.config.connection)?;
                if let Some(Progress::Live(attempts)) = self.resumed.take() {
                    live.resume(&attempts);
                    live.take_over(self.intake.context()).await;
                }
                Source::Live(Box::new(live))
            }
            Source::Capture(_) | Source::Live(_) => return Ok(()),
        };
        Ok(())
    }

    async fn execute(&mut self) -> Result<(), SchedulerError> {
        let turn = match &mut self.source {
            Source::Capture(capture) => replay(capture, &mut self.intake).await,
            Source::Live(live) => live.turn(&mut self.intake).await,
            Source::Unopened(_) => {
                Err(SchedulerError::InvalidState("execute before initialize".to_owned()))
            }
        };
        if turn.is_err() {
            self.intake.report();
        }
        turn
    }

    async fn save_state(&mut self) -> Result<Option<SavedState>, SchedulerError> {
        // Each turn flushes its own events; this publishes those of a turn that was dropped.
        self.intake.flush().await?;
        self.save().map(Some)
    }

    async fn restore(&mut self, state: SavedState) -> Result<(), SchedulerError> {
        self.resume(&state)
    }

    async fn shutdown(&mut self) -> Result<(), SchedulerError> {
        if let Source::Live(live) = &mut self.source {
            live.close(self.intake.context()).await;
        }
        self.intake.report();
        Ok(())
    }
}

impl Connector for Feed {}

async fn replay(capture: &mut Capture, intake: &mut Intake) -> Result<(), SchedulerError> {
    let turn = capture.turn(intake);
    // Publish the events that were read even if the turn failed.
    intake.flush().await?;
    match turn.map_err(SchedulerError::execution)? {
        Turn::More => Ok(()),
        Turn::Wait(wait) => {
            let context = intake.context();
            tokio::select! {
                () = context.sleep(wait) => {}
                () = context.cancelled() => {}
            }
            Ok(())
        }
        Turn::End => {
            intake.check_usable(capture.path()).map_err(SchedulerError::execution)?;
            Err(SchedulerError::Finished)
        }
    }
}

/// The version of [`State`]. Raise it whenever a field changes its meaning.
const VERSION: u32 = 2;

/// The saved state that the next build of the feed continues from.
///
/// The intake `I` is borrowed when the state is written and owned when it is read.
#[derive(Serialize, Deserialize)]
struct State<I> {
    intake: I,
    progress: Progress,
}

/// The position in the capture, or the connection attempts of a live feed.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Progress {
    Capture(Place),
    Live(Attempts),
}

impl Feed {
    fn save(&self) -> Result<SavedState, SchedulerError> {
        let progress = match (&self.source, &self.resumed) {
            (Source::Capture(capture), _) => Progress::Capture(capture.place()),
            (Source::Live(live), _) => Progress::Live(live.attempts()),
            (Source::Unopened(_), Some(progress)) => progress.clone(),
            (Source::Unopened(Origin::Capture { .. }), None) => Progress::Capture(Place::default()),
            (Source::Unopened(Origin::Live { .. }), None) => Progress::Live(Attempts::default()),
        };
        SavedState::json(VERSION, &State { intake: self.intake.save(), progress })
    }

    fn resume(&mut self, state: &SavedState) -> Result<(), SchedulerError> {
        let State { intake, progress }: State<Saved<Tally, Seen>> = state.read_json(VERSION)?;
        match (&mut self.source, &progress) {
            (Source::Unopened(Origin::Capture { .. }), Progress::Capture(_))
            | (Source::Unopened(Origin::Live { .. }), Progress::Live(_)) => {
                self.resumed = Some(progress);
            }
            // This build runs again after a rollback; the restored position is usually ahead of it.
            (Source::Capture(capture), Progress::Capture(place)) => {
                if capture.place().lines > place.lines {
                    **capture = Capture::open(capture.path(), self.config.speed)
                        .map_err(SchedulerError::initialization)?;
                }
                capture.resume(place);
            }
            (Source::Live(live), Progress::Live(attempts)) => live.resume(attempts),
            _ => {
                let message = "it is of a capture and this is a url, or the other way round";
                return Err(SchedulerError::State(message.to_owned()));
            }
        }
        self.intake.resume(intake);
        Ok(())
    }
}
