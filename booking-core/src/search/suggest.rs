//! What is offered to somebody who is typing.

use serde::{Deserialize, Serialize};

use super::{Document, Term, words};

/// The most suggestions.
pub const MAX_SUGGESTIONS: usize = 8;
/// The events that suggestions are taken from: the first that the term finds.
pub const SUGGESTED_FROM: usize = 40;

/// What a suggestion is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Suggested {
    /// An event.
    Title,
    /// Who is on.
    Performer,
    /// Where.
    Venue,
    /// In which city.
    City,
}

/// A name to go on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The name.
    pub text: String,
    /// Of what.
    pub kind: Suggested,
}

/// The names in `documents`, which `term` found, best first, that have a word that begins as one of the term's.
pub fn suggestions<'d>(term: &Term, documents: impl IntoIterator<Item = &'d Document>) -> Vec<Suggestion> {
    let mut offered: Vec<Suggestion> = Vec::new();
    let mut keys: Vec<String> = Vec::new();
    for document in documents {
        let title = std::iter::once((&document.title, Suggested::Title));
        let performers = document.performers.iter().map(|name| (name, Suggested::Performer));
        let places = [(&document.venue, Suggested::Venue), (&document.city, Suggested::City)];
        for (name, kind) in title.chain(performers).chain(places) {
            let key = words::key(name);
            if offered.len() < MAX_SUGGESTIONS && !keys.contains(&key) && begins(term, name) {
                offered.push(Suggestion { text: name.clone(), kind });
                keys.push(key);
            }
        }
    }
    offered
}

/// Whether a word of `name` begins as the last word of `term`, which is being typed, and it has the others' beginnings.
fn begins(term: &Term, name: &str) -> bool {
    let words = words::with_joined(name);
    term.words().iter().all(|typed| {
        typed.forms().any(|typed| words.iter().any(|word| word.forms().any(|form| form.starts_with(typed))))
    })
}
