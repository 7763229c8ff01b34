//! What is looked up for a term, and what it weighs.
//!
//! A search goes as far as it must: first it takes the words as they were typed, or as word forms or beginnings of others;
//! where nothing has all of them, mistakes are forgiven; where still nothing has all of them, most of them do. Weights
//! are constants rather than frequencies, so that what matches alike counts alike, and the date decides.

use super::{Field, Term, words, words::Word};

/// How far a search goes from what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Patience {
    /// All words, as they were typed.
    #[default]
    AsTyped,
    /// All words, with mistakes.
    Forgiving,
    /// Most words, with mistakes.
    MostWords,
}

impl Patience {
    /// Each, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::AsTyped, Self::Forgiving, Self::MostWords];

    pub(super) fn number(self) -> u8 {
        self as u8
    }

    pub(super) fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// What is looked up: an event is found that matches one of `variants`. It weighs what the best of them does, and the
/// whole title's weight besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Ways to read the term.
    pub variants: Vec<Variant>,
    /// The whole term as a title; what it weighs.
    pub whole: (String, u32),
}

/// A way to read the term: so many of its words have to match. It weighs the sum of those that do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its words.
    pub words: Vec<Vec<Alternative>>,
    /// How many of them an event must have, at least 1.
    pub required: usize,
}

/// Something that a word may stand for. A word weighs what the best of its alternatives does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// Where it is looked up.
    pub field: Field,
    /// What.
    pub token: String,
    /// How many letters may be wrong (Damerau and Levenshtein's distance, two letters swapped counting once).
    pub mistakes: u8,
    /// What it weighs.
    pub weight: u32,
}

/// The weight of a title that is exactly what was typed.
const WHOLE: u32 = 60;
/// What two words weigh besides that stand side by side.
const SIDE_BY_SIDE: u32 = 10;
/// The most words of a term that are tried side by side.
const MAX_SIDE_BY_SIDE: usize = 5;

/// What a word weighs as it is, and where letters of it are wrong.
const WORDS: [(Field, u32, u32); 3] = [(Field::Title, 100, 40), (Field::Performers, 90, 36), (Field::Venue, 60, 24)];
/// What a form of a word weighs.
const STEMS: [(Field, u32); 3] = [(Field::Stems, 80), (Field::Category, 50), (Field::Text, 20)];
/// What the beginning of a word weighs.
const PREFIXES: [(Field, u32); 3] =
    [(Field::TitlePrefixes, 50), (Field::PerformerPrefixes, 45), (Field::VenuePrefixes, 30)];

impl Attempt {
    /// What is looked up for `term`. `None` where going so far finds nothing that going less far did not.
    pub fn of(term: &Term, patience: Patience) -> Option<Self> {
        let words = term.words();
        let required = match (patience, words.len()) {
            (Patience::MostWords, 0 | 1) => return None,
            (Patience::MostWords, count @ 2..=3) => count - 1,
            (Patience::MostWords, count) => count - 2,
            (_, count) => count,
        };
        let is_forgiving = patience != Patience::AsTyped;
        let base = words.iter().map(|word| alternatives(word, is_forgiving, 1)).collect();
        let mut variants = vec![Variant { words: base, required }];
        if patience != Patience::MostWords && words.len() <= MAX_SIDE_BY_SIDE {
            for at in 1..words.len() {
                variants.push(side_by_side(words, at, is_forgiving));
            }
        }
        Some(Self { variants, whole: (term.key().to_owned(), WHOLE) })
    }
}

/// The words with the one at `at` and the one before it as one.
fn side_by_side(words: &[Word], at: usize, is_forgiving: bool) -> Variant {
    let mut read = Vec::with_capacity(words.len() - 1);
    for (number, word) in words.iter().enumerate() {
        if number == at {
            let joined = words[at - 1].joined(word);
            read.push(alternatives(&joined, is_forgiving, 2));
        } else if number + 1 != at {
            read.push(alternatives(word, is_forgiving, 1));
        }
    }
    let required = read.len();
    Variant { words: read, required }
}

/// What `word`, which stands for so many words of the term, is looked up as.
fn alternatives(word: &Word, is_forgiving: bool, count: u32) -> Vec<Alternative> {
    let besides = SIDE_BY_SIDE * (count - 1);
    let mut found = Vec::new();
    let mut add = |field, token: &str, mistakes, weight: u32| {
        found.push(Alternative { field, token: token.to_owned(), mistakes, weight: weight * count + besides });
    };
    for form in word.forms() {
        let mistakes = if is_forgiving { words::mistakes_forgiven(form) } else { 0 };
        for (field, exact, forgiven) in WORDS {
            add(field, form, 0, exact);
            if mistakes > 0 {
                add(field, form, mistakes, forgiven);
            }
        }
        if words::is_prefix(form) {
            for (field, weight) in PREFIXES {
                add(field, form, 0, weight);
            }
        }
    }
    // Two words as one are no word of a language.
    if count == 1 {
        for stem in words::stems(word) {
            for (field, weight) in STEMS {
                add(field, &stem, 0, weight);
            }
        }
    }
    found
}
