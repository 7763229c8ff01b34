//! Reading entries that memory no longer has, from their segments.

use booking_core::ports::log::Entry;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use sqlx::{Row as _, SqlitePool, sqlite::SqliteRow};

use super::{lane::MAX_READ_BYTES, segment};
use crate::sqlite::error::{to_i64, to_u64, unreadable};

/// The most segments that one read looks at.
const MAX_SEGMENTS: i64 = 1_024;

/// The segments from the one on that holds `from`.
const SEGMENTS: &str = "SELECT base, count, bytes FROM segments
    WHERE lane_id = ?1
        AND base >= coalesce((SELECT max(base) FROM segments WHERE lane_id = ?1 AND base <= ?2), 0)
        AND base < ?3
    ORDER BY base LIMIT ?4";

struct Segment {
    base: u64,
    count: usize,
    bytes: Bytes,
}

impl Segment {
    fn of(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let count: i64 = row.try_get(1)?;
        Ok(Self {
            base: to_u64(row.try_get(0)?)?,
            count: usize::try_from(count).map_err(unreadable)?,
            bytes: Bytes::from(row.try_get::<Vec<u8>, _>(2)?),
        })
    }
}

/// Up to `max` entries from `from` on, before `end`; at least one, for `from` is before `end`.
pub(super) async fn some(
    readers: &SqlitePool,
    lane_id: i64,
    from: u64,
    max: usize,
    end: u64,
) -> Result<Vec<Entry>, sqlx::Error> {
    let limit = i64::try_from(max).unwrap_or(MAX_SEGMENTS).min(MAX_SEGMENTS);
    let mut rows = sqlx::query(SEGMENTS).bind(lane_id).bind(to_i64(from)).bind(to_i64(end)).bind(limit).fetch(readers);
    let mut entries: Vec<Entry> = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        let segment = Segment::of(&row)?;
        for (range, offset) in segment::entries(&segment.bytes, segment.count)?.zip(segment.base..) {
            if offset < from {
                continue;
            }
            bytes += range.len();
            if entries.len() >= max || (bytes > MAX_READ_BYTES && !entries.is_empty()) {
                return Ok(entries);
            }
            // A copy, so that a small entry that somebody keeps does not keep its whole segment.
            let payload = Bytes::copy_from_slice(&segment.bytes[range]);
            entries.push(Entry { offset, payload });
        }
    }
    if entries.is_empty() {
        return Err(unreadable(format!("a log without the entry {from} of lane {lane_id}, which ends at {end}")));
    }
    Ok(entries)
}

/// Every entry before `end`.
pub(super) async fn all(
    readers: &SqlitePool,
    lane_id: i64,
    end: u64,
    mut each: impl FnMut(u64, &[u8]),
) -> Result<(), sqlx::Error> {
    let mut rows = sqlx::query(SEGMENTS).bind(lane_id).bind(0_i64).bind(to_i64(end)).bind(i64::MAX).fetch(readers);
    while let Some(row) = rows.try_next().await? {
        let segment = Segment::of(&row)?;
        for (range, offset) in segment::entries(&segment.bytes, segment.count)?.zip(segment.base..) {
            each(offset, &segment.bytes[range]);
        }
    }
    Ok(())
}
