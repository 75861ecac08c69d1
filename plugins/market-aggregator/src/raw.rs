//! Serializes events in a saved state as their raw bytes, so that no digit changes.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A value that is saved as its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<T>(pub(crate) T);

impl<T: IntoBytes + Immutable> Serialize for Raw<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de, T: FromBytes> Deserialize<'de> for Raw<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

pub(crate) fn serialize<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: IntoBytes + Immutable,
    S: Serializer,
{
    value.as_bytes().serialize(serializer)
}

pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromBytes,
    D: Deserializer<'de>,
{
    let bytes = Vec::<u8>::deserialize(deserializer)?;
    T::read_from_bytes(&bytes)
        .map_err(|_| D::Error::invalid_length(bytes.len(), &"the bytes of an event"))
}
