//! A public record in a file: one JSON object, written while it is verified, verified again by whoever gets it.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use booking_core::{
    digest::Digest,
    id::EventId,
    line::verify::{EntriesPage, MAX_ENTRIES_A_PAGE, MAX_RECORDS_A_PAGE, PublicDraw, RecordsPage},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Unverified, record::page_of};

/// The largest file read: some 100 million entries.
const MAX_FILE_BYTES: u64 = 8 << 30;

/// A file as read: the draw's pages, every record, and each batch's entries.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Saved {
    event_id: EventId,
    draw: Vec<PublicDraw>,
    records: Vec<Box<RawValue>>,
    entries: Vec<Vec<Digest>>,
    #[serde(skip)]
    path: PathBuf,
}

impl Saved {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Unverified> {
        let refuse = |problem: String| Unverified::File { path: path.to_owned(), problem };
        let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
        if file.metadata().is_ok_and(|found| found.len() > MAX_FILE_BYTES) {
            return Err(refuse(format!("it is larger than {MAX_FILE_BYTES} bytes")));
        }
        let saved: Self = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| refuse(format!("it is no saved public record: {error}")))?;
        Ok(Self { path: path.to_owned(), ..saved })
    }

    pub(super) fn event(&self) -> &EventId {
        &self.event_id
    }

    pub(super) fn draw(&self, from: u32) -> Result<PublicDraw, Unverified> {
        let begins = |page: &&PublicDraw| page.batches.first().map_or(from == 0, |batch| batch.index == from);
        let found = self.draw.iter().find(begins).or(if from == 0 { self.draw.first() } else { None });
        found.cloned().ok_or_else(|| Unverified::File {
            path: self.path.clone(),
            problem: format!("the draw's page from batch {from} on is missing"),
        })
    }

    pub(super) fn records(&self, from: u64) -> RecordsPage {
        let rest = usize::try_from(from).ok().and_then(|from| self.records.get(from..)).unwrap_or_default();
        let page = &rest[..rest.len().min(MAX_RECORDS_A_PAGE)];
        let next = (page.len() < rest.len()).then_some(from + page.len() as u64);
        RecordsPage { records: page.to_vec(), next }
    }

    pub(super) fn entries(&self, batch: u32, from: u64) -> EntriesPage {
        let all = self.entries.get(batch as usize).map_or(&[][..], Vec::as_slice);
        page_of(all, from, MAX_ENTRIES_A_PAGE)
    }
}

/// A file as it is written, in the order in which the verifier asks: draw, records, entries.
pub(crate) struct Saving {
    path: PathBuf,
    out: BufWriter<File>,
    part: Part,
    is_first: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Draw,
    Records,
    Entries { batches: u32 },
}

impl Saving {
    /// Begins the file at `path`.
    pub(super) fn begin(path: PathBuf, event: &EventId) -> Result<Self, Unverified> {
        let begin = || {
            let mut out = BufWriter::new(File::create(&path)?);
            write!(out, "{{\"eventId\":\"{event}\",\"draw\":[")?;
            Ok(out)
        };
        match begin() {
            Ok(out) => Ok(Self { path, out, part: Part::Draw, is_first: true }),
            Err(error) => Err(refused(&path, &error)),
        }
    }

    pub(super) fn draw(&mut self, page: &PublicDraw) -> Result<(), Unverified> {
        let text = serde_json::to_string(page).expect("a page is plain data");
        self.write(|saving| saving.item(&text))
    }

    pub(super) fn records(&mut self, records: &[Box<RawValue>]) -> Result<(), Unverified> {
        self.write(|saving| {
            if saving.part == Part::Draw {
                saving.out.write_all(b"],\n\"records\":[")?;
                (saving.part, saving.is_first) = (Part::Records, true);
            }
            records.iter().try_for_each(|record| saving.item(record.get()))
        })
    }

    pub(super) fn entries(&mut self, batch: u32, from: u64, entries: &[Digest]) -> Result<(), Unverified> {
        self.write(|saving| {
            saving.open_entries()?;
            if from == 0 {
                saving.open_batch(batch)?;
            }
            entries.iter().try_for_each(|entry| saving.item(&format!("\"{entry}\"")))
        })
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> Result<(), Unverified> {
        self.write(|saving| {
            if saving.part == Part::Draw {
                saving.out.write_all(b"],\n\"records\":[")?;
                saving.part = Part::Records;
            }
            saving.open_entries()?;
            let end: &[u8] = if saving.part == (Part::Entries { batches: 0 }) { b"]}\n" } else { b"]]}\n" };
            saving.out.write_all(end)?;
            saving.out.flush()
        })
    }

    fn open_entries(&mut self) -> std::io::Result<()> {
        if !matches!(self.part, Part::Entries { .. }) {
            self.out.write_all(b"],\n\"entries\":[")?;
            self.part = Part::Entries { batches: 0 };
        }
        Ok(())
    }

    /// Opens the list of `batch`; batches without entries, for which nobody asked, get an empty one.
    fn open_batch(&mut self, batch: u32) -> std::io::Result<()> {
        let Part::Entries { batches } = self.part else {
            return Ok(());
        };
        for open in batches..=batch {
            self.out.write_all(if open == 0 { b"[" } else { b"],\n[" })?;
        }
        (self.part, self.is_first) = (Part::Entries { batches: batch + 1 }, true);
        Ok(())
    }

    fn item(&mut self, text: &str) -> std::io::Result<()> {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.write_all(b",\n")?;
        }
        self.out.write_all(text.as_bytes())
    }

    fn write(&mut self, write: impl FnOnce(&mut Self) -> std::io::Result<()>) -> Result<(), Unverified> {
        write(self).map_err(|error| refused(&self.path, &error))
    }
}

fn refused(path: &Path, error: &std::io::Error) -> Unverified {
    Unverified::File { path: path.to_owned(), problem: format!("it can't be written: {error}") }
}
