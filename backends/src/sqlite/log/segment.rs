//! A segment's bytes: the length of each entry (4 bytes, little-endian), then each entry.

use bytes::Bytes;

use crate::sqlite::error::unreadable;

/// The most entries of a segment, so that reading one entry never means reading many megabytes.
pub(super) const MAX_ENTRIES: usize = 2_048;
/// From this many bytes on, the next entry begins another segment.
pub(super) const MAX_BYTES: usize = 256 << 10;

const LENGTH_BYTES: usize = 4;

/// How many of the first of `payloads` make the next segment; at least one where there is one.
pub(super) fn next_count<'a>(payloads: impl Iterator<Item = &'a Bytes>) -> usize {
    let mut bytes = 0;
    let mut count = 0;
    for payload in payloads.take(MAX_ENTRIES) {
        bytes += LENGTH_BYTES + payload.len();
        if count > 0 && bytes > MAX_BYTES {
            break;
        }
        count += 1;
    }
    count
}

/// `payloads` as a segment's bytes.
pub(super) fn encode<'a>(payloads: impl ExactSizeIterator<Item = &'a Bytes> + Clone) -> Vec<u8> {
    let sum: usize = payloads.clone().map(Bytes::len).sum();
    let mut out = Vec::with_capacity(payloads.len() * LENGTH_BYTES + sum);
    for payload in payloads.clone() {
        let length = u32::try_from(payload.len()).expect("a payload is a megabyte at most");
        out.extend_from_slice(&length.to_le_bytes());
    }
    for payload in payloads {
        out.extend_from_slice(payload);
    }
    out
}

/// The entries of a segment, one after the other, as ranges of its bytes.
///
/// # Errors
/// If `bytes` are not `count` entries.
pub(super) fn entries(
    bytes: &[u8],
    count: usize,
) -> Result<impl Iterator<Item = std::ops::Range<usize>> + use<'_>, sqlx::Error> {
    let wrong = || unreadable("a segment whose lengths and bytes differ");
    let head = count.checked_mul(LENGTH_BYTES).and_then(|head| bytes.get(..head)).ok_or_else(wrong)?;
    let lengths = || head.as_chunks::<LENGTH_BYTES>().0.iter().map(|length| u32::from_le_bytes(*length) as usize);
    if head.len() + lengths().sum::<usize>() != bytes.len() {
        return Err(wrong());
    }
    let mut start = head.len();
    Ok(lengths().map(move |length| {
        let range = start..start + length;
        start = range.end;
        range
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_gives_back_its_entries_byte_for_byte() {
        for texts in [vec![], vec![""], vec!["a", "", "bcd"], vec![&*"x".repeat(70_000), "y"]] {
            let payloads: Vec<_> = texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
            let bytes = encode(payloads.iter());
            let read: Vec<_> = entries(&bytes, texts.len()).unwrap().map(|range| bytes[range].to_vec()).collect();
            assert_eq!(read, payloads);
        }
    }

    #[test]
    fn bytes_that_are_no_segment_are_refused() {
        let good = encode([Bytes::from_static(b"abc"), Bytes::from_static(b"d")].iter());
        for (bytes, count) in
            [(&good[..], 1), (&good, 3), (&good, usize::MAX), (&good[1..], 2), (&good[..3], 2), (&[], 1)]
        {
            assert!(entries(bytes, count).is_err(), "{bytes:?} as {count}");
        }
    }

    #[test]
    fn a_segment_ends_before_it_is_too_large_but_has_one_entry_at_least() {
        let small = vec![Bytes::from_static(b"x"); 2 * MAX_ENTRIES];
        assert_eq!(next_count(small.iter()), MAX_ENTRIES);
        let large = vec![Bytes::from(vec![0; MAX_BYTES]); 2];
        assert_eq!(next_count(large.iter()), 1);
        assert_eq!(next_count([].iter()), 0);
    }
}
