//! The way from the top of a configuration to one value in it.

use std::fmt;

/// One step of a [`ConfigPath`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Into the value of a key.
    Key(String),
    /// To an item of a list, from 0.
    Index(usize),
}

/// The way to a value, such as `pipeline.connectors[0].config.path`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConfigPath(Vec<Segment>);

impl ConfigPath {
    /// The whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// One step further, into the value of a key.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.step(Segment::Key(key.into()))
    }

    /// One step further, to an item of a list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.step(Segment::Index(index))
    }

    /// This way and then the other, for a path that starts at this value.
    #[must_use]
    pub fn join(&self, rest: &ConfigPath) -> Self {
        Self(self.0.iter().chain(&rest.0).cloned().collect())
    }

    /// The steps from the top.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    fn step(&self, segment: Segment) -> Self {
        let mut steps = self.0.clone();
        steps.push(segment);
        Self(steps)
    }
}

impl From<&str> for ConfigPath {
    /// Reads `a.b[0].c`, the form in which serde_path_to_error writes paths. A key that contains
    /// a dot or a bracket can't be written so; build its path with [`ConfigPath::key`].
    fn from(text: &str) -> Self {
        let mut path = Self::root();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let (key, indices) = part.split_once('[').unwrap_or((part, ""));
            if !key.is_empty() {
                path = path.key(key);
            }
            for index in indices.split(['[', ']']).filter_map(|text| text.parse().ok()) {
                path = path.index(index);
            }
        }
        path
    }
}

impl fmt::Display for ConfigPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if depth == 0 => write!(out, "{key}")?,
                Segment::Key(key) => write!(out, ".{key}")?,
                Segment::Index(index) => write!(out, "[{index}]")?,
            }
        }
        Ok(())
    }
}
