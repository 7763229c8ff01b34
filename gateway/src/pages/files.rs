//! Where templates, static files and catalogues come from: embedded, or the overrides folder.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use super::Error;

/// One file.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// What to call it in an error: the path of an override, else the embedded name.
    pub(super) origin: String,
    /// What is in it.
    pub(super) bytes: Cow<'static, [u8]>,
}

impl File {
    /// Its text.
    pub(super) fn text(&self) -> Result<String, Error> {
        let text = std::str::from_utf8(&self.bytes).map_err(|error| Error::Broken {
            file: self.origin.clone(),
            line: line_at(&self.bytes, error.valid_up_to()),
            problem: "not UTF-8".to_owned(),
        })?;
        Ok(text.to_owned())
    }
}

/// The line, counted from 1, in which a byte stands.
pub(super) fn line_at(bytes: &[u8], position: usize) -> usize {
    let before = &bytes[..position.min(bytes.len())];
    before.split(|&byte| byte == b'\n').count()
}

/// All files, by name, overrides applied.
#[derive(Debug)]
pub(super) struct Sources {
    /// `event.html` and so on.
    pub(super) templates: BTreeMap<String, File>,
    /// `base.css` and so on.
    pub(super) statics: BTreeMap<String, File>,
    /// What is embedded, by language.
    pub(super) locales: BTreeMap<String, File>,
    /// The overrides folder's catalogues, by language; laid over the embedded ones message by message.
    pub(super) locale_overrides: BTreeMap<String, File>,
}

macro_rules! embedded {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        [$(($name, include_bytes!(concat!("../../pages/", $folder, "/", $name)).as_slice())),+]
            .into_iter()
            .map(|(name, bytes)| {
                let origin = format!("{}/{name}", $folder);
                (name.to_owned(), File { origin, bytes: Cow::Borrowed(bytes) })
            })
            .collect::<BTreeMap<String, File>>()
    };
}

impl Sources {
    /// What is embedded, and over it what the folder has.
    pub(super) fn read(overrides: Option<&Path>) -> Result<Self, Error> {
        let mut sources = Self {
            templates: embedded!("templates":
                "browse.html", "door.html", "draw.html", "event.html", "layout.html", "letter-subject.txt", "letter.html", "letter.txt",
                "operator.html", "part-checkout.html", "part-room.html", "part-seats.html", "part-tickets.html",
                "problem.html", "sheets.html",
            ),
            statics: embedded!("static":
                "api.js", "audit-text.js", "audit.js", "base.css", "browse.css", "browse.js", "cancel.js", "chart.js",
                "checkout.css", "checkout.js", "clock.js", "console.css", "controls.js", "door-kept.js", "door.css", "door.js",
                "draw.js", "event.js", "format.js", "live.js", "messages.js", "operator.js", "page.js", "room-view.js", "room.css", "room.js",
                "seat-list.js", "seat-map.js", "seat-move.js", "seat-zoom.js", "seats-model.js", "seats.css",
                "seats.js", "sheets.css", "sheets.js", "sse.js", "stuck.js", "tickets.js", "verify.js", "weir.svg",
            ),
            locales: embedded!("locales": "en.ftl"),
            locale_overrides: BTreeMap::new(),
        };
        if let Some(folder) = overrides {
            for extension in ["html", "txt"] {
                sources.templates.extend(read_folder(&folder.join("templates"), extension)?);
            }
            sources.statics.extend(read_folder(&folder.join("static"), "")?);
            sources.locale_overrides = read_folder(&folder.join("locales"), "ftl")?;
        }
        Ok(sources)
    }
}

/// The files of a folder that end in `extension` (all, if that is empty); none if there is no such folder. Hidden
/// files are left alone.
fn read_folder(folder: &Path, extension: &str) -> Result<BTreeMap<String, File>, Error> {
    let unreadable = |path: &Path, source| Error::Unreadable { file: path.to_owned(), source };
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(unreadable(folder, error)),
    };
    let mut files = BTreeMap::new();
    for item in listing {
        let path = item.map_err(|error| unreadable(folder, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let suits = extension.is_empty() || path.extension().is_some_and(|found| found == extension);
        if !path.is_file() || !suits {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, error))?;
        let file = File { origin: path.display().to_string(), bytes: Cow::Owned(bytes) };
        files.insert(name.to_owned(), file);
    }
    Ok(files)
}
