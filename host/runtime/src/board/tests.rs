use super::*;

#[test]
fn counters_beyond_the_limit_count_together_and_are_named() {
    let board = Board::default();
    for number in 0..limits::METERS + 100 {
        board.counter("chatty", &format!("n{number}")).add(1);
    }
    board.counter("quiet", "n").add(1);
    // A counter that is known stays itself.
    board.counter("chatty", "n0").add(1);
    let counters = board.counters();
    assert_eq!(counters.len(), limits::METERS + 2);
    assert_eq!(counters[&("chatty".to_owned(), limits::OTHERS.to_owned())], 100);
    assert_eq!(counters[&("chatty".to_owned(), "n0".to_owned())], 2);
    let left_out = board.left_out();
    assert_eq!(left_out["chatty"], LeftOut { counters: 100, ..LeftOut::default() });
    assert!(!left_out.contains_key("quiet"));
}

#[test]
fn gauges_beyond_the_limit_are_not_shown_and_a_long_name_is_cut() {
    let board = Board::default();
    for number in 0..limits::METERS + 100 {
        board.gauge("chatty", &format!("n{number}")).set(1.0);
    }
    assert_eq!(board.gauges().len(), limits::METERS);
    board.gauge("long", &"é".repeat(1_000_000)).set(1.0);
    let gauges = board.gauges();
    let (_, name) = gauges.keys().find(|(of, _)| of == "long").unwrap();
    assert!(name.len() < limits::NAME + 40, "{name}");
}

#[test]
fn the_last_rows_of_each_component_are_kept_within_their_limits() {
    let board = Board::default();
    board.row("executor", "fills", r#"{"n":1}"#);
    for number in 0..limits::REPORT_ROWS + 5 {
        board.row("chatty", "rows", &number.to_string());
    }
    board.row("executor", "fills", r#"{"n":2}"#);
    let rows = board.rows();
    assert_eq!(rows.len(), limits::REPORT_ROWS + 2);
    assert_eq!((&rows[0].component[..], rows[0].row["n"].as_u64()), ("executor", Some(1)));
    assert_eq!(rows[1].row, 5);
    assert_eq!(rows.last().unwrap().row["n"], 2);
    assert_eq!(board.left_out()["chatty"].rows, 5);
}

#[test]
fn rows_are_bounded_in_bytes_too() {
    let board = Board::default();
    let large = format!("\"{}\"", "x".repeat(limits::REPORT_ROW - 2));
    for _ in 0..200 {
        board.row("chatty", "rows", &large);
    }
    let kept: usize = board.rows().iter().map(|it| it.row.as_str().unwrap().len()).sum();
    assert!(kept <= limits::REPORT_BYTES, "{kept}");
    board.row("chatty", "rows", &format!("\"{}\"", "x".repeat(limits::REPORT_ROW)));
    let rows = board.rows().len() as u64;
    assert_eq!(board.left_out()["chatty"].rows, 201 - rows);
}

#[test]
fn what_is_not_json_is_no_row() {
    let board = Board::default();
    board.row("odd", "rows", "{");
    assert_eq!(board.rows(), []);
}
