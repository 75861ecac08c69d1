//! Finds components whose events come back to them, directly or through others.
//!
//! The way from an executor to a strategy is left out: it brings reports on orders, which go against
//! the direction of the data on purpose. On any other way round, an event makes further ones for
//! ever.

use indexmap::IndexSet;

use crate::document::Document;
use crate::entries::ComponentEntry;
use crate::source::Report;
use crate::wording::{listed, shown};
use hotbay_plugin_api::Role;

/// A place on the way of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place<'c> {
    /// A component, by its index.
    Component(usize),
    /// A channel, for the events that executors write to it, or for all others.
    Channel { name: &'c str, from_executor: bool },
}

/// Reports the cycles, each with the components and channels on it.
pub(super) fn cycles(components: &[ComponentEntry], document: &Document, report: &mut Report) {
    let (places, next) = ways(components);
    let mut seen = vec![false; places.len()];
    let mut on_path = vec![false; places.len()];
    for start in 0..components.len() {
        // The path from the start, with the number of ways that were tried at each place.
        let mut path = vec![(start, 0)];
        while let Some((place, tried)) = path.last_mut() {
            let place = *place;
            (seen[place], on_path[place]) = (true, true);
            let Some(&to) = next[place].get(*tried) else {
                on_path[place] = false;
                path.pop();
                continue;
            };
            *tried += 1;
            if on_path[to] && report.is_full() {
                report.leave_out(1);
            } else if on_path[to] {
                let cycle = path.iter().map(|(place, _)| *place).skip_while(|place| *place != to);
                let cycle: Vec<_> = cycle.map(|place| places[place]).collect();
                describe(&cycle, components, document, report);
            } else if !seen[to] {
                path.push((to, 0));
            }
        }
    }
}

/// Returns all places, and for each of them the indices of the places that its events reach next.
/// The first places are the components.
fn ways(components: &[ComponentEntry]) -> (IndexSet<Place<'_>>, Vec<Vec<usize>>) {
    let mut places: IndexSet<_> = (0..components.len()).map(Place::Component).collect();
    let mut ways = Vec::new();
    for (index, component) in components.iter().enumerate() {
        let from_executor = component.role == Role::Executor;
        for name in component.outputs.channels() {
            let (channel, _) = places.insert_full(Place::Channel { name, from_executor });
            ways.push((index, channel));
        }
        for name in component.inputs.channels() {
            let (channel, _) = places.insert_full(Place::Channel { name, from_executor: false });
            ways.push((channel, index));
            if component.role != Role::Strategy {
                let reports = Place::Channel { name, from_executor: true };
                ways.push((places.insert_full(reports).0, index));
            }
        }
    }
    let mut next = vec![Vec::new(); places.len()];
    ways.into_iter().for_each(|(from, to)| next[from].push(to));
    (places, next)
}

fn describe(
    cycle: &[Place<'_>],
    components: &[ComponentEntry],
    document: &Document,
    report: &mut Report,
) {
    let entries = cycle.iter().filter_map(|place| match place {
        Place::Component(index) => Some(&components[*index]),
        Place::Channel { .. } => None,
    });
    let entries: Vec<_> = entries.collect();
    let channels = cycle.iter().filter_map(|place| match place {
        Place::Channel { name, .. } => Some(report.secrets.masked(name)),
        Place::Component(_) => None,
    });
    let channels: Vec<_> = channels.collect();
    let Some((first, others)) = entries.split_first() else { return };
    let id = report.shown(&first.id);
    let message = match channels.as_slice() {
        [channel] => format!("`{id}` reads its own events on channel `{}`", shown(channel)),
        channels => format!(
            "the events of `{id}` come back to it, through {} and the channels {}",
            listed(others.iter().map(|it| report.secrets.masked(&it.id))),
            listed(channels)
        ),
    };
    let at = document.position(&first.location.key("inputs"));
    report.error(at, message, "leave one of these channels out of the inputs or outputs");
}
