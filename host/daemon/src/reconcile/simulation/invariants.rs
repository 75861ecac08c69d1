//! What has to be true of a simulated host.

use std::collections::BTreeSet;

use super::{
    super::*,
    world::{Fate, World},
};

impl World {
    /// What must hold whenever an action is begun.
    pub(super) fn check(&self, action: &Action) {
        let plugin = |name: &String| self.observed.plugins.get(name).cloned().unwrap_or_default();
        match action {
            Action::Load { file, plugin: name } => {
                let plugin = plugin(name);
                assert!(plugin.incoming.is_none(), "two builds of {name} are on their way");
                let FileState::Ready { hash, .. } = &self.observed.files[file].state else {
                    panic!("{file:?} was not examined")
                };
                let service = plugin.service.as_ref();
                let twice = service.is_some_and(|it| it.file == *file && it.hash == *hash);
                assert!(!twice, "{name} is loaded twice from the same file");
                assert!(!self.observed.reconfiguring, "a load during a reconfiguration");
            }
            Action::Change { plugin: name }
            | Action::RollBack { plugin: name }
            | Action::Retire { plugin: name }
            | Action::Start { plugin: name } => {
                assert_eq!(plugin(name).activity, None, "{action:?} during an activity");
            }
            Action::Reconfigure { .. } => assert!(self.observed.is_idle(), "not idle"),
            Action::Examine { .. }
            | Action::Adopt { .. }
            | Action::RefuseDuplicate { .. }
            | Action::Move { .. }
            | Action::Forget { .. }
            | Action::Enter { .. }
            | Action::Confirm { .. }
            | Action::StartEngine => {}
        }
    }

    /// What has to be true when nothing is under way any more.
    pub(super) fn check_end(&self) {
        assert!(reconcile(&self.desired, &self.observed, self.now).is_empty());
        assert!(self.observed.is_idle() && !self.observed.reconfiguring);
        assert_eq!(self.observed.configuration, self.desired.configuration);
        assert_eq!(self.in_force, self.desired.configuration, "a configuration is lost");
        assert!(self.before.is_empty() && self.incoming.is_empty(), "a build is left over");
        let in_service: BTreeSet<_> = self.observed.plugins.keys().collect();
        assert_eq!(in_service, self.service.keys().collect(), "observed and loaded differ");
        for (name, plugin) in &self.observed.plugins {
            let service = plugin.service.as_ref().expect("only plugins in service are left");
            assert!(self.files.contains_key(&service.file), "{name} is in service without a file");
            assert_eq!(service.hash, self.service[name].hash);
        }
        let works = |fate| matches!(fate, Fate::Works | Fate::IsRefusedForNow);
        for (path, content) in self.files.iter().filter(|(_, it)| works(it.fate)) {
            let service = self.service.get(&content.plugin);
            let service = service.unwrap_or_else(|| panic!("{} is not in service", content.plugin));
            let file =
                &self.observed.plugins[&content.plugin].service.as_ref().expect("it is").file;
            if file == path {
                assert_eq!(service.hash, content.hash, "an old build of {path:?} is in service");
            }
        }
    }
}
