//! Venues and events out of files, against the built executable.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod kit;

use std::{
    fmt::Write as _,
    fs,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use kit::{Client, PATIENCE, Weir, binary, data, folder, from_now, operator_key, venue};
use reqwest::Method;
use serde_json::{Value, json};

/// A Weir, and a folder of files to import into it.
struct World {
    folder: tempfile::TempDir,
    weir: Weir,
    key: String,
    client: Client,
}

impl World {
    fn new() -> Self {
        let folder = folder();
        let key = operator_key(&data(&folder), "admin");
        let weir = Weir::start(&data(&folder));
        let client = Client::new(&weir.public);
        Self { folder, weir, key, client }
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn import(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).arg("import").args(args).args(["--at", &self.weir.public]);
        command.env("WEIR_OPERATOR_KEY", &self.key).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Imports, and answers what was said and complained of.
    #[track_caller]
    fn done(&self, args: &[&str]) -> (String, String) {
        let output = self.import(args).output().expect("weir runs");
        assert!(output.status.success(), "{output:?}");
        texts(&output)
    }

    /// Imports what must fail.
    #[track_caller]
    fn fails(&self, args: &[&str]) -> (String, String) {
        let output = self.import(args).output().expect("weir runs");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        texts(&output)
    }

    /// Adds the hall of the tests and answers its id.
    fn hall(&self) -> String {
        self.file("hall.json", &venue(2, 5).to_string());
        let (said, _) = self.done(&["venues", "hall.json"]);
        said.split_whitespace().next().unwrap().to_owned()
    }

    /// Everything that is on, by title.
    async fn titles(&self) -> Vec<String> {
        let listed = self.client.operate(&self.key, Method::GET, "/v1/operator/events", &Value::Null).await.expect(200);
        let mut titles: Vec<String> =
            listed["events"].as_array().unwrap().iter().map(|event| event["title"].as_str().unwrap().into()).collect();
        titles.sort_unstable();
        titles
    }
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn last(said: &str) -> &str {
    said.lines().last().unwrap_or("")
}

fn json_ld(number: u32, title: &str) -> Value {
    json!({
        "@context": "https://schema.org", "@type": "MusicEvent", "@id": format!("https://example.org/events/{number}"),
        "name": title, "startDate": "2031-05-01T21:00:00+02:00", "location": { "@type": "MusicVenue", "name": "The Mill" },
        "offers": { "@type": "Offer", "price": "45.00", "priceCurrency": "EUR" },
    })
}

fn own(title: &str, venue: &str) -> Value {
    json!({
        "title": title, "venueId": venue, "startsAt": "2031-05-02T19:00:00Z", "currency": "EUR",
        "prices": { "Floor": 4_500 },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_file_is_imported_and_a_repeated_import_adds_nothing() {
    let world = World::new();
    let hall = world.hall();
    let (said, _) = world.done(&["venues", "hall.json"]);
    assert_eq!(
        said,
        format!("{hall} The Mill, 10 seats, of hall.json: $\n1 venues: 0 added, 1 there already, 0 refused\n")
    );
    let plan = json!({
        "name": "Theatre", "categories": [{ "name": "Floor", "color": "#7f4a91" }],
        "zones": [{ "name": "Parterre", "rows": [{ "row_number": "1", "seats": [
            { "seat_guid": "P-1-1", "seat_number": "1", "category": "Floor", "position": { "x": 0, "y": 0 } },
        ] }] }],
    });
    world.file("plan.json", &plan.to_string());
    let (_, complaint) = world.fails(&["venues", "plan.json"]);
    assert!(
        complaint.contains("plan.json: $: is a pretix plan, which names no city; give it with --city"),
        "{complaint}"
    );
    let (said, _) = world.done(&["venues", "plan.json", "--city", "Ghent"]);
    assert!(said.contains(" Theatre, 1 seats, of plan.json: $\n1 venues: 1 added, 0 there"), "{said}");

    world.file("one.jsonld", &json_ld(1, "One").to_string());
    let place = json!({ "@type": "Place", "name": "The Mill" });
    world.file("graph.json", &json!({ "@graph": [json_ld(2, "Two"), place, json_ld(3, "Three")] }).to_string());
    world.file("lines.jsonl", &format!("{}\n{}\n", json_ld(4, "Four"), own("Five", &hall)));
    world.file("own.json", &json!([own("Six", &hall), own("Seven", &hall)]).to_string());
    world.file(
        "table.csv",
        "id,title,venue,startsAt,currency,price:Floor,performers\n\
         8,Eight,The Mill,2031-05-03T19:00:00Z,EUR,4500,Ann; Ben\n\
         9,\"Nine, or so\",The Mill,2031-05-03T19:00:00Z,EUR,4500,\n",
    );
    world.file("map.json", &json!({ "The Mill": hall }).to_string());
    let all = ["events", "--venues", "map.json", "one.jsonld", "graph.json", "lines.jsonl", "own.json", "table.csv"];
    let (said, _) = world.done(&[&all[..], &["--dry-run"]].concat());
    assert_eq!(last(&said), "9 events: all can be added");
    assert!(world.titles().await.is_empty(), "a dry run adds nothing");
    let (said, _) = world.done(&all);
    assert!(said.starts_with("1 things are no events"), "{said}");
    assert_eq!(last(&said), "9 events: 9 added, 0 there already, 0 refused");
    let titles = world.titles().await;
    assert_eq!(titles, ["Eight", "Five", "Four", "Nine, or so", "One", "Seven", "Six", "Three", "Two"]);
    let (said, _) = world.done(&all);
    assert_eq!(last(&said), "9 events: 0 added, 9 there already, 0 refused");
    assert_eq!(world.titles().await, titles);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_named_with_its_place_and_nothing_is_added() {
    let world = World::new();
    let hall = world.hall();
    let mut late = own("Late", &hall);
    late["startsAt"] = "soon".into();
    late["prices"] = json!({ "Floor": 4_500, "Roof": 1 });
    world.file("own.json", &json!([own("Fine", &hall), late, own("Nowhere", "venue_none")]).to_string());
    world.file("lines.jsonl", &format!("{}\n{{\n{}\n", json_ld(1, "Fine"), json_ld(1, "Of one id")));
    world.file("table.csv", "title,startsAt,currency,price\n,2031-05-03T19:00:00Z,EUR,x\n");
    let (said, complaint) = world.fails(&["events", "own.json", "lines.jsonl", "table.csv", "--venue", &hall]);
    assert_eq!(said, "");
    let lines: Vec<&str> = complaint.lines().collect();
    let begins = [
        "own.json: $[1].startsAt: 'soon' is not an RFC 3339 time",
        "own.json: $[1].prices: prices has a price for 'Roof'",
        "own.json: $[2].venueId: there is no venue venue_none",
        "lines.jsonl:2: ",
        "lines.jsonl:3: its id is there before",
        "table.csv:2: price: \"x\" is no whole number",
        "table.csv:2: title: title must be 1 to 200",
        "weir: 7 mistakes; nothing was added: mend them, and repeat",
    ];
    assert_eq!(lines.len(), begins.len(), "{complaint}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line} is not {begin}");
    }
    assert!(world.titles().await.is_empty());

    let many: String = (0..200).fold(String::new(), |mut text, _| {
        writeln!(text, "{{}}").unwrap();
        text
    });
    world.file("many.jsonl", &many);
    let (_, complaint) = world.fails(&["events", "many.jsonl", "--venue", &hall]);
    assert!(complaint.lines().count() == 51, "{complaint}");
    assert!(last(&complaint).contains("800 mistakes, the first 50 above"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_changed_in_its_source_is_refused_and_one_that_was_moved_is_there() {
    let world = World::new();
    let hall = world.hall();
    world.file("events.json", &json!([json_ld(1, "One"), json_ld(2, "Two")]).to_string());
    world.done(&["events", "events.json", "--venue", &hall]);
    world.file("events.json", &json!([json_ld(1, "One"), json_ld(2, "Other"), json_ld(3, "Three")]).to_string());
    let (said, complaint) = world.fails(&["events", "events.json", "--venue", &hall]);
    assert_eq!(last(&said), "3 events: 1 added, 1 there already, 1 refused");
    assert!(complaint.starts_with("events.json: $[1]: is there already under its id, but otherwise\n"), "{complaint}");
    assert_eq!(world.titles().await, ["One", "Three", "Two"]);

    let listed = world.client.operate(&world.key, Method::GET, "/v1/operator/events", &Value::Null).await.expect(200);
    let event = listed["events"].as_array().unwrap().iter().find(|event| event["title"] == "One").unwrap();
    let path = format!("/v1/operator/events/{}/move", event["eventId"].as_str().unwrap());
    let wanted = json!({ "startsAt": from_now(60 * 86_400_000), "reason": "The tide." });
    world.client.operate(&world.key, Method::POST, &path, &wanted).await.expect(200);
    world.file("one.json", &json_ld(1, "One").to_string());
    let (said, _) = world.done(&["events", "one.json", "--venue", &hall]);
    assert_eq!(last(&said), "1 events: 0 added, 1 there already, 0 refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_ends_with_each_event_once_when_it_is_repeated() {
    const EVENTS: usize = 400;
    let world = World::new();
    let hall = world.hall();
    let events: Vec<Value> = (0..EVENTS).map(|number| own(&format!("Night {number:03}"), &hall)).collect();
    world.file("events.json", &Value::from(events).to_string());
    let mut import = world.import(&["events", "events.json"]).spawn().expect("weir runs");
    let begun = Instant::now();
    while world.titles().await.len() < 20 {
        assert!(begun.elapsed() < PATIENCE, "nothing is added");
    }
    import.kill().unwrap();
    import.wait().unwrap();
    let before = world.titles().await.len();
    println!("killed with {before} of {EVENTS} added");
    let (said, _) = world.done(&["events", "events.json"]);
    assert!(last(&said).starts_with(&format!("{EVENTS} events: ")) && last(&said).ends_with(", 0 refused"), "{said}");
    let titles = world.titles().await;
    assert_eq!(titles, (0..EVENTS).map(|number| format!("Night {number:03}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_stopped_says_how_to_go_on() {
    let world = World::new();
    let hall = world.hall();
    let events: Vec<Value> = (0..2_000).map(|number| own(&format!("Night {number}"), &hall)).collect();
    world.file("events.json", &Value::from(events).to_string());
    let import = world.import(&["events", "events.json"]).spawn().expect("weir runs");
    let begun = Instant::now();
    while world.titles().await.len() < 20 {
        assert!(begun.elapsed() < PATIENCE, "nothing is added");
    }
    let id = import.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = import.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let (_, complaint) = texts(&output);
    assert!(complaint.contains("repeat the command to go on, nothing is added twice"), "{complaint}");
}

/// The most memory of its own that a process was seen to have until it ended, in bytes. Pages of the executable, which
/// is large where it is built for tests, are not its own.
fn most_memory(mut child: Child) -> (u64, Output) {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(own_memory(&status).unwrap_or(0));
        #[expect(clippy::disallowed_methods, reason = "nothing else is on this thread")]
        std::thread::sleep(Duration::from_millis(5));
    }
    (most, child.wait_with_output().unwrap())
}

fn own_memory(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_events_are_checked_in_a_small_part_of_their_size() {
    const EVENTS: usize = 100_000;
    let world = World::new();
    let hall = world.hall();
    let description = "A night at the mill, with everything that belongs to it. ".repeat(6);
    let write = |name: &str, begin: &str, event: &dyn Fn(usize) -> String, between: &str, end: &str| {
        let mut file = BufWriter::new(fs::File::create(world.folder.path().join(name)).unwrap());
        write!(file, "{begin}{}", event(0)).unwrap();
        for number in 1..EVENTS {
            write!(file, "{between}{}", event(number)).unwrap();
        }
        write!(file, "{end}").unwrap();
    };
    let event = |number: usize| {
        let rest = r#""startsAt":"2031-05-02T19:00:00Z","currency":"EUR","prices":{"Floor":4500}"#;
        format!(r#"{{"title":"Night {number}","venueId":"{hall}",{rest},"description":"{description}"}}"#)
    };
    write("events.json", "[", &event, ",", "]");
    let row = |number: usize| format!("Night {number},{hall},2031-05-02T19:00:00Z,EUR,4500,\"{description}\"");
    write("events.csv", "title,venueId,startsAt,currency,price,description\n", &row, "\n", "\n");
    for name in ["events.json", "events.csv"] {
        let size = fs::metadata(world.folder.path().join(name)).unwrap().len();
        let begun = Instant::now();
        let (most, output) = most_memory(world.import(&["events", name, "--dry-run"]).spawn().expect("weir runs"));
        println!("{name}: {size} bytes in {:?}, {most} bytes of memory", begun.elapsed());
        assert!(output.status.success(), "{output:?}");
        assert_eq!(last(&texts(&output).0), "100000 events: all can be added");
        assert!(most > 0 && most < size / 3, "{most} bytes of memory for a file of {size}");
    }
}
