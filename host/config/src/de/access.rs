//! Access to the content of lists, mappings and enum values for serde.

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess};
use serde::de::{Error as _, Unexpected, VariantAccess, Visitor};

use super::error::Error;
use super::{Named, inner};
use crate::document::Node;
use crate::source::Report;

/// The items of a list.
pub(super) struct Items<'n, 'r> {
    rest: std::slice::Iter<'n, Node>,
    report: &'r mut Report,
}

impl<'n, 'r> Items<'n, 'r> {
    pub(super) fn new(items: &'n [Node], report: &'r mut Report) -> Self {
        Self { rest: items.iter(), report }
    }
}

impl<'n> SeqAccess<'n> for Items<'n, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'n>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.rest.next().map(|node| inner(seed, node, self.report)).transpose()
    }
}

/// The entries of a mapping.
pub(super) struct Entries<'n, 'r, I> {
    rest: I,
    current: Option<&'n Node>,
    report: &'r mut Report,
}

impl<'n, 'r, I: Iterator<Item = Named<'n>>> Entries<'n, 'r, I> {
    pub(super) fn new(rest: I, report: &'r mut Report) -> Self {
        Self { rest, current: None, report }
    }
}

impl<'n, I: Iterator<Item = Named<'n>>> MapAccess<'n> for Entries<'n, '_, I> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'n>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some((name, entry)) = self.rest.next() else { return Ok(None) };
        self.current = Some(&entry.node);
        let key = BorrowedStrDeserializer::<Error>::new(name);
        seed.deserialize(key).map(Some).map_err(|error| error.or_at_key(entry.key_position))
    }

    fn next_value_seed<S: DeserializeSeed<'n>>(&mut self, seed: S) -> Result<S::Value, Error> {
        match self.current.take() {
            Some(node) => inner(seed, node, self.report),
            None => Err(Error::custom("a value was asked for before its key")),
        }
    }
}

/// The name of an enum value without content.
pub(super) struct Variant<'n>(pub(super) &'n str);

impl<'n> EnumAccess<'n> for Variant<'n> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'n>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name: StrDeserializer<'n, Error> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'n> VariantAccess<'n> for Variant<'n> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'n>>(self, _: S) -> Result<S::Value, Error> {
        Err(Error::invalid_type(Unexpected::Str(self.0), &"a value with content"))
    }

    fn tuple_variant<V: Visitor<'n>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(Error::invalid_type(Unexpected::Str(self.0), &"a value with content"))
    }

    fn struct_variant<V: Visitor<'n>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(Error::invalid_type(Unexpected::Str(self.0), &"a value with content"))
    }
}
