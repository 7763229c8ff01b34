//! The list of events, with its search: what was asked for stands in the address, so that it can be shared.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use booking_core::search::Query;
use form_urlencoded::Serializer;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{contexts::accept_language, language, page};
use crate::{app::App, browse::search, pages::Page, problem::Answer, request};

/// The names and values of an address.
type Pairs = Vec<(String, String)>;

/// `/`
pub(crate) async fn browse(
    State(app): State<Arc<App>>,
    request::Query(pairs): request::Query<Pairs>,
    headers: HeaderMap,
) -> Answer<Response> {
    let lang = language(&app, accept_language(&headers));
    // Links that are shared collect names of others.
    let asked: Pairs =
        pairs.into_iter().filter(|(name, value)| Query::knows(name) && !value.trim().is_empty()).collect();
    let mut context = json!({ "search": fields(&asked), "serverTime": app.parts.clock.now(), "lang": lang });
    let query = match search::read(&app, &asked) {
        Ok(query) => query,
        Err(problem) => {
            context["problem"] = json!(problem.detail());
            let mut response = page(&app, Page::Browse, lang, &context)?;
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return Ok(response);
        }
    };
    let answer = search::answer(&app, &query).await?;
    let pages = answer.pagination.total_pages;
    let at = |page: usize| address(&asked, "page", Some(&page.to_string()));
    // Deeper pages than these can't be asked for by their number.
    let has_next = (query.page as u64) < pages && (query.page + 1) * query.page_size <= booking_core::search::MAX_DEPTH;
    context["previous"] = json!((query.page > 1).then(|| at(query.page - 1)));
    context["next"] = json!(has_next.then(|| at(query.page + 1)));
    context["categories"] = facets(&asked, "category", &answer.facets.categories);
    context["cities"] = facets(&asked, "location", &answer.facets.cities);
    context["isFiltered"] = json!(!query.is_anything());
    let found = serde_json::to_value(answer).unwrap_or(Value::Null);
    for name in ["events", "pagination", "degraded"] {
        context[name] = found[name].clone();
    }
    page(&app, Page::Browse, lang, &context)
}

/// What the form shows.
fn fields(asked: &Pairs) -> Value {
    asked.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

/// Each of `facets` with the address that asks for it, or, where it is asked for, no longer does.
fn facets(asked: &Pairs, name: &str, facets: &[booking_core::search::Facet]) -> Value {
    let is_asked = |value: &str| asked.iter().any(|(known, given)| known == name && given == value);
    let facet = |facet: &booking_core::search::Facet| {
        let is_on = is_asked(&facet.name);
        let wanted = (!is_on).then_some(facet.name.as_str());
        json!({ "name": facet.name, "count": facet.count, "isOn": is_on, "address": address(asked, name, wanted) })
    };
    facets.iter().map(facet).collect()
}

/// The address of `asked` with another value of `name`, or without it. It begins at the first page, unless that is
/// what is changed.
fn address(asked: &Pairs, name: &str, value: Option<&str>) -> String {
    let kept = asked.iter().filter(|(known, _)| known != name && known != "page" && known != "cursor");
    let mut query = Serializer::new(String::new());
    query.extend_pairs(kept);
    if let Some(value) = value {
        query.append_pair(name, value);
    }
    format!("/?{}", query.finish())
}
