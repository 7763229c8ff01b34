//! The pages over real HTTP: shown, safe, and usable without scripts.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use std::time::Duration;

use reqwest::header::{ACCEPT, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use serde_json::Value;
use support::{World, read, slug};

const EVENT: &str = "evt_1";

/// The cookies that an answer sets, as a browser sends them back.
fn cookies(headers: &HeaderMap) -> Vec<(String, String, String)> {
    let set = headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap());
    set.map(|line| {
        let (pair, rest) = line.split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned(), rest.to_owned())
    })
    .collect()
}

fn header(cookies: &[(String, String, String)]) -> String {
    cookies.iter().map(|(name, value, _)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

/// How long a lobby is open: longer than a slow machine needs to join and to look.
const LOBBY_MS: i64 = 2_000;

#[tokio::test]
async fn every_page_is_shown_and_may_load_nothing_from_elsewhere() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    for path in ["/", "/e/evt_1", "/e/evt_1/draw", "/operator"] {
        let answer = world.get(path).header(ACCEPT, "text/html").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert!(answer.headers().contains_key("referrer-policy"));
        let page = answer.text().await.unwrap();
        assert!(page.contains("</html>"), "{path}");
        assert!(!page.contains("<b>loud</b>"), "an event's title is text: {path}");
    }
}

#[tokio::test]
async fn an_event_is_told_to_machines_and_found_in_the_map_of_the_site() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    let page = world.get("/e/evt_1").header(ACCEPT, "text/html").send().await.unwrap().text().await.unwrap();
    let said = page.split_once("<script type=\"application/ld+json\">").unwrap().1.split_once("</script>").unwrap().0;
    let said: Value = serde_json::from_str(said).unwrap();
    let base = said["url"].as_str().unwrap().strip_suffix("/e/evt_1").unwrap();
    assert_eq!((&said["@type"], base.starts_with("http")), (&"Event".into(), true));
    assert_eq!(said["name"], "A <b>loud</b> evening", "markup is text here, too");
    assert_eq!(said["location"]["address"]["addressLocality"], "Ghent");
    let offers = &said["offers"];
    assert_eq!((&offers["lowPrice"], &offers["priceCurrency"]), (&"25.00".into(), &"EUR".into()), "{offers}");
    assert_eq!(offers["availability"], "https://schema.org/InStock");

    let answer = world.get("/sitemap.xml").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/xml".parse().unwrap())
    );
    let map = answer.text().await.unwrap();
    assert!(map.contains(&format!("<loc>{base}/</loc>")) && map.contains(&format!("<loc>{base}/e/evt_1</loc>")));
    let robots = world.get("/robots.txt").send().await.unwrap().text().await.unwrap();
    assert!(robots.contains(&format!("Sitemap: {base}/sitemap.xml")), "{robots}");
}

