//! `weir verify-draw`: checks a draw from its public record alone, over HTTP or from a saved file.
//!
//! Page by page, so that a million entries are checked in the memory of one page; what is kept is the batches.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use booking_core::{
    digest::Digest,
    line::{
        record::{StateKind, StateRecord},
        shuffle::Shuffle,
        verify::{BatchesCheck, EntriesCheck, Fault, PublicBatch, PublicDraw, RecordsCheck},
    },
};
use tokio_util::sync::CancellationToken;

use crate::{api::ApiError, cli::VerifyDrawArgs, failure::Failure, output::say};

mod record;
mod saved;

pub(crate) use record::PublicRecord;
use saved::Saving;

/// Why a draw is not verified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unverified {
    /// Something public does not hold.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The public record can't be had.
    #[error(transparent)]
    Unreachable(#[from] ApiError),
    /// The saved file can't be read, or is none.
    #[error("{}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    /// The address names no event.
    #[error(
        "'{0}' is no address of an event; write one such as http://127.0.0.1:8080/v1/events/evt_…, or a saved file"
    )]
    Address(String),
}

/// Where an entry stands by the verifier's own computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) batch: u32,
    pub(crate) index: u64,
    pub(crate) rank: u64,
}

/// What was verified.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) batches: u32,
    pub(crate) places: u64,
    pub(crate) records: u64,
    /// The entries looked out for that are in the draw.
    pub(crate) found: HashMap<Digest, Found>,
    /// The highest rate a minute, and the highest cap, that the records ever set.
    pub(crate) highest_rate: u32,
    pub(crate) highest_cap: u32,
}

/// Runs the command.
///
/// # Errors
/// [`Failure::Check`] if the draw does not hold; otherwise why it could not be checked.
pub(crate) async fn run(args: VerifyDrawArgs, stop: CancellationToken) -> Result<(), Failure> {
    let wanted: HashSet<Digest> = args.entry.iter().copied().collect();
    let mut report = |batch: &PublicBatch| say(batch_line(batch));
    let verdict = async {
        let record = PublicRecord::open(&args.from)?;
        let mut saving = args.save.map(|path| Saving::begin(path, record.event())).transpose()?;
        let verified = verify(&record, args.commitment, &wanted, saving.as_mut(), &mut report).await?;
        saving.map_or(Ok(()), Saving::finish)?;
        Ok::<_, Unverified>(verified)
    };
    let verdict = tokio::select! {
        verdict = verdict => verdict,
        () = stop.cancelled() => return Err(anyhow::anyhow!("stopped before everything was checked").into()),
    };
    match verdict {
        Ok(verified) => {
            for entry in &args.entry {
                say(entry_line(entry, verified.found.get(entry)));
            }
            say(format_args!(
                "the draw holds: {} batches, {} places, {} records",
                verified.batches, verified.places, verified.records
            ));
            Ok(())
        }
        Err(Unverified::Fault(fault)) => {
            say(format_args!("THE DRAW DOES NOT HOLD: {fault}"));
            Err(Failure::Check)
        }
        Err(other) => Err(Failure::Other(other.into())),
    }
}

fn batch_line(batch: &PublicBatch) -> String {
    let PublicBatch { index, size, before, root, closed_at, .. } = batch;
    let ranks = if *size == 0 { "no places".to_owned() } else { format!("ranks {before} to {}", before + size - 1) };
    format!("batch {index}: {ranks}, closed {closed_at}, root {root}: holds")
}

fn entry_line(entry: &Digest, found: Option<&Found>) -> String {
    match found {
        Some(Found { batch, index, rank }) => {
            format!("entry {entry}: batch {batch}, index {index}, rank {rank}")
        }
        None => format!("entry {entry}: not in the draw (yet)"),
    }
}

