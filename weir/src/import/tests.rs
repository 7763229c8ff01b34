use std::{
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Parser as _;
use serde_json::{Map, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::cli::{Cli, Command, OperatorAccess};

/// What is in a file of this name and content.
async fn read(name: &str, content: &str) -> Vec<Found> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::File::create(&path).unwrap().write_all(content.as_bytes()).unwrap();
    let mut found = Files::at(&[path], 1_000, true).unwrap().read(Arc::default());
    let mut all = Vec::new();
    while let Some(found) = found.recv().await {
        all.push(found);
    }
    let begin = format!("{}/", folder.path().display());
    for found in &mut all {
        match found {
            Ok(item) => item.place.file = item.place.file.replace(&begin, "").into(),
            Err(mistake) => *mistake = mistake.replace(&begin, ""),
        }
    }
    all
}

fn places(found: &[Found]) -> Vec<String> {
    found.iter().map(|found| found.as_ref().map_or_else(Clone::clone, |item| item.place.to_string())).collect()
}

/// Judges events of one venue, `venue_1`, whose seats are of two categories.
struct Desk(Events);

impl Desk {
    fn new(flags: &[&str]) -> Self {
        let begin = ["weir", "import", "events", "x.json", "--operator-key", "k", "--at", "http://127.0.0.1:9"];
        let Some(Command::Import(ImportCommand::Events(args))) = Cli::parse_from(begin.iter().chain(flags)).command
        else {
            panic!("an import of events")
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut halls = Halls::of(Office::new(&args.access, 1).unwrap());
        halls.know("venue_1".parse().unwrap(), &["Stalls", "Box"]);
        Self(Events::new(&args, halls).unwrap())
    }

    async fn judge(&mut self, item: source::Item) -> Judged {
        self.0.judge(Ok(item)).await.unwrap()
    }

    async fn wanted(&mut self, thing: Value) -> Wanted {
        match self.judge(item(thing)).await {
            Judged::Wanted(wanted) => wanted,
            other => panic!("{other:?}"),
        }
    }

    async fn wrong(&mut self, thing: Value) -> Vec<String> {
        match self.judge(item(thing)).await {
            Judged::Wrong(mistakes) => mistakes,
            other => panic!("{other:?}"),
        }
    }
}

fn item(thing: Value) -> source::Item {
    let Value::Object(fields) = thing else { panic!("an object") };
    source::Item { place: Place { file: "x.json".into(), line: None, path: "$".into() }, is_row: false, fields }
}

fn with(mut thing: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        thing[name] = value.clone();
    }
    thing
}

fn own() -> Value {
    json!({
        "title": "A play", "venueId": "venue_1", "startsAt": "2030-05-01T19:00:00Z", "currency": "EUR",
        "prices": { "Stalls": 9_500, "Box": 14_500 },
    })
}

fn json_ld() -> Value {
    json!({
        "@context": "https://schema.org", "@type": ["TheaterEvent"], "@id": "https://example.org/e/1",
        "name": { "@value": "A play", "@language": "en" }, "startDate": "2030-05-01T21:00:00+02:00",
        "location": { "@type": "Place", "name": "The Mill" },
        "performer": [{ "@type": "Person", "name": "Ann" }, "Ben"], "image": [{ "url": "https://example.org/1.jpg" }],
        "inLanguage": "en",
        "offers": [
            { "@type": "Offer", "name": "Stalls", "price": "95.00", "priceCurrency": "EUR" },
            { "@type": "Offer", "category": "Box", "price": 145, "priceCurrency": "EUR" },
        ],
    })
}

#[tokio::test]
async fn a_document_has_one_thing_or_a_list_or_a_graph_and_each_has_its_place() {
    assert_eq!(places(&read("a.json", r#"{"title": "A"}"#).await), ["a.json: $"]);
    assert_eq!(
        places(&read("a.json", r#"[{"a": 1}, {"@graph": [{}, {}]}]"#).await),
        ["a.json: $[0]", "a.json: $[1].@graph[0]", "a.json: $[1].@graph[1]"]
    );
    assert_eq!(
        places(&read("a.jsonld", r#"{"@context": {}, "@graph": {"@type": "Event"}}"#).await),
        ["a.jsonld: $.@graph"]
    );
    assert_eq!(places(&read("a.json", "[]").await), [""; 0]);
    let broken = places(&read("a.json", "[{},\n{,}]").await);
    assert_eq!(broken[0], "a.json: $[0]");
    assert!(broken[1].starts_with("a.json: ") && broken[1].contains("at line 2 column 2"), "{broken:?}");
    let lines = places(&read("a.json", "{}\n{}").await);
    assert!(lines[1].contains("ends in .jsonl"), "{lines:?}");
}

#[tokio::test]
async fn a_line_that_can_t_be_read_is_named_and_those_behind_it_are_read() {
    let found = places(&read("a.jsonl", "{}\n\n{\"a\"\n7\n{\"@graph\": [{}]}\n{}").await);
    assert_eq!((&*found[0], &*found[3], &*found[4]), ("a.jsonl:1", "a.jsonl:5: @graph[0]", "a.jsonl:6"));
    assert!(found[1].starts_with("a.jsonl:3: EOF") && found[2].starts_with("a.jsonl:4: invalid type"), "{found:?}");
}

#[tokio::test]
async fn a_table_is_weir_s_own_fields_with_prices_by_category() {
    let table = "title,startsAt,currency,performers,price:Stalls,price:Box,refundPolicy\n\
                 \"A, play\",2030-05-01T19:00:00Z,EUR,Ann; Ben,9500,14500,[]\n\
                 B,2030-05-01T19:00:00Z,EUR\n\
                 \"two\nlines\",,,,x,,\n";
    let found = read("a.csv", table).await;
    let fields: &Map<_, _> = &found[0].as_ref().unwrap().fields;
    assert_eq!(
        Value::from(fields.clone()),
        json!({
            "title": "A, play", "startsAt": "2030-05-01T19:00:00Z", "currency": "EUR", "performers": ["Ann", "Ben"],
            "prices": { "Stalls": 9_500, "Box": 14_500 }, "refundPolicy": [],
        })
    );
    assert_eq!(places(&found)[1..], ["a.csv:3: has 3 cells where the table has 7 columns", "a.csv:4"]);
    let found = places(&read("a.csv", "titel,currency,currency\n").await);
    assert!(found[0].starts_with("a.csv:1: titel: is no column"), "{found:?}");
    assert_eq!(found[1], "a.csv:1: currency: is there twice");
    assert!(found[2].starts_with("a.csv:1: title: ") && found[3].starts_with("a.csv:1: startsAt: "), "{found:?}");
}

#[tokio::test]
async fn something_that_goes_on_and_on_is_not_read_to_its_end() {
    for (name, begin) in
        [("a.json", "[{\"a\": \""), ("a.jsonl", "{\"a\": \""), ("a.csv", "title,startsAt,currency\n\"")]
    {
        let found = places(&read(name, &format!("{begin}{}", "x".repeat(1 << 20))).await);
        assert_eq!(found.len(), 1, "{name}");
        assert!(found[0].contains("more than 1000 bytes"), "{found:?}");
    }
}

#[test]
fn a_file_must_be_one_and_its_ending_must_say_how_it_is_read() {
    let refusal = |path: &str| Files::at(&[PathBuf::from(path)], 1, false).unwrap_err().to_string();
    assert!(refusal("/dev/null").contains("is no file"));
    assert!(refusal("/nowhere.json").contains("can't be read"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "").unwrap();
    assert!(refusal(path.to_str().unwrap()).ends_with("must end in .json, .jsonld, .jsonl, .ndjson, by what it has"));
}

#[tokio::test]
async fn json_ld_and_weir_s_own_come_to_the_same_event() {
    let mut desk = Desk::new(&["--venue", "venue_1"]);
    let from_json_ld = desk.wanted(json_ld()).await;
    assert_eq!(
        from_json_ld.body,
        json!({
            "title": "A play", "description": "", "performers": ["Ann", "Ben"], "category": "Theater", "language": "en",
            "thumbnail": "https://example.org/1.jpg", "venueId": "venue_1", "startsAt": "2030-05-01T19:00:00.000Z",
            "currency": "EUR", "prices": { "Stalls": 9_500, "Box": 14_500 },
        })
    );
    let mut body = from_json_ld.body.clone();
    body["id"] = "https://example.org/e/1".into();
    let own = desk.wanted(body).await;
    assert_eq!((own.key, own.content), (from_json_ld.key, from_json_ld.content));
}

#[tokio::test]
async fn an_event_is_known_by_its_id_or_by_all_that_is_said_of_it() {
    let mut desk = Desk::new(&[]);
    let mut key = async |changes: Value| desk.wanted(with(own(), changes)).await.key;
    let none = key(json!({})).await;
    assert_eq!(key(json!({ "startsAt": "2030-05-01T21:00:00+02:00" })).await, none, "the same moment");
    assert_ne!(key(json!({ "title": "Another" })).await, none);
    let one = key(json!({ "id": "1" })).await;
    assert_eq!(key(json!({ "id": 1, "title": "Another" })).await, one);
    assert_ne!(key(json!({ "id": "2" })).await, one);
    assert_ne!(Desk::new(&["--source", "b"]).wanted(with(own(), json!({ "id": "1" }))).await.key, one);

    let mut desk = Desk::new(&["--venue", "venue_1"]);
    let mut key = async |changes: Value| desk.wanted(with(json_ld(), changes)).await.key;
    let by_identifier = key(json!({ "@id": "_:b0", "identifier": { "value": 7 }, "name": "Another" })).await;
    assert_eq!(key(json!({ "@id": null, "identifier": "7" })).await, by_identifier);
    let local = key(json!({ "@id": "#event" })).await;
    assert_ne!(key(json!({ "@id": "#event", "name": "Another" })).await, local);
}

#[tokio::test]
async fn what_is_no_event_or_does_not_take_place_is_passed_over() {
    let mut desk = Desk::new(&["--venue", "venue_1"]);
    for changes in [
        json!({ "@type": "Place" }),
        json!({ "@type": "EventSeries" }),
        json!({ "eventStatus": "https://schema.org/EventCancelled" }),
    ] {
        assert!(matches!(desk.judge(item(with(json_ld(), changes))).await, Judged::PassedOver));
    }
}

#[tokio::test]
async fn every_mistake_is_named_by_the_field_of_its_source() {
    let mut desk = Desk::new(&[]);
    let wrong = desk
        .wrong(with(own(), json!({
            "title": "", "startsAt": "tomorrow", "currency": null, "prices": { "Stalls": -1, "Roof": "x" }, "sale": 1,
        })))
        .await;
    let begins = [
        "x.json: $.currency: is missing",
        "x.json: $.startsAt: 'tomorrow' is not an RFC 3339 time",
        "x.json: $.prices.Roof: \"x\" is no whole number of minor units",
        "x.json: $.title: title must be 1 to 200",
        "x.json: $.prices: prices has no price for category 'Box'",
        "x.json: $.prices: prices has a price for 'Roof'",
        "x.json: $.prices: the price for category 'Stalls' is -1",
        "x.json: $.sale: is no field of an event",
    ];
    assert_eq!(wrong.len(), begins.len(), "{wrong:?}");
    for (mistake, begin) in wrong.iter().zip(begins) {
        assert!(mistake.starts_with(begin), "{mistake}");
    }

    let wrong = desk.wrong(with(json_ld(), json!({ "startDate": "2030-05-01", "name": null, "offers": [] }))).await;
    let begins = [
        "offers: there must",
        "location: give the id of 'The Mill'",
        "name: title must be",
        "startDate: '2030-05-01' is",
    ];
    for begin in begins {
        assert!(wrong.iter().any(|mistake| mistake.starts_with(&format!("x.json: $.{begin}"))), "{begin}: {wrong:?}");
    }
    assert_eq!(wrong.len(), begins.len(), "{wrong:?}");
}

#[tokio::test]
async fn offers_are_exact_prices_or_mistakes() {
    let mut desk = Desk::new(&["--venue", "venue_1"]);
    let offer = |price: Value, currency: &str| json!({ "offers": { "price": price, "priceCurrency": currency } });
    for (price, currency, minor) in [
        (json!("45.5"), "EUR", 4_550),
        (json!(0), "EUR", 0),
        (json!("1200"), "JPY", 1_200),
        (json!("1.2340"), "BHD", 1_234),
    ] {
        let body = desk.wanted(with(json_ld(), offer(price, currency))).await.body;
        assert_eq!(body["prices"], json!({ "Stalls": minor, "Box": minor }));
    }
    for (price, currency) in
        [(json!("45,50"), "EUR"), (json!("1.234"), "EUR"), (json!("-1"), "EUR"), (json!("1.5"), "JPY")]
    {
        let wrong = desk.wrong(with(json_ld(), offer(price, currency))).await;
        assert!(wrong[0].starts_with("x.json: $.offers.price: "), "{wrong:?}");
    }
    let range =
        json!({ "offers": { "@type": "AggregateOffer", "lowPrice": 1, "highPrice": 2, "priceCurrency": "EUR" } });
    assert!(desk.wrong(with(json_ld(), range)).await[0].contains("offers.price: "));
}

#[tokio::test]
async fn a_venue_is_found_by_its_id_or_by_a_name_that_the_map_has() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("map.json");
    std::fs::write(&map, r#"{"The Mill": "venue_1", "https://example.org/mill": "venue_1"}"#).unwrap();
    let mut desk = Desk::new(&["--venues", map.to_str().unwrap()]);
    desk.wanted(own()).await;
    desk.wanted(json_ld()).await;
    desk.wanted(with(json_ld(), json!({ "location": { "@id": "https://example.org/mill", "name": "Mill" } }))).await;
    desk.wanted(with(own(), json!({ "venueId": null, "venue": "The Mill" }))).await;
    let wrong = desk.wrong(with(json_ld(), json!({ "location": "The Lock" }))).await;
    assert_eq!(wrong, ["x.json: $.location: the file of --venues has no 'The Lock'"]);
    let wrong = desk.wrong(with(own(), json!({ "venueId": null }))).await;
    assert!(wrong[0].starts_with("x.json: $.venueId: is missing"), "{wrong:?}");
}

#[test]
fn two_things_of_one_id_are_told_from_one_thing_twice() {
    let digest = |text: &str| Digest::of(&[text.as_bytes()]);
    let mut seen = Seen::default();
    assert_eq!(seen.note(&digest("a"), &digest("1")), Before::Never);
    assert_eq!(seen.note(&digest("a"), &digest("1")), Before::Same);
    assert_eq!(seen.note(&digest("a"), &digest("2")), Before::Other);
    assert_eq!(seen.note(&digest("b"), &digest("1")), Before::Never);
}

#[test]
fn what_stands_in_a_file_can_t_break_the_line_that_names_it() {
    let place = Place { file: "a.csv".into(), line: Some(2), path: String::new() };
    assert_eq!(place.mistake("title", "'a\n\u{1b}[2J' is wrong"), "a.csv:2: title: 'a  [2J' is wrong");
}

#[tokio::test]
async fn weir_is_asked_again_when_it_wants_to_be_and_not_before() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for head in ["429 Too Many Requests\r\nRetry-After: 1", "503 Service Unavailable", "200 OK"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let asked = stream.read(&mut [0; 4_096]).await.unwrap();
            assert!(asked > 0);
            let answer = format!("HTTP/1.1 {head}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let _ = rustls::crypto::ring::default_provider().install_default();
    let office = Office::new(&OperatorAccess { at: address, operator_key: "k".into() }, 1).unwrap();
    let begun = Instant::now();
    assert!(matches!(office.ask::<Value>(Call::get("/")).await.unwrap(), Answer::Ok(_)));
    assert!(begun.elapsed() >= Duration::from_millis(1_500), "a second, and the pause after it");
}
