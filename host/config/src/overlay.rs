//! Merges settings that are given in several places.

use serde_json::Value;

/// Merges two mappings of settings. If both have a key, the value in `over` is used.
pub fn merged(under: Option<&Value>, over: Option<&Value>) -> Value {
    let mut all = serde_json::Map::new();
    for map in [under, over].into_iter().flatten().filter_map(Value::as_object) {
        all.extend(map.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    Value::Object(all)
}
