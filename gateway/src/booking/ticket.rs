//! Tickets: signed, and as pictures to show at the door.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use booking_core::{
    booking::{Booking, ticket_id},
    id::{BookingId, TicketId},
    seats::{SeatId, SeatIndex},
    ticket::{TYP, TicketClaims},
};
use http::header;
use jsonwebtoken::{Algorithm, Header, Validation};

use super::{code, read};
use crate::{
    app::App,
    identity::User,
    keys::SigningKeys,
    problem::{Answer, Problem, nothing_here},
    request::Ids,
};

/// For how long a browser may keep a picture, which is its owner's alone.
pub(super) const CACHE: &str = "private, max-age=3600";

/// The longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 2_048;

/// Makes and verifies tickets.
pub(crate) struct TicketTokens {
    keys: SigningKeys,
    issuer: String,
    validation: Validation,
}

impl TicketTokens {
    pub(crate) fn new(keys: SigningKeys, issuer: &str) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // A ticket has no time of its own; for which event it is, its reader says.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["iss", "sub", "aud"]);
        Self { keys, issuer: issuer.to_owned(), validation }
    }

    /// What `token` says, if it is a ticket of ours.
    pub(crate) fn open(&self, token: &str) -> Option<TicketClaims> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(TYP) {
            return None;
        }
        let key = self.keys.verifying(&header.kid?)?;
        Some(jsonwebtoken::decode::<TicketClaims>(token, key, &self.validation).ok()?.claims)
    }

    /// The ticket of one seat of `booking`, if it has it; always the same while the key and the hall are.
    pub(crate) fn of(&self, booking: &Booking, index: SeatIndex, seat: &SeatId) -> Option<String> {
        let claims = TicketClaims::of(&self.issuer, booking, index, seat)?;
        let (id, key) = self.keys.signing();
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYP.to_owned());
        header.kid = Some(id.to_owned());
        Some(jsonwebtoken::encode(&header, &claims, key).expect("an Ed25519 key signs plain claims"))
    }
}

/// The address of a ticket's picture.
pub(crate) fn path(booking: &BookingId, ticket: &TicketId) -> String {
    format!("/v1/bookings/{booking}/tickets/{ticket}/qr.svg")
}

/// A ticket's code, as SVG.
#[utoipa::path(
    get, path = "/v1/bookings/{bookingId}/tickets/{ticketId}/qr.svg", tag = "Booking",
    params(
        ("bookingId" = String, Path, description = "The booking"),
        ("ticketId" = String, Path, description = "The ticket"),
    ),
    security(("user" = [])),
    responses(
        (status = 200, description = "The picture", body = String, content_type = "image/svg+xml"),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]: also for somebody else's, and where the seat was cancelled"),
    )
)]
pub(crate) async fn get_svg(
    State(app): State<Arc<App>>,
    User(user): User,
    Ids(booking, ticket): Ids<BookingId, TicketId>,
) -> Answer<Response> {
    let token = own(&app, &read::own(&app, &user, &booking).await?, &ticket).await?;
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, CACHE)];
    Ok((headers, code::svg(&token)?).into_response())
}

/// A ticket's code, as PNG.
#[utoipa::path(
    get, path = "/v1/bookings/{bookingId}/tickets/{ticketId}/qr.png", tag = "Booking",
    params(
        ("bookingId" = String, Path, description = "The booking"),
        ("ticketId" = String, Path, description = "The ticket"),
    ),
    security(("user" = [])),
    responses(
        (status = 200, description = "The picture", body = Vec<u8>, content_type = "image/png"),
        (status = 401, description = "[unauthorized]"),
        (status = 404, description = "[not-found]: also for somebody else's, and where the seat was cancelled"),
    )
)]
pub(crate) async fn get_png(
    State(app): State<Arc<App>>,
    User(user): User,
    Ids(booking, ticket): Ids<BookingId, TicketId>,
) -> Answer<Response> {
    let token = own(&app, &read::own(&app, &user, &booking).await?, &ticket).await?;
    let headers = [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, CACHE)];
    Ok((headers, code::png(&token)?).into_response())
}

/// The ticket of this id, if it is one of the booking's.
async fn own(app: &App, booking: &Booking, ticket: &TicketId) -> Result<String, Problem> {
    let map = app.seats.of(app, &booking.event_id, [booking]).await?;
    let index = booking.seats.iter().find(|index| ticket_id(&booking.booking_id, booking.bought(**index)) == *ticket);
    let seat = index.and_then(|index| Some((*index, map.venue.seat_map.seat(*index)?)));
    seat.and_then(|(index, seat)| app.tickets.of(booking, index, &seat.seat_id)).ok_or_else(nothing_here)
}
