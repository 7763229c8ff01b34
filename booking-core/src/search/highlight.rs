//! Which words of a text were found.

use serde::{Deserialize, Serialize};

use super::{
    Term,
    attempt::Patience,
    words::{self, Word},
};

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it says.
    pub text: String,
    /// Whether it is a word that was searched for.
    pub found: bool,
}

/// How much of a longer text is shown around the first word that was found, in characters before and in all.
const AROUND: (usize, usize) = (40, 200);

/// `text` in pieces, those marked that have a word of `term`; a long text only around the first of them. `None` where
/// there is none.
pub fn highlight(text: &str, term: &Term, patience: Patience) -> Option<Vec<Part>> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut before: Option<(usize, Word)> = None;
    for piece in words::pieces(text) {
        let word = words::word(piece.text);
        let end = piece.at + piece.text.len();
        let joined = before.as_ref().map(|(at, before)| (*at, before.joined(&word)));
        if is_found(&word, term, patience) {
            ranges.push((piece.at, end));
        } else if let Some((at, joined)) = joined
            && term.words().iter().any(|wanted| shares_form(wanted, &joined))
        {
            ranges.retain(|(begin, _)| *begin != at);
            ranges.push((at, end));
        }
        before = Some((piece.at, word));
    }
    let first = ranges.first()?.0;
    let (begin, end) = window(text, first);
    let mut parts = Vec::new();
    let mut at = begin;
    for (from, to) in ranges.into_iter().filter(|(from, to)| *from >= begin && *to <= end) {
        push(&mut parts, &text[at..from], false);
        push(&mut parts, &text[from..to], true);
        at = to;
    }
    push(&mut parts, &text[at..end], false);
    Some(parts)
}

fn push(parts: &mut Vec<Part>, text: &str, found: bool) {
    if !text.is_empty() {
        parts.push(Part { text: text.to_owned(), found });
    }
}

/// Where the shown part of `text` begins and ends.
fn window(text: &str, first: usize) -> (usize, usize) {
    let (before, most) = AROUND;
    if text.chars().count() <= most {
        return (0, text.len());
    }
    let begin = text[..first].char_indices().rev().take(before).last().map_or(first, |(at, _)| at);
    // Not in the middle of a word.
    let begin = if begin == 0 { 0 } else { text[begin..first].find(' ').map_or(first, |space| begin + space + 1) };
    let end = text[begin..].char_indices().nth(most).map_or(text.len(), |(at, _)| begin + at);
    (begin, end)
}

fn shares_form(a: &Word, b: &Word) -> bool {
    a.forms().any(|form| b.forms().any(|other| other == form))
}

fn is_found(word: &Word, term: &Term, patience: Patience) -> bool {
    term.words().iter().any(|wanted| {
        let begins = |wanted: &str| words::is_prefix(wanted) && word.forms().any(|form| form.starts_with(wanted));
        shares_form(wanted, word)
            || wanted.forms().any(begins)
            || words::stems(wanted).iter().any(|stem| words::stems(word).contains(stem))
            || (patience != Patience::AsTyped && is_near(wanted, word))
    })
}

fn is_near(wanted: &Word, word: &Word) -> bool {
    let mistakes = usize::from(words::mistakes_forgiven(&wanted.plain));
    mistakes > 0 && strsim::osa_distance(&wanted.plain, &word.plain) <= mistakes
}
