//! What an engine promises about its shutdown.

use super::*;

#[tokio::test]
async fn a_shutdown_before_the_end_loses_nothing_that_was_published() {
    let pipeline = Pipeline::new(1_000_000, AtEnd::Wait);
    let mut feed = pipeline.feed("feed");
    let (published, mut numbers) = mpsc::unbounded_channel();
    feed.published = Some(published);
    let publishes = |event| ComponentOptions::default().with_outputs([event]);
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector_as(publishes(Event::Raw), feed)
        .with_aggregator_as(publishes(Event::Merged), pipeline.merge())
        .with_strategy_as(publishes(Event::Order), pipeline.trend())
        .with_executor_as(plain(), pipeline.paper())
        .build()
        .unwrap();
    engine.start().await.unwrap();
    for _ in 0..100 {
        numbers.recv().await.unwrap();
    }
    engine.shutdown().await.unwrap();
    let lines = pipeline.log.lines();
    let handled = lines.iter().filter(|line| line.starts_with("paper")).count() as u64;
    let raw = pipeline.bus.stats(&Event::Raw).unwrap();
    assert_eq!(handled, raw.published + 2, "every event, `up` and `down`");
    assert!(!lines.iter().any(|line| line.ends_with("end")), "it is not the end of the data");
    assert!(engine.last_shutdown().unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_waits_for_ever_is_dropped_after_its_grace() {
    let pipeline = Pipeline::new(1, AtEnd::Wait).fault("feed", Fault::Waits);
    let engine = pipeline.build();
    engine.start().await.unwrap();
    let began = tokio::time::Instant::now();
    engine.shutdown().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
}

/// Blocks its thread from its first turn on, until its channel is dropped.
struct Deaf {
    go: Mutex<std::sync::mpsc::Receiver<()>>,
    entered: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl BackgroundTask for Deaf {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        self.entered.send(()).map_err(SchedulerError::execution)?;
        let go = self.go.get_mut().expect("nobody panics in here");
        go.recv().map_err(SchedulerError::execution)
    }
}
impl Connector for Deaf {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_blocks_its_thread_is_named_and_the_others_shut_down() {
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let mut pipeline = Pipeline::new(3, AtEnd::Wait);
    pipeline.limits = ShutdownLimits::within(Duration::from_millis(800));
    let (let_go, go) = std::sync::mpsc::channel();
    let (entered, mut enters) = mpsc::unbounded_channel();
    let options = ComponentOptions::default().with_id("deaf").with_runtime(own.handle().clone());
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector_as(plain(), pipeline.feed("feed"))
        .with_connector_as(options, Deaf { go: Mutex::new(go), entered })
        .with_aggregator_as(plain(), pipeline.merge())
        .with_strategy_as(plain(), pipeline.trend())
        .with_executor_as(plain(), pipeline.paper())
        .with_limits(pipeline.limits)
        .build()
        .unwrap();
    engine.start().await.unwrap();
    enters.recv().await.unwrap();
    let error = engine.shutdown().await.unwrap_err();
    assert_eq!(error, TradingEngineError::DidNotStop(vec!["deaf".to_owned()]));
    assert_eq!(error.to_string(), "did not stop within the limit: deaf");
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
    drop(let_go);
    own.shutdown_background();
}

#[tokio::test]
async fn a_hook_that_fails_is_told_by_name_and_the_other_hooks_run() {
    let pipeline = Pipeline::new(1, AtEnd::Finish).fault("trend", Fault::FailsToShutDown);
    let engine = pipeline.build();
    engine.start().await.unwrap();
    let error = engine.shutdown().await.unwrap_err();
    let expected = SchedulerError::TaskShutdown("strategy-1: disk full".to_owned());
    assert_eq!(error, TradingEngineError::SchedulerError(expected));
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
}
