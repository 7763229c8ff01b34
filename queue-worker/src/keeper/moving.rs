//! Letting an event begin at another time. The order is: the audit trail, the catalog, the ledger, which then tells the
//! bookings ([`crate::moved`]). Wherever that is cut off, the command comes again, and finds its move by its id.

use booking_core::{
    catalog::{Event, Move, Moved},
    id::EventId,
    message::{OperatorCommand, Outcome, Refusal},
    ports::{PortResult, catalog::Put},
    time::Timestamp,
};

use super::trail::{self, Known};
use crate::Parts;

/// How often it is judged anew where the event was moved by somebody else meanwhile.
const TRIES: usize = 3;

/// Moves `event` as `command` wants it.
pub(super) async fn move_event(
    parts: &Parts,
    command: &OperatorCommand,
    (event, wanted): (&EventId, &Move),
    known: Known,
    now: Timestamp,
) -> PortResult<Result<Outcome, Refusal>> {
    let (catalog, ledger) = (&*parts.catalog, &*parts.ledger);
    if ledger.called_off(event).await?.is_some() {
        return Ok(Err(Refusal::CalledOff));
    }
    let mut is_written_down = known != Known::New;
    for _ in 0..TRIES {
        let Some(stands) = catalog.event(event).await? else { return Ok(Err(Refusal::NotFound)) };
        if let Some(moved) = done(&stands, command, wanted, is_written_down) {
            ledger.record_move(event, moved).await?;
            return Ok(Ok(Outcome::Done));
        }
        let moved = match stands.judge_move(wanted, &command.id, now) {
            Ok(moved) => moved,
            Err(why) => return Ok(Err(Refusal::Invalid { detail: why.to_string() })),
        };
        if !is_written_down {
            ledger.record_audit(&trail::moving(command, &moved, now)).await?;
            is_written_down = true;
        }
        // Whatever the answer: the next look finds what is so now.
        let (Put::Done | Put::Conflict) = catalog.move_event(event, &moved).await?;
    }
    Ok(Err(Refusal::Unavailable { detail: "the event was moved by others meanwhile".to_owned() }))
}

/// The move that the command asks for, where it was made: by itself, or as a request that is repeated.
fn done<'a>(stands: &'a Event, command: &OperatorCommand, wanted: &Move, is_begun: bool) -> Option<&'a Moved> {
    let own = stands.moves.iter().find(|moved| moved.command == command.id);
    own.or_else(|| stands.moves.last().filter(|_| !is_begun && stands.is_moved_so(wanted)))
}