#[tokio::test]
async fn a_static_file_is_kept_for_ever_under_its_versioned_address() {
    let world = World::new().await;
    let page = world.get("/").send().await.unwrap().text().await.unwrap();
    let at = page.find("/static/base.css?v=").expect("the page links its styles");
    let path: String = page[at..].chars().take_while(|c| *c != '"').collect();
    let answer = world.get(&path).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(answer.headers()["content-type"], "text/css; charset=utf-8");
    let etag = answer.headers()["etag"].clone();
    let plain = world.get("/static/base.css").header("If-None-Match", etag).send().await.unwrap();
    assert_eq!(plain.status(), 304);
    assert_eq!(world.get("/static/none.css").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_visitor_without_scripts_joins_waits_comes_in_and_leaves_by_forms() {
    let world = World::new().await;
    let mut keeper = world.line(EVENT, world.policy(LOBBY_MS)).await;
    let joined = world.post("/e/evt_1/join").header(ACCEPT, "text/html").send().await.unwrap();
    assert_eq!(joined.status(), 303);
    assert_eq!(joined.headers()[LOCATION], "/e/evt_1");
    let jar = cookies(joined.headers());
    assert_eq!(jar.len(), 3, "session, refresh and place");
    for (name, _, attributes) in &jar {
        assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"), "{name}: {attributes}");
        assert_eq!(attributes.contains("Path=/e/"), name == "weir_refresh");
    }
    let cookie = header(&jar);
    let show = async || {
        let answer = world.get("/e/evt_1").header(ACCEPT, "text/html").header(COOKIE, &cookie).send().await.unwrap();
        answer.text().await.unwrap()
    };
    assert!(show().await.contains("data-state=\"lobby\""));
    let early = world.post("/e/evt_1/claim").header(ACCEPT, "text/html").header(COOKIE, &cookie).send().await.unwrap();
    assert_eq!(early.status(), 409, "the page says that it is not their turn");
    assert!(early.text().await.unwrap().contains("</html>"));

    tokio::time::sleep(Duration::from_millis(LOBBY_MS.unsigned_abs() + 10)).await;
    keeper.draw().await;
    keeper.call(1).await;
    assert!(show().await.contains("data-state=\"called\""));
    let claimed =
        world.post("/e/evt_1/claim").header(ACCEPT, "text/html").header(COOKIE, &cookie).send().await.unwrap();
    assert_eq!(claimed.status(), 303);
    assert!(show().await.contains("data-state=\"admitted\""));
    let left = world.post("/e/evt_1/leave").header(ACCEPT, "text/html").header(COOKIE, &cookie).send().await.unwrap();
    assert_eq!(left.status(), 303);
    assert!(show().await.contains("data-state=\"left\""));
}

#[tokio::test]
async fn a_form_on_a_foreign_site_does_nothing() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    for path in ["/e/evt_1/join", "/e/evt_1/claim", "/e/evt_1/leave", "/e/session"] {
        let request = world.post(path).header("Sec-Fetch-Site", "cross-site");
        let (status, body) = read(request.send().await.unwrap()).await;
        assert_eq!((status, slug(&body)), (403, "forbidden"), "{path}");
    }
}

#[tokio::test]
async fn a_script_joins_with_cookies_and_renews_its_session() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    let joined = world.post("/e/evt_1/join").header(ACCEPT, "application/json").header("Weir-Page", "1");
    let joined = joined.send().await.unwrap();
    assert_eq!(joined.status(), 201);
    let jar = cookies(joined.headers());
    let (_, place) = read(joined).await;
    let poll = world.get("/v1/events/evt_1/line/place").header(COOKIE, header(&jar)).send().await.unwrap();
    let (status, polled) = read(poll).await;
    assert_eq!((status, &polled["entry"]), (200, &place["entry"]));

    let only_refresh: Vec<_> = jar.into_iter().filter(|(name, ..)| name == "weir_refresh").collect();
    let renew = world.post("/e/session").header("Weir-Page", "1").header(COOKIE, header(&only_refresh));
    let renewed = renew.send().await.unwrap();
    assert_eq!(renewed.status(), 200);
    let jar = cookies(renewed.headers());
    let again = world.post("/e/evt_1/join").header("Weir-Page", "1").header(COOKIE, header(&jar)).send().await.unwrap();
    let (status, same) = read(again).await;
    assert_eq!((status, &same["entry"]), (200, &place["entry"]), "the same visitor");
}

#[tokio::test]
async fn a_browser_that_asks_for_nothing_gets_a_page_and_a_program_a_problem() {
    let world = World::new().await;
    let page = world.get("/e/evt_none").header(ACCEPT, "text/html,*/*").send().await.unwrap();
    assert_eq!(page.status(), 404);
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let program = world.get("/e/evt_none").send().await.unwrap();
    assert_eq!(program.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn an_events_details_and_its_map_agree() {
    let world = World::new().await;
    let _keeper = world.line(EVENT, world.policy(60_000)).await;
    let answer = world.get("/v1/events/evt_1").send().await.unwrap();
    let etag = answer.headers()["etag"].clone();
    let (_, body) = read(answer).await;
    assert_eq!(body["eventDetails"]["title"], "A <b>loud</b> evening");
    assert_eq!(body["venue"]["location"], "Ghent");
    assert_eq!(body["sale"]["phase"], "lobby");
    let seats = body["seats"].as_array().unwrap();
    assert_eq!((seats.len(), &seats[0]["price"], &seats[0]["status"]), (20, &2_500.into(), &"available".into()));
    assert!(!etag.is_empty());
    let answer = world.get("/v1/events/evt_1/seats").send().await.unwrap();
    let etag = answer.headers()["etag"].clone();
    let (_, map) = read(answer).await;
    assert_eq!(map["statuses"], "a".repeat(20));
    let known = world.get("/v1/events/evt_1/seats").header("If-None-Match", etag).send().await.unwrap();
    assert_eq!(known.status(), 304);
    let details = world.get("/v1/events/evt_1").header("Accept-Encoding", "gzip").send().await.unwrap();
    assert_eq!(details.headers()["content-encoding"], "gzip");
    let mut events = support::Events::open(world.get("/v1/events/evt_1/seats/stream")).await;
    let (name, snapshot) = events.event().await;
    assert_eq!((name.as_str(), &snapshot["version"]), ("snapshot", &Value::from(0)));
}
