//! The types of events, and how they become payloads.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::spec::EventTypeSpec;

/// The kind of an event's payload: the hash of a name such as `acme.feed/quote/1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(u32);

impl Kind {
    /// Bytes whose meaning publisher and subscriber agreed upon by other means.
    pub const BYTES: Self = Self::of("hotbay/bytes");
    /// UTF-8 text.
    pub const TEXT: Self = Self::of("hotbay/text");

    /// The kind of this name. Give the name a version, and change it with the layout.
    ///
    /// The number is the name's 32-bit FNV-1a hash
    /// (<http://www.isthe.com/chongo/tech/comp/fnv/>).
    pub const fn of(name: &str) -> Self {
        Self(fnv(0x811c_9dc5, name.as_bytes()))
    }

    /// The kind of one version of a type: that of `name/version`.
    pub const fn of_version(name: &str, version: u32) -> Self {
        let hash = fnv(Self::of(name).0, b"/");
        let mut digits = [0; 10];
        let mut from = digits.len();
        let mut rest = version;
        loop {
            from -= 1;
            // A remainder of ten is one digit.
            digits[from] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        Self(fnv(hash, digits.split_at(from).1))
    }

    /// The number that stands in an [`EventHeader`](crate::EventHeader).
    pub const fn code(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_code(code: u32) -> Self {
        Self(code)
    }
}

const fn fnv(mut hash: u32, bytes: &[u8]) -> u32 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    hash
}

/// A type that travels as the payload of an event.
///
/// Derive it, together with serde's and schemars' traits:
///
/// ```
/// use hotbay_plugin_api::{prelude::*, testing::batch};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema, Event)]
/// #[event(name = "acme.feed/headline", version = 1)]
/// struct Headline { text: String, tags: Vec<String> }
///
/// let headline = Headline { text: "Rates unchanged".into(), tags: vec!["macro".into()] };
/// let batch = batch(&[(1, headline)]);
/// assert_eq!(batch.get(0).unwrap().read::<Headline>().unwrap().text, "Rates unchanged");
/// ```
///
/// A `#[repr(C)]` type that derives `zerocopy`'s traits can say `layout = "fixed"`: then it
/// travels as its own bytes, and to read it costs a copy.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the type of an event",
    note = "derive `Event`, and write `#[event(name = \"acme.feed/tick\", version = 1)]`"
)]
pub trait Event: Serialize + JsonSchema + Sized {
    /// The name of the type, such as `acme.feed/quote`.
    const NAME: &'static str;
    /// The version of the type, raised whenever its fields change.
    const VERSION: u32;
    /// The kind under which the type travels.
    const KIND: Kind = Kind::of_version(Self::NAME, Self::VERSION);

    /// Appends the payload to a buffer.
    fn encode(&self, payload: &mut Vec<u8>);

    /// Reads a payload; `None` if it is not one of this type.
    fn decode(payload: &[u8]) -> Option<Self>;
}

/// Describes one type of event in the constants of a plugin.
#[derive(Debug, Clone, Copy)]
pub struct EventDescription {
    name: &'static str,
    version: u32,
    kind: Kind,
    schema: fn() -> serde_json::Value,
    render: fn(&[u8]) -> Option<String>,
}

