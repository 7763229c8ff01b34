use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::files::Sources;
use super::{Missing, Page, Pages};

mod messages;
mod overrides;

fn embedded() -> Pages {
    Pages::load_with(None, "en", Missing::Fail).expect("the embedded pages load")
}

fn sale(phase: &str) -> Value {
    json!({
        "phase": phase, "opensAt": "2030-06-20T10:00:00.000Z", "closesAt": "2030-06-20T12:00:00.000Z",
        "lobbyOpensAt": "2030-06-20T09:30:00.000Z", "joined": 500, "served": 20, "waiting": 480,
        "ratePerMinute": 120, "paused": phase == "paused", "seatsLeft": 900,
    })
}

fn place(state: &str) -> Value {
    let drawn = !["lobby", "drawing"].contains(&state);
    json!({
        "eventId": "evt_1", "placeToken": "token", "entry": "00", "state": state, "batch": 0,
        "index": drawn.then_some(4), "rank": drawn.then_some(41), "position": drawn.then_some(42),
        "ahead": drawn.then_some(41), "joined": 500, "eta": {"lowSeconds": 130, "highSeconds": 400},
        "turn": null, "pollAfterMs": 2000, "phase": "open", "paused": false, "ratePerMinute": 120, "served": 0,
        "serverTime": "2030-06-20T10:05:00.000Z",
    })
}

fn event_page(sale: &Value, place: &Value) -> Value {
    json!({
        "event": {
            "eventId": "evt_1", "title": "Night <of> music", "description": "A & B", "currency": "EUR",
            "startsAt": "2030-07-01T19:30:00.000Z", "venue": {"name": "Old Hall", "address": "1 Market Street"},
        },
        "sale": sale, "place": place, "serverTime": "2030-06-20T10:05:00.000Z", "pollAfterSeconds": 7,
        "lang": "en", "problem": null, "sandbox": true,
    })
}

fn render_event(sale: &Value, place: &Value) -> String {
    embedded().render(Page::Event, "en", event_page(sale, place)).expect("the page renders")
}

/// The same states, in the same order of rules, as `roomKey` in room-view.js.
fn room_states() -> Vec<(&'static str, Value, Value)> {
    let with = |state: &str, key: &str, value: Value| {
        let mut place = place(state);
        place[key] = value;
        place
    };
    let turn = |last: bool| json!({"opensAt": "2030-06-20T10:04:00.000Z", "closesAt": "2030-06-20T10:07:00.000Z", "last": last});
    vec![
        ("nosale", Value::Null, Value::Null),
        ("scheduled", sale("scheduled"), Value::Null),
        ("join-lobby", sale("lobby"), Value::Null),
        ("join-open", sale("open"), Value::Null),
        ("join-paused", sale("paused"), Value::Null),
        ("sold-out", sale("soldOut"), Value::Null),
        ("closed", sale("closed"), Value::Null),
        ("lobby", sale("lobby"), place("lobby")),
        ("drawing", sale("open"), place("drawing")),
        ("waiting", sale("open"), place("waiting")),
        ("paused", sale("open"), with("waiting", "paused", json!(true))),
        ("waiting-soldout", sale("open"), with("waiting", "phase", json!("soldOut"))),
        ("called", sale("open"), with("called", "turn", turn(false))),
        ("called-last", sale("open"), with("called", "turn", turn(true))),
        ("admitted", sale("open"), place("admitted")),
        ("lapsed", sale("open"), with("lapsed", "turn", turn(true))),
        ("lapsed-over", sale("open"), place("lapsed")),
        ("left", sale("open"), place("left")),
        ("ended", sale("closed"), with("ended", "phase", json!("closed"))),
        ("ended-soldout", sale("open"), with("ended", "phase", json!("soldOut"))),
    ]
}

#[test]
fn every_state_of_the_waiting_room_renders_with_its_own_words() {
    let mut titles = BTreeSet::new();
    for (key, sale, place) in room_states() {
        let page = render_event(&sale, &place);
        assert!(page.contains(&format!("data-state=\"{key}\"")), "{key}: another state was shown");
        let title = page.split_once("id=\"room-title\" tabindex=\"-1\">").and_then(|(_, rest)| rest.split_once('<'));
        titles.insert(title.expect("a title").0.to_owned());
    }
    // Sold out reads the same with and without a place; a waiting room opens in both lobby states.
    assert!(titles.len() >= room_states().len() - 1, "{titles:?}");
}

