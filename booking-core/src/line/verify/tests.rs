use proptest::prelude::*;

use super::*;
use crate::line::{
    Place,
    record::{StateKind, StateRecord, hash_of},
    testing::{TestLine, event},
};

/// A sale's whole public record, as somebody saved it.
#[derive(Clone)]
struct Saved {
    draw: PublicDraw,
    entries: Vec<Vec<Digest>>,
    records: Vec<String>,
}

fn saved(line: &TestLine) -> Saved {
    let draw = PublicDraw::page(&line.state, 0).unwrap();
    let entries = draw.batches.iter().map(|batch| line.entries(&batch.start, &batch.end)).collect();
    let records = line.texts.iter().map(|text| String::from_utf8(text.to_vec()).unwrap()).collect();
    Saved { draw, entries, records }
}

/// Everything that a verifier does.
fn verify(saved: &Saved) -> Result<(), Fault> {
    let mut batches = BatchesCheck::new(&saved.draw, None)?;
    batches.page(&saved.draw)?;
    for (batch, entries) in saved.draw.batches.iter().zip(&saved.entries) {
        let mut check = EntriesCheck::new(batch, None);
        entries.chunks(3).try_for_each(|page| check.add(page))?;
        check.finish()?;
    }
    let mut records = RecordsCheck::new(event());
    saved.records.iter().try_for_each(|text| records.add(text.as_bytes()))?;
    records.agrees_with(&saved.draw)?;
    saved.draw.batches.iter().try_for_each(|batch| records.agrees(batch))?;
    batches.heads().iter().try_for_each(|head| records.holds(head))
}

/// Three batches in two lanes, with calls, a new keeper and steering between them.
fn sale() -> TestLine {
    let mut line = TestLine::drawn(2, 7);
    line.now += 1_000;
    line.call(3);
    for joins in [4, 1] {
        (0..joins).for_each(|_| _ = line.join());
        line.now += 1_000;
        line.close_batch();
        line.say(StateKind::RateSet { rate_per_minute: 100 + joins });
    }
    line.say(StateKind::Owned { owner: "keeper-2".to_owned() });
    line.call(2);
    line.say(StateKind::Closed);
    line
}

/// The digests that differ from `digest` in one hex digit.
fn one_digit_off(digest: Digest) -> impl Iterator<Item = Digest> {
    (0..64).map(move |digit| {
        let mut changed = digest;
        changed.0[digit / 2] ^= if digit % 2 == 0 { 0x30 } else { 0x05 };
        changed
    })
}

fn batch_named(fault: &Fault) -> Option<u32> {
    match fault {
        Fault::Draw { .. } => None,
        Fault::Batch { batch, .. } => Some(*batch),
        Fault::Record { batch, .. } => *batch,
    }
}

#[test]
fn an_honest_sale_is_verified() {
    assert_eq!(verify(&saved(&sale())), Ok(()));
}

#[test]
fn a_changed_digit_of_a_root_a_reveal_or_a_seed_names_its_batch() {
    let good = saved(&sale());
    let fields: [fn(&mut PublicBatch) -> &mut Digest; 3] =
        [|batch| &mut batch.root, |batch| &mut batch.reveal, |batch| &mut batch.seed];
    for at in 0..good.draw.batches.len() {
        for field in fields {
            for changed in one_digit_off(*field(&mut good.draw.batches[at].clone())) {
                let mut bad = good.clone();
                *field(&mut bad.draw.batches[at]) = changed;
                let fault = verify(&bad).unwrap_err();
                assert_eq!(batch_named(&fault), u32::try_from(at).ok(), "{fault}");
            }
        }
    }
}

#[test]
fn a_changed_digit_of_the_commitment_breaks_the_first_batch() {
    let good = saved(&sale());
    for commitment in one_digit_off(good.draw.commitment) {
        let bad = Saved { draw: PublicDraw { commitment, ..good.draw.clone() }, ..good.clone() };
        assert_eq!(batch_named(&verify(&bad).unwrap_err()), Some(0));
    }
}

#[test]
fn a_changed_digit_of_an_entry_names_its_batch() {
    let good = saved(&sale());
    for batch in 0..good.entries.len() {
        for at in 0..good.entries[batch].len() {
            for entry in one_digit_off(good.entries[batch][at]) {
                let mut bad = good.clone();
                bad.entries[batch][at] = entry;
                let fault = verify(&bad).unwrap_err();
                assert_eq!(batch_named(&fault), u32::try_from(batch).ok(), "{fault}");
            }
        }
    }
}

#[test]
fn an_entry_too_many_too_few_or_out_of_order_names_its_batch() {
    let good = saved(&sale());
    let changes: [fn(&mut Vec<Digest>); 3] =
        [|entries| entries.push(Digest::ZERO), |entries| _ = entries.pop(), |entries| entries.swap(0, 1)];
    for change in changes {
        let mut bad = good.clone();
        change(&mut bad.entries[1]);
        assert_eq!(batch_named(&verify(&bad).unwrap_err()), Some(1));
    }
}

#[test]
fn a_changed_number_or_time_of_a_batch_names_it() {
    let good = saved(&sale());
    let changes: [fn(&mut PublicBatch); 7] = [
        |batch| batch.index += 1,
        |batch| batch.start[0] += 1,
        |batch| batch.end[1] += 1,
        |batch| batch.size += 1,
        |batch| batch.before += 1,
        |batch| batch.beacon = "00".parse().unwrap(),
        |batch| batch.closed_at = batch.closed_at.plus_millis(1),
    ];
    for at in 0..good.draw.batches.len() {
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad.draw.batches[at]);
            let fault = verify(&bad).unwrap_err();
            assert_eq!(batch_named(&fault), u32::try_from(at).ok(), "{fault}");
        }
    }
}