impl EventDescription {
    const fn of<E: Event>() -> Self {
        Self {
            name: E::NAME,
            version: E::VERSION,
            kind: E::KIND,
            schema: || schemars::schema_for!(E).to_value(),
            render: |payload| serde_json::to_string(&E::decode(payload)?).ok(),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn spec(&self) -> EventTypeSpec {
        EventTypeSpec { name: self.name.to_owned(), version: self.version, schema: (self.schema)() }
    }

    /// Renders a payload of this type as JSON; `None` if it is damaged.
    pub(crate) fn render(&self, payload: &[u8]) -> Option<String> {
        (self.render)(payload)
    }
}

/// The types of events that a port carries: one [`Event`], or a tuple of up to six.
pub trait EventTypes {
    /// Describes each of the types.
    const TYPES: &'static [EventDescription];
}

impl<E: Event> EventTypes for E {
    const TYPES: &'static [EventDescription] = &[EventDescription::of::<E>()];
}

macro_rules! tuples {
    ($($first:ident $($rest:ident)*)?) => {
        $(
            impl<$first: Event, $($rest: Event),*> EventTypes for ($first, $($rest,)*) {
                const TYPES: &'static [EventDescription] =
                    &[EventDescription::of::<$first>(), $(EventDescription::of::<$rest>()),*];
            }
            tuples!($($rest)*);
        )?
    };
}
tuples!(A B C D E F);

#[doc(hidden)]
#[inline]
pub fn encode_fixed<T: IntoBytes + Immutable>(event: &T, payload: &mut Vec<u8>) {
    payload.extend_from_slice(event.as_bytes());
}

#[doc(hidden)]
#[inline]
pub fn decode_fixed<T: FromBytes>(payload: &[u8]) -> Option<T> {
    T::read_from_bytes(payload).ok()
}

#[doc(hidden)]
pub fn encode_serde<T: Serialize>(event: &T, payload: &mut Vec<u8>) {
    let written = postcard::to_io(event, payload);
    if let Err(error) = written {
        panic!("an event of the type {} can't be written: {error}", std::any::type_name::<T>());
    }
}

#[doc(hidden)]
pub fn decode_serde<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(payload) {
        Ok((event, [])) => Some(event),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{Port, testing::batch};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, crate::Event)]
    #[event(name = "acme.feed/headline", version = 2)]
    struct Headline {
        text: String,
        at: Option<u64>,
    }

    #[derive(
        Debug,
        Clone,
        Copy,
        PartialEq,
        Serialize,
        JsonSchema,
        FromBytes,
        IntoBytes,
        Immutable,
        crate::Event,
    )]
    #[event(name = "acme.feed/tick", version = 1, layout = "fixed")]
    #[repr(C)]
    struct Tick {
        price: f64,
        size: u64,
    }

    #[test]
    fn kinds_of_different_names_differ() {
        assert_ne!(Kind::of("a/1"), Kind::of("a/2"));
        assert_eq!(Kind::of("a").code(), 0xe40c_292c, "the published FNV-1a test vector");
    }

    #[test]
    fn the_kind_of_a_version_is_that_of_the_name_with_the_version_behind_it() {
        for version in [0, 1, 9, 10, 4_294_967_295] {
            assert_eq!(
                Kind::of_version("acme/tick", version),
                Kind::of(&format!("acme/tick/{version}"))
            );
        }
        assert_eq!(Headline::KIND, Kind::of("acme.feed/headline/2"));
    }

    #[test]
    fn any_serde_type_can_be_read_as_it_was_published() {
        let headline = Headline { text: "Rates unchanged".to_owned(), at: Some(7) };
        let events = batch(&[(1, headline.clone())]);
        assert_eq!(events.get(0).unwrap().read(), Some(headline));
        assert_eq!(events.get(0).unwrap().read::<Tick>(), None);
    }

    #[test]
    fn a_type_of_a_fixed_layout_travels_as_its_own_bytes() {
        let tick = Tick { price: 0.5, size: 3 };
        let events = batch(&[(1, tick)]);
        assert_eq!(events.get(0).unwrap().payload(), tick.as_bytes());
        assert_eq!(events.get(0).unwrap().read(), Some(tick));
    }

    #[test]
    fn a_payload_with_a_byte_too_many_or_too_few_is_not_read() {
        let mut payload = Vec::new();
        Headline { text: "Rates".to_owned(), at: None }.encode(&mut payload);
        assert_eq!(Headline::decode(&payload[..payload.len() - 1]), None);
        payload.push(0);
        assert_eq!(Headline::decode(&payload), None);
        assert_eq!(Tick::decode(&[0; 15]), None);
    }

    #[test]
    fn a_port_tells_the_name_version_and_schema_of_each_of_its_types() {
        const PORT: Port = Port::required("news", "").of::<(Tick, Headline)>();
        let specs: Vec<_> = PORT.events.iter().map(EventDescription::spec).collect();
        let names: Vec<_> = specs.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["acme.feed/tick/1", "acme.feed/headline/2"]);
        assert_eq!(specs[0].schema["properties"]["price"]["type"], "number");
    }
}
