//! The configuration file: TOML, read with the place of every key, so that a refusal can point at it.

use std::path::Path;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Config, ConfigError, Source, did_you_mean, keys, nearest, value::Shape};

/// The largest configuration file read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Sets everything that the file at `path` sets.
pub(super) fn apply(config: &mut Config, path: &Path) -> Result<(), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(unreadable(std::io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes"))));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let reader = Reader { path, text: &text };
    let document = DeTable::parse(&text)
        .map_err(|error| reader.refuse(error.span().map_or(0, |span| span.start), error.message()))?;
    for (section, value) in document.get_ref() {
        reader.section(config, section, value)?;
    }
    Ok(())
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

type Name<'i> = Spanned<std::borrow::Cow<'i, str>>;

impl Reader<'_> {
    fn section(
        &self,
        config: &mut Config,
        section: &Name<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let (name, at) = (section.get_ref().as_ref(), section.span().start);
        if !keys::SECTIONS.contains(&name) {
            let near = nearest(name, keys::SECTIONS.iter().map(|known| format!("[{known}]")));
            return Err(self.refuse(at, &format!("there is no section [{name}]{}", did_you_mean(near))));
        }
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.refuse(at, &format!("{name} is a section: write [{name}] and its keys below")));
        };
        for (key, value) in table {
            self.key(config, name, key, value)?;
        }
        Ok(())
    }

    fn key(
        &self,
        config: &mut Config,
        section: &str,
        key: &Name<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let (name, at) = (key.get_ref().as_ref(), key.span().start);
        let in_section = || keys::KEYS.iter().filter(|known| known.section == section);
        let Some(known) = in_section().find(|known| known.name == name) else {
            let near = nearest(name, in_section().map(|known| known.name.to_owned()));
            return Err(self.refuse(at, &format!("[{section}] has no key '{name}'{}", did_you_mean(near))));
        };
        let wrong_shape = || self.refuse(value.span().start, &format!("{name} must be {}", known.what));
        let text = as_text(value.get_ref(), known.shape).ok_or_else(wrong_shape)?;
        let source = Source::File { path: self.path.to_owned(), line: self.position(at).0 };
        config.set(&known.path(), &text, source).map_err(|problem| self.refuse(value.span().start, &problem))
    }

    fn refuse(&self, at: usize, problem: &str) -> ConfigError {
        let (line, column) = self.position(at);
        let problem = problem.lines().collect::<Vec<_>>().join(", ");
        ConfigError::InFile { path: self.path.to_owned(), line, column, problem }
    }

    /// The line and the column of byte `at`, both counted from 1.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        (line, column)
    }
}

/// The value in the text form that variables and flags use, if it has the wanted shape.
fn as_text(value: &DeValue<'_>, shape: Shape) -> Option<String> {
    match (value, shape) {
        (DeValue::String(text), Shape::Text) => Some(text.clone().into_owned()),
        (DeValue::Integer(number), Shape::Integer) if number.radix() == 10 => Some(number.as_str().to_owned()),
        (DeValue::Boolean(truth), Shape::Boolean) => Some(truth.to_string()),
        (DeValue::Array(items), Shape::List) => {
            let texts: Option<Vec<_>> = items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::String(text) if !text.contains(',') => Some(text.clone().into_owned()),
                    _ => None,
                })
                .collect();
            Some(texts?.join(","))
        }
        _ => None,
    }
}
