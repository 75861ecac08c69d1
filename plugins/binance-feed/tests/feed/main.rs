//! The feed as a host runs it, from files and from a local websocket server.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod capture;
mod config;
mod handover;
mod live;
mod needs_captures;
mod parser;
mod samples;
