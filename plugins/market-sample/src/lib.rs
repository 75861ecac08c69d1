//! The market data sample of the crate `barter`.
