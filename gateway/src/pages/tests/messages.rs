//! Templates, scripts and the catalogue agree about which messages there are.

use std::collections::{BTreeMap, BTreeSet};

use super::super::catalogue::Catalogue;
use super::super::files::Sources;

/// Message ids in a text: literals of `t("…")`, and patterns of ids made from parts, with `*` for a part.
fn used_ids(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("t(") {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        if before.is_alphanumeric() || before == '_' || before == '.' {
            continue;
        }
        let argument = &text[at + 2..];
        if let Some(literal) = argument.strip_prefix('"') {
            let (id, rest) = literal.split_once('"').expect("a string ends");
            // In a template: "room-" ~ key ~ "-title".
            let tail = rest.trim_start().strip_prefix('~').map(|rest| {
                let part = rest.split(')').next().unwrap_or_default();
                part.rsplit_once("~ \"").and_then(|(_, end)| end.split_once('"')).map_or("", |(end, _)| end)
            });
            found.insert(tail.map_or_else(|| id.to_owned(), |tail| format!("{id}*{tail}")));
        } else if let Some(literal) = argument.strip_prefix('`') {
            let (id, _) = literal.split_once('`').expect("a string ends");
            let (head, tail) = id.split_once("${").expect("a template has a part");
            found.insert(format!("{head}*{}", tail.split_once('}').expect("a part ends").1));
        }
    }
    found
}

fn matches(pattern: &str, id: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => id.len() > head.len() + tail.len() && id.starts_with(head) && id.ends_with(tail),
        None => pattern == id,
    }
}

fn english() -> (Sources, Catalogue) {
    let sources = Sources::read(None).expect("embedded files");
    let mut catalogues = Catalogue::load_all(&sources, "en").expect("the embedded catalogue");
    let english = catalogues.remove("en").expect("English");
    (sources, english)
}

#[test]
fn every_message_used_exists_and_every_message_is_used() {
    let (sources, english) = english();
    let ids: BTreeSet<&str> = english.ids().collect();
    let mut used: BTreeMap<String, String> = BTreeMap::new();
    for (name, file) in sources.templates.iter().chain(&sources.statics) {
        for id in used_ids(&file.text().expect("text")) {
            used.insert(id, name.clone());
        }
    }
    assert!(used.len() > 150, "the reader of ids finds too few: {}", used.len());

    let missing: Vec<_> = used.iter().filter(|(id, _)| !ids.iter().any(|known| matches(id, known))).collect();
    let unused: Vec<_> = ids.iter().filter(|id| !used.keys().any(|pattern| matches(pattern, id))).collect();
    assert!(missing.is_empty(), "no such messages: {missing:?}");
    assert!(unused.is_empty(), "messages nobody uses: {unused:?}");
}

#[test]
fn a_page_hands_its_scripts_every_message_that_they_use() {
    let (sources, english) = english();
    let pages: [(&str, &[&str], &[&str]); 3] = [
        (
            "event",
            &["common", "room", "seats", "checkout", "tickets", "cancel"],
            &[
                "event.js",
                "room.js",
                "seats.js",
                "seat-list.js",
                "checkout.js",
                "tickets.js",
                "cancel.js",
                "format.js",
                "api.js",
            ],
        ),
        ("draw", &["common", "draw"], &["draw.js", "api.js"]),
        ("operator", &["common", "operator"], &["operator.js", "controls.js", "audit.js", "stuck.js", "api.js"]),
    ];
    for (page, prefixes, scripts) in pages {
        let template = sources.templates[&format!("{page}.html")].text().expect("text");
        let list = prefixes.iter().map(|prefix| format!("\"{prefix}\"")).collect::<Vec<_>>().join(", ");
        assert!(template.contains(&format!("messages({list})|tojson")), "{page}.html hands out other messages");

        let prefixes: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
        let handed = serde_json::to_value(english.patterns(&prefixes)).expect("a map of texts");
        let handed: Vec<&String> = handed.as_object().expect("a map").keys().collect();
        for script in scripts {
            for id in used_ids(&sources.statics[*script].text().expect("text")) {
                assert!(handed.iter().any(|known| matches(&id, known)), "{page}: {script} uses {id}");
            }
        }
    }
}

#[test]
fn scripts_get_patterns_as_written_over_all_their_lines() {
    let (_, english) = english();
    let patterns = serde_json::to_value(english.patterns(&["common".to_owned()])).expect("a map of texts");

    assert_eq!(patterns["common-minutes"], "{ $n ->\n[one] 1 minute\n*[other] { $n } minutes\n}");
    assert_eq!(patterns.get("room-join"), None);
}
