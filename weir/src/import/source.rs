//! Reading files thing by thing: what is in memory is a few things of a file, however many it has.

use std::{
    cell::Cell,
    fmt, fs,
    io::{self, BufReader},
    path::{Path, PathBuf},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::{
    place::{Place, joined},
    table::Columns,
};

/// How many things are read ahead.
const READ_AHEAD: usize = 16;
/// How much is read at once, in bytes.
const BUFFER: usize = 64 * 1_024;
/// Where JSON-LD has many things in one object.
const GRAPH: &str = "@graph";

/// A thing out of a file.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    /// Whether it is a row of a table.
    pub(super) is_row: bool,
    pub(super) fields: Map<String, Value>,
}

/// What a file has next: a thing, or a line about what can't be read.
pub(super) type Found = Result<Item, String>;

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Document,
    Lines,
    Table,
}

/// The files of an import.
#[derive(Debug, Clone)]
pub(super) struct Files {
    files: Vec<(PathBuf, Form)>,
    /// How large they are together, in bytes.
    pub(super) bytes: u64,
    max_item_bytes: u64,
}

impl Files {
    /// The files at `paths`, a thing of which has at most `max_item_bytes`.
    ///
    /// # Errors
    /// If one can't be read, or its ending does not say how.
    pub(super) fn at(paths: &[PathBuf], max_item_bytes: u64, may_be_tables: bool) -> anyhow::Result<Self> {
        let mut files = Self { files: Vec::new(), bytes: 0, max_item_bytes };
        for path in paths {
            let named = || format!("{} can't be read", path.display());
            let about = fs::metadata(path).with_context(named)?;
            // It is read twice, which a pipe can't be.
            anyhow::ensure!(about.is_file(), "{} is no file; write it to one first", path.display());
            fs::File::open(path).with_context(named)?;
            let form = form_of(path).filter(|form| may_be_tables || *form != Form::Table).with_context(|| {
                let table = if may_be_tables { ", .csv" } else { "" };
                format!("{} must end in .json, .jsonld, .jsonl, .ndjson{table}, by what it has", path.display())
            })?;
            files.files.push((path.clone(), form));
            files.bytes += about.len();
        }
        Ok(files)
    }

    /// Everything in the files, in order; `read` counts the bytes.
    pub(super) fn read(&self, read: Arc<AtomicU64>) -> mpsc::Receiver<Found> {
        let (sender, found) = mpsc::channel(READ_AHEAD);
        let files = self.clone();
        tokio::task::spawn_blocking(move || {
            for (path, form) in &files.files {
                let left = Rc::new(Cell::new(files.max_item_bytes));
                let file: Arc<str> = path.display().to_string().into();
                let sink = Sink { file, left: Rc::clone(&left), max: files.max_item_bytes, sender: &sender };
                let done = fs::File::open(path).map_err(|error| error.to_string()).and_then(|file| {
                    let metered = Metered { file, read: Arc::clone(&read), left, max: files.max_item_bytes };
                    read_file(*form, metered, &sink)
                });
                let done = done.or_else(|problem| sink.put(Err(sink.at(None, "").mistake("", problem))));
                if done.is_err() {
                    return;
                }
            }
        });
        found
    }
}

fn form_of(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "json" | "jsonld" => Some(Form::Document),
        "jsonl" | "ndjson" => Some(Form::Lines),
        "csv" => Some(Form::Table),
        _ => None,
    }
}

fn read_file(form: Form, file: Metered, sink: &Sink<'_>) -> Result<(), String> {
    match form {
        Form::Document => read_document(BufReader::with_capacity(BUFFER, file), sink),
        Form::Lines => read_lines(BufReader::with_capacity(BUFFER, file), sink),
        Form::Table => read_table(file, sink),
    }
}

/// A file that refuses to be read on where one thing of it goes on for too long.
struct Metered {
    file: fs::File,
    read: Arc<AtomicU64>,
    left: Rc<Cell<u64>>,
    max: u64,
}

