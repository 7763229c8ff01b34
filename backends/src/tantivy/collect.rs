//! Going through everything that has the tokens: filters, counts, facets, and the best so far.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap},
};

use booking_core::{
    catalog::Point,
    id::EventId,
    search::{Cursor, Facet, Facets, Place, Query, attempt::Patience, distance_km},
    time::Timestamp,
};
use tantivy::{
    DocAddress, DocId, Score, SegmentOrdinal, SegmentReader, TantivyError,
    collector::{Collector, SegmentCollector},
    columnar::{Column, StrColumn},
};

use super::schema::column;

/// An event that was found, by what events are sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) score: u32,
    pub(super) starts_at: i64,
    pub(super) event_id: String,
    pub(super) address: DocAddress,
}

impl Candidate {
    /// The event as the one before a page.
    pub(super) fn cursor(&self, patience: Patience) -> Option<Cursor> {
        let event_id: EventId = self.event_id.parse().ok()?;
        Some(Cursor { patience, score: self.score, starts_at: Timestamp::from_millis(self.starts_at), event_id })
    }
}

/// The worst is the greatest, so that it is at the top of a heap.
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        order((self.score, self.starts_at, &self.event_id), (other.score, other.starts_at, &other.event_id))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What comes first: more weight, then the earlier beginning, then the id.
fn order(a: (u32, i64, &str), b: (u32, i64, &str)) -> Ordering {
    b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(b.2))
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) total: u64,
    /// The best, in order; those before the page, too.
    pub(super) best: Vec<Candidate>,
    pub(super) facets: Facets,
    /// Whether there are more behind them.
    pub(super) has_more: bool,
}

/// What is looked at one by one.
#[derive(Debug, Clone)]
pub(super) struct Matching {
    from: i64,
    before: Option<i64>,
    near: Option<(Point, f64)>,
    min_price: Option<i64>,
    max_price: Option<i64>,
    currency: Option<String>,
    available: bool,
    cursor: Option<(u32, i64, String)>,
    /// How many are kept: those before the page, the page, and one more to see whether there is one.
    keep: usize,
    weighs: bool,
}

impl Matching {
    pub(super) fn of(query: &Query, weighs: bool) -> Self {
        let near = match query.place {
            Some(Place::Near { point, within_km }) => Some((point, f64::from(within_km))),
            _ => None,
        };
        let cursor = query.cursor.as_ref();
        Self {
            from: query.from.as_millis(),
            before: query.before.map(Timestamp::as_millis),
            near,
            min_price: query.min_price,
            max_price: query.max_price,
            currency: query.currency.map(|currency| currency.to_string()),
            available: query.available,
            cursor: cursor.map(|at| (at.score, at.starts_at.as_millis(), at.event_id.to_string())),
            keep: query.skipped() + query.page_size + 1,
            weighs,
        }
    }
}

impl Collector for Matching {
    type Fruit = Collected;
    type Child = OfSegment;

