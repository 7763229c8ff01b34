//! Taking text apart into words that are compared: in lower case, without accents, in the forms that people type.

use std::collections::BTreeSet;

use frostem::{Algorithm, Stemmer};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// The longest word, in characters; what is longer is cut.
const MAX_WORD_CHARS: usize = 40;
/// The most parts that a word such as `AC/DC` or `rock-'n'-roll` is joined of.
const MAX_JOINED: usize = 4;
/// The shortest and the longest beginning of a word that finds it, in characters.
const PREFIX_CHARS: std::ops::RangeInclusive<usize> = 1..=15;

/// Words that say too little to be asked for, in the two languages.
const NOISE: &[&str] = &[
    "a", "an", "and", "at", "by", "for", "in", "of", "on", "or", "the", "to", "with", "am", "auf", "bei", "das", "dem",
    "den", "der", "des", "die", "ein", "eine", "einem", "einen", "einer", "fur", "im", "mit", "oder", "und", "von",
    "zu", "zum", "zur",
];

/// A word, as it is typed in other places: `ü` as `u` and as `ue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Without accents.
    pub(super) plain: String,
    /// With what stands for an accent in some languages, where that is something else.
    pub(super) spelt: Option<String>,
}

impl Word {
    /// Its forms, the plain one first.
    pub(super) fn forms(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.plain.as_str()).chain(self.spelt.as_deref())
    }

    /// Both words as one.
    pub(super) fn joined(&self, next: &Self) -> Self {
        let joined = |of: &str, with: &str| cut(&format!("{of}{with}"));
        let spelt = |word: &Self| word.spelt.clone().unwrap_or_else(|| word.plain.clone());
        let is_spelt = self.spelt.is_some() || next.spelt.is_some();
        Self { plain: joined(&self.plain, &next.plain), spelt: is_spelt.then(|| joined(&spelt(self), &spelt(next))) }
    }

    /// Whether it says too little to be asked for.
    pub(super) fn is_noise(&self) -> bool {
        NOISE.contains(&self.plain.as_str())
    }
}

fn cut(word: &str) -> String {
    word.chars().take(MAX_WORD_CHARS).collect()
}

/// A word of a text, with where it stands.
pub(super) struct Found<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

/// The pieces of `text` between spaces and marks, as they are written.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Found<'_>> {
    let of_word = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    let mut rest = 0;
    std::iter::from_fn(move || {
        let begin = rest + text[rest..].find(of_word)?;
        let end = text[begin..].find(|c| !of_word(c)).map_or(text.len(), |length| begin + length);
        rest = end;
        Some(Found { text: &text[begin..end], at: begin })
    })
}

/// One word as it is compared.
pub(super) fn word(piece: &str) -> Word {
    let (mut plain, mut spelt, mut differs) = (String::new(), String::new(), false);
    // Composed first, so that a letter and its accent are one.
    for c in piece.nfc().flat_map(char::to_lowercase) {
        let (short, long) = match c {
            'ä' => ("a", "ae"),
            'ö' | 'ø' => ("o", "oe"),
            'ü' => ("u", "ue"),
            'å' => ("a", "aa"),
            'ß' => ("ss", "ss"),
            'æ' => ("ae", "ae"),
            'œ' => ("oe", "oe"),
            'ł' => ("l", "l"),
            'đ' | 'ð' => ("d", "d"),
            'þ' => ("th", "th"),
            'ı' => ("i", "i"),
            other => {
                // The accents of Latin, Greek and Cyrillic letters; marks of other scripts belong to their words.
                let folded = || std::iter::once(other).nfkd().filter(|mark| !('\u{300}'..='\u{36f}').contains(mark));
                plain.extend(folded());
                spelt.extend(folded());
                continue;
            }
        };
        differs |= short != long;
        plain.push_str(short);
        spelt.push_str(long);
    }
    Word { plain: cut(&plain), spelt: differs.then(|| cut(&spelt)) }
}

/// The words of `text`, in order.
pub(super) fn words(text: &str) -> Vec<Word> {
    pieces(text).map(|piece| word(piece.text)).filter(|word| !word.plain.is_empty()).collect()
}

/// What `text` is found by: its words, words that are written in parts as one (`Spider-Man`), and each two that follow
/// each other as one, noise left out in between.
pub(super) fn with_joined(text: &str) -> Vec<Word> {
    let mut all = words(text);
    let telling: Vec<Word> = all.iter().filter(|word| !word.is_noise()).cloned().collect();
    for pair in [&all.clone()[..], &telling].iter().flat_map(|words| words.windows(2)) {
        all.push(pair[0].joined(&pair[1]));
    }
    for written in text.split_whitespace() {
        let parts = words(written);
        if (3..=MAX_JOINED).contains(&parts.len()) {
            let joined = parts[1..].iter().fold(parts[0].clone(), |joined, part| joined.joined(part));
            all.push(joined);
        }
    }
    all
}

