//! Writing: what is newer than what stands takes its place, and is on the disk when that is answered.

use std::collections::BTreeMap;

use booking_core::search::{Change, SeatsLeft};
use tantivy::{
    DocAddress, Index, IndexReader, IndexWriter, Searcher, TantivyDocument, TantivyError, Term,
    collector::DocSetCollector, query::TermQuery, schema::IndexRecordOption,
};

use super::{
    read::whole,
    schema::{Fields, column},
};
use crate::indexed::Row;

/// What is gathered in memory before it is written as a segment, in bytes: tantivy's least.
const MEMORY_BYTES: usize = 15_000_000;

/// Who writes; opened with the first write.
pub(super) struct Writer {
    index: Index,
    fields: Fields,
    open: Option<IndexWriter>,
}

impl Writer {
    pub(super) fn new(index: Index, fields: Fields) -> Self {
        Self { index, fields, open: None }
    }

    /// Forgets what is not written, and lets the folder go once merges that are under way are done.
    pub(super) fn close(&mut self) {
        if let Some(writer) = self.open.take()
            && let Err(error) = writer.wait_merging_threads()
        {
            tracing::debug!(%error, "merging the index ended early");
        }
    }

    /// Applies changes in order, and answers how many were news.
    pub(super) fn apply(&mut self, reader: &IndexReader, changes: &[Change]) -> Result<usize, TantivyError> {
        let searcher = reader.searcher();
        let (mut rows, mut news) = (BTreeMap::new(), 0);
        for change in changes {
            let id = change.event_id.as_str();
            let before = match rows.remove(id) {
                Some(row) => Some(row),
                None => stands(&searcher, &self.fields, id)?,
            };
            let after = Row::after(before.as_ref(), change);
            news += usize::from(after.is_some());
            rows.extend(after.or(before).map(|row| (id, row)));
        }
        if news > 0 {
            self.replace(reader, rows.values())?;
        }
        Ok(news)
    }

    /// Notes how many seats are left, and answers whether some event has none any more, or some again.
    pub(super) fn note_seats(&mut self, reader: &IndexReader, left: &[SeatsLeft]) -> Result<bool, TantivyError> {
        let searcher = reader.searcher();
        let (mut rows, mut turned) = (BTreeMap::new(), false);
        for noted in left {
            let id = noted.event_id.as_str();
            let known = match rows.remove(id) {
                Some(row) => Some(row),
                None => stands(&searcher, &self.fields, id)?,
            };
            let noted = known.as_ref().and_then(|row| row.noted(noted));
            turned |= noted.as_ref().is_some_and(|(_, turned)| *turned);
            rows.extend(noted.map(|(row, _)| row).or(known).map(|row| (id, row)));
        }
        if !rows.is_empty() {
            self.replace(reader, rows.values())?;
        }
        Ok(turned)
    }

    fn replace<'r>(&mut self, reader: &IndexReader, rows: impl Iterator<Item = &'r Row>) -> Result<(), TantivyError> {
        if self.open.is_none() {
            self.open = Some(self.index.writer_with_num_threads(1, MEMORY_BYTES)?);
        }
        let writer = self.open.as_mut().expect("it was opened just now");
        for row in rows {
            writer.delete_term(Term::from_field_text(self.fields.event, &row.event_id));
            writer.add_document(self.fields.written(row))?;
        }
        writer.commit()?;
        reader.reload()
    }
}

/// What stands of an event.
fn stands(searcher: &Searcher, fields: &Fields, id: &str) -> Result<Option<Row>, TantivyError> {
    let wanted = TermQuery::new(Term::from_field_text(fields.event, id), IndexRecordOption::Basic);
    let found = searcher.search(&wanted, &DocSetCollector)?;
    let Some(address) = found.into_iter().next() else { return Ok(None) };
    let number = |name| number(searcher, address, name);
    let written: TantivyDocument = searcher.doc(address)?;
    Ok(Some(Row {
        event_id: id.to_owned(),
        version: number(column::VERSION)?.unwrap_or(0),
        seats: number(column::SEATS_VERSION)?.zip(number(column::SEATS_LEFT)?),
        document: whole(&written, fields)?,
    }))
}

/// A number of a column.
pub(super) fn number(searcher: &Searcher, address: DocAddress, name: &str) -> Result<Option<u64>, TantivyError> {
    let segment = searcher.segment_reader(address.segment_ord);
    Ok(segment.fast_fields().u64(name)?.first(address.doc_id))
}