#[test]
fn any_changed_byte_of_any_record_is_found_there_or_in_the_one_after_and_a_batch_is_named() {
    let good = saved(&sale());
    let closing: Vec<Option<u32>> = good
        .records
        .iter()
        .map(|text| match StateRecord::parse(text.as_bytes()).unwrap().kind {
            StateKind::BatchClosed { batch, .. } => Some(batch),
            _ => None,
        })
        .collect();
    for (seq, text) in good.records.iter().enumerate() {
        let last_closed = closing[..=seq].iter().rev().find_map(|batch| *batch);
        for at in 0..text.len() {
            for flip in [0x01, 0x10] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= flip;
                let Ok(changed) = String::from_utf8(bytes) else {
                    continue;
                };
                let mut bad = good.clone();
                bad.records[seq] = changed;
                let fault = verify(&bad).unwrap_err();
                let Fault::Record { seq: named, batch, .. } = &fault else { panic!("{fault}") };
                assert!([seq, seq + 1].contains(&usize::try_from(*named).unwrap()), "{fault}");
                // The batch that was drawn last when the record was written, or the one it (or the next) closes.
                let next_closes = closing.get(seq + 1).copied().flatten();
                assert!(
                    *batch == last_closed || batch.is_some() && *batch == next_closes || closing[seq].is_some(),
                    "{fault}"
                );
            }
        }
    }
}

#[test]
fn records_that_are_missing_or_were_written_anew_do_not_lead_to_the_head() {
    let good = saved(&sale());
    let mut short = good.clone();
    short.records.pop();
    assert!(matches!(verify(&short), Err(Fault::Record { .. })));
    // Somebody who holds the whole log can write a well-formed end of their own; the head that was published differs.
    let mut anew = sale();
    let mut state = LineState::new(event());
    anew.texts.pop();
    anew.texts.iter().for_each(|text| assert!(state.apply(text).is_accepted()));
    let forged = state.next(StateKind::Closed, state.last_at().plus_millis(1)).text();
    let mut bad = good.clone();
    *bad.records.last_mut().unwrap() = String::from_utf8(forged.to_vec()).unwrap();
    let fault = verify(&bad).unwrap_err();
    assert!(fault.to_string().contains("not the one that the draw names"), "{fault}");
}

#[test]
fn a_commitment_that_is_not_the_one_noted_is_refused() {
    let draw = saved(&sale()).draw;
    assert!(BatchesCheck::new(&draw, Some(draw.commitment)).is_ok());
    assert!(matches!(BatchesCheck::new(&draw, Some(Digest::ZERO)), Err(Fault::Draw { .. })));
    let other_way = PublicDraw { algorithm: "by hand".to_owned(), ..draw };
    assert!(matches!(BatchesCheck::new(&other_way, None), Err(Fault::Draw { .. })));
}

#[test]
fn the_public_draw_has_the_names_of_the_contract() {
    let draw = serde_json::to_value(saved(&sale()).draw).unwrap();
    for name in ["algorithm", "commitment", "chainLength", "batches"] {
        assert!(draw.get(name).is_some(), "{name}");
    }
    for name in ["index", "start", "end", "size", "before", "root", "reveal", "beacon", "seed", "closedAt"] {
        assert!(draw["batches"][0].get(name).is_some(), "{name}");
    }
}

#[test]
fn a_page_of_records_keeps_their_exact_text() {
    let records = saved(&sale()).records;
    let page = format!(r#"{{"records":[{}],"next":null}}"#, records.join(","));
    let read: RecordsPage = serde_json::from_str(&page).unwrap();
    let again: RecordsPage = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
    for (text, raw) in records.iter().zip(&again.records) {
        assert_eq!(hash_of(text.as_bytes()), hash_of(raw.get().as_bytes()));
    }
}

#[test]
fn pages_of_the_draw_go_on_where_the_one_before_ended() {
    let mut line = TestLine::drawn(1, 1);
    for _ in 0..MAX_BATCHES_A_PAGE {
        line.join();
        line.close_batch();
    }
    let first = PublicDraw::page(&line.state, 0).unwrap();
    assert_eq!((first.batches.len(), first.next), (MAX_BATCHES_A_PAGE, Some(1_000)));
    let second = PublicDraw::page(&line.state, 1_000).unwrap();
    assert_eq!((second.batches.len(), second.next), (1, None));
    assert_eq!(PublicDraw::page(&line.state, 9_999).unwrap().batches, []);
    let mut check = BatchesCheck::new(&first, None).unwrap();
    assert_eq!(check.page(&first).and_then(|()| check.page(&second)), Ok(()));
    assert_eq!((check.batches(), check.places()), (1_001, 1_001));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_rank_that_is_shown_is_the_rank_that_a_verifier_computes(
        lanes in 1_u16..6,
        lobby in 0_u64..60,
        later in prop::collection::vec(0_u64..20, 0..4),
    ) {
        // Invariant 8.
        let mut line = TestLine::drawn(lanes, lobby);
        for joins in later {
            (0..joins).for_each(|_| _ = line.join());
            line.close_batch();
        }
        let public = saved(&line);
        prop_assert_eq!(verify(&public), Ok(()));
        for (lane, entries) in (0..).zip(&line.lanes) {
            for (offset, entry) in (0..).zip(entries) {
                let shown = line.state.ranked(Place { lane, offset }).unwrap();
                let batch = &public.draw.batches[shown.batch as usize];
                let mut check = EntriesCheck::new(batch, Some(*entry));
                check.add(&public.entries[shown.batch as usize]).unwrap();
                let index = check.finish().unwrap();
                prop_assert_eq!(index, Some(shown.index));
                prop_assert_eq!(rank_of(batch, shown.index), Some(shown.rank));
            }
        }
    }
}