/// Every form of each of `words`.
pub(super) fn forms(words: &[Word]) -> impl Iterator<Item = String> {
    words.iter().flat_map(Word::forms).map(str::to_owned)
}

/// The stems of `word` in the two languages: what its forms have in common.
pub(super) fn stems(word: &Word) -> Vec<String> {
    let mut stems: Vec<String> = Vec::with_capacity(2);
    for language in [Algorithm::English, Algorithm::German] {
        let stem = Stemmer::new(language).stem(&word.plain).into_owned();
        if !stem.is_empty() && !stems.contains(&stem) {
            stems.push(stem);
        }
    }
    stems
}

/// The beginnings of `word` that find it, without itself.
pub(super) fn prefixes(word: &str) -> impl Iterator<Item = String> {
    let length = word.chars().count();
    PREFIX_CHARS.filter(move |chars| *chars < length).map(|chars| word.chars().take(chars).collect())
}

/// Whether `word` is long enough to be the beginning of another, and not too long.
pub(super) fn is_prefix(word: &str) -> bool {
    PREFIX_CHARS.contains(&word.chars().count())
}

/// How many letters of `word` may be wrong: none of a short one, two of a long one.
pub(super) fn mistakes_forgiven(word: &str) -> u8 {
    match word.chars().count() {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    }
}

/// The words of `text` as one line, which is the same for two texts that differ in accents, case and marks only.
pub(super) fn key(text: &str) -> String {
    let words: Vec<String> = words(text).into_iter().map(|word| word.plain).collect();
    words.join(" ")
}

/// The lines that `text` is known by: as [`key`], and with what stands for accents in some languages.
pub(super) fn spellings(text: &str) -> BTreeSet<String> {
    let words = words(text);
    let line = |form: fn(&Word) -> &str| words.iter().map(form).collect::<Vec<_>>().join(" ");
    let plain = line(|word| &word.plain);
    let spelt = line(|word| word.spelt.as_deref().unwrap_or(&word.plain));
    BTreeSet::from([plain, spelt])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.plain).collect()
    }

    #[test]
    fn case_accents_and_marks_make_no_difference() {
        assert_eq!(plain("Beyoncé: LIVE!"), ["beyonce", "live"]);
        assert_eq!(plain("Sigur Rós"), plain("sigur ro\u{301}s"));
        assert_eq!(plain("ＦＵＬＬ width ﬁ"), ["full", "width", "fi"]);
        assert_eq!(plain(" -- "), [""; 0]);
    }

    #[test]
    fn an_umlaut_is_found_by_both_spellings() {
        let munich = word("München");
        assert_eq!((munich.plain.as_str(), munich.spelt.as_deref()), ("munchen", Some("muenchen")));
        assert_eq!(word("Straße"), Word { plain: "strasse".into(), spelt: None });
        assert_eq!(word("Łódź").plain, "lodz");
    }

    #[test]
    fn words_of_parts_are_also_one_word() {
        let found: Vec<String> = forms(&with_joined("Spider-Man")).collect();
        assert_eq!(found, ["spider", "man", "spiderman", "spiderman"]);
        assert!(forms(&with_joined("P!nk")).any(|form| form == "pnk"));
        assert!(forms(&with_joined("Phantom of the Opera")).any(|form| form == "phantomopera"));
        assert!(forms(&with_joined("Rock 'n' Roll-in-Rio")).any(|form| form == "rollinrio"));
    }

    #[test]
    fn word_forms_of_both_languages_share_a_stem() {
        let share = |a: &str, b: &str| stems(&word(a)).iter().any(|stem| stems(&word(b)).contains(stem));
        assert!(share("dances", "dancing"));
        assert!(share("Konzerte", "Konzert"));
        assert!(!share("dance", "opera"));
    }

    #[test]
    fn nothing_that_is_typed_grows_without_end() {
        let long = word(&"ü".repeat(10_000));
        assert_eq!(long.plain.chars().count(), MAX_WORD_CHARS);
        assert_eq!(long.spelt.unwrap().chars().count(), MAX_WORD_CHARS);
        assert_eq!(prefixes(&long.plain).count(), 15);
    }
}
