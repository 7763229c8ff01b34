//! Message catalogues in Fluent: formatted here for templates, handed out as patterns for scripts.

use std::collections::BTreeMap;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use minijinja::Value;
use minijinja::value::Kwargs;
use unic_langid::LanguageIdentifier;

use super::Error;
use super::files::{File, Sources, line_at};
use super::language;

/// The messages of one language, with the default language's behind them.
pub(super) struct Catalogue {
    /// In the order to look in.
    bundles: Vec<FluentBundle<FluentResource>>,
    /// Each message's pattern as written.
    patterns: BTreeMap<String, String>,
}

impl Catalogue {
    /// One catalogue for each language, embedded or in the overrides folder.
    pub(super) fn load_all(sources: &Sources, default_lang: &str) -> Result<BTreeMap<String, Self>, Error> {
        let files = sources.locales.keys().chain(sources.locale_overrides.keys());
        let names: Vec<&str> = files.filter_map(|name| name.strip_suffix(".ftl")).collect();
        let default =
            language::best(&names, default_lang).ok_or_else(|| Error::NoCatalogue(default_lang.to_owned()))?;
        let mut catalogues = BTreeMap::new();
        for language in names {
            let mut catalogue = Self { bundles: Vec::new(), patterns: BTreeMap::new() };
            // English stands behind every other language: its embedded catalogue is the complete one.
            for fallback in [language, default, "en"] {
                for files in [&sources.locale_overrides, &sources.locales] {
                    if let Some(file) = files.get(&format!("{fallback}.ftl")) {
                        catalogue.add(fallback, file)?;
                    }
                }
            }
            catalogues.insert(language.to_owned(), catalogue);
        }
        Ok(catalogues)
    }

    fn add(&mut self, language: &str, file: &File) -> Result<(), Error> {
        let identifier: LanguageIdentifier = language.parse().map_err(|_| Error::Misnamed {
            file: file.origin.clone(),
            problem: "a catalogue's name must be a language tag, such as pt-BR.ftl",
        })?;
        let source = file.text()?;
        for (id, pattern) in patterns(&source) {
            self.patterns.entry(id).or_insert(pattern);
        }
        let resource = FluentResource::try_new(source).map_err(|(_, problems)| match problems.first() {
            Some(problem) => Error::Broken {
                file: file.origin.clone(),
                line: line_at(&file.bytes, problem.pos.start),
                problem: problem.kind.to_string(),
            },
            None => Error::Broken { file: file.origin.clone(), line: 1, problem: "not Fluent".to_owned() },
        })?;
        let mut bundle = FluentBundle::new_concurrent(vec![identifier]);
        // The marks around each variable would show up in addresses, titles and copied text.
        bundle.set_use_isolating(false);
        bundle.add_resource(resource).map_err(|problems| Error::Broken {
            file: file.origin.clone(),
            line: 1,
            problem: problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        })?;
        self.bundles.push(bundle);
        Ok(())
    }

    /// A message's text, or none if no catalogue has it.
    pub(super) fn format(&self, id: &str, arguments: &Kwargs) -> Result<Option<String>, minijinja::Error> {
        let mut values = FluentArgs::new();
        for name in arguments.args() {
            values.set(name.to_owned(), fluent_value(&arguments.get::<Value>(name)?));
        }
        let found = self.bundles.iter().find_map(|bundle| Some((bundle, bundle.get_message(id)?.value()?)));
        Ok(found.map(|(bundle, pattern)| bundle.format_pattern(pattern, Some(&values), &mut Vec::new()).into_owned()))
    }

    /// The patterns whose ids begin with one of the prefixes and a hyphen, for a script to format.
    pub(super) fn patterns(&self, prefixes: &[String]) -> Value {
        let wanted = |id: &str| {
            prefixes.iter().any(|prefix| id.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('-')))
        };
        Value::from_pairs(
            self.patterns.iter().filter(|(id, _)| wanted(id)).map(|(id, text)| (id.as_str(), text.as_str())),
        )
    }

    #[cfg(test)]
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.patterns.keys().map(String::as_str)
    }
}

fn fluent_value(value: &Value) -> FluentValue<'static> {
    if value.is_number() {
        if let Ok(whole) = i64::try_from(value.clone()) {
            return FluentValue::from(whole);
        }
        if let Ok(number) = f64::try_from(value.clone()) {
            return FluentValue::from(number);
        }
    }
    FluentValue::from(if value.is_none() || value.is_undefined() { String::new() } else { value.to_string() })
}

/// Each message with its pattern as the file has it, indentation removed. Comments, terms and attributes are left
/// out: scripts use none.
fn patterns(source: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    // Whether the lines that follow belong to the message found last.
    let mut inside = false;
    for line in source.lines() {
        if line.starts_with(|first: char| first.is_ascii_alphabetic()) {
            let Some((id, pattern)) = line.split_once('=') else {
                continue;
            };
            found.push((id.trim().to_owned(), pattern.trim().to_owned()));
            inside = true;
        } else if line.starts_with(' ') || line.starts_with('}') {
            inside = inside && !line.trim_start().starts_with('.');
            if let Some((_, pattern)) = found.last_mut().filter(|_| inside && !line.trim().is_empty()) {
                if !pattern.is_empty() {
                    pattern.push('\n');
                }
                pattern.push_str(line.trim());
            }
        } else if !line.is_empty() {
            inside = false;
        }
    }
    found
}
