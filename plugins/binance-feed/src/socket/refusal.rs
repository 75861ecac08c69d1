//! A server that answers a connection with an HTTP status, and says when to come again.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use hotbay_line_source::excerpt;
use tokio_tungstenite::tungstenite::http::{Response, StatusCode, header::RETRY_AFTER};

/// The status by which the exchange tells a client that it is banned.
const BANNED: u16 = 418;
/// The shortest ban of the exchange, for an answer that does not say how long to wait.
const SHORTEST_BAN: Duration = Duration::from_secs(2 * 60);
/// The longest ban of the exchange. Who asks for more is not believed.
const LONGEST_BAN: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// The answer of a server that refuses a connection.
#[derive(Debug)]
pub(crate) struct HttpRefusal {
    status: StatusCode,
    body: String,
    wait: Option<Duration>,
}

impl HttpRefusal {
    /// Reads an answer that came at `now_ns`.
    pub(crate) fn new(response: &Response<Option<Vec<u8>>>, now_ns: i64) -> Self {
        let status = response.status();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|text| retry_after(text.trim(), now_ns));
        let is_limit = status == StatusCode::TOO_MANY_REQUESTS || status.as_u16() == BANNED;
        let wait = asked.or(is_limit.then_some(SHORTEST_BAN));
        let body = response.body().as_deref().unwrap_or_default();
        let body = excerpt(String::from_utf8_lossy(body).trim());
        Self { status, body, wait: wait.map(|wait| wait.min(LONGEST_BAN)) }
    }

    /// Returns how long the server asks to wait, if it does.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.wait
    }
}

/// Parses seconds or a date (RFC 9110, 10.2.3).
fn retry_after(text: &str, now_ns: i64) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(now_ns).ok()?);
    Some(at.duration_since(now).unwrap_or_default())
}

impl fmt::Display for HttpRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.body.is_empty() {
            write!(f, ", \"{}\"", self.body)?;
        }
        match self.wait {
            Some(wait) => write!(f, "; it asks to wait for {wait:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, after: Option<&str>, body: &str) -> HttpRefusal {
        let mut response = Response::builder().status(status);
        if let Some(after) = after {
            response = response.header(RETRY_AFTER, after);
        }
        let response = response.body(Some(body.as_bytes().to_vec())).unwrap();
        HttpRefusal::new(&response, 1_700_000_000_000_000_000)
    }

    #[test]
    fn the_wait_is_what_the_server_asks_for_within_the_exchanges_bounds() {
        let seconds = |status, after| refusal(status, after, "").wait().map(|wait| wait.as_secs());
        assert_eq!(seconds(429, Some("30")), Some(30));
        assert_eq!(seconds(503, Some(" 7 ")), Some(7));
        assert_eq!(seconds(418, None), Some(120));
        assert_eq!(seconds(429, Some("soon")), Some(120));
        assert_eq!(seconds(418, Some("99999999999999999999999")), Some(3 * 24 * 60 * 60));
        assert_eq!(seconds(429, Some("Tue, 14 Nov 2023 22:14:20 GMT")), Some(60));
        assert_eq!(seconds(429, Some("Tue, 14 Nov 2000 22:14:20 GMT")), Some(0));
        assert_eq!(seconds(500, None), None);
    }

    #[test]
    fn what_the_server_says_is_shown_escaped() {
        let shown = refusal(418, Some("5"), "{\"msg\":\"banned\u{1b}\"}\n").to_string();
        assert!(shown.starts_with("418 "), "{shown}");
        assert!(shown.contains(r#"{"msg":"banned\u{1b}"}"#), "{shown}");
        assert!(shown.ends_with("it asks to wait for 5s"), "{shown}");
    }
}
