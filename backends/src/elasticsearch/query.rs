//! What was asked for as a query of the servers', and their answer.

use booking_core::search::{
    Cursor, Document, Facet, Facets, Field, Found, Hit, Place, Query,
    attempt::{Alternative, Attempt, Patience},
};
use serde_json::{Value, json};

/// The most words that a mistake is looked for among.
const MAX_EXPANSIONS: u32 = 64;

/// The search as JSON.
pub(super) fn asked(query: &Query, attempt: Option<&Attempt>) -> Value {
    let mut matching = json!({ "filter": filters(query) });
    let by_date = [json!({ "starts_at": "asc" }), json!({ "event_id": "asc" })];
    let mut sort = Vec::new();
    if let Some(attempt) = attempt {
        let variants: Vec<Value> = attempt
            .variants
            .iter()
            .map(|way| {
                let words: Vec<Value> =
                    way.words.iter().map(|word| best(word.iter().map(looked_up).collect())).collect();
                json!({ "bool": { "should": words, "minimum_should_match": way.required } })
            })
            .collect();
        let (key, weight) = &attempt.whole;
        matching["must"] = json!([best(variants)]);
        matching["should"] = json!([weighing(&json!({ "term": { Field::TitleKey.name(): key } }), *weight)]);
        sort.push(json!({ "_score": "desc" }));
    }
    sort.extend(by_date);
    let terms = |field: &str| json!({ "terms": { "field": field, "size": Facets::MAX, "order": [{ "_count": "desc" }, { "_key": "asc" }] } });
    let mut asked = json!({
        "query": { "bool": matching },
        "sort": sort,
        "size": query.page_size + 1,
        "track_total_hits": true,
        "_source": ["whole", "seats_left"],
        "aggs": { "cities": terms("city"), "categories": terms("category_name") },
    });
    match &query.cursor {
        None => asked["from"] = query.skipped().into(),
        Some(cursor) => {
            let (starts_at, id) = (cursor.starts_at.as_millis(), cursor.event_id.as_str());
            asked["search_after"] =
                if attempt.is_some() { json!([cursor.score, starts_at, id]) } else { json!([starts_at, id]) };
        }
    }
    asked
}

fn best(queries: Vec<Value>) -> Value {
    json!({ "dis_max": { "queries": queries } })
}

fn weighing(query: &Value, weight: u32) -> Value {
    json!({ "constant_score": { "filter": query, "boost": weight } })
}

fn looked_up(alternative: &Alternative) -> Value {
    let Alternative { field, token, mistakes, weight } = alternative;
    let field = field.name();
    let query = match mistakes {
        0 => json!({ "term": { field: token } }),
        mistakes => json!({ "fuzzy": { field: {
            "value": token, "fuzziness": mistakes, "transpositions": true, "max_expansions": MAX_EXPANSIONS,
        } } }),
    };
    weighing(&query, *weight)
}

fn filters(query: &Query) -> Vec<Value> {
    let mut filters = vec![json!({ "term": { "is": "event" } })];
    let mut range =
        |field: &str, bound: &str, value: i64| filters.push(json!({ "range": { field: { bound: value } } }));
    range("starts_at", "gte", query.from.as_millis());
    if let Some(before) = query.before {
        range("starts_at", "lt", before.as_millis());
    }
    if let Some(least) = query.min_price {
        range("most_price", "gte", least);
    }
    if let Some(most) = query.max_price {
        range("least_price", "lte", most);
    }
    match &query.place {
        Some(Place::City(city)) => filters.push(json!({ "term": { Field::CityKey.name(): city } })),
        Some(Place::Near { point, within_km }) => filters.push(json!({ "geo_distance": {
            "distance": format!("{within_km}km"), "point": { "lat": point.lat, "lon": point.long },
        } })),
        None => {}
    }
    if let Some(category) = &query.category {
        filters.push(json!({ "term": { Field::CategoryKey.name(): category } }));
    }
    if let Some(currency) = &query.currency {
        filters.push(json!({ "term": { "currency": currency.to_string() } }));
    }
    if query.available {
        filters.push(json!({ "bool": { "must_not": [{ "range": { "seats_left": { "lte": 0 } } }] } }));
    }
    filters
}

/// What an answer says, or what is odd about it.
pub(super) fn found(query: &Query, patience: Patience, answer: &Value) -> Result<Found, String> {
    let total = answer["hits"]["total"]["value"].as_u64().ok_or("an answer without a total")?;
    let listed = answer["hits"]["hits"].as_array().ok_or("an answer without hits")?;
    let mut hits = listed.iter().map(hit).collect::<Result<Vec<Hit>, String>>()?;
    let has_more = hits.len() > query.page_size;
    hits.truncate(query.page_size);
    let next = hits.last().filter(|_| has_more).map(|last| Cursor {
        patience,
        score: last.score,
        starts_at: last.document.starts_at,
        event_id: last.document.event_id.clone(),
    });
    let facets = Facets {
        cities: facet(&answer["aggregations"]["cities"]),
        categories: facet(&answer["aggregations"]["categories"]),
    };
    Ok(Found { total, hits, facets, next, patience })
}

fn hit(hit: &Value) -> Result<Hit, String> {
    let document: Document =
        serde_json::from_value(hit["_source"]["whole"].clone()).map_err(|error| format!("an event: {error}"))?;
    let score = hit["_score"].as_f64().unwrap_or(0.0);
    // Weights are whole numbers far below what a float holds exactly.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and not negative")]
    let score = score.round() as u32;
    Ok(Hit { document, seats_left: hit["_source"]["seats_left"].as_u64(), score })
}

fn facet(answer: &Value) -> Vec<Facet> {
    let buckets = answer["buckets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let facet =
        |bucket: &Value| Some(Facet { name: bucket["key"].as_str()?.to_owned(), count: bucket["doc_count"].as_u64()? });
    buckets.iter().filter_map(facet).collect()
}
