//! Determines the kind of a message without parsing all of it.
//!
//! The exchange writes compact JSON with the kind of an event at or near its start.
//! A scan of the first top-level keys therefore finds the kind, and a book of a
//! thousand levels that is not configured is never parsed. A message of an unusual
//! layout (other spacing or order, escapes) is parsed with serde instead, with the
//! same result.

use std::borrow::Cow;

use memchr::memchr;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::MessageKind;

/// A message without the wrapper of a combined stream.
#[derive(Debug, PartialEq)]
pub(crate) struct Envelope<'a> {
    pub(crate) kind: Found<'a>,
    pub(crate) data: &'a [u8],
    /// The name of the stream, such as `btcusdt@depth20`.
    pub(crate) stream: Option<Cow<'a, str>>,
}

/// The kind of a message.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<'a> {
    Known(MessageKind),
    Unknown(Cow<'a, str>),
}

impl<'a> Found<'a> {
    fn named(name: Cow<'a, str>) -> Self {
        match &*name {
            "bookTicker" => Self::Known(MessageKind::BookTicker),
            "trade" => Self::Known(MessageKind::Trade),
            "depthUpdate" => Self::Known(MessageKind::Depth),
            _ => Self::Unknown(name),
        }
    }

    fn unnamed(stream: Option<&str>) -> Self {
        let name = stream.and_then(|stream| stream.split('@').nth(1)).unwrap_or("(no event type)");
        Self::Unknown(Cow::Owned(name.to_owned()))
    }
}

/// Opens a message of the usual layout; returns `None` for any other layout.
pub(crate) fn open_usual(json: &[u8]) -> Option<Envelope<'_>> {
    let Some(rest) = json.strip_prefix(br#"{"stream":""#) else {
        return Some(Envelope { kind: scan(json, None)?, data: json, stream: None });
    };
    let end = memchr(b'"', rest)?;
    let stream = plain(&rest[..end])?;
    let data = rest[end..].strip_prefix(br#"","data":"#)?.strip_suffix(b"}")?;
    let kind = scan(data, Some(stream))?;
    Some(Envelope { kind, data, stream: Some(Cow::Borrowed(stream)) })
}

/// Opens a message of any layout.
pub(crate) fn open_any(json: &[u8]) -> Result<Envelope<'_>, serde_json::Error> {
    let wrapping: Wrapping<'_> = serde_json::from_slice(json)?;
    let data = match wrapping.data {
        Some(data) if wrapping.stream.is_some() => data.get().as_bytes(),
        _ => json,
    };
    let stream = wrapping.stream;
    if !data.starts_with(b"{") {
        // Some streams, all of kinds that the feed doesn't know, bring lists.
        return Ok(Envelope { kind: Found::unnamed(stream.as_deref()), data, stream });
    }
    let keys: Keys<'_> = serde_json::from_slice(data)?;
    let kind = match &keys {
        Keys { event: Some(name), .. } => Found::named(Cow::Owned(name.clone().into_owned())),
        Keys { last_update_id: Some(_), .. } => Found::Known(MessageKind::Snapshot),
        Keys {
            s: Some(_), b: Some(_), bid_size: Some(_), a: Some(_), ask_size: Some(_), ..
        } => Found::Known(MessageKind::BookTicker),
        _ => Found::unnamed(stream.as_deref()),
    };
    Ok(Envelope { kind, data, stream })
}

#[derive(Deserialize)]
struct Wrapping<'a> {
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow, rename = "e")]
    event: Option<Cow<'a, str>>,
    #[serde(rename = "lastUpdateId")]
    last_update_id: Option<IgnoredAny>,
    s: Option<IgnoredAny>,
    b: Option<IgnoredAny>,
    #[serde(rename = "B")]
    bid_size: Option<IgnoredAny>,
    a: Option<IgnoredAny>,
    #[serde(rename = "A")]
    ask_size: Option<IgnoredAny>,
}

/// Scans the top-level keys of an object until they determine its kind.
fn scan<'a>(object: &'a [u8], stream: Option<&str>) -> Option<Found<'a>> {
    let mut rest = object.strip_prefix(b"{")?;
    let mut ticker_keys = 0u8;
    loop {
        rest = rest.strip_prefix(b"\"")?;
        let end = rest.iter().position(|&byte| byte == b'"')?;
        let (key, value) = (&rest[..end], rest[end + 1..].strip_prefix(b":")?);
        match key {
            b"e" => {
                let name = value.strip_prefix(b"\"")?;
                let name = plain(&name[..memchr(b'"', name)?])?;
                return Some(Found::named(Cow::Borrowed(name)));
            }
            b"lastUpdateId" => return Some(Found::Known(MessageKind::Snapshot)),
            b"s" => ticker_keys |= 1,
            b"b" => ticker_keys |= 2,
            b"B" => ticker_keys |= 4,
            b"a" => ticker_keys |= 8,
            b"A" => ticker_keys |= 16,
            _ if key.contains(&b'\\') => return None,
            _ => {}
        }
        rest = skip_scalar(value)?;
        match rest {
            [b',', more @ ..] => rest = more,
            // Spot's bookTicker is the only event without a field for its kind.
            b"}" if ticker_keys == 31 => return Some(Found::Known(MessageKind::BookTicker)),
            b"}" => return Some(Found::unnamed(stream)),
            _ => return None,
        }
    }
}

/// Returns the text after a string, number or literal; `None` for any other value.
fn skip_scalar(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', text @ ..] => {
            let end = memchr(b'"', text)?;
            let escaped = text[..end].contains(&b'\\');
            (!escaped).then(|| &text[end + 1..])
        }
        [b'{' | b'[', ..] => None,
        _ => {
            let end = value.iter().position(|byte| matches!(byte, b',' | b'}'))?;
            Some(&value[end..])
        }
    }
}

/// Returns the text between two quotes, if it holds no escapes.
fn plain(text: &[u8]) -> Option<&str> {
    if text.contains(&b'\\') {
        return None;
    }
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scalar() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z0-9 .@{}:,]{0,8}".prop_map(|text| format!("{text:?}")),
            any::<i64>().prop_map(|number| number.to_string()),
            Just("null".to_owned()),
            Just("true".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn the_quick_look_agrees_with_serde(
            event in prop::option::of(prop::sample::select(vec![
                "bookTicker", "trade", "depthUpdate", "aggTrade", "",
            ])),
            fields in prop::collection::btree_map("[a-zA-Z]{1,2}", scalar(), 0..8),
            wrapped in any::<bool>(),
        ) {
            let mut parts: Vec<String> = fields
                .iter()
                .filter(|(key, _)| *key != "e")
                .map(|(key, value)| format!("{key:?}:{value}"))
                .collect();
            if let Some(event) = event {
                parts.insert(parts.len() / 2, format!("\"e\":{event:?}"));
            }
            let is_empty = parts.is_empty();
            let mut json = format!("{{{}}}", parts.join(","));
            if wrapped {
                json = format!(r#"{{"stream":"btcusdt@kline_1m","data":{json}}}"#);
            }
            let any = open_any(json.as_bytes()).unwrap();
            if let Some(usual) = open_usual(json.as_bytes()) {
                prop_assert_eq!(usual, any);
            } else {
                prop_assert!(is_empty, "not looked at: {}", json);
            }
        }
    }
}
