//! The dependencies of a task on others.
//!
//! An edge remembers which run of the upstream task was consumed last. A task waits until each of
//! its edges has a newer run that has ended; then it runs if all of these were successful, and is
//! subject to its policy if one was not. Either way these runs are consumed. An upstream run that
//! is tried again has not ended.

use std::sync::Arc;

use super::RunId;

/// A run of an upstream task that has ended, or that never took place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamRun {
    /// The number of the run.
    pub run: RunId,
    /// `None` if the run was successful, else why it was not.
    pub failure: Option<String>,
}

/// The dependency of a task on one other task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyEdge {
    /// The task that this one depends on.
    pub upstream: Arc<str>,
    /// The last run of the upstream task that was consumed.
    pub consumed: Option<RunId>,
    /// The last run of the upstream task that has ended.
    pub latest: Option<UpstreamRun>,
    /// Why the upstream task has no runs now: it does not exist, or it is disabled. `None` also
    /// while its plugin is being replaced, which ends soon.
    pub unavailable: Option<String>,
}

impl DependencyEdge {
    /// Makes an edge that has seen no run.
    pub fn new(upstream: Arc<str>) -> Self {
        Self { upstream, consumed: None, latest: None, unavailable: None }
    }

    /// Returns the latest run, if it was not consumed.
    fn fresh(&self) -> Option<&UpstreamRun> {
        self.latest.as_ref().filter(|latest| self.consumed.is_none_or(|it| it < latest.run))
    }
}

/// The dependencies of one task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dependencies {
    edges: Vec<DependencyEdge>,
}

/// What the dependencies of a task say about its next run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It waits for runs of these tasks to end.
    Waits(Vec<Arc<str>>),
    /// All upstream runs were successful.
    Satisfied,
    /// An upstream task was not successful, for this reason.
    Failed {
        /// The id of the upstream task.
        upstream: Arc<str>,
        /// The run that was not successful; `None` if there was none.
        run: Option<RunId>,
        /// Why the upstream run was not successful, in words.
        reason: String,
    },
}

impl Dependencies {
    /// Makes dependencies from edges, as they were stored or are new.
    pub fn new(edges: Vec<DependencyEdge>) -> Self {
        Self { edges }
    }

    /// Returns the edges, one for each upstream task.
    pub fn edges(&self) -> &[DependencyEdge] {
        &self.edges
    }

    /// Notes that a run of an upstream task has ended.
    ///
    /// Runs may end in another order than they began in: only the newest counts.
    pub fn ended(&mut self, upstream: &str, ended: &UpstreamRun) {
        for edge in self.edges.iter_mut().filter(|edge| &*edge.upstream == upstream) {
            if edge.latest.as_ref().is_none_or(|latest| latest.run < ended.run) {
                edge.latest = Some(ended.clone());
            }
        }
    }

    /// Notes whether an upstream task can have runs.
    pub fn set_available(&mut self, upstream: &str, unavailable: Option<&str>) {
        for edge in self.edges.iter_mut().filter(|edge| &*edge.upstream == upstream) {
            edge.unavailable = unavailable.map(str::to_owned);
        }
    }

    /// Returns whether the task may run.
    ///
    /// A task of which nobody asked for a run waits as long as none of its upstream tasks has a
    /// fresh run, even if others are unavailable.
    pub fn readiness(&self) -> Readiness {
        let waits = |edge: &&DependencyEdge| edge.fresh().is_none() && edge.unavailable.is_none();
        let waiting: Vec<_> =
            self.edges.iter().filter(waits).map(|it| Arc::clone(&it.upstream)).collect();
        if !waiting.is_empty() {
            return Readiness::Waits(waiting);
        }
        if !self.edges.is_empty() && self.edges.iter().all(|edge| edge.fresh().is_none()) {
            return Readiness::Waits(
                self.edges.iter().map(|it| Arc::clone(&it.upstream)).collect(),
            );
        }
        let failure = self.edges.iter().find_map(|edge| {
            let upstream = Arc::clone(&edge.upstream);
            match (edge.fresh(), &edge.unavailable) {
                (Some(UpstreamRun { run, failure: Some(reason) }), _) => {
                    Some(Readiness::Failed { upstream, run: Some(*run), reason: reason.clone() })
                }
                (Some(UpstreamRun { failure: None, .. }), _) => None,
                (None, reason) => {
                    let reason = reason.clone().unwrap_or_default();
                    Some(Readiness::Failed { upstream, run: None, reason })
                }
            }
        });
        failure.unwrap_or(Readiness::Satisfied)
    }

    /// Consumes the fresh runs of all edges, because a run began or was decided against.
    pub fn consume(&mut self) {
        for edge in &mut self.edges {
            edge.consumed = edge.latest.as_ref().map(|latest| latest.run).or(edge.consumed);
        }
    }
}

/// Returns a cycle in a graph of tasks, as a path that ends where it began, if there is one.
pub fn find_cycle<'a>(
    tasks: impl IntoIterator<Item = &'a str>,
    upstream: impl Fn(&str) -> Vec<&'a str>,
) -> Option<Vec<&'a str>> {
    use std::collections::BTreeSet;

    let mut done = BTreeSet::new();
    for start in tasks {
        // The path from `start`, with what is left to visit at each of its tasks.
        let mut path = vec![(start, upstream(start))];
        while let Some((task, left)) = path.last_mut() {
            let (task, next) = (*task, left.pop());
            match next {
                None => {
                    done.insert(task);
                    path.pop();
                }
                Some(next) => {
                    if let Some(at) = path.iter().position(|(it, _)| *it == next) {
                        let cycle = path[at..].iter().map(|(it, _)| *it);
                        return Some(cycle.chain([next]).collect());
                    }
                    if !done.contains(next) {
                        path.push((next, upstream(next)));
                    }
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
