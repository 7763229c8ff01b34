//! Searching: what was asked for as a query of tantivy's, gone through once.

use booking_core::{
    search::{
        Document, Field, Found, Hit, Place, Query, SUGGESTED_FROM, Suggestion, Term,
        attempt::{Alternative, Attempt, Patience, Variant},
        suggestions,
    },
    time::Timestamp,
};
use tantivy::{
    Searcher, TantivyDocument, TantivyError, Term as Token,
    query::{BooleanQuery, ConstScoreQuery, DisjunctionMaxQuery, FuzzyTermQuery, Occur, Query as Asked, TermQuery},
    schema::{IndexRecordOption, Value as _},
};

use super::{
    collect::{Collected, Matching},
    schema::{self, Fields, column},
    write::number,
};

/// Searches, as far from what was typed as it must go.
pub(super) fn search(searcher: &Searcher, fields: &Fields, query: &Query) -> Result<Found, TantivyError> {
    let mut found = Found::default();
    for patience in Patience::ALL {
        // A page behind a cursor is of the search that the cursor is of.
        if query.cursor.as_ref().is_some_and(|cursor| cursor.patience != patience) {
            continue;
        }
        let attempt = match &query.term {
            None if patience == Patience::AsTyped => None,
            None => continue,
            Some(term) => match Attempt::of(term, patience) {
                Some(attempt) => Some(attempt),
                None => continue,
            },
        };
        let asked = asked(fields, query, attempt.as_ref());
        let collected = searcher.search(&*asked, &Matching::of(query, attempt.is_some()))?;
        found = answer(searcher, fields, query, patience, collected)?;
        if found.total > 0 {
            break;
        }
    }
    Ok(found)
}

/// Suggestions for `term`, from the first events that it finds.
pub(super) fn suggest(
    searcher: &Searcher,
    fields: &Fields,
    term: &Term,
    from: Timestamp,
) -> Result<Vec<Suggestion>, TantivyError> {
    let query = Query { term: Some(term.clone()), from, page_size: SUGGESTED_FROM, ..Query::all(from) };
    let Some(attempt) = Attempt::of(term, Patience::AsTyped) else { return Ok(Vec::new()) };
    let asked = asked(fields, &query, Some(&attempt));
    let collected = searcher.search(&*asked, &Matching::of(&query, true))?;
    let found = answer(searcher, fields, &query, Patience::AsTyped, collected)?;
    Ok(suggestions(term, found.hits.iter().map(|hit| &hit.document)))
}

fn answer(
    searcher: &Searcher,
    fields: &Fields,
    query: &Query,
    patience: Patience,
    collected: Collected,
) -> Result<Found, TantivyError> {
    let Collected { total, best, facets, has_more } = collected;
    let mut hits = Vec::new();
    let mut last = None;
    for candidate in best.into_iter().skip(query.skipped()) {
        let written: TantivyDocument = searcher.doc(candidate.address)?;
        // Each has a document: what is gone has nothing that it could be found by.
        let Some(document) = whole(&written, fields)? else { continue };
        let seats_left = number(searcher, candidate.address, column::SEATS_LEFT)?;
        hits.push(Hit { document, seats_left, score: candidate.score });
        last = Some(candidate.cursor(patience));
    }
    let next = last.flatten().filter(|_| has_more);
    Ok(Found { total, hits, facets, next, patience })
}

/// The event that stands as JSON in `written`; `None`: it is gone.
pub(super) fn whole(written: &TantivyDocument, fields: &Fields) -> Result<Option<Document>, TantivyError> {
    let text = written.get_first(fields.whole).and_then(|value| value.as_str());
    Ok(text.map(serde_json::from_str).transpose()?)
}

fn token(fields: &Fields, field: Field, token: &str) -> Box<dyn Asked> {
    Box::new(TermQuery::new(Token::from_field_text(fields.tokens(field), token), IndexRecordOption::Basic))
}

fn weighing(asked: Box<dyn Asked>, weight: u32) -> Box<dyn Asked> {
    Box::new(ConstScoreQuery::new(asked, weight as f32))
}

/// Everything that has a token; the rest is looked at one by one.
fn asked(fields: &Fields, query: &Query, attempt: Option<&Attempt>) -> Box<dyn Asked> {
    let is = TermQuery::new(Token::from_field_text(fields.is, schema::IS), IndexRecordOption::Basic);
    let mut clauses = vec![(Occur::Must, weighing(Box::new(is), 0))];
    if let Some(attempt) = attempt {
        let variants = attempt.variants.iter().map(|way| variant(fields, way)).collect();
        clauses.push((Occur::Must, Box::new(DisjunctionMaxQuery::new(variants))));
        let (key, weight) = &attempt.whole;
        clauses.push((Occur::Should, weighing(token(fields, Field::TitleKey, key), *weight)));
    }
    if let Some(Place::City(city)) = &query.place {
        clauses.push((Occur::Must, weighing(token(fields, Field::CityKey, city), 0)));
    }
    if let Some(category) = &query.category {
        clauses.push((Occur::Must, weighing(token(fields, Field::CategoryKey, category), 0)));
    }
    Box::new(BooleanQuery::new(clauses))
}

fn variant(fields: &Fields, variant: &Variant) -> Box<dyn Asked> {
    let words = variant.words.iter().map(|word| {
        let alternatives = word.iter().map(|alternative| looked_up(fields, alternative)).collect();
        let best: Box<dyn Asked> = Box::new(DisjunctionMaxQuery::new(alternatives));
        (Occur::Should, best)
    });
    Box::new(BooleanQuery::with_minimum_required_clauses(words.collect(), variant.required))
}

fn looked_up(fields: &Fields, alternative: &Alternative) -> Box<dyn Asked> {
    let Alternative { field, token: text, mistakes, weight } = alternative;
    let asked = match mistakes {
        0 => token(fields, *field, text),
        mistakes => {
            let token = Token::from_field_text(fields.tokens(*field), text);
            Box::new(FuzzyTermQuery::new(token, *mistakes, true))
        }
    };
    weighing(asked, *weight)
}
