//! Why something did not work, as it is kept and shown: in one line.

/// The longest line that is kept, in bytes.
pub const MAX_BYTES: usize = 500;

/// `why` as it is kept: one line of [`MAX_BYTES`] at most.
pub fn one_line(why: &str) -> String {
    let line = why.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let end = (0..=line.len().min(MAX_BYTES)).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    line[..end].to_owned()
}

/// An error and what caused it, in one line; a cause that was said already is not said again.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_a_short_line() {
        assert_eq!(one_line("550 no\r\nsuch\tbox"), "550 no such box");
        assert_eq!(one_line(&"é".repeat(400)).len(), MAX_BYTES);
    }

    #[test]
    fn causes_are_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Said(&'static str, #[source] Option<Box<Said>>);
        let error = Said("no letter", Some(Box::new(Said("no letter", Some(Box::new(Said("no post", None)))))));
        assert_eq!(with_causes(&error), "no letter: no post");
    }
}
