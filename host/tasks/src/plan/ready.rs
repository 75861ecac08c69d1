//! The runs that wait for a free place, in the order in which they begin.
//!
//! Runs that are subject to the same limits form a *group*, which is a queue of its own. The heads
//! of all groups that are not blocked are in one order. A group whose head meets a limit that is
//! reached is blocked by that limit, and is looked at again when the limit has a free place. So a
//! claim takes logarithmic time, however many runs wait for a limit that is reached.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{Rank, RunId};

/// Something of which only some runs may have a place at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limit {
    /// The runs of all tasks share these places.
    All,
    /// The runs of one plugin.
    Plugin(Arc<str>),
    /// The runs of one task.
    Task(Arc<str>),
    /// The runs with one concurrency key.
    Key(Arc<str>),
}

/// How many runs may have a place of each limit of a kind, unless a number is set for a single one.
/// `None` stands for any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunLimits {
    /// The runs of all tasks.
    pub all: Option<usize>,
    /// The runs of each plugin.
    pub per_plugin: Option<usize>,
    /// The runs with each concurrency key.
    pub per_key: Option<usize>,
}

/// The group of a run: what the run has in common with others that are subject to the same limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group {
    /// The name of the plugin.
    pub plugin: Arc<str>,
    /// The id of the task.
    pub task: Arc<str>,
    /// The concurrency key, if the run has one.
    pub key: Option<Arc<str>>,
}

impl Group {
    /// Returns `true` if runs of this group are subject to a limit.
    fn has(&self, limit: &Limit) -> bool {
        self.limits().any(|it| it == *limit)
    }

    fn limits(&self) -> impl Iterator<Item = Limit> {
        let key = self.key.clone().map(Limit::Key);
        let (task, plugin) = (Arc::clone(&self.task), Arc::clone(&self.plugin));
        [Limit::All, Limit::Plugin(plugin), Limit::Task(task)].into_iter().chain(key)
    }
}

/// What a group waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// A place of a limit.
    By(Limit),
    /// The time at which its task may start again.
    Until(Timestamp),
}

#[derive(Debug, Default)]
struct GroupQueue {
    waiting: BTreeSet<(Rank, RunId)>,
    blocked: Option<Blocked>,
}

/// The places of a limit.
#[derive(Debug, Default)]
struct Places {
    /// The number of places; `None` for that of all limits of the kind.
    most: Option<usize>,
    taken: usize,
    /// The groups that wait for a place.
    blocked: BTreeSet<Group>,
}

/// The rate at which runs of a task may start.
#[derive(Debug)]
struct StartRate {
    interval: SignedDuration,
    next: Timestamp,
}

/// The runs that wait for a free place, and those that have one.
#[derive(Debug, Default)]
pub struct ReadyQueue {
    groups: HashMap<Group, GroupQueue>,
    /// The first run of each group that is not blocked.
    heads: BTreeMap<(Rank, RunId), Group>,
    /// Trees, because a table that grows moves all of its entries in one step.
    waiting: BTreeMap<RunId, (Rank, Group)>,
    running: BTreeMap<RunId, Group>,
    places: HashMap<Limit, Places>,
    limits: RunLimits,
    rates: HashMap<Arc<str>, StartRate>,
    /// The groups that are blocked until a time.
    later: BTreeSet<(Timestamp, Group)>,
}

impl ReadyQueue {
    /// Sets how many runs may have a place of each limit of a kind.
    ///
    /// Runs that have a place keep it.
    pub fn set_limits(&mut self, limits: RunLimits) {
        self.limits = limits;
        let all: Vec<_> = self.places.keys().cloned().collect();
        all.iter().for_each(|limit| self.unblock(limit));
    }

    /// Sets how many runs may have a place of a limit at once; `None` for the number that is set for
    /// all limits of the kind.
    ///
    /// Runs that have a place keep it, also if there are more than the new limit allows.
    pub fn set_limit(&mut self, limit: Limit, most: Option<usize>) {
        self.places.entry(limit.clone()).or_default().most = most;
        self.unblock(&limit);
    }

    /// Sets the shortest time between two starts of a task; zero for none.
    pub fn set_rate(&mut self, task: Arc<str>, interval: SignedDuration) {
        if interval.is_zero() {
            self.rates.remove(&task);
        } else {
            let next = self.rates.get(&task).map_or(Timestamp::MIN, |rate| rate.next);
            self.rates.insert(task, StartRate { interval, next });
        }
    }

    /// Adds a run that waits for a place. It must not be in the queue.
    pub fn insert(&mut self, run: RunId, rank: Rank, group: Group) {
        let queue = self.groups.entry(group.clone()).or_default();
        let before = queue.waiting.first().copied();
        queue.waiting.insert((rank, run));
        if queue.blocked.is_none() && before.is_none_or(|before| (rank, run) < before) {
            before.inspect(|before| drop(self.heads.remove(before)));
            self.heads.insert((rank, run), group.clone());
        }
        self.waiting.insert(run, (rank, group));
    }

    /// Removes a run that waits. Returns `false` if it does not wait.
    pub fn remove(&mut self, run: RunId) -> bool {
        let Some((rank, group)) = self.waiting.remove(&run) else { return false };
        self.take_from_group((rank, run), &group);
        true
    }

