//! Every route, and the description that is made of the same list.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::header;
use tower_http::compression::CompressionLayer;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, booking, browse, door, identity::guest, keys::SigningKeys, line, operator, sandbox, site};

/// The API's title page.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Weir",
        description = "A waiting room and reservation gateway for flash sales. Refusals are problem+json (RFC 9457) \
                       with a stable type, `urn:weir:<slug>`; slugs stand in brackets.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&Security),
    tags(
        (name = "Identity", description = "Who is asking"),
        (name = "Browse", description = "What is on"),
        (name = "Line", description = "Waiting, and the proof that it is fair"),
        (name = "Booking", description = "Seats"),
        (name = "Door", description = "Letting in"),
        (name = "Sandbox", description = "For trying out"),
        (name = "Operator", description = "Setting up and steering"),
        (name = "Site", description = "Keys and this description"),
    ),
)]
struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = |text: &str| {
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text)).build())
        };
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("user", bearer("An access token"));
        components.add_security_scheme("operator", bearer("An operator key"));
    }
}

/// The API's streams. Never compressed: that would hold pieces back, and take kilobytes for each of a hundred thousand.
fn streams() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(browse::seats::stream_seats))
        .routes(routes!(line::stream::stream_place))
        .routes(routes!(operator::sale::stream_sale))
}

/// The API's other routes, with the description's title page.
fn calls() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(guest::create_guest))
        .routes(routes!(guest::refresh_session))
        .routes(routes!(browse::search::search_events))
        .routes(routes!(browse::suggest::suggest))
        .routes(routes!(browse::details::get_event))
        .routes(routes!(browse::seats::get_seats))
        .routes(routes!(line::public::get_line, line::join::join_line))
        .routes(routes!(line::poll::get_place, line::leave::delete_place))
        .routes(routes!(line::claim::claim_turn))
        .routes(routes!(line::draw::get_draw))
        .routes(routes!(line::draw::get_entries))
        .routes(routes!(line::draw::get_records))
        .routes(routes!(booking::reserve::reserve))
        .routes(routes!(booking::confirm::confirm))
        .routes(routes!(booking::extend::extend))
        .routes(routes!(booking::read::get_booking, booking::release::release))
        .routes(routes!(booking::qr::get_qr))
        .routes(routes!(booking::ticket::get_svg))
        .routes(routes!(booking::ticket::get_png))
        .routes(routes!(booking::cancel::cancel))
        .routes(routes!(booking::calendar::get_calendar))
        .routes(routes!(booking::list::list_bookings))
        .routes(routes!(booking::notice::take_notice))
        .routes(routes!(sandbox::create_payment))
        .routes(routes!(operator::venues::create_venue))
        .routes(routes!(operator::venues::get_venue))
        .routes(routes!(operator::events::create_event, operator::events::list_events))
        .routes(routes!(operator::sale::put_sale, operator::sale::patch_sale, operator::sale::get_sale))
        .routes(routes!(operator::sale::revoke))
        .routes(routes!(operator::audit::get_audit))
        .routes(routes!(operator::call_off::call_off, operator::call_off::get_called_off))
        .routes(routes!(operator::hall::preview_hall))
        .routes(routes!(operator::rehousing::rehouse, operator::rehousing::get_housing))
        .routes(routes!(operator::moving::move_event, operator::moving::get_move))
        .routes(routes!(operator::payments::list_stuck))
        .routes(routes!(operator::payments::see_to))
        .routes(routes!(operator::webhooks::list_deliveries))
        .routes(routes!(operator::webhooks::replay))
        .routes(routes!(operator::tickets::revoke_ticket, operator::tickets::restore_ticket))
        .routes(routes!(door::scan::scan))
        .routes(routes!(door::scan::scan_batch))
        .routes(routes!(door::list::list_tickets))
        .routes(routes!(door::list::get_counts))
        .routes(routes!(get_jwks))
}

/// The public keys that admission tokens and tickets are verified with.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "Site",
    responses((status = 200, description = "A JWK set (RFC 7517)", body = Object))
)]
async fn get_jwks(State(app): State<Arc<App>>) -> Response {
    (
        [(header::CACHE_CONTROL, "public, max-age=300")],
        Json(SigningKeys::jwks(&[&app.keys.admission, &app.keys.tickets])),
    )
        .into_response()
}

