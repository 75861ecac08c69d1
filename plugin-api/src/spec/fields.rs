//! Reading specs of other SDK versions, field by field.

use serde::de::{DeserializeOwned, Error};
use serde_json::{Map, Value};

/// The fields of a spec that have not been read yet.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    pub(super) fn required<T: DeserializeOwned, E: Error>(
        &mut self,
        name: &'static str,
    ) -> Result<T, E> {
        let value = self.0.remove(name).ok_or_else(|| E::missing_field(name))?;
        T::deserialize(value).map_err(|error| E::custom(format!("{name}: {error}")))
    }

    /// Takes a field out if it can be read; what can't be read stays.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str, absent: T) -> T {
        match self.0.get(name).map(T::deserialize) {
            Some(Ok(value)) => {
                self.0.remove(name);
                value
            }
            Some(Err(_)) | None => absent,
        }
    }

    /// Returns the remaining fields that may change what a host ought to do.
    pub(super) fn with_effect(self) -> Map<String, Value> {
        let fields = self.0.into_iter();
        fields.filter(|(name, value)| !name.starts_with("x-") && !is_nothing(value)).collect()
    }
}

/// Returns `true` for the default, which is what hosts do if a spec does not have the field.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Returns `true` for values that can't have an effect.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}