#[test]
fn without_scripts_the_page_refreshes_itself_and_its_forms_do_the_work() {
    let page = render_event(&sale("open"), &place("waiting"));

    assert!(page.contains(r#"<noscript><meta http-equiv="refresh" content="7"></noscript>"#));
    for act in ["join", "claim", "leave"] {
        assert!(page.contains(&format!(r#"<form method="post" action="/e/evt_1/{act}""#)), "{act}");
    }
    assert!(page.contains("2 to 7 minutes"));
    assert!(page.contains("2030-07-01 19:30 UTC"));
}

#[test]
fn what_operators_write_is_text_and_never_markup() {
    let mut context = event_page(&sale("open"), &Value::Null);
    context["event"]["description"] = json!("</script><script>alert(1)</script>");
    let page = embedded().render(Page::Event, "en", context).expect("the page renders");

    assert!(page.contains("Night &lt;of&gt; music"));
    assert!(!page.contains("<script>alert"));
}

#[test]
fn no_page_has_anything_inline_that_a_strict_policy_would_block() {
    let pages = embedded();
    let problem = json!({"status": 404, "title": "Not found", "detail": "No such event."});
    let rendered = [
        pages.render(Page::Browse, "en", json!({"events": []})),
        pages.render(Page::Event, "en", event_page(&sale("open"), &place("called"))),
        pages.render(Page::Draw, "en", event_page(&sale("open"), &place("waiting"))),
        pages.render(Page::Sheets, "en", event_page(&sale("open"), &Value::Null)),
        pages.render(Page::Door, "en", event_page(&sale("open"), &Value::Null)),
        pages.render(Page::Operator, "en", json!({})),
        pages.render(Page::Problem, "en", problem),
    ];
    for page in rendered {
        let page = page.expect("the page renders");
        for tag in page.split('<').filter(|tag| tag.starts_with(|first: char| first.is_ascii_alphabetic())) {
            let tag = tag.split('>').next().unwrap_or_default();
            assert!(!tag.contains(" style=") && !tag.contains(" on"), "inline style or handler: <{tag}>");
            assert!(!tag.starts_with("style"), "inline style sheet");
            // What is no script to a browser is data, which no policy is about.
            let is_data = ["application/json", "application/ld+json"].iter().any(|data| tag.contains(data));
            assert!(!tag.starts_with("script") || tag.contains(" src=") || is_data, "inline script: <{tag}>");
            assert!(!tag.contains("=\"http"), "a foreign host: <{tag}>");
        }
    }
}

#[test]
fn the_list_of_events_shows_each_with_its_seats_and_phase() {
    let events = json!({"events": [{
        "eventId": "evt_1", "title": "Night", "description": "", "venue": "Old Hall", "date": "2030-07-01T19:30:00.000Z",
        "phase": "soldOut", "availableSeats": 0,
    }, {
        "eventId": "evt_2", "title": "Day", "description": "", "venue": {"name": "New Hall"},
        "date": "2030-07-02T19:30:00.000Z", "phase": null, "availableSeats": 1,
    }]});
    let page = embedded().render(Page::Browse, "en", events).expect("the page renders");

    for text in ["href=\"/e/evt_1\"", "Sold out", "No seats left", "New Hall", "Not on sale yet", "1 seat left"] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn static_files_have_addresses_that_change_with_their_content_also_between_modules() {
    let pages = embedded();
    let script = pages.asset("event.js").expect("the page's script");
    let text = std::str::from_utf8(&script.bytes).expect("text");
    let page = render_event(&sale("open"), &Value::Null);
    let (_, version) = page.split_once("/static/event.js?v=").expect("a link with a version");
    let version = version.split('"').next().expect("the link's end");

    assert_eq!(script.content_type, "text/javascript; charset=utf-8");
    assert!(script.etag.starts_with('"') && script.etag.ends_with('"'));
    assert!(text.contains(&format!("from \"./room.js?v={version}\"")));
    for (name, _) in Sources::read(None).expect("embedded files").statics {
        let text = pages.asset(&name).expect("an embedded file").bytes.clone();
        let text = String::from_utf8(text.to_vec()).expect("text");
        assert!(!text.contains(".js\";"), "{name} imports a module without its version");
    }
    assert!(pages.asset("../Cargo.toml").is_none());
}

#[test]
fn the_language_is_the_best_that_is_at_hand() {
    let pages = embedded();
    for header in [None, Some("en-GB,en;q=0.8"), Some("xx"), Some(""), Some("de;q=0, *"), Some("en;q=oops")] {
        assert_eq!(pages.choose_language(header), "en", "{header:?}");
    }
    let at_hand = ["de", "en", "pt-BR"];
    let choose = |header| super::language::choose(&at_hand, header);
    assert_eq!(choose("fr, de-AT;q=0.7, en;q=0.3"), Some("de"));
    assert_eq!(choose("en;q=0.3, de;q=0.9"), Some("de"));
    assert_eq!(choose("PT"), Some("pt-BR"));
    assert_eq!(choose("pt-PT, de;q=0.1"), Some("pt-BR"));
    assert_eq!(choose("fr"), None);
}
