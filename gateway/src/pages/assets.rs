//! Static files, each under an address that changes with any of them, so that browsers may keep them for ever.

use std::collections::BTreeMap;

use bytes::Bytes;
use ring::digest::{Context, SHA256};

use super::Error;
use super::files::{File, Sources};

/// A static file as a browser gets it.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its content.
    pub bytes: Bytes,
    /// For `Content-Type`.
    pub content_type: &'static str,
    /// For `ETag`, with its quotes.
    pub etag: String,
}

/// All static files.
#[derive(Debug)]
pub(super) struct Assets {
    files: BTreeMap<String, Asset>,
    /// A hash over all files. One version for all, because modules name each other: with a version each, a module
    /// linked from a page and imported by another would be loaded twice.
    version: String,
}

impl Assets {
    pub(super) fn new(sources: &Sources) -> Result<Self, Error> {
        let version = version(&sources.statics);
        let mut files = BTreeMap::new();
        for (name, file) in &sources.statics {
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
                let problem = "a static file's name may have letters, digits, dots, hyphens and underscores";
                return Err(Error::Misnamed { file: file.origin.clone(), problem });
            }
            let content_type = content_type(name).ok_or_else(|| Error::Misnamed {
                file: file.origin.clone(),
                problem: "no content type is known for files of this name",
            })?;
            let bytes = if has_extension(name, "js") {
                Bytes::from(with_versions(file.text()?, sources.statics.keys(), &version))
            } else {
                Bytes::copy_from_slice(&file.bytes)
            };
            let etag = format!("\"{}\"", short(ring::digest::digest(&SHA256, &bytes).as_ref()));
            files.insert(name.clone(), Asset { bytes, content_type, etag });
        }
        Ok(Self { files, version })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Asset> {
        self.files.get(name)
    }

    /// The address that pages link to.
    pub(super) fn link(&self, name: &str) -> Option<String> {
        self.files.contains_key(name).then(|| format!("/static/{name}?v={}", self.version))
    }
}

/// A module's text with the version added to each module it imports.
fn with_versions<'a>(mut text: String, names: impl Iterator<Item = &'a String>, version: &str) -> String {
    for name in names.filter(|name| has_extension(name, "js")) {
        text = text.replace(&format!("\"./{name}\""), &format!("\"./{name}?v={version}\""));
    }
    text
}

fn version(files: &BTreeMap<String, File>) -> String {
    let mut context = Context::new(&SHA256);
    for (name, file) in files {
        for part in [name.as_bytes(), &file.bytes] {
            context.update(&part.len().to_le_bytes());
            context.update(part);
        }
    }
    short(context.finish().as_ref())
}

fn short(hash: &[u8]) -> String {
    hex::encode(&hash[..8])
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}

fn content_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "webmanifest" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}
