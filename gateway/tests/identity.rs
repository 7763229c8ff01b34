//! Who is asking: guests, refresh tokens, forged tokens, cookies.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use booking_core::{admission::AdmissionClaims, id::SessionId};
use gateway::{OutsideIssuer, Settings};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use support::{ACCESS_SECRET, ADMISSION_SEED, Guest, World, read, roomy, slug, text};

const EVENT: &str = "evt_1";

fn signed(typ: &str, kid: &str, algorithm: Algorithm, claims: &Value, key: &EncodingKey) -> String {
    let mut header = Header::new(algorithm);
    header.typ = Some(typ.to_owned());
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn ed25519() -> EncodingKey {
    let head = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    EncodingKey::from_ed_der(&[&head[..], &ADMISSION_SEED].concat())
}

fn base64(value: &Value) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn a_refresh_token_works_once_and_using_it_again_ends_the_session() {
    let world = World::new().await;
    let guest = world.guest().await;
    let refresh = async |token: String| {
        let body = json!({ "refreshToken": token });
        read(world.post("/v1/users/refresh").json(&body).send().await.unwrap()).await
    };
    let (status, renewed) = refresh(guest.refresh.clone()).await;
    assert_eq!(status, 200, "{renewed}");
    assert_eq!(renewed["userId"], guest.user.as_str());
    let (status, body) = refresh(guest.refresh.clone()).await;
    assert_eq!((status, slug(&body)), (401, "unauthorized"));
    let (status, _) = refresh(text(&renewed["refreshToken"])).await;
    assert_eq!(status, 401, "the whole family is over");
    let (status, _) = refresh("nonsense".to_owned()).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn an_access_token_that_is_forged_expired_or_of_another_algorithm_names_nobody() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    let now = world.now().as_seconds();
    let claims = |issuer: &str, exp: i64| json!({ "iss": issuer, "sub": "user_1", "iat": now, "exp": exp });
    let good = claims("http://weir.test", now + 600);
    let hmac = EncodingKey::from_secret(&ACCESS_SECRET);
    let admission = signed("admission+jwt", "admission-1", Algorithm::EdDSA, &good, &ed25519());
    let none = format!("{}.{}.", base64(&json!({ "alg": "none", "typ": "at+jwt", "kid": "access-1" })), base64(&good));
    let genuine = signed("at+jwt", "access-1", Algorithm::HS256, &good, &hmac);
    let wrong = [
        signed("at+jwt", "access-1", Algorithm::HS256, &good, &EncodingKey::from_secret(&[9; 32])),
        signed("at+jwt", "access-9", Algorithm::HS256, &good, &hmac),
        signed("JWT", "access-1", Algorithm::HS256, &good, &hmac),
        signed("at+jwt", "access-1", Algorithm::HS512, &good, &hmac),
        signed("at+jwt", "access-1", Algorithm::HS256, &claims("http://other.test", now + 600), &hmac),
        signed("at+jwt", "access-1", Algorithm::HS256, &claims("http://weir.test", now - 1), &hmac),
        admission,
        none,
        format!("{genuine}x"),
        "x.y.z".to_owned(),
        "A".repeat(10_000),
    ];
    let join = async |token: String| {
        let guest = Guest { user: String::new(), token, refresh: String::new() };
        world.join(EVENT, &guest).await
    };
    assert_eq!(join(genuine).await.0, 201, "the key itself is right");
    for token in wrong {
        let (status, body) = join(token.clone()).await;
        assert_eq!((status, slug(&body)), (401, "unauthorized"), "{token}");
    }
}

#[tokio::test]
async fn an_admission_of_another_event_user_algorithm_or_time_reserves_nothing() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(50)).await;
    let guest = world.guest().await;
    let session: SessionId = "session_1".parse().unwrap();
    let now = world.now();
    let claims = |event: &str, user: &str, until_ms: i64| {
        let (event, user) = (event.parse().unwrap(), user.parse().unwrap());
        let until = now.plus_millis(until_ms);
        let claims =
            AdmissionClaims::new("http://weir.test", &event, &user, &session, now.plus_millis(-9_000), until, 4);
        serde_json::to_value(claims).unwrap()
    };
    let good = claims(EVENT, &guest.user, 600_000);
    let eddsa = |claims: &Value| signed("admission+jwt", "admission-1", Algorithm::EdDSA, claims, &ed25519());
    let hmac = EncodingKey::from_secret(&ADMISSION_SEED);
    let mut tampered = eddsa(&good);
    tampered.replace_range(60..61, if &tampered[60..61] == "A" { "B" } else { "A" });
    let wrong = [
        Some(eddsa(&claims("evt_2", &guest.user, 600_000))),
        Some(eddsa(&claims(EVENT, "user_2", 600_000))),
        Some(eddsa(&claims(EVENT, &guest.user, -1_000))),
        Some(signed("admission+jwt", "admission-1", Algorithm::HS256, &good, &hmac)),
        Some(signed("at+jwt", "admission-1", Algorithm::EdDSA, &good, &ed25519())),
        Some(signed("admission+jwt", "other", Algorithm::EdDSA, &good, &ed25519())),
        Some(tampered),
        None,
    ];
    for token in wrong {
        let mut request = world.post("/v1/bookings/reserve").bearer_auth(&guest.token).header("Idempotency-Key", "k");
        if let Some(token) = &token {
            request = request.header("Weir-Admission", token);
        }
        let body = json!({ "eventId": EVENT, "seats": ["A-1"] });
        let (status, body) = read(request.json(&body).send().await.unwrap()).await;
        assert_eq!((status, slug(&body)), (403, "admission-required"), "{token:?}");
    }
    let body = json!({ "eventId": EVENT, "seats": ["A-1"] });
    let anonymous = world.post("/v1/bookings/reserve").header("Weir-Admission", eddsa(&good)).json(&body);
    let (status, body) = read(anonymous.send().await.unwrap()).await;
    assert_eq!((status, slug(&body)), (401, "unauthorized"));
}

