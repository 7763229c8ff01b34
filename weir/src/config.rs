//! The configuration: a TOML file, then `WEIR_…` variables, then flags; each may replace what came before.
//!
//! [`keys`] is the one place where a setting is named, documented and given its default. A key of the file
//! `[gateway] listen` is `WEIR_GATEWAY__LISTEN` in the environment.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

mod file;
pub(crate) mod keys;
mod parts;
mod value;

pub(crate) use keys::Config;
pub(crate) use value::{EndpointAt, EndpointSecret, LogFormat, MailServer, StoreUrl};

/// What every variable that sets a key begins with.
const ENV_PREFIX: &str = "WEIR_";
/// Variables that begin so and are nobody's key: the file's name, and what test suites tell themselves.
const ENV_OTHERS: [&str; 3] = ["WEIR_CONFIG", "WEIR_OPERATOR_KEY", "WEIR_TEST_"];
/// How alike two names must be for the one to be offered for the other, from 0 to 1.
const NEAR_MISS: f64 = 0.7;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Source {
    /// Nobody set it.
    #[default]
    Default,
    /// The file, at this line.
    File { path: PathBuf, line: usize },
    /// This variable.
    Variable(String),
    /// This flag.
    Flag(&'static str),
    /// The program itself, as the demo does.
    Program,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
            Self::Program => f.write_str("set by the program"),
        }
    }
}

/// Why the configuration is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file can't be read.
    #[error("the configuration {} can't be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// Something in the file.
    #[error("{}:{line}:{column}: {problem}", path.display())]
    InFile { path: PathBuf, line: usize, column: usize, problem: String },
    /// A variable or a flag.
    #[error("{name}: {problem}")]
    Outside { name: String, problem: String },
    /// Values that don't fit together.
    #[error("{0}")]
    Together(String),
}

/// Reads the configuration.
///
/// `file`: the one that was asked for, if any; `variables`: the environment; `flags`: (flag, key, value).
///
/// # Errors
/// The first thing that is wrong, with its place.
pub(crate) fn load(
    file: Option<&Path>,
    variables: impl Iterator<Item = (String, String)>,
    flags: &[(&'static str, &str, String)],
) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    if let Some(path) = file {
        file::apply(&mut config, path)?;
    }
    let sorted: BTreeMap<String, String> = variables.filter(|(name, _)| name.starts_with(ENV_PREFIX)).collect();
    for (name, value) in sorted {
        apply_variable(&mut config, name, &value)?;
    }
    config.apply_flags(flags)?;
    config.check().map_err(ConfigError::Together)?;
    Ok(config)
}

impl Config {
    /// Sets what flags say: (flag, key, value).
    ///
    /// # Errors
    /// The first value that its key can't have.
    pub(crate) fn apply_flags(&mut self, flags: &[(&'static str, &str, String)]) -> Result<(), ConfigError> {
        flags.iter().try_for_each(|(flag, key, value)| {
            self.set(key, value, Source::Flag(flag)).map_err(|problem| outside(*flag, problem))
        })
    }
}

/// Whether `path` is a key.
///
/// # Errors
/// If it is not, with the key that was probably meant.
pub(crate) fn require_key(path: &str) -> Result<(), String> {
    if keys::KEYS.iter().any(|key| key.path() == path) {
        return Ok(());
    }
    let near = nearest(path, keys::KEYS.iter().map(keys::Key::path));
    Err(format!("there is no key '{path}'{}", did_you_mean(near)))
}

fn apply_variable(config: &mut Config, name: String, value: &str) -> Result<(), ConfigError> {
    let is_nobodys = |other: &str| {
        if other.ends_with('_') { name.starts_with(other) } else { name == other }
    };
    if ENV_OTHERS.into_iter().any(is_nobodys) {
        return Ok(());
    }
    let Some(key) = keys::KEYS.iter().find(|key| key.variable() == name) else {
        let near = nearest(&name, keys::KEYS.iter().map(keys::Key::variable));
        return Err(outside(name, format!("no setting has this name{}", did_you_mean(near))));
    };
    let source = Source::Variable(name.clone());
    config.set(&key.path(), value, source).map_err(|problem| outside(name, problem))
}

fn outside(name: impl Into<String>, problem: String) -> ConfigError {
    ConfigError::Outside { name: name.into(), problem }
}

/// The name among `known` that somebody who wrote `wrong` probably meant.
fn nearest(wrong: &str, known: impl Iterator<Item = String>) -> Option<String> {
    known
        .map(|name| {
            (strsim::jaro_winkler(wrong, &name).max(strsim::normalized_damerau_levenshtein(wrong, &name)), name)
        })
        .filter(|(likeness, _)| *likeness >= NEAR_MISS)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

fn did_you_mean(near: Option<String>) -> String {
    near.map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

#[cfg(test)]
mod tests;
