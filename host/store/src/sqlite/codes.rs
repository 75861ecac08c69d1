//! The numbers that stand for states, outcomes and times in the file. They never change.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{
    Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use crate::store::{AttemptOutcome, LogLevel, Outcome, RunCause, RunId, RunState, StopReason};

/// The code of a run that has ended. Those of others are lower.
pub(super) const ENDED: i64 = 5;

/// A value with a code.
pub(super) trait Coded: Copy + PartialEq + 'static {
    /// All values, in the order of their codes.
    const ALL: &'static [Self];

    fn code(self) -> i64 {
        let index = Self::ALL.iter().position(|it| *it == self).unwrap_or_default();
        i64::try_from(index).unwrap_or_default()
    }

    fn of_code(code: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }
}

impl Coded for Outcome {
    const ALL: &'static [Self] = &[
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Replaced,
        Self::Parked,
        Self::Skipped,
    ];
}

impl Coded for AttemptOutcome {
    const ALL: &'static [Self] =
        &[Self::Succeeded, Self::Failed, Self::Stopped, Self::Interrupted, Self::Crashed];
}

impl Coded for StopReason {
    const ALL: &'static [Self] =
        &[Self::Cancelled, Self::Replaced, Self::TimeLimit, Self::Interrupted];
}

impl Coded for LogLevel {
    const ALL: &'static [Self] = &[Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];
}

/// A coded value as a column.
#[derive(Debug)]
pub(super) struct Code<T>(pub(super) T);

impl<T: Coded> ToSql for Code<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.code().into())
    }
}

impl<T: Coded> FromSql for Code<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let code = value.as_i64()?;
        T::of_code(code).map(Self).ok_or(FromSqlError::OutOfRange(code))
    }
}

/// A time as a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) Timestamp);

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(nanoseconds(self.0).into())
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let at = Timestamp::from_nanosecond(i128::from(value.as_i64()?));
        at.map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}

/// Returns a time in nanoseconds since 1970, or the nearest that can be expressed.
pub(super) fn nanoseconds(at: Timestamp) -> i64 {
    let saturated = at.as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into());
    i64::try_from(saturated).unwrap_or_default()
}

/// A number that is never negative, as a column. The largest are the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number(pub(super) u64);

impl From<RunId> for Number {
    fn from(run: RunId) -> Self {
        Self(run.0)
    }
}

impl From<Number> for RunId {
    fn from(number: Number) -> Self {
        Self(number.0)
    }
}

impl ToSql for Number {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for Number {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

/// The columns `state`, `until` and `stopping`.
pub(super) fn state_columns(state: RunState) -> (i64, Option<Time>, Option<Code<StopReason>>) {
    match state {
        RunState::Delayed(until) => (0, Some(Time(until)), None),
        RunState::Dependencies => (1, None, None),
        RunState::Queued => (2, None, None),
        RunState::Running(stopping) => (3, None, stopping.map(Code)),
        RunState::Abandoned(reason) => (4, None, Some(Code(reason))),
    }
}

/// Reads `state`, `until` and `stopping`, which begin at this column. `None` for a run that has
/// ended.
pub(super) fn state_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<RunState>> {
    let stopping = || row.get::<_, Option<Code<_>>>(column + 2);
    Ok(Some(match row.get::<_, i64>(column)? {
        0 => RunState::Delayed(row.get::<_, Time>(column + 1)?.0),
        1 => RunState::Dependencies,
        2 => RunState::Queued,
        3 => RunState::Running(stopping()?.map(|it| it.0)),
        4 => RunState::Abandoned(row.get::<_, Code<_>>(column + 2)?.0),
        ENDED => return Ok(None),
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }))
}

/// The columns of the cause of a run.
#[derive(Debug)]
pub(super) struct CauseColumns<'a> {
    pub(super) cause: i64,
    pub(super) nominal: Option<Time>,
    pub(super) request: Option<Number>,
    pub(super) channel: Option<&'a str>,
}

impl<'a> From<&'a RunCause> for CauseColumns<'a> {
    fn from(cause: &'a RunCause) -> Self {
        let (code, channel) = match cause {
            RunCause::Start => (0, None),
            RunCause::Time(_) => (1, None),
            RunCause::MadeUp(_) => (2, None),
            RunCause::Dependencies => (3, None),
            RunCause::Request(_) => (4, None),
            RunCause::Event { channel, .. } => (5, Some(&**channel)),
        };
        let (nominal, request) = (cause.nominal().map(Time), cause.request().map(Number));
        Self { cause: code, nominal, request, channel }
    }
}

/// Reads `cause`, `nominal` and `request`, which begin at this column. `channel` is read already.
pub(super) fn cause_of(
    row: &Row<'_>,
    column: usize,
    channel: Option<Arc<str>>,
) -> rusqlite::Result<RunCause> {
    let nominal = || Ok::<_, rusqlite::Error>(row.get::<_, Time>(column + 1)?.0);
    let request = || Ok::<_, rusqlite::Error>(row.get::<_, Number>(column + 2)?.0);
    Ok(match row.get::<_, i64>(column)? {
        0 => RunCause::Start,
        1 => RunCause::Time(nominal()?),
        2 => RunCause::MadeUp(nominal()?),
        3 => RunCause::Dependencies,
        4 => RunCause::Request(request()?),
        5 => RunCause::Event { request: request()?, channel: channel.unwrap_or_default() },
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    })
}
