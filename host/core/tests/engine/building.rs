//! What an engine promises about its components before it starts, and where they run.

use super::*;

#[tokio::test]
async fn an_engine_lacks_nothing_and_has_one_aggregator() {
    let pipeline = Pipeline::new(0, AtEnd::Finish);
    let builder = || TradingEngineBuilder::new(pipeline.bus.clone());
    let missing = |builder: TradingEngineBuilder<Event>| builder.build().unwrap_err();
    let error = missing(builder());
    assert_eq!(error, TradingEngineError::MissingComponent("connector"));
    let with_feed = || builder().with_connector_as(plain(), pipeline.feed("feed"));
    assert_eq!(missing(with_feed()), TradingEngineError::MissingComponent("aggregator"));
    let with_merge = || with_feed().with_aggregator_as(plain(), pipeline.merge());
    assert_eq!(missing(with_merge()), TradingEngineError::MissingComponent("strategy"));
    let with_trend = || with_merge().with_strategy_as(plain(), pipeline.trend());
    assert_eq!(missing(with_trend()), TradingEngineError::MissingComponent("executor"));
    let complete = || with_trend().with_executor_as(plain(), pipeline.paper());
    let two = complete().with_aggregator_as(plain(), pipeline.merge());
    assert_eq!(missing(two), TradingEngineError::DuplicateAggregator(2));
    let named = ComponentOptions::default().with_id("aggregator");
    let same_name = complete().with_executor_as(named, pipeline.paper());
    let error = SchedulerError::DuplicateTask(TaskId::from("aggregator"));
    assert_eq!(missing(same_name), TradingEngineError::SchedulerError(error));
    assert!(complete().build().is_ok());
}

#[tokio::test]
async fn a_second_connector_and_a_second_executor_have_numbers() {
    let pipeline = Pipeline::new(0, AtEnd::Finish);
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector_as(plain(), pipeline.feed("feed"))
        .with_connector_as(plain(), pipeline.feed("other"))
        .with_aggregator_as(plain(), pipeline.merge())
        .with_strategy_as(plain(), pipeline.trend())
        .with_executor_as(plain(), pipeline.paper())
        .with_executor_as(plain(), pipeline.paper())
        .build()
        .unwrap();
    let ids: Vec<_> = engine.statuses().into_iter().map(|(id, _)| id.to_string()).collect();
    let (connectors, executors) = (["connector-1", "connector-2"], ["executor-1", "executor-2"]);
    assert_eq!(ids, [&connectors[..], &["aggregator", "strategy-1"], &executors[..]].concat());
}

#[tokio::test]
async fn a_component_runs_on_the_runtime_that_it_was_given() {
    struct Where(mpsc::UnboundedSender<Option<String>>);
    impl Where {
        fn tell(&self) {
            let name = std::thread::current().name().map(ToOwned::to_owned);
            assert!(self.0.send(name).is_ok());
        }
    }
    #[async_trait]
    impl BackgroundTask for Where {
        async fn initialize(&mut self) -> Result<(), SchedulerError> {
            self.tell();
            Ok(())
        }
        async fn execute(&mut self) -> Result<(), SchedulerError> {
            self.tell();
            Err(SchedulerError::Finished)
        }
        async fn shutdown(&mut self) -> Result<(), SchedulerError> {
            self.tell();
            Ok(())
        }
    }
    impl Connector for Where {}

    let bay = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("bay")
        .build()
        .unwrap();
    let pipeline = Pipeline::new(0, AtEnd::Finish);
    let (here, mut places) = mpsc::unbounded_channel();
    let options = ComponentOptions::default().with_runtime(bay.handle().clone());
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector_as(options.with_outputs([Event::Raw]), Where(here))
        .with_aggregator_as(plain(), pipeline.merge())
        .with_strategy_as(plain(), pipeline.trend())
        .with_executor_as(plain(), pipeline.paper())
        .build()
        .unwrap();
    engine.start().await.unwrap();
    engine.scheduler().wait(&TaskId::from("connector-1")).await.unwrap();
    engine.shutdown().await.unwrap();
    for phase in ["initialize", "execute", "shutdown"] {
        assert_eq!(places.recv().await.unwrap().as_deref(), Some("bay"), "{phase}");
    }
    bay.shutdown_background();
}

#[tokio::test]
async fn consumers_are_initialized_before_producers_and_shut_down_first() {
    let pipeline = Pipeline::new(0, AtEnd::Wait);
    let engine = pipeline.build();
    engine.start().await.unwrap();
    assert_eq!(pipeline.log.ending("up"), ["paper", "trend", "merge", "feed"]);
    engine.shutdown().await.unwrap();
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
    let statuses = engine.statuses();
    // The aggregator saw its input end, the others were told.
    assert!(statuses.iter().all(|(_, status)| status.has_ended()), "{statuses:?}");
}

#[tokio::test]
async fn components_may_be_shared_with_the_program() {
    let shared = |stage: Stage| Arc::new(tokio::sync::Mutex::new(stage));
    let pipeline = Pipeline::new(1, AtEnd::Wait);
    let paper = shared(pipeline.paper());
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector(Arc::new(tokio::sync::Mutex::new(pipeline.feed("feed"))))
        .with_aggregator(Arc::new(tokio::sync::Mutex::new(pipeline.merge())))
        .with_strategy(shared(pipeline.trend()))
        .with_executor(paper.clone())
        .build()
        .unwrap();
    engine.start().await.unwrap();
    assert_eq!(paper.lock().await.part.name, "paper");
    engine.shutdown().await.unwrap();
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
}

#[tokio::test]
async fn a_component_that_cannot_initialize_rolls_the_start_back() {
    let pipeline = Pipeline::new(1, AtEnd::Wait).fault("merge", Fault::FailsToInitialize);
    let engine = pipeline.build();
    let error = engine.start().await.unwrap_err();
    let expected = SchedulerError::TaskInitialization("aggregator: no route".to_owned());
    assert_eq!(error, TradingEngineError::SchedulerError(expected));
    assert_eq!(pipeline.log.ending("up"), ["paper", "trend", "merge"], "the feed never came up");
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge"]);
    let statuses = engine.statuses();
    assert_eq!(statuses[0].1, ExecutionStatus::Stopped);
    assert!(matches!(statuses[1].1, ExecutionStatus::Failed { .. }));
    assert!(engine.start().await.is_err(), "an engine starts once");
}
