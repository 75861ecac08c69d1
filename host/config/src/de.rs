//! Deserializes a tree into any type, with a position and plain words in every error.
//!
//! The unknown keys of a struct are all reported and then skipped, so they hide no other error.

mod access;
mod error;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::document::{Entry, Node, Value};
use super::source::Report;
use super::wording::{closest, found, instead_of, listed, shown};
use access::{Entries, Items};
use error::Error;

/// Deserializes a value. Errors are added to the report.
pub(super) fn read<'n, T: Deserialize<'n>>(node: &'n Node, report: &mut Report) -> Option<T> {
    let error = match T::deserialize(NodeDeserializer { node, report }) {
        Ok(value) => return Some(value),
        Err(error) => error.or_at(node),
    };
    if let Error::Problem { at, message, help } = error {
        report.error(at.unwrap_or(node.position), message.to_string(), help);
    }
    None
}

/// An entry with the name of its key, or with the name that its key is a misspelling of.
pub(super) type Named<'n> = (&'n str, &'n Entry);

/// Returns the entries of a mapping, and reports the keys that are not in `known`.
///
/// A key that is probably a misspelling is treated as the key that is meant, so that this key is
/// not reported as missing too. Other unknown keys are left out.
pub(super) fn section<'n>(
    node: &'n Node,
    known: &[&'static str],
    report: &mut Report,
) -> Option<Vec<Named<'n>>> {
    let Value::Mapping(entries) = &node.value else {
        if node.value != Value::Broken {
            let message = format!("expected a mapping, found {}", description(node));
            let help = format!("it may have the keys {}", listed(known));
            report.error(node.position, message, help);
        }
        return None;
    };
    let mut named: Vec<Named<'n>> = Vec::with_capacity(known.len());
    let is_known = |key: &str| known.contains(&key);
    named.extend(entries.iter().filter(|(key, _)| is_known(key)).map(|(key, it)| (&**key, it)));
    let mut unknown = entries.iter().filter(|(key, _)| !is_known(key));
    for (key, entry) in unknown.by_ref() {
        let message = format!("unknown key `{}`", shown(key));
        report.error(entry.key_position, message, instead_of(key, known));
        let meant = closest(key, known.iter().copied());
        let meant = meant.filter(|meant| !named.iter().any(|(name, _)| name == meant));
        named.extend(meant.map(|meant| (meant, entry)));
        if report.is_full() {
            break;
        }
    }
    report.leave_out(unknown.count());
    Some(named)
}

/// Describes a value for a message. A value from the environment is shown as the file has it.
pub(super) fn description(node: &Node) -> String {
    match &node.written {
        Some(written) => format!("`{}`", shown(written)),
        None => found(&kind(&node.value)),
    }
}

/// Converts a value into the type that serde uses for unexpected values.
fn kind(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null | Value::Broken => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => Unexpected::Unsigned(value),
            (None, Some(value)) => Unexpected::Signed(value),
            (None, None) => Unexpected::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::Text(text) => Unexpected::Str(text),
        Value::Sequence(_) => Unexpected::Seq,
        Value::Mapping(_) => Unexpected::Map,
    }
}

struct NodeDeserializer<'n, 'r> {
    node: &'n Node,
    report: &'r mut Report,
}

impl<'n> NodeDeserializer<'n, '_> {
    fn any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self { node, report } = self;
        match &node.value {
            Value::Null | Value::Broken => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (None, Some(value), _) => visitor.visit_i64(value),
                (None, None, value) => visitor.visit_f64(value.unwrap_or(f64::NAN)),
            },
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Sequence(items) => visitor.visit_seq(Items::new(items, report)),
            Value::Mapping(entries) => {
                let entries = entries.iter().map(|(key, entry)| (key.as_str(), entry));
                let read = visitor.visit_map(Entries::new(entries, report));
                // What is wrong with the mapping as a whole may only follow from a value in it that
                // has an error.
                match read {
                    Err(Error::Problem { at: None, .. }) if node.is_broken() => {
                        Err(Error::Reported)
                    }
                    read => read,
                }
            }
        }
    }
}

/// Implements the methods for typed values: a broken value fails without a second report.
macro_rules! typed {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
            if self.node.value == Value::Broken { Err(Error::Reported) } else { self.any(visitor) }
        }
    )*};
}

impl<'n> Deserializer<'n> for NodeDeserializer<'n, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.any(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        if matches!(self.node.value, Value::Null | Value::Broken) {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Self { node, report } = self;
        let mut entries = section(node, fields, report).ok_or(Error::Reported)?;
        // A key without a value is as good as none, also if a variable left nothing of it.
        let (empty, rest) =
            entries.drain(..).partition::<Vec<_>, _>(|(_, it)| it.node.value == Value::Null);
        let read = visitor.visit_map(Entries::new(rest.into_iter(), report));
        read.map_err(|error| {
            let missing = error.missing();
            let there = empty.iter().find(|(name, _)| Some(*name) == missing);
            there.map_or(error, |(key, it)| Error::without_value(key, it.node.position))
        })
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let value = &self.node.value;
        if let Value::Text(text) = value {
            visitor.visit_enum(access::Variant(text))
        } else if *value == Value::Broken {
            Err(Error::Reported)
        } else {
            let expected = format!("one of {}", listed(variants));
            Err(Error::invalid_type(kind(value), &expected.as_str()))
        }
    }

    typed! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_seq deserialize_map
    }

    forward_to_deserialize_any! { <V: Visitor<'n>> unit unit_struct tuple tuple_struct identifier ignored_any }
}

/// Deserializes a value inside of another one.
fn inner<'n, S: DeserializeSeed<'n>>(
    seed: S,
    node: &'n Node,
    report: &mut Report,
) -> Result<S::Value, Error> {
    let result = seed.deserialize(NodeDeserializer { node, report });
    // An error gets the position of the innermost value that it passes, which is the one it is
    // about.
    result.map_err(|error| error.or_at(node))
}