/// Checks everything that is public of a draw: batches against the commitment and each other, records against their
/// chain and the batches, entries against their roots. `noted` is the commitment somebody wrote down before the sale;
/// each batch that holds is reported.
///
/// # Errors
/// The first thing that does not hold, or can't be had.
pub(crate) async fn verify(
    record: &PublicRecord,
    noted: Option<Digest>,
    wanted: &HashSet<Digest>,
    mut saving: Option<&mut Saving>,
    report: &mut (dyn FnMut(&PublicBatch) + Send),
) -> Result<Verified, Unverified> {
    let (draw, batches, checked) = check_batches(record, noted, saving.as_deref_mut()).await?;
    let mut verified = Verified {
        batches: checked.batches(),
        places: checked.places(),
        records: 0,
        found: HashMap::new(),
        highest_rate: 0,
        highest_cap: 0,
    };
    let records = check_records(record, &mut verified, saving.as_deref_mut()).await?;
    records.agrees_with(&draw)?;
    for head in checked.heads() {
        records.holds(head)?;
    }
    for batch in &batches {
        records.agrees(batch)?;
        check_entries(record, batch, wanted, &mut verified.found, saving.as_deref_mut()).await?;
        report(batch);
    }
    Ok(verified)
}

async fn check_batches(
    record: &PublicRecord,
    noted: Option<Digest>,
    mut saving: Option<&mut Saving>,
) -> Result<(PublicDraw, Vec<PublicBatch>, BatchesCheck), Unverified> {
    let first = record.draw(0).await?;
    let mut check = BatchesCheck::new(&first, noted)?;
    let mut batches = Vec::new();
    let mut page = first.clone();
    loop {
        check.page(&page)?;
        if let Some(saving) = saving.as_deref_mut() {
            saving.draw(&page)?;
        }
        batches.append(&mut page.batches);
        // A page's check demands that its batches follow, so this ends with the chain at the latest.
        match page.next {
            Some(next) if next == check.batches() => page = record.draw(next).await?,
            Some(next) => {
                let why = "the draw's pages do not follow one another".to_owned();
                return Err(Fault::Batch { batch: next, why }.into());
            }
            None => return Ok((first, batches, check)),
        }
    }
}

async fn check_records(
    record: &PublicRecord,
    verified: &mut Verified,
    mut saving: Option<&mut Saving>,
) -> Result<RecordsCheck, Unverified> {
    let mut check = RecordsCheck::new(record.event().clone());
    loop {
        let page = record.records(verified.records).await?;
        for text in &page.records {
            check.add(text.get().as_bytes())?;
            verified.records += 1;
            steered(text.get(), verified);
        }
        if let Some(saving) = saving.as_deref_mut() {
            saving.records(&page.records)?;
        }
        if page.next.is_none() || page.records.is_empty() {
            return Ok(check);
        }
    }
}

fn steered(text: &str, verified: &mut Verified) {
    let (rate, cap) = match StateRecord::parse(text.as_bytes()).map(|record| record.kind) {
        Ok(StateKind::Opened { policy, .. } | StateKind::PolicyChanged { policy }) => {
            (policy.rate_per_minute, policy.max_active)
        }
        Ok(StateKind::RateSet { rate_per_minute }) => (rate_per_minute, 0),
        Ok(StateKind::CapSet { max_active }) => (0, max_active),
        _ => return,
    };
    verified.highest_rate = verified.highest_rate.max(rate);
    verified.highest_cap = verified.highest_cap.max(cap);
}

async fn check_entries(
    record: &PublicRecord,
    batch: &PublicBatch,
    wanted: &HashSet<Digest>,
    found: &mut HashMap<Digest, Found>,
    mut saving: Option<&mut Saving>,
) -> Result<(), Unverified> {
    let mut check = EntriesCheck::new(batch, None);
    let shuffle = (batch.size > 0).then(|| Shuffle::new(&batch.seed, batch.size));
    let mut index = 0;
    while index < batch.size {
        let page = record.entries(batch.index, index).await?;
        check.add(&page.entries)?;
        if let Some(saving) = saving.as_deref_mut() {
            saving.entries(batch.index, index, &page.entries)?;
        }
        for entry in &page.entries {
            if wanted.contains(entry)
                && let Some(shuffle) = &shuffle
            {
                let rank = batch.before + shuffle.rank_of(index);
                found.insert(*entry, Found { batch: batch.index, index, rank });
            }
            index += 1;
        }
        if page.next.is_none() || page.entries.is_empty() {
            break;
        }
    }
    check.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests;