impl io::Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            return Err(io::Error::other(format!("there is something of more than {} bytes", self.max)));
        }
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        self.left.set(self.left.get().saturating_sub(count as u64));
        Ok(count)
    }
}

/// Where the things of a file go.
struct Sink<'a> {
    file: Arc<str>,
    left: Rc<Cell<u64>>,
    max: u64,
    sender: &'a mpsc::Sender<Found>,
}

impl Sink<'_> {
    fn at(&self, line: Option<u64>, path: &str) -> Place {
        Place { file: Arc::clone(&self.file), line, path: path.to_owned() }
    }

    /// Hands on what was found. An error means that nobody wants any more.
    fn put(&self, found: Found) -> Result<(), String> {
        self.left.set(self.max);
        self.sender.blocking_send(found).map_err(|_| "nobody reads on".to_owned())
    }
}

fn read_document(reader: impl io::Read, sink: &Sink<'_>) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    let things = Things { sink, line: None, path: "$".to_owned() };
    things.deserialize(&mut json).map_err(|error| error.to_string())?;
    json.end().map_err(|error| format!("{error}; a file with one object on each line ends in .jsonl"))
}

fn read_lines(mut reader: impl io::BufRead, sink: &Sink<'_>) -> Result<(), String> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(|error| error.to_string())? == 0 {
            break;
        }
        sink.left.set(sink.max);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let mut json = serde_json::Deserializer::from_slice(&line);
        let things = Things { sink, line: Some(number), path: String::new() };
        if let Err(error) = things.deserialize(&mut json).and_then(|()| json.end()) {
            sink.put(Err(sink.at(Some(number), "").mistake("", error)))?;
        }
    }
    Ok(())
}

fn read_table(file: impl io::Read, sink: &Sink<'_>) -> Result<(), String> {
    let mut table =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).buffer_capacity(BUFFER).from_reader(file);
    let named = table.headers().map_err(|error| error.to_string())?;
    let columns = match Columns::named(named) {
        Ok(columns) => columns,
        Err(mistakes) => {
            for (column, what) in mistakes {
                sink.put(Err(sink.at(Some(1), "").mistake(&column, what)))?;
            }
            return Ok(());
        }
    };
    let mut row = csv::ByteRecord::new();
    while table.read_byte_record(&mut row).map_err(|error| error.to_string())? {
        let place = sink.at(row.position().map(csv::Position::line), "");
        let fields = csv::StringRecord::from_byte_record(row.clone()).map_err(|error| error.to_string());
        let fields = fields.and_then(|row| columns.fields(&row));
        sink.put(match fields {
            Ok(fields) => Ok(Item { place, is_row: true, fields }),
            Err(problem) => Err(place.mistake("", problem)),
        })?;
    }
    Ok(())
}

/// A JSON value: a thing, a list of things, or an object with a graph of them.
struct Things<'a> {
    sink: &'a Sink<'a>,
    line: Option<u64>,
    path: String,
}

impl Things<'_> {
    fn inside(&self, path: String) -> Self {
        Things { path, ..*self }
    }
}

impl<'de> DeserializeSeed<'de> for Things<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Things<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, or a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut number = 0;
        while list.next_element_seed(self.inside(format!("{}[{number}]", self.path)))?.is_some() {
            number += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let (mut fields, mut has_graph) = (Map::new(), false);
        while let Some(name) = object.next_key::<String>()? {
            if name == GRAPH {
                has_graph = true;
                object.next_value_seed(self.inside(joined(&self.path, GRAPH)))?;
            } else {
                fields.insert(name, object.next_value()?);
            }
        }
        if has_graph {
            return Ok(());
        }
        let item = Item { place: self.sink.at(self.line, &self.path), is_row: false, fields };
        self.sink.put(Ok(item)).map_err(A::Error::custom)
    }
}
