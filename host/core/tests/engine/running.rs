//! What an engine promises about the way of the data.

use super::*;

#[tokio::test]
async fn the_end_of_the_data_flows_through_every_component() {
    let pipeline = Pipeline::new(20, AtEnd::Finish);
    let engine = pipeline.build();
    engine.start().await.unwrap();
    engine.wait().await;
    let statuses = engine.statuses();
    let ids: Vec<_> = statuses.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["connector-1", "aggregator", "strategy-1", "executor-1"]);
    assert!(statuses.iter().all(|(_, status)| *status == ExecutionStatus::Finished));
    // All of them in order, the one that was held back, and what the end gave rise to.
    let mut expected: Vec<_> = (0..20).map(|number| format!("paper {number}")).collect();
    expected.extend(["paper closing", "paper end"].map(str::to_owned));
    let lines = pipeline.log.lines();
    let seen: Vec<_> =
        lines.iter().filter(|line| line.starts_with("paper") && *line != "paper up").collect();
    assert_eq!(seen, expected.iter().collect::<Vec<_>>());

    engine.shutdown().await.unwrap();
    assert_eq!(pipeline.log.ending("down"), ["paper", "trend", "merge", "feed"]);
}

#[tokio::test]
async fn what_is_queued_is_handled_also_if_no_outputs_are_declared() {
    let pipeline = Pipeline::new(50, AtEnd::Wait);
    let mut feed = pipeline.feed("feed");
    let (published, mut numbers) = mpsc::unbounded_channel();
    feed.published = Some(published);
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector_as(plain(), feed)
        .with_aggregator_as(plain(), pipeline.merge())
        .with_strategy_as(plain(), pipeline.trend())
        .with_executor_as(plain(), pipeline.paper())
        .build()
        .unwrap();
    engine.start().await.unwrap();
    for _ in 0..50 {
        numbers.recv().await.unwrap();
    }
    engine.shutdown().await.unwrap();
    let lines = pipeline.log.lines();
    // The aggregator can't know that nothing follows the last one.
    assert!(lines.contains(&"paper 48".to_owned()), "{lines:?}");
    for event in [Event::Raw, Event::Merged, Event::Order] {
        let stats = pipeline.bus.stats(&event).unwrap();
        assert_eq!(stats.delivered, stats.published, "{event:?}");
    }
}

#[tokio::test]
async fn a_broken_strategy_takes_nobody_down() {
    let pipeline = Pipeline::new(100, AtEnd::Finish);
    let mut broken = pipeline.trend();
    broken.part = Part::new("broken", &pipeline.log).with(Fault::Panics);
    let publishes = |event| ComponentOptions::default().with_outputs([event]);
    let engine = TradingEngineBuilder::new(pipeline.bus.clone())
        .with_connector_as(publishes(Event::Raw), pipeline.feed("feed"))
        .with_aggregator_as(publishes(Event::Merged), pipeline.merge())
        .with_strategy_as(publishes(Event::Order).with_id("broken"), broken)
        .with_strategy_as(publishes(Event::Order), pipeline.trend())
        .with_executor_as(plain(), pipeline.paper())
        .build()
        .unwrap();
    engine.start().await.unwrap();
    engine.wait().await;
    let status = engine.scheduler().status(&TaskId::from("broken")).unwrap();
    let error = SchedulerError::TaskPanicked("broken is broken".to_owned());
    assert_eq!(status, ExecutionStatus::Failed { error });
    assert!(pipeline.log.lines().contains(&"paper 99".to_owned()));
    engine.shutdown().await.unwrap();
    assert!(pipeline.log.ending("down").contains(&"broken".to_owned()));
}
