//! Single messages.

use std::collections::BTreeSet;

use binance_feed::{Body, Config, Damaged, MessageKind, Nature, Parsed, Parser, split_line};
use hotbay_market::{Depth, DepthSnapshot, Fixed, Side};
use hotbay_plugin_api::Event;
use proptest::prelude::*;
use serde_json::json;

use crate::samples::*;

fn parser(kinds: &[MessageKind]) -> Parser {
    let mut config: Config = serde_json::from_value(json!({ "path": "x" })).unwrap();
    if !kinds.is_empty() {
        config.kinds = BTreeSet::from_iter(kinds.iter().copied());
    }
    Parser::new(&config).unwrap()
}

fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

/// Calls `check` with the body and the exchange's time of a message.
fn with_body<T>(json: &str, check: impl FnOnce(Body<'_>, Option<i64>) -> T) -> T {
    match parser(&[]).parse(json.as_bytes()).unwrap() {
        Parsed::Message(message) => check(message.body, message.exchange_ns),
        other @ (Parsed::Skipped(_) | Parsed::Unknown(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_quote_keeps_every_digit() {
    with_body(message(SPOT_TICKER), |body, exchange_ns| {
        let Body::Quote(quote) = body else { panic!("{body:?}") };
        assert_eq!(quote.instrument.as_str(), "BTCUSDT");
        assert_eq!(
            (quote.bid.to_string(), quote.bid_size.to_string()),
            ("61837.63000000".into(), "3.78826000".into())
        );
        assert_eq!((quote.ask, quote.ask_size), (fixed("61837.64"), fixed("1.54698")));
        assert_eq!(exchange_ns, None);
    });
}

#[test]
fn the_aggressor_of_a_trade_is_who_was_not_the_maker() {
    for (line, side, id) in
        [(SPOT_TRADE, Side::Sell, 3_735_683_259), (USDM_TRADE, Side::Buy, 5_266_583_935)]
    {
        with_body(message(line), |body, _| {
            let Body::Trade(trade) = body else { panic!("{body:?}") };
            assert_eq!((Side::from_code(trade.side), trade.id), (side, id));
        });
    }
}

#[test]
fn a_depth_message_brings_its_levels_and_update_numbers() {
    with_body(message(USDM_DEPTH), |body, exchange_ns| {
        let Body::Depth { kind, payload } = body else { panic!("{body:?}") };
        assert_eq!(kind, Depth::UPDATE);
        assert_eq!(exchange_ns, Some(1_700_000_000_298_000_000));
        let size = size_of::<hotbay_market::DepthHeader>() + size_of::<hotbay_market::Level>();
        assert_eq!(payload.len(), size);
    });
}

#[test]
fn an_order_type_that_nobody_knows_does_not_lose_the_trade() {
    for with in [r#""X":"FROM_THE_FUTURE""#, r#""X":null"#, r#""X":{"new":[1,2]},"Y":[[]]"#] {
        let json = message(USDM_TRADE).replace(r#""X":"MARKET""#, with);
        with_body(&json, |body, _| assert!(matches!(body, Body::Trade(_)), "{json}"));
    }
}

/// The nature of a message, the values that it lost, and its body as text.
fn read(json: &str) -> Result<(Nature, Option<String>, String), String> {
    match parser(&[]).parse(json.as_bytes()) {
        Ok(Parsed::Message(message)) => {
            let body = match message.body {
                Body::Depth { payload, .. } => format!("{:?}", DepthSnapshot::decode(payload)),
                body @ (Body::Quote(_) | Body::Trade(_)) => format!("{body:?}"),
            };
            Ok((message.nature, message.lost_values, body))
        }
        Ok(other) => panic!("{json}: {other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

/// The snapshot with one text replaced, in a stream that names its symbol.
fn book(from: &str, to: &str) -> String {
    let book = message(SPOT_SNAPSHOT).replace(from, to);
    format!(r#"{{"stream":"btcusdt@depth5","data":{book}}}"#)
}

#[test]
fn quantities_of_cheap_coins_keep_every_digit() {
    let quote = |size: &str| {
        let json = message(SPOT_TICKER).replace("3.78826000", size);
        let (_, lost, body) = read(&json).unwrap();
        assert_eq!(lost, None);
        assert!(body.contains(&format!("bid_size: {size},")), "{body}");
    };
    quote("512345678901.00000000");
    quote("92233720368.54775808");
    quote("9999999999999999999.99999999");
    let trade = message(SPOT_TRADE).replace("0.02000000", "184467440737.10000000");
    assert!(read(&trade).unwrap().2.contains("quantity: 184467440737.10000000"));
    let book = book("0.10000000", "512345678901.00000000");
    assert!(read(&book).unwrap().2.contains("quantity: 512345678901.00000000"));
}

#[test]
fn a_value_out_of_range_loses_itself_and_not_what_is_around_it() {
    let huge = "9".repeat(40);
    let (_, lost, body) = read(&message(SPOT_TICKER).replace("3.78826000", &huge)).unwrap();
    let lost = lost.unwrap();
    assert!(lost.contains("the bid's size: \"999") && lost.contains("out of range"), "{lost}");
    assert!(body.contains("bid_size: 0, ask: 61837.64000000"), "{body}");

    let (_, lost, body) = read(&book("61838.00000000", &huge)).unwrap();
    assert!(lost.unwrap().contains("1 of the asks, first \"999"));
    assert!(body.contains("61837.63000000") && body.contains("61837.64000000"), "{body}");
    for wrong in ["NaN", "Infinity", "", "one", "1e99999999999", "1.2.3"] {
        let (_, lost, body) = read(&book("61838.00000000", wrong)).unwrap();
        assert!(lost.is_some() && body.contains("61837.64000000"), "{wrong}: {body}");
    }
    // A trade has no other value that could stand alone.
    let error = read(&message(SPOT_TRADE).replace("0.02000000", &huge)).unwrap_err();
    assert!(error.contains("out of range"), "{error}");
    let error = read(&message(SPOT_TICKER).replace("3.78826000", "NaN")).unwrap_err();
    assert_eq!(error, "\"NaN\" is not a decimal number");
}

#[test]
fn numbers_in_other_spellings_are_the_same_numbers() {
    for (spelling, value) in [
        ("61837.63", "61837.63"),
        ("\" 61837.63 \"", "61837.63"),
        ("6.183763e4", "61837.63"),
        ("\"6.183763E+4\"", "61837.63"),
        ("61837", "61837"),
        ("61837.630000000000000001", "61837.630000000000000001"),
        ("\"-1.5\"", "-1.5"),
    ] {
        let json = message(SPOT_TICKER).replace("\"61837.63000000\"", spelling);
        let (_, lost, body) = read(&json).unwrap();
        assert_eq!(lost, None, "{spelling}");
        assert!(body.contains(&format!("bid: {value},")), "{spelling}: {body}");
    }
}

#[test]
fn what_is_no_trade_of_the_market_is_told_from_what_is() {
    let nature = |from: &str, to: &str| {
        let json = message(USDM_TRADE).replace(from, to);
        assert_ne!(json, message(USDM_TRADE));
        read(&json).unwrap().0
    };
    assert_eq!(read(message(USDM_TRADE)).unwrap().0, Nature::Market);
    assert_eq!(nature("MARKET", "INSURANCE_FUND"), Nature::OffBook);
    assert_eq!(nature("MARKET", "ADL"), Nature::OffBook);
    assert_eq!(nature("MARKET", "NA"), Nature::NoTrade);
    assert_eq!(nature("MARKET", "RPI"), Nature::Market);
    assert_eq!(nature("0.006", "0"), Nature::NoTrade);
    assert_eq!(nature("0.006", "-0.006"), Nature::NoTrade);
    assert_eq!(nature("61800.30", "0.00"), Nature::NoTrade);
    assert_eq!(nature("61800.30", "-37.63"), Nature::NoTrade);
}

#[test]
fn times_may_be_in_microseconds() {
    let json = message(USDM_TRADE).replace("1700000000321", "1700000000321456");
    with_body(&json, |_, exchange_ns| {
        assert_eq!(exchange_ns, Some(1_700_000_000_321_456_000));
    });
}

#[test]
fn the_layout_of_a_message_does_not_matter() {
    let data = r#"{ "s" : "BTC\u0055SDT", "A":"4", "a":"3", "B":"2", "b":"1", "x": {"e":"trade"}, "e" : "bookTicker" }"#;
    for json in [
        data.to_owned(),
        format!(r#"{{ "data" : {data} , "stream" : "btcusdt@bookTicker" }}"#),
        format!(r#"{{"stream":"btcusdt@bookTicker","data":{data},"more":{{}}}}"#),
        message(USDM_TICKER).replace("}}", r#"},"more":{}}"#),
        message(SPOT_TICKER).replace(r#""u":"#, r#""new":[1],"u":"#),
    ] {
        with_body(&json, |body, _| {
            let Body::Quote(quote) = body else { panic!("{json}: {body:?}") };
            assert_eq!(quote.instrument.as_str(), "BTCUSDT");
        });
    }
}

#[test]
fn an_unknown_kind_is_told_by_its_name() {
    for (json, name) in [
        (message(AGG_TRADE), "aggTrade"),
        (r#"{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}"#, "arr"),
        (r#"{"result":null,"id":1}"#, "(no event type)"),
        (r#"{}"#, "(no event type)"),
        (r#"{"e":"forceOrder","o":{"s":"BTCUSDT"}}"#, "forceOrder"),
    ] {
        match parser(&[]).parse(json.as_bytes()).unwrap() {
            Parsed::Unknown(found) => assert_eq!(found, name, "{json}"),
            other @ (Parsed::Skipped(_) | Parsed::Message(_)) => panic!("{json}: {other:?}"),
        }
    }
}

#[test]
fn a_snapshot_takes_its_symbol_from_where_there_is_one() {
    let instrument = |parser: &mut Parser, json: &str| match parser.parse(json.as_bytes()) {
        Ok(Parsed::Message(message)) => match message.body {
            Body::Depth { payload, .. } => Ok(payload[..11].to_vec()),
            other @ (Body::Quote(_) | Body::Trade(_)) => panic!("{other:?}"),
        },
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    let mut parser = parser(&[]);
    let bare = message(SPOT_SNAPSHOT);
    let error = instrument(&mut parser, bare).unwrap_err();
    assert!(error.to_string().contains("set `snapshot_symbol`"), "{error}");
    let wrapped = format!(r#"{{"stream":"btcusdt@depth5","data":{bare}}}"#);
    assert_eq!(instrument(&mut parser, &wrapped).unwrap(), b"BTCUSDT\0\0\0\0");
    assert_eq!(instrument(&mut parser, bare).unwrap(), b"BTCUSDT\0\0\0\0", "the only one seen");
    assert_eq!(instrument(&mut parser, message(COINM_SNAPSHOT)).unwrap(), b"BTCUSD_PERP");
    assert!(instrument(&mut parser, bare).is_err(), "one of two");
}

#[test]
fn damage_is_told_in_words() {
    let parse = |json: &[u8]| parser(&[]).parse(json).map(|_| ()).unwrap_err().to_string();
    assert!(parse(b"hello").contains("does not start with {"));
    assert!(parse(br#"{"e":"trade"}"#).contains("missing field `s`"));
    let comma = parse(br#"{"e":"bookTicker","s":"X","b":"1,5","B":"1","a":"2","A":"1"}"#);
    assert!(comma.contains(r#""1,5" is not a decimal number"#), "{comma}");
    assert!(parse(b"{\"e\":\"trade\",\"s\":\"\xff\"}").contains("UTF-8"));
    assert!(parse(br#"{"e":"bookTicker","s":"ABCDEFGHIJKLMNOPQRSTUVWXYZ","b":"1","B":"1","a":"1","A":"1"}"#).contains("under `instruments`"));
    for line in [
        "",
        " {}",
        "x {}",
        "12x {}",
        "-1 {}",
        "1{}",
        "99999999999999999999 {}",
        "9999999999999999999 {}",
    ] {
        assert!(matches!(split_line(line.as_bytes()), Err(Damaged::NoTime)), "{line:?}");
    }
    assert_eq!(split_line(b"17 {} ").unwrap(), (17, b"{}".as_slice()));
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kinds in [&[][..], &[MessageKind::Trade]] {
            if let Ok((_, json)) = split_line(&bytes) {
                drop(parser(kinds).parse(json));
            }
            drop(parser(kinds).parse(&bytes));
        }
    }

    #[test]
    fn no_change_to_a_line_makes_the_parser_panic(
        line in prop::sample::select(USUAL.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = line.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok((_, json)) = split_line(&bytes) {
            drop(parser(&[]).parse(json));
            drop(parser(&[MessageKind::Snapshot]).parse(json));
        }
    }

    #[test]
    fn a_line_that_was_cut_is_noticed(line in prop::sample::select(USUAL.to_vec()), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(line.len() - 1) + 1;
        let damaged = match split_line(&line.as_bytes()[..cut.min(line.len() - 1)]) {
            Ok((_, json)) => parser(&[]).parse(json).is_err(),
            Err(_) => true,
        };
        prop_assert!(damaged);
    }
}