    fn for_segment(&self, segment: SegmentOrdinal, reader: &SegmentReader) -> Result<OfSegment, TantivyError> {
        let columns = reader.fast_fields();
        Ok(OfSegment {
            segment,
            wanted: self.clone(),
            starts_at: columns.i64(column::STARTS_AT)?,
            lat: columns.f64(column::LAT)?,
            long: columns.f64(column::LONG)?,
            least_price: columns.i64(column::LEAST_PRICE)?,
            most_price: columns.i64(column::MOST_PRICE)?,
            seats_left: columns.u64(column::SEATS_LEFT)?,
            event: columns.str(column::EVENT)?,
            currency: columns.str(column::CURRENCY)?,
            city: columns.str(column::CITY)?,
            category: columns.str(column::CATEGORY)?,
            cities: Vec::new(),
            categories: Vec::new(),
            total: 0,
            best: BinaryHeap::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        self.weighs
    }

    fn merge_fruits(&self, segments: Vec<Fruit>) -> Result<Collected, TantivyError> {
        let (mut total, mut best) = (0, Vec::new());
        let (mut cities, mut categories) = (HashMap::new(), HashMap::new());
        for segment in segments {
            total += segment.total;
            best.extend(segment.best);
            for (name, count) in segment.cities {
                *cities.entry(name).or_default() += count;
            }
            for (name, count) in segment.categories {
                *categories.entry(name).or_default() += count;
            }
        }
        best.sort_unstable();
        let has_more = best.len() >= self.keep;
        best.truncate(self.keep - 1);
        let facets = Facets { cities: most(cities), categories: most(categories) };
        Ok(Collected { total, best, facets, has_more })
    }
}

fn most(counts: HashMap<String, u64>) -> Vec<Facet> {
    let mut facets: Vec<Facet> = counts.into_iter().map(|(name, count)| Facet { name, count }).collect();
    facets.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    facets.truncate(Facets::MAX);
    facets
}

/// What came of a segment.
pub(super) struct Fruit {
    total: u64,
    best: Vec<Candidate>,
    cities: Vec<(String, u64)>,
    categories: Vec<(String, u64)>,
}

/// Goes through a segment.
pub(super) struct OfSegment {
    segment: SegmentOrdinal,
    wanted: Matching,
    starts_at: Column<i64>,
    lat: Column<f64>,
    long: Column<f64>,
    least_price: Column<i64>,
    most_price: Column<i64>,
    seats_left: Column<u64>,
    event: Option<StrColumn>,
    currency: Option<StrColumn>,
    city: Option<StrColumn>,
    category: Option<StrColumn>,
    /// How many there are of each city, by the number that the segment knows it by.
    cities: Vec<u64>,
    categories: Vec<u64>,
    total: u64,
    best: BinaryHeap<Candidate>,
}

impl OfSegment {
    fn is_wanted(&self, doc: DocId, starts_at: i64) -> bool {
        let wanted = &self.wanted;
        let costs = |column: &Column<i64>, is_so: &dyn Fn(i64) -> bool| column.first(doc).is_some_and(is_so);
        starts_at >= wanted.from
            && wanted.before.is_none_or(|before| starts_at < before)
            && wanted.min_price.is_none_or(|least| costs(&self.most_price, &|price| price >= least))
            && wanted.max_price.is_none_or(|most| costs(&self.least_price, &|price| price <= most))
            && (!wanted.available || self.seats_left.first(doc).is_none_or(|left| left > 0))
            && wanted.currency.as_ref().is_none_or(|currency| text(self.currency.as_ref(), doc) == *currency)
            && wanted.near.is_none_or(|(point, km)| self.point(doc).is_some_and(|at| distance_km(point, at) <= km))
    }

    fn point(&self, doc: DocId) -> Option<Point> {
        let (lat, long) = self.lat.first(doc).zip(self.long.first(doc))?;
        Some(Point { lat, long })
    }

    /// Keeps the event if it is among the best so far, and behind the cursor.
    fn offer(&mut self, doc: DocId, score: u32, starts_at: i64) {
        let is_full = self.best.len() >= self.wanted.keep;
        if let Some(worst) = self.best.peek()
            && is_full
            && (score < worst.score || score == worst.score && starts_at > worst.starts_at)
        {
            return;
        }
        if let Some((least, first, _)) = &self.wanted.cursor
            && (score > *least || score == *least && starts_at < *first)
        {
            return;
        }
        let event_id = text(self.event.as_ref(), doc);
        if let Some((least, first, id)) = &self.wanted.cursor
            && order((score, starts_at, &event_id), (*least, *first, id)) != Ordering::Greater
        {
            return;
        }
        let address = DocAddress::new(self.segment, doc);
        self.best.push(Candidate { score, starts_at, event_id, address });
        if is_full {
            self.best.pop();
        }
    }
}

/// What a column of texts has of `doc`; empty where it has nothing.
fn text(column: Option<&StrColumn>, doc: DocId) -> String {
    let mut text = String::new();
    if let Some(column) = column
        && let Some(number) = column.ords().first(doc)
        && let Err(error) = column.ord_to_str(number, &mut text)
    {
        tracing::error!(%error, "a column of the index can't be read");
    }
    text
}

/// Counts what a column of texts has of `doc`.
fn count(column: Option<&StrColumn>, counts: &mut Vec<u64>, doc: DocId) {
    let Some(column) = column else { return };
    if let Some(number) = column.ords().first(doc)
        && let Ok(at) = usize::try_from(number)
    {
        if counts.is_empty() {
            counts.resize(column.num_terms(), 0);
        }
        if let Some(count) = counts.get_mut(at) {
            *count += 1;
        }
    }
}

/// Counts of a column's texts, by what they say.
fn named(column: Option<&StrColumn>, counts: Vec<u64>) -> Vec<(String, u64)> {
    let Some(column) = column else { return Vec::new() };
    let name = |(number, count)| {
        let mut name = String::new();
        column.ord_to_str(number, &mut name).ok().map(|_| (name, count))
    };
    (0..).zip(counts).filter(|(_, count)| *count > 0).filter_map(name).collect()
}

impl SegmentCollector for OfSegment {
    type Fruit = Fruit;

    fn collect(&mut self, doc: DocId, score: Score) {
        let Some(starts_at) = self.starts_at.first(doc) else { return };
        if !self.is_wanted(doc, starts_at) {
            return;
        }
        self.total += 1;
        for (column, counts) in [(&self.city, &mut self.cities), (&self.category, &mut self.categories)] {
            count(column.as_ref(), counts, doc);
        }
        // Weights are whole numbers far below what a float holds exactly.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and not negative")]
        let score = if self.wanted.weighs { score.round() as u32 } else { 0 };
        self.offer(doc, score, starts_at);
    }

    fn harvest(self) -> Fruit {
        Fruit {
            total: self.total,
            best: self.best.into_vec(),
            cities: named(self.city.as_ref(), self.cities),
            categories: named(self.category.as_ref(), self.categories),
        }
    }
}
