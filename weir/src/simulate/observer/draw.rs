//! The draw at the end, verified from public data alone (invariants 3 and 8).

use std::time::Duration;

use booking_core::{
    digest::Digest,
    line::{
        entry::JoinRecord,
        verify::{BatchesCheck, EntriesCheck, Fault, PublicBatch, PublicDraw, RecordsCheck},
    },
    ports::log::{Log as _, Topic},
};

use super::{Books, Stores, answer};

impl Books {
    pub(super) fn check_draw(&mut self, stores: &Stores) {
        if let Err(fault) = self.verify(stores) {
            self.break_rule(8, format!("the draw can't be verified: {fault}"));
        }
        let wrong = self.ranks.iter().find(|(place, rank)| self.line.rank(**place) != Some(**rank));
        if let Some((place, rank)) = wrong {
            let what = format!("{place:?} was shown rank {rank}, a verifier computes {:?}", self.line.rank(*place));
            self.break_rule(8, what);
        }
    }

    fn verify(&self, stores: &Stores) -> Result<(), Fault> {
        let mut records = RecordsCheck::new(self.event.clone());
        for text in &self.line.texts {
            records.add(text)?;
        }
        let Some(draw) = PublicDraw::page(&self.line.real, 0) else { return Ok(()) };
        let mut batches = BatchesCheck::new(&draw, None)?;
        let mut page = Some(draw);
        while let Some(draw) = page {
            batches.page(&draw)?;
            page = draw.next.and_then(|next| PublicDraw::page(&self.line.real, next));
        }
        for head in batches.heads() {
            records.holds(head)?;
        }
        for batch in &self.line.batches {
            records.agrees(batch)?;
            let mut check = EntriesCheck::new(batch, None);
            check.add(&self.entries(stores, batch))?;
            check.finish()?;
        }
        Ok(())
    }

    /// A batch's entries, in index order, as the log has them.
    fn entries(&self, stores: &Stores, batch: &PublicBatch) -> Vec<Digest> {
        let topic = Topic::Line(self.event.clone());
        let mut entries = Vec::new();
        for (lane, (start, end)) in (0..).zip(batch.start.iter().zip(&batch.end)) {
            let count = usize::try_from(end - start).unwrap_or(usize::MAX);
            let read = answer(stores.log.read(&topic, lane, *start, count, Duration::ZERO));
            entries.extend(read.iter().map(|entry| JoinRecord::entry_in(&entry.payload)));
        }
        entries
    }
}
