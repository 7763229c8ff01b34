//! The pages visitors and operators see: templates, message catalogues and static files, all embedded, each one
//! replaceable from a folder.
//!
//! Templates are minijinja with strict HTML escaping, but for letters' `.txt`. Every visible text, also the scripts', comes from Fluent
//! catalogues. Nothing is inline (scripts, styles, handlers), so the strictest content security policy holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use booking_core::mail::Words;
use minijinja::value::{Kwargs, Rest, Serde};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value, context};
use serde::Serialize;

mod assets;
mod catalogue;
mod files;
mod language;
mod moment;

#[cfg(test)]
mod tests;

pub use assets::Asset;
use assets::Assets;
use catalogue::Catalogue;
use files::Sources;

/// Why pages could not be loaded or rendered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the overrides folder could not be read.
    #[error("{} cannot be read", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is broken.
    #[error("{file}, line {line}: {problem}")]
    Broken {
        /// Which file, as a path where it is an override, else by its embedded name.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A file whose name says nothing usable: not a language, or a kind of file that browsers get no type for.
    #[error("{file}: {problem}")]
    Misnamed {
        /// Which file.
        file: String,
        /// What is wrong with its name.
        problem: &'static str,
    },
    /// There is no catalogue for the language that pages fall back to.
    #[error("no message catalogue for the default language {0:?}")]
    NoCatalogue(String),
    /// A page failed to render; a bug, or an override that meets data it did not expect.
    #[error("a page could not be rendered")]
    Render(#[source] minijinja::Error),
}

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The list of events, with its search: `{ search: {term, location, …}, events: [{eventId, title, description, venue,
    /// city, date, phase, availableSeats, performers, highlights}], pagination, categories, cities, previous, next,
    /// isFiltered, degraded, problem, serverTime }`.
    Browse,
    /// One event, from the waiting room to the tickets: `{ event, sale, place, serverTime, pollAfterSeconds, problem,
    /// sandbox, mail }`; `sale`, `place` and `problem` may be null.
    Event,
    /// The check of the draw: `{ event, place }`; `place` may be null.
    Draw,
    /// The tickets of a booking, one a sheet: `{ event, bookingId }`.
    Sheets,
    /// Where tickets are scanned: `{ event }`.
    Door,
    /// The operator's console: `{}`.
    Operator,
    /// A refusal, for people: `{ status, title, detail }`.
    Problem,
}

impl Page {
    const ALL: [Page; 7] =
        [Page::Browse, Page::Event, Page::Draw, Page::Sheets, Page::Door, Page::Operator, Page::Problem];

    const fn template(self) -> &'static str {
        match self {
            Page::Browse => "browse.html",
            Page::Event => "event.html",
            Page::Draw => "draw.html",
            Page::Sheets => "sheets.html",
            Page::Door => "door.html",
            Page::Operator => "operator.html",
            Page::Problem => "problem.html",
        }
    }
}

/// The templates of a letter: its subject, its text, and the same as HTML. What they get is in `letters.rs`.
const LETTER: [&str; 3] = ["letter-subject.txt", "letter.txt", "letter.html"];

/// What a template gets for a message that no catalogue has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// Its id: a visitor sees an odd word rather than no page.
    ShowId,
    /// An error: how tests find it.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests want to fail"))]
    Fail,
}

/// Templates, catalogues and static files, loaded and checked.
#[derive(Debug)]
pub struct Pages {
    /// One environment a language, since `t` speaks one language.
    languages: BTreeMap<String, Environment<'static>>,
    default_language: String,
    assets: Arc<Assets>,
}

impl Pages {
    /// Loads what is embedded, and over it what stands under the same relative name in the `overrides` folder:
    /// `templates/event.html`, `static/base.css`, `locales/de.ftl`. A catalogue there needs only the messages it
    /// changes; more languages, templates and static files may stand beside.
    ///
    /// # Errors
    /// Names the file, and the line where there is one, if an override cannot be read, parsed or rendered.
    pub fn load(overrides: Option<&Path>, default_lang: &str) -> Result<Self, Error> {
        Self::load_with(overrides, default_lang, Missing::ShowId)
    }

