//! What is beside the bookings: payment acts, the audit trail, the published outbox, the ends of seed chains.

use booking_core::{
    booking::{CalledOff, PaymentAct},
    digest::Digest,
};
use sqlx::SqliteConnection;

use super::{acts::Act, moved, rehouse};
use crate::sqlite::error::{from_json, to_json, unreadable};

/// Records what a group of acts says about them.
pub(super) async fn record(connection: &mut SqliteConnection, acts: &mut [Act]) -> Result<(), sqlx::Error> {
    let payments = acts.iter().filter_map(|act| if let Act::Payment { act, .. } = act { Some(act) } else { None });
    self::payments(connection, payments).await?;
    audit(connection, acts).await?;
    let published: Vec<u64> = acts
        .iter()
        .flat_map(|act| if let Act::Published { numbers, .. } = act { &numbers[..] } else { &[] })
        .copied()
        .collect();
    if !published.is_empty() {
        sqlx::query("DELETE FROM outbox WHERE number IN (SELECT value FROM json_each(?1))")
            .bind(to_json(&published))
            .execute(&mut *connection)
            .await?;
    }
    for act in acts {
        if let Act::ChainEnd { event, candidate, reply } = act {
            reply.set(chain_end(connection, event.as_str(), candidate).await?);
        } else if let Act::CallOff { event, called_off, reply } = act {
            reply.set(call_off(connection, event.as_str(), called_off).await?);
        } else if let Act::Move { event, moved, reply } = act {
            reply.set(moved::record(connection, event.as_str(), moved).await?);
        } else if let Act::TellMoved { max, now, reply } = act {
            reply.set(moved::tell(connection, *max, *now).await?);
        } else if let Act::BeginRehousing { event, change, version, now, reply } = act {
            reply.set(rehouse::begin(connection, event.as_str(), change, *version, *now).await?);
        } else if let Act::EndRehousing { event, number, reply } = act {
            reply.set(rehouse::end(connection, event.as_str(), *number).await?);
        }
    }
    Ok(())
}

/// Records acts of payment.
pub(super) async fn payments<'a>(
    connection: &mut SqliteConnection,
    acts: impl IntoIterator<Item = &'a PaymentAct>,
) -> Result<(), sqlx::Error> {
    let row = |act: &'a PaymentAct| {
        let (amount, at) = (act.amount, act.at.as_millis());
        (&act.booking, &act.transaction, act.refund, act.step, amount.amount, amount.currency, at, &act.reason)
    };
    let rows: Vec<_> = acts.into_iter().map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO payment_acts (booking_id, transaction_id, refund, step, amount, currency, at, reason)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
         FROM json_each(?1)
         WHERE value ->> 3 <> 'voidDue' OR NOT EXISTS (
             SELECT 1 FROM bookings
             WHERE booking_id = value ->> 0 AND state = 'confirmed' AND transaction_id = value ->> 1)
         ON CONFLICT (booking_id, transaction_id, refund, step) DO NOTHING",
    )
    .bind(to_json(&rows))
    .execute(connection)
    .await?;
    Ok(())
}

async fn audit(connection: &mut SqliteConnection, acts: &[Act]) -> Result<(), sqlx::Error> {
    for act in acts {
        let Act::Audit { entry, .. } = act else {
            continue;
        };
        sqlx::query(
            "INSERT INTO audit (event_id, command, actor, at, action, before, after)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (event_id, command) DO NOTHING",
        )
        .bind(entry.event_id.as_str())
        .bind(entry.command.as_str())
        .bind(entry.actor.as_str())
        .bind(entry.at.as_millis())
        .bind(entry.action.as_str())
        .bind(to_json(&entry.before))
        .bind(to_json(&entry.after))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn chain_end(connection: &mut SqliteConnection, event: &str, candidate: &Digest) -> Result<Digest, sqlx::Error> {
    sqlx::query("INSERT INTO chain_ends (event_id, chain_end) VALUES (?1, ?2) ON CONFLICT (event_id) DO NOTHING")
        .bind(event)
        .bind(&candidate.0[..])
        .execute(&mut *connection)
        .await?;
    let kept: Vec<u8> = sqlx::query_scalar("SELECT chain_end FROM chain_ends WHERE event_id = ?1")
        .bind(event)
        .fetch_one(connection)
        .await?;
    let kept = <[u8; 32]>::try_from(kept).map_err(|kept| unreadable(format!("a chain end of {} bytes", kept.len())))?;
    Ok(Digest(kept))
}

async fn call_off(
    connection: &mut SqliteConnection,
    event: &str,
    called_off: &CalledOff,
) -> Result<CalledOff, sqlx::Error> {
    let kept: String = sqlx::query_scalar(
        "INSERT INTO event_versions (event_id, version, booked, called_off) VALUES (?1, 0, 0, ?2)
         ON CONFLICT (event_id) DO UPDATE SET called_off = coalesce(called_off, excluded.called_off)
         RETURNING called_off",
    )
    .bind(event)
    .bind(to_json(called_off))
    .fetch_one(connection)
    .await?;
    from_json(&kept)
}