#[tokio::test]
async fn the_published_key_verifies_admissions() {
    let world = World::new().await;
    let answer = world.get("/.well-known/jwks.json").send().await.unwrap();
    let (_, body) = read(answer).await;
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(body).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(set.find("admission-1").unwrap()).unwrap();
    let token = signed("admission+jwt", "admission-1", Algorithm::EdDSA, &json!({ "exp": 1 }), &ed25519());
    let mut validation = jsonwebtoken::Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    assert!(jsonwebtoken::decode::<Value>(&token, &key, &validation).is_ok());
}

#[tokio::test]
async fn an_outside_issuers_token_names_the_same_user_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let jwks = folder.path().join("jwks.json");
    let world = World::new().await;
    let keys = world.get("/.well-known/jwks.json").send().await.unwrap().bytes().await.unwrap();
    std::fs::write(&jwks, &keys).unwrap();
    let issuer = OutsideIssuer {
        issuer: "https://id.example".to_owned(),
        audience: "weir".to_owned(),
        jwks: jwks.to_str().unwrap().to_owned(),
    };
    let world = World::with(Settings { issuers: vec![issuer], ..roomy() }).await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    let now = world.now().as_seconds();
    let token = |audience: &str, exp: i64| {
        let claims = json!({ "iss": "https://id.example", "sub": "jo@example.org", "aud": audience, "exp": exp });
        signed("JWT", "admission-1", Algorithm::EdDSA, &claims, &ed25519())
    };
    let join = async |token: String| {
        let guest = Guest { user: String::new(), token, refresh: String::new() };
        world.join(EVENT, &guest).await.0
    };
    assert_eq!(join(token("weir", now + 60)).await, 201);
    assert_eq!(join(token("weir", now + 61)).await, 200, "another token of the same person");
    assert_eq!(join(token("other", now + 60)).await, 401);
    assert_eq!(join(token("weir", now - 60)).await, 401);
}

#[tokio::test]
async fn a_cookie_alone_reads_but_changes_nothing_without_the_pages_header() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    let guest = world.guest().await;
    let path = format!("/v1/events/{EVENT}/line");
    let cookie = format!("weir_session={}", guest.token);
    let (status, body) = read(world.post(&path).header("Cookie", &cookie).send().await.unwrap()).await;
    assert_eq!((status, slug(&body)), (403, "forbidden"));
    let request = world.post(&path).header("Cookie", &cookie).header("Weir-Page", "1");
    assert_eq!(request.send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn guests_are_refused_where_they_are_not_allowed() {
    let world = World::with(Settings { guests: false, ..roomy() }).await;
    let (status, body) = read(world.post("/v1/users/guest").send().await.unwrap()).await;
    assert_eq!((status, slug(&body)), (403, "forbidden"));
}