    fn load_with(overrides: Option<&Path>, default_lang: &str, missing: Missing) -> Result<Self, Error> {
        let sources = Sources::read(overrides)?;
        let assets = Arc::new(Assets::new(&sources)?);
        let catalogues = Catalogue::load_all(&sources, default_lang)?;
        let mut languages = BTreeMap::new();
        for (language, catalogue) in catalogues {
            let environment = environment(&sources, &assets, catalogue, missing)?;
            let nothing = Value::from_pairs(std::iter::empty::<(&str, Value)>());
            for template in Page::ALL.map(Page::template).into_iter().chain(LETTER) {
                // An empty context takes the shortest way through a page; it finds includes and functions that do
                // not exist before a visitor does.
                render(&environment, template, &language, &nothing)
                    .map_err(|error| broken(&sources, template, &error))?;
            }
            languages.insert(language, environment);
        }
        let default_language = language::best(&names(&languages), default_lang).unwrap_or_default().to_owned();
        Ok(Self { languages, default_language, assets })
    }

    /// A page in a language that [`choose_language`](Self::choose_language) gave; another one gets the default.
    ///
    /// # Errors
    /// If the template meets data it cannot show.
    pub fn render(&self, page: Page, lang: &str, context: impl Serialize) -> Result<String, Error> {
        let (language, environment) = self.language(lang);
        render(environment, page.template(), language, &Value::from(Serde(&context))).map_err(Error::Render)
    }

    /// A letter in a language, or in the default.
    ///
    /// # Errors
    /// If a template meets data it cannot show.
    pub fn letter(&self, lang: &str, context: impl Serialize) -> Result<Words, Error> {
        let (language, environment) = self.language(lang);
        let context = Value::from(Serde(&context));
        let written = LETTER.map(|template| render(environment, template, language, &context).map_err(Error::Render));
        let [subject, text, html] = written;
        // A title is one line, and whatever a translation made of it goes into a header.
        let subject = subject?.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Words { subject, text: text?, html: html? })
    }

    fn language(&self, lang: &str) -> (&str, &Environment<'static>) {
        let known = self.languages.get_key_value(lang).or_else(|| self.languages.get_key_value(&self.default_language));
        let (language, environment) =
            known.expect("load() refuses to make pages without a catalogue for the default language");
        (language, environment)
    }

    /// The catalogue that suits an `Accept-Language` header best.
    pub fn choose_language(&self, accept_language: Option<&str>) -> &str {
        accept_language
            .and_then(|header| language::choose(&names(&self.languages), header))
            .unwrap_or(&self.default_language)
    }

    /// A static file by its name, without folder and query.
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.get(name)
    }
}

fn names<'a>(languages: &'a BTreeMap<String, Environment<'static>>) -> Vec<&'a str> {
    languages.keys().map(String::as_str).collect()
}

fn render(
    environment: &Environment<'_>,
    template: &str,
    language: &str,
    data: &Value,
) -> Result<String, minijinja::Error> {
    environment.get_template(template)?.render(context! { lang => language, ..data.clone() })
}

fn environment(
    sources: &Sources,
    assets: &Arc<Assets>,
    catalogue: Catalogue,
    missing: Missing,
) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|name| {
        let is_text = Path::new(name).extension().is_some_and(|extension| extension == "txt");
        if is_text { AutoEscape::None } else { AutoEscape::Html }
    });
    // Absent and null read alike, so that a page never fails because a gateway left a field out.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    let catalogue = Arc::new(catalogue);

    let texts = Arc::clone(&catalogue);
    environment.add_function("t", move |id: &str, arguments: Kwargs| {
        let text = texts.format(id, &arguments)?;
        match (text, missing) {
            (Some(text), _) => Ok(text),
            (None, Missing::ShowId) => Ok(id.to_owned()),
            (None, Missing::Fail) => {
                Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("no message {id:?}")))
            }
        }
    });
    environment.add_function("messages", move |prefixes: Rest<String>| catalogue.patterns(&prefixes));
    let links = Arc::clone(assets);
    environment.add_function("asset", move |name: &str| {
        // Its name is known to hold nothing that needs escaping, and `/` reads better as itself.
        links
            .link(name)
            .map(Value::from_safe_string)
            .ok_or_else(|| minijinja::Error::new(ErrorKind::InvalidOperation, format!("no static file {name:?}")))
    });
    environment.add_filter("utc", |time: &str| moment::in_utc(time));

    for (name, file) in &sources.templates {
        let text = file.text()?;
        environment.add_template_owned(name.clone(), text).map_err(|error| broken(sources, name, &error))?;
    }
    Ok(environment)
}

/// A template's error, at the file a person would open.
fn broken(sources: &Sources, template: &str, error: &minijinja::Error) -> Error {
    let name = error.name().unwrap_or(template);
    let file = sources.templates.get(name).map_or_else(|| name.to_owned(), |file| file.origin.clone());
    let problem = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    Error::Broken { file, line: error.line().unwrap_or(1), problem }
}
