//! What an operator may replace, and what is said when it is broken.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::{Error, Page, Pages};
use super::{event_page, sale};

fn folder(files: &[(&str, &str)]) -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("weir-pages-{}-{number}", std::process::id()));
    for (name, text) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder for overrides");
        fs::write(file, text).expect("an override");
    }
    folder
}

fn load_error(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let error = Pages::load(Some(&folder), "en").expect_err("a broken override is refused");
    fs::remove_dir_all(folder).expect("the folder goes");
    error.to_string()
}

#[test]
fn a_file_of_the_overrides_folder_wins_and_a_catalogue_may_be_partial() {
    let folder = folder(&[
        ("templates/problem.html", "<p>{{ t('site-name') }}: {{ title }}</p>"),
        ("static/base.css", "body{}"),
        ("static/logo.png", "png"),
        ("locales/en.ftl", "site-name = Box office\n"),
        ("locales/de.ftl", "browse-title = Veranstaltungen\nroom-join = Los\n"),
    ]);
    let pages = Pages::load(Some(&folder), "en").expect("the overrides load");
    fs::remove_dir_all(folder).expect("the folder goes");

    let problem = pages.render(Page::Problem, "en", json!({"title": "No"})).expect("the page renders");
    assert_eq!(problem, "<p>Box office: No</p>");
    assert_eq!(&pages.asset("base.css").expect("the override").bytes[..], b"body{}");
    assert_eq!(pages.asset("logo.png").expect("the addition").content_type, "image/png");

    assert_eq!(pages.choose_language(Some("de-CH, en;q=0.5")), "de");
    let german = pages.render(Page::Browse, "de", json!({"events": []})).expect("the page renders");
    assert!(german.contains("<html lang=\"de\">"));
    assert!(german.contains("Veranstaltungen · Box office"));
    assert!(german.contains("No events are on sale"));
    let event = pages.render(Page::Event, "de", event_page(&sale("lobby"), &Value::Null)).expect("the page renders");
    assert!(event.contains(r#""room-join": "Los""#));
}

#[test]
fn a_broken_override_is_refused_with_its_file_and_line() {
    let template = load_error(&[("templates/problem.html", "<p>\n{% if %}</p>")]);
    assert!(template.contains("templates/problem.html, line 2: "), "{template}");

    let include = load_error(&[("templates/event.html", "\n\n{% include 'nowhere.html' %}")]);
    assert!(include.contains("templates/event.html, line 3: "), "{include}");

    let asset = load_error(&[("templates/browse.html", "{{ asset('nothing.css') }}")]);
    assert!(asset.contains("templates/browse.html, line 1: "), "{asset}");

    let locale = load_error(&[("locales/fr.ftl", "browse-title = Spectacles\nroom-join = { $n ->\n")]);
    assert!(locale.contains("locales/fr.ftl, line "), "{locale}");

    let name = load_error(&[("locales/not a tag.ftl", "a = b\n")]);
    assert!(name.contains("not a tag.ftl: a catalogue's name must be a language tag"), "{name}");

    let quoted = load_error(&[("static/a\"b.css", "")]);
    assert!(quoted.contains("a\"b.css: a static file's name"), "{quoted}");

    let kind = load_error(&[("static/setup.exe", "")]);
    assert!(kind.contains("setup.exe: no content type"), "{kind}");
}

#[test]
fn a_default_language_without_a_catalogue_is_refused() {
    assert!(matches!(Pages::load(None, "ja"), Err(Error::NoCatalogue(tag)) if tag == "ja"));
    assert!(Pages::load(Some(Path::new("/nonexistent")), "en-GB").is_ok(), "no folder is no override");
}