    /// Gives a place to the first run that may begin. Returns `None` if none may.
    pub fn claim(&mut self, now: Timestamp) -> Option<RunId> {
        self.unblock_until(now);
        loop {
            let (&(rank, run), group) = self.heads.first_key_value()?;
            let group = group.clone();
            if let Some(blocked) = self.obstacle(&group, now) {
                if blocked == Blocked::By(Limit::All) {
                    // All groups wait for the same.
                    return None;
                }
                self.heads.remove(&(rank, run));
                self.block(group, blocked);
                continue;
            }
            self.waiting.remove(&run);
            self.take_from_group((rank, run), &group);
            for limit in group.limits() {
                self.places.entry(limit).or_default().taken += 1;
            }
            if let Some(rate) = self.rates.get_mut(&group.task) {
                rate.next = now.saturating_add(rate.interval).unwrap_or(Timestamp::MAX);
            }
            self.running.insert(run, group);
            return Some(run);
        }
    }

    /// Takes the place of a run back. Returns `false` if it has none.
    pub fn release(&mut self, run: RunId) -> bool {
        let Some(group) = self.running.remove(&run) else { return false };
        for limit in group.limits() {
            if let Some(places) = self.places.get_mut(&limit) {
                places.taken = places.taken.saturating_sub(1);
            }
            self.unblock(&limit);
        }
        true
    }

    /// Returns what keeps a waiting run from beginning, besides the runs before it.
    pub fn blocked_by(&self, run: RunId, now: Timestamp) -> Option<Blocked> {
        let (_, group) = self.waiting.get(&run)?;
        self.obstacle(group, now)
    }

    /// Returns the runs that have a place of a limit.
    pub fn holders(&self, limit: &Limit) -> Vec<RunId> {
        let holders = self.running.iter().filter(|(_, group)| group.has(limit));
        holders.map(|(run, _)| *run).collect()
    }

    /// Returns the time at which a run may begin that may not begin now because of a rate.
    pub fn next_time(&self) -> Option<Timestamp> {
        self.later.first().map(|(at, _)| *at)
    }

    /// Returns the number of runs that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the number of runs that have a place.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    fn obstacle(&self, group: &Group, now: Timestamp) -> Option<Blocked> {
        let is_full = |limit: &Limit| {
            let places = self.places.get(limit);
            let most = places.and_then(|it| it.most).or(match limit {
                Limit::All => self.limits.all,
                Limit::Plugin(_) => self.limits.per_plugin,
                Limit::Key(_) => self.limits.per_key,
                Limit::Task(_) => Some(1),
            });
            most.is_some_and(|most| places.map_or(0, |it| it.taken) >= most)
        };
        if let Some(limit) = group.limits().find(is_full) {
            return Some(Blocked::By(limit));
        }
        let rate = self.rates.get(&group.task).filter(|rate| rate.next > now)?;
        Some(Blocked::Until(rate.next))
    }

    fn block(&mut self, group: Group, blocked: Blocked) {
        match &blocked {
            Blocked::By(limit) => {
                self.places.entry(limit.clone()).or_default().blocked.insert(group.clone());
            }
            Blocked::Until(at) => {
                self.later.insert((*at, group.clone()));
            }
        }
        if let Some(queue) = self.groups.get_mut(&group) {
            queue.blocked = Some(blocked);
        }
    }

    fn unblock(&mut self, limit: &Limit) {
        let Some(places) = self.places.get_mut(limit) else { return };
        let groups = std::mem::take(&mut places.blocked);
        if places.taken == 0 && places.most.is_none() {
            self.places.remove(limit);
        }
        groups.into_iter().for_each(|group| self.show_head(group));
    }

    fn unblock_until(&mut self, now: Timestamp) {
        while self.later.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, group)) = self.later.pop_first() {
                self.show_head(group);
            }
        }
    }

    /// Puts the first run of a group that was blocked in the order of heads.
    fn show_head(&mut self, group: Group) {
        if let Some(queue) = self.groups.get_mut(&group) {
            queue.blocked = None;
            if let Some(head) = queue.waiting.first() {
                self.heads.insert(*head, group);
            }
        }
    }

    /// Takes a run out of its group, and puts the next one of the group in its place.
    fn take_from_group(&mut self, run: (Rank, RunId), group: &Group) {
        self.heads.remove(&run);
        let Some(queue) = self.groups.get_mut(group) else { return };
        queue.waiting.remove(&run);
        match (queue.waiting.first(), &queue.blocked) {
            (Some(head), None) => drop(self.heads.insert(*head, group.clone())),
            (Some(_), Some(_)) => {}
            (None, blocked) => {
                match blocked {
                    None => {}
                    Some(Blocked::By(limit)) => {
                        if let Some(places) = self.places.get_mut(limit) {
                            places.blocked.remove(group);
                        }
                    }
                    Some(Blocked::Until(at)) => {
                        self.later.remove(&(*at, group.clone()));
                    }
                }
                self.groups.remove(group);
            }
        }
    }
}

#[cfg(test)]
mod tests;
