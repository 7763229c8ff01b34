use super::{attempt::Patience, *};
use crate::{catalog::Point, time::Timestamp};

fn now() -> Timestamp {
    "2026-05-01T10:02:03.000Z".parse().unwrap()
}

fn read(pairs: &[(&str, &str)]) -> Result<Query, Refused> {
    Query::read(pairs.iter().copied(), now())
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn without_anything_it_is_all_events_to_come() {
    let query = read(&[("term", ""), ("location", " "), ("page", "")]).unwrap();
    assert_eq!(query, Query::all(now()));
    assert_eq!(
        query.from,
        time("2026-05-01T07:00:00.000Z"),
        "what has begun three hours ago, in steps of five minutes"
    );
    assert!(query.is_anything());
    assert_eq!((query.skipped(), query.page_size), (0, DEFAULT_PAGE_SIZE));
}

#[test]
fn a_day_is_of_utc_and_a_range_holds_its_last_day() {
    let day = read(&[("date", "2026-05-03")]).unwrap();
    assert_eq!((day.from, day.before), (time("2026-05-03T00:00:00Z"), Some(time("2026-05-04T00:00:00Z"))));
    let days = read(&[("date", "2026-05-03"), ("until", "2026-05-05")]).unwrap();
    assert_eq!(days.before, Some(time("2026-05-06T00:00:00Z")));
    for wrong in ["tomorrow", "2026-02-30", "1999-12-31", "2101-01-01", "20260503", "2026-05-03T10:00", "٢٠٢٦-٠٥-٠٣"]
    {
        assert_eq!(read(&[("date", wrong)]), Err(Refused::Date("date")), "{wrong}");
    }
}

#[test]
fn a_place_is_a_city_or_a_point_on_the_earth() {
    let place = |text| read(&[("location", text)]).map(|query| query.place);
    assert_eq!(place("São Paulo, Brazil"), Ok(Some(Place::City("sao paulo".into()))));
    let near = Place::Near { point: Point { lat: -23.5, long: -46.6 }, within_km: DEFAULT_WITHIN_KM };
    assert_eq!(place("-23.5, -46.6"), Ok(Some(near)));
    for wrong in ["91,0", "0,181", "inf,0", "NaN,NaN", "1e309,0"] {
        assert_eq!(place(wrong), Err(Refused::OffTheEarth), "{wrong}");
    }
    assert_eq!(place("---"), Err(Refused::Location));
    assert_eq!(read(&[("withinKm", "5")]), Err(Refused::Within), "from where?");
    assert_eq!(read(&[("withinKm", "5"), ("location", "Oslo")]), Err(Refused::Within));
}

#[test]
fn pages_end_where_cursors_go_on() {
    assert_eq!(read(&[("page", "100"), ("pageSize", "100")]).unwrap().skipped(), 9_900);
    assert_eq!(read(&[("page", "101"), ("pageSize", "100")]), Err(Refused::TooDeep));
    let cursor =
        Cursor { patience: Patience::Forgiving, score: 140, starts_at: now(), event_id: "evt_1".parse().unwrap() };
    let text = cursor.to_string();
    assert_eq!(read(&[("cursor", &text)]).unwrap().cursor, Some(cursor));
    assert_eq!(read(&[("cursor", &text), ("page", "2")]), Err(Refused::PageAndCursor));
    for wrong in ["", "x", "AAAA", "OS4xLjEuZXZ0XzE"] {
        assert_eq!(wrong.parse::<Cursor>(), Err(InvalidCursor), "{wrong}");
    }
}

#[test]
fn a_term_has_bounds_and_leaves_noise_out() {
    assert!(Term::read(&"é".repeat(MAX_TERM_CHARS)).is_ok());
    assert_eq!(Term::read(&"é".repeat(MAX_TERM_CHARS + 1)), Err(Refused::Term));
    assert_eq!(Term::read("... !?"), Ok(None));
    let words = |text| Term::read(text).unwrap().unwrap().words().len();
    assert_eq!(words("The Phantom of the Opera"), 2);
    assert_eq!(words("The The"), 2, "there is nothing else");
    assert_eq!(words(&"word ".repeat(40)), MAX_TERM_WORDS);
}

#[test]
fn a_search_goes_no_further_than_it_must() {
    let term = |text| Term::read(text).unwrap().unwrap();
    let attempt = |text, patience| attempt::Attempt::of(&term(text), patience);
    assert!(attempt("hamlet", Patience::MostWords).is_none(), "one word is all words");
    let strict = attempt("spider man", Patience::AsTyped).unwrap();
    assert!(strict.variants.iter().flat_map(|way| &way.words).flatten().all(|found| found.mistakes == 0));
    assert_eq!(strict.variants.len(), 2, "as two words, and as one");
    let most = attempt("one two three four five", Patience::MostWords).unwrap();
    assert_eq!((most.variants.len(), most.variants[0].required), (1, 3));
    let forgiving = attempt("cat spider mountaineer", Patience::Forgiving).unwrap();
    let most_mistakes = |word: usize| forgiving.variants[0].words[word].iter().map(|found| found.mistakes).max();
    assert_eq!([0, 1, 2].map(most_mistakes), [Some(0), Some(1), Some(2)]);
}

#[test]
fn what_was_found_is_marked_as_it_is_written() {
    let marked = |text, term, patience| {
        let parts = highlight(text, &Term::read(term).unwrap().unwrap(), patience)?;
        assert!(parts.iter().all(|part| !part.text.is_empty()));
        Some(
            parts
                .iter()
                .map(|part| if part.found { format!("[{}]", part.text) } else { part.text.clone() })
                .collect::<String>(),
        )
    };
    let typed = Patience::AsTyped;
    assert_eq!(marked("Spider-Man: Home", "spider man", typed).as_deref(), Some("[Spider]-[Man]: Home"));
    assert_eq!(marked("Spider-Man: Home", "spiderman", typed).as_deref(), Some("[Spider-Man]: Home"));
    assert_eq!(marked("Live: Beyoncé", "beyonce", typed).as_deref(), Some("Live: [Beyoncé]"));
    assert_eq!(marked("Zwei Konzerte", "konzert", typed).as_deref(), Some("Zwei [Konzerte]"));
    assert_eq!(marked("Hamilton", "hamliton", typed), None);
    assert_eq!(marked("Hamilton", "hamliton", Patience::Forgiving).as_deref(), Some("[Hamilton]"));
    let long = format!("{}needle{}", "hay ".repeat(400), " hay".repeat(400));
    let around = marked(&long, "needle", typed).unwrap();
    assert!(around.contains("[needle]") && around.chars().count() < 220 && around.starts_with("hay"), "{around}");
}

#[test]
fn distances_are_those_of_the_globe() {
    let point = |lat, long| Point { lat, long };
    let km = |a, b| distance_km(a, b).round();
    assert!((km(point(51.5074, -0.1278), point(48.8566, 2.3522)) - 344.0).abs() <= 1.0, "London to Paris");
    assert!((km(point(0.0, 179.9), point(0.0, -179.9)) - 22.0).abs() <= 1.0, "over the date line");
    assert!((km(point(0.0, 0.0), point(0.0, 180.0)) - 20_015.0).abs() <= 1.0, "half around it");
    assert!(distance_km(point(1.0, 2.0), point(1.0, 2.0)).abs() < 1e-9);
}
