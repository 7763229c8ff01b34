//! The workers' refusals, as the API names them.

use booking_core::message::Refusal;

use crate::{
    operator::hall::Finding,
    problem::{Problem, nothing_here},
};

/// When to come again where an event is on its way to another hall, in seconds.
const REHOUSING_SECONDS: u64 = 5;

/// The problem that says `refusal`.
pub(crate) fn problem(refusal: Refusal) -> Problem {
    let detail = {
        let text = refusal.to_string();
        let mut letters = text.chars();
        let first = letters.next();
        // A provider's own words end in a stop already.
        let rest = letters.as_str().trim_end_matches('.');
        first.map_or_else(String::new, |first| format!("{}{rest}.", first.to_uppercase()))
    };
    let ids = |seats: &[booking_core::seats::SeatId]| {
        seats.iter().map(|seat| serde_json::Value::from(seat.as_str())).collect::<Vec<_>>()
    };
    match refusal {
        Refusal::NotFound => nothing_here(),
        Refusal::SeatsUnavailable { unavailable } => {
            Problem::seats_unavailable(detail).with("unavailable", ids(&unavailable))
        }
        Refusal::OrphanSeat { orphans } => Problem::orphan_seat(detail).with("orphans", ids(&orphans)),
        Refusal::TooManySeats { max_seats } => Problem::too_many_seats(detail).with("maxSeats", max_seats),
        Refusal::UnknownSeat { name } => Problem::unknown_seat(detail).with("seat", name),
        Refusal::DuplicateSeat { name } => Problem::duplicate_seat(detail).with("seat", name),
        Refusal::KeyReused => Problem::idempotency_key_reused(detail),
        Refusal::AdmissionOver => Problem::admission_required(detail),
        Refusal::SaleEnded => Problem::sale_ended(detail),
        Refusal::EventOver => Problem::event_over(detail),
        Refusal::CalledOff => Problem::called_off(detail),
        Refusal::Rehousing => Problem::unavailable(detail).retry_after(REHOUSING_SECONDS),
        Refusal::PlanChanged => Problem::plan_changed(detail),
        Refusal::Obstacles { obstacles, in_all } => {
            let found: Vec<_> = obstacles.iter().map(Finding::obstacle).collect();
            Problem::obstacles(detail).with("obstacles", serde_json::json!(found)).with("obstaclesInAll", in_all)
        }
        Refusal::SeatsHeld { holds, until } => {
            Problem::seats_held(detail).with("holds", holds).with("until", serde_json::json!(until))
        }
        Refusal::NotExtendable => Problem::not_extendable(detail),
        Refusal::HoldExpired => Problem::hold_expired(detail),
        Refusal::PaymentDeclined { .. } => Problem::payment_declined(detail),
        Refusal::AmountMismatch { due, paid } => Problem::amount_mismatch(detail).with("due", due).with("paid", paid),
        Refusal::NotReserved => Problem::not_reserved(detail),
        Refusal::NotConfirmed => Problem::not_confirmed(detail),
        Refusal::TicketUsed => Problem::ticket_used(detail),
        Refusal::RefundChanged { refund } => Problem::refund_changed(detail).with("refundAmount", refund),
        Refusal::NotStuck => Problem::not_stuck(detail),
        Refusal::StillStuck { .. } => Problem::still_stuck(detail),
        Refusal::Conflict => Problem::conflict(detail),
        Refusal::VersionMismatch { version } => Problem::version_mismatch(detail).with("version", version),
        Refusal::Invalid { detail } => Problem::invalid_setting(detail),
        Refusal::Unavailable { detail } => {
            tracing::warn!(detail, "a worker can't do what was asked");
            Problem::unavailable("This can't be done just now; it is safe to try again.")
        }
    }
}
