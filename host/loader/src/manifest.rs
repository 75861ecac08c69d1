//! The manifest as a library gives it, which is JSON text that is checked before anybody uses it.

use abi_stable::std_types::RString;
use hotbay_plugin_api::Manifest;
use serde_json::Value;

use crate::{
    Descriptor, Refusal,
    text::{find_unprintable, is_name},
};

/// Checks that the text of a manifest is UTF-8.
///
/// The type `RString` promises UTF-8, but a damaged library can break the promise, and the
/// invalid text would then do harm far from here.
pub(crate) fn to_text(manifest: RString) -> Result<String, Refusal> {
    String::from_utf8(manifest.into_bytes().into_vec())
        .map_err(|error| Refusal::Manifest(error.utf8_error().to_string()))
}

/// Parses a manifest and checks it against the descriptor of the library.
pub(crate) fn parse(json: &str, descriptor: &Descriptor) -> Result<Manifest, Refusal> {
    if json.is_empty() {
        return Err(Refusal::Manifest("it panicked while it was made".to_owned()));
    }
    let invalid = |error: serde_json::Error| Refusal::Manifest(error.to_string());
    let manifest: Manifest = serde_json::from_str(json).map_err(invalid)?;
    if manifest.name != descriptor.name {
        let (a, b) = (&manifest.name, &descriptor.name);
        return Err(Refusal::Manifest(format!("it says {a}, the descriptor says {b}")));
    }
    let json: Value = serde_json::from_str(json).map_err(invalid)?;
    if let Some(text) = find_unprintable(&json) {
        return Err(Refusal::Manifest(format!(
            "it has a control or an invisible character in {text:?}"
        )));
    }
    check_names(&manifest)?;
    Ok(manifest)
}

/// Refuses names that are not names of packages, and names that are given twice.
fn check_names(manifest: &Manifest) -> Result<(), Refusal> {
    let mut names: Vec<_> = manifest.components.iter().map(|it| ("component", &it.name)).collect();
    names.extend(manifest.tasks.iter().map(|task| ("task", &task.name)));
    names.extend(manifest.task_kinds.iter().map(|kind| ("task kind", &kind.name)));
    if let Some((kind, name)) = names.iter().find(|(_, name)| !is_name(name)) {
        return Err(Refusal::Manifest(format!("a {kind} is named {name:?}")));
    }
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Refusal::Manifest(format!("two {}s are named {}", pair[0].0, pair[0].1))),
        None => Ok(()),
    }
}
