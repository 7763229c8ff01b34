//! Which of the languages at hand suits a visitor (RFC 4647, lookup; RFC 9110, section 12.5.4).

/// The language that answers to a tag: itself, else with its last subtags cut off one by one, else a region of the
/// same language.
pub(super) fn best<'a>(available: &[&'a str], tag: &str) -> Option<&'a str> {
    let mut wanted = tag.trim();
    loop {
        if let Some(found) = available.iter().find(|language| language.eq_ignore_ascii_case(wanted)) {
            return Some(found);
        }
        match wanted.rsplit_once('-') {
            Some((shorter, _)) => wanted = shorter,
            None => break,
        }
    }
    available
        .iter()
        .copied()
        .find(|language| language.split_once('-').is_some_and(|(primary, _)| primary.eq_ignore_ascii_case(wanted)))
}

/// The language that a whole `Accept-Language` header asks for; none if it asks for none at hand.
pub(super) fn choose<'a>(available: &[&'a str], header: &str) -> Option<&'a str> {
    let mut ranges: Vec<(&str, f32)> = header
        .split(',')
        .take(32)
        .filter_map(|range| {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let quality = match parameters.trim().strip_prefix("q=") {
                Some(quality) => quality.trim().parse().ok()?,
                None => 1.0,
            };
            (quality > 0.0).then_some((tag.trim(), quality))
        })
        .collect();
    // Stable: of equals, the one named first.
    ranges.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    ranges.into_iter().find_map(|(tag, _)| best(available, tag))
}