/// The API's description, as JSON.
pub(crate) fn description() -> String {
    calls().merge(streams()).into_openapi().to_json().expect("the description is plain data")
}

/// Everything that is routed.
pub(crate) fn router(app: Arc<App>) -> Router {
    let (calls, openapi) = calls().split_for_parts();
    let (streams, openapi_of_streams) = streams().split_for_parts();
    let openapi = openapi.merge_from(openapi_of_streams);
    let openapi = openapi.to_json().expect("the description is plain data");
    let openapi: bytes::Bytes = openapi.into();
    let description = move || {
        let openapi = openapi.clone();
        async move {
            ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")], openapi)
        }
    };
    calls
        .route("/openapi.json", get(description))
        .route("/", get(site::browse))
        .route("/e/session", post(site::acts::session))
        .route("/e/{event}", get(site::event))
        .route("/e/{event}/draw", get(site::draw))
        .route("/e/{event}/door", get(site::door))
        .route("/e/{event}/tickets/{booking}", get(site::sheets))
        .route("/e/{event}/join", post(site::acts::join_page))
        .route("/e/{event}/claim", post(site::acts::claim_page))
        .route("/e/{event}/leave", post(site::acts::leave_page))
        .route("/robots.txt", get(site::robots))
        .route("/sitemap.xml", get(site::site_map))
        .route("/operator", get(site::operator))
        .route("/static/{name}", get(site::asset))
        .layer(CompressionLayer::new().gzip(true).br(false))
        .merge(streams)
        .fallback(site::nothing)
        .method_not_allowed_fallback(site::wrong_method)
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    /// The calls of the public contract that this gateway has.
    const CALLS: &[(&str, &str)] = &[
        ("post", "/v1/users/guest"),
        ("post", "/v1/users/refresh"),
        ("get", "/v1/events/search"),
        ("get", "/v1/events/suggestions"),
        ("get", "/v1/events/{eventId}"),
        ("get", "/v1/events/{eventId}/seats"),
        ("get", "/v1/events/{eventId}/seats/stream"),
        ("get", "/v1/events/{eventId}/line"),
        ("post", "/v1/events/{eventId}/line"),
        ("get", "/v1/events/{eventId}/line/place"),
        ("delete", "/v1/events/{eventId}/line/place"),
        ("get", "/v1/events/{eventId}/line/stream"),
        ("post", "/v1/events/{eventId}/line/claim"),
        ("get", "/v1/events/{eventId}/line/draw"),
        ("get", "/v1/events/{eventId}/line/draw/{batch}/entries"),
        ("get", "/v1/events/{eventId}/line/records"),
        ("post", "/v1/bookings/reserve"),
        ("post", "/v1/bookings/confirm"),
        ("get", "/v1/bookings/{bookingId}"),
        ("delete", "/v1/bookings/{bookingId}"),
        ("post", "/v1/bookings/{bookingId}/extend"),
        ("post", "/v1/payments/notices"),
        ("post", "/v1/sandbox/payments"),
        ("post", "/v1/operator/venues"),
        ("post", "/v1/operator/events"),
        ("get", "/v1/operator/events"),
        ("put", "/v1/operator/events/{eventId}/sale"),
        ("patch", "/v1/operator/events/{eventId}/sale"),
        ("get", "/v1/operator/events/{eventId}/sale"),
        ("get", "/v1/operator/events/{eventId}/sale/stream"),
        ("post", "/v1/operator/events/{eventId}/admissions/{session}/revoke"),
        ("get", "/v1/operator/events/{eventId}/audit"),
        ("get", "/.well-known/jwks.json"),
    ];

    #[test]
    fn every_call_of_the_contract_is_described() {
        let described: Value = serde_json::from_str(&super::description()).unwrap();
        assert!(described["openapi"].as_str().unwrap().starts_with("3.1"));
        for (method, path) in CALLS {
            assert!(described["paths"][path][method].is_object(), "{method} {path}");
        }
    }
}
