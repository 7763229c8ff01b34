use booking_core::{
    id::EventId,
    line::{draw::SeedChain, keeper::close_batch, merkle, state::LineState, verify::PublicDraw},
    time::Timestamp,
};
use serde_json::{Value, json};

use super::*;

fn entry(batch: u64, index: u64) -> Digest {
    Digest::of(&[&batch.to_le_bytes(), &index.to_le_bytes()])
}

/// A sale of three batches, the second one of a single place, as a saved public record.
fn record() -> Value {
    let event: EventId = "evt_1".parse().unwrap();
    let chain = SeedChain::from_end(Digest([7; 32]), 64);
    let policy = serde_json::from_value(json!({
        "lobbyOpensAt": "2026-05-01T10:00:00.000Z", "opensAt": "2026-05-01T10:05:00.000Z",
        "closesAt": "2026-05-01T11:00:00.000Z", "ratePerMinute": 600, "maxActive": 50,
    }));
    let mut state = LineState::new(event.clone());
    let mut records = Vec::new();
    let mut append = |state: &mut LineState, kind| {
        let text = state.next(kind, Timestamp::from_millis(1_777_629_900_000)).text();
        assert!(state.apply(&text).is_accepted());
        records.push(serde_json::from_slice::<Box<serde_json::value::RawValue>>(&text).unwrap());
    };
    append(
        &mut state,
        StateKind::Opened {
            owner: "keeper".to_owned(),
            event_id: event.clone(),
            commitment: chain.commitment(),
            chain_length: chain.length(),
            lanes: 1,
            policy: policy.unwrap(),
        },
    );
    let mut entries = Vec::new();
    for (batch, end) in [(0_u32, 40_u64), (1, 41), (2, 50)] {
        let batch_entries: Vec<Digest> = (state.drawn()..end).map(|index| entry(batch.into(), index)).collect();
        let root = merkle::root(batch_entries.iter().copied());
        let kind = close_batch(&state, &[end], root, chain.reveal(batch).unwrap());
        append(&mut state, kind);
        entries.push(batch_entries);
    }
    append(&mut state, StateKind::Served { up_to: 3 });
    append(&mut state, StateKind::RateSet { rate_per_minute: 900 });
    let draw = [PublicDraw::page(&state, 0).unwrap()];
    let text = serde_json::to_string(&json!({ "eventId": event, "draw": draw, "entries": entries })).unwrap();
    // The records' exact text is what is hashed: they must not pass through a map that sorts their members.
    let records: Vec<&str> = records.iter().map(|record| record.get()).collect();
    let whole = format!("{}, \"records\": [{}]}}", text.strip_suffix('}').unwrap(), records.join(","));
    json!({ "text": whole })
}

fn text() -> String {
    record()["text"].as_str().unwrap().to_owned()
}

async fn check(text: &str, wanted: &HashSet<Digest>) -> Result<Verified, Unverified> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let record = PublicRecord::open(file.path().to_str().unwrap())?;
    verify(&record, None, wanted, None, &mut |_| {}).await
}

#[tokio::test]
async fn a_saved_record_holds_and_says_where_an_entry_came_out() {
    let wanted = [entry(0, 3), entry(1, 40), entry(2, 49)];

    let verified = check(&text(), &wanted.into()).await.unwrap();

    assert_eq!((verified.batches, verified.places, verified.records), (3, 50, 6));
    assert_eq!((verified.highest_rate, verified.highest_cap), (900, 50));
    assert_eq!(verified.found[&wanted[1]], Found { batch: 1, index: 0, rank: 40 });
    assert_eq!((verified.found[&wanted[2]].batch, verified.found[&wanted[2]].index), (2, 8));
    assert!((41..50).contains(&verified.found[&wanted[2]].rank));
    assert!(verified.found[&wanted[0]].rank < 40);
}

#[tokio::test]
async fn what_is_saved_while_verifying_is_the_same_record() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first.json"), folder.path().join("second.json"));
    std::fs::write(&first, text()).unwrap();
    let record = PublicRecord::open(first.to_str().unwrap()).unwrap();

    let mut saving = Saving::begin(second.clone(), record.event()).unwrap();
    verify(&record, None, &HashSet::new(), Some(&mut saving), &mut |_| {}).await.unwrap();
    saving.finish().unwrap();

    let saved = std::fs::read_to_string(&second).unwrap();
    let verified = check(&saved, &HashSet::new()).await.unwrap();
    assert_eq!((verified.batches, verified.places, verified.records), (3, 50, 6));
}

#[tokio::test]
async fn one_changed_digit_anywhere_is_found_and_its_batch_is_named() {
    let text = text();
    let digits: Vec<usize> = ["\"root\":\"", "\"reveal\":\"", "\"seed\":\"", "\"prev\":\"", "\"commitment\":\""]
        .iter()
        .flat_map(|member| text.match_indices(member).map(|(at, _)| at + member.len() + 9))
        .chain(text.match_indices(&entry(2, 45).to_string()).map(|(at, _)| at))
        .collect();
    assert!(digits.len() > 20);
    for at in digits {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(changed).unwrap();

        let refusal = check(&changed, &HashSet::new()).await.err();

        let Some(Unverified::Fault(fault)) = refusal else { panic!("byte {at} of the record is not found out") };
        assert!(fault.to_string().contains("batch ") || fault.to_string().starts_with("the draw:"), "{fault}");
    }
}

#[tokio::test]
async fn a_missing_entry_is_found_in_its_batch() {
    let gone = format!(",\"{}\"", entry(2, 45));
    let refusal = check(&text().replace(&gone, ""), &HashSet::new()).await.unwrap_err();
    assert_eq!(refusal.to_string(), "batch 2: it has 8 entries, its size says 9");
}

#[tokio::test]
async fn a_file_that_is_no_record_is_refused_in_one_line() {
    for wrong in ["", "{}", "[]", "{\"eventId\":\"venue_1\"}"] {
        let refusal = check(wrong, &HashSet::new()).await.unwrap_err();
        assert!(matches!(refusal, Unverified::File { .. }));
        assert_eq!(refusal.to_string().lines().count(), 1);
    }
}
