use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The event begins here.
const START: i64 = 1_777_629_600_000;
const H: i64 = MS_PER_HOUR;

fn refund(policy: &RefundPolicy, before: i64, amount: i64) -> i64 {
    policy.refund(amount, Timestamp::from_millis(START), Timestamp::from_millis(START - before))
}

#[test]
fn the_default_gives_all_over_24_hours_half_from_24_to_12_and_nothing_under_12() {
    for (before, paid, back) in [
        // Cancelled so long before the start, of so much paid, so much is given back.
        (30 * 24 * H, 10_000, 10_000),
        (25 * H, 10_000, 10_000),
        (24 * H + 1, 10_000, 10_000),
        (24 * H, 10_000, 5_000),
        (24 * H - 1, 10_000, 5_000),
        (18 * H, 10_000, 5_000),
        (12 * H, 10_000, 5_000),
        (12 * H - 1, 10_000, 0),
        (H, 10_000, 0),
        (0, 10_000, 0),
        (-H, 10_000, 0),
        // Half a cent stays with the organiser.
        (18 * H, 9_999, 4_999),
        (18 * H, 1, 0),
        (18 * H, 0, 0),
        (18 * H, -5, 0),
        (25 * H, i64::MAX, i64::MAX),
        (18 * H, i64::MAX, i64::MAX / 2),
    ] {
        assert_eq!(refund(&RefundPolicy::default(), before, paid), back, "{before} ms before the start, {paid} paid");
    }
}

#[test]
fn a_policy_is_data() {
    let json = json!([{ "overHours": 24, "percent": 100 }, { "fromHours": 12, "percent": 50 }]);
    assert_eq!(serde_json::from_value::<RefundPolicy>(json.clone()).unwrap(), RefundPolicy::default());
    assert_eq!(serde_json::to_value(RefundPolicy::default()).unwrap(), json);
    let never: RefundPolicy = serde_json::from_value(json!([])).unwrap();
    assert_eq!(refund(&never, 1_000 * H, 100), 0);
    let always: RefundPolicy = serde_json::from_value(json!([{ "fromHours": 0, "percent": 90 }])).unwrap();
    assert_eq!((refund(&always, 1, 100), refund(&always, 0, 100), refund(&always, -1, 100)), (90, 0, 0));
}

#[test]
fn a_table_that_gives_more_for_cancelling_later_is_refused() {
    for (tiers, reason) in [
        (json!([{ "fromHours": 12, "percent": 101 }]), "tier 1 gives 101 percent back"),
        (
            json!([{ "fromHours": 12, "percent": 50 }, { "fromHours": 24, "percent": 20 }]),
            "tier 2 must ask for less notice",
        ),
        (
            json!([{ "fromHours": 12, "percent": 50 }, { "fromHours": 12, "percent": 50 }]),
            "tier 2 must ask for less notice",
        ),
        (
            json!([{ "fromHours": 24, "percent": 50 }, { "overHours": 24, "percent": 20 }]),
            "tier 2 must ask for less notice",
        ),
        (json!([{ "fromHours": 24, "percent": 50 }, { "fromHours": 12, "percent": 60 }]), "and give no more"),
        (json!(vec![json!({ "fromHours": 1, "percent": 1 }); 21]), "at most 20 tiers"),
    ] {
        let error = serde_json::from_value::<RefundPolicy>(tiers).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

fn any_policy() -> impl Strategy<Value = RefundPolicy> {
    let notice = (any::<bool>(), 0_u32..200)
        .prop_map(|(over, hours)| if over { Notice::OverHours(hours) } else { Notice::FromHours(hours) });
    prop::collection::vec((notice, 0_u8..=100), 0..6).prop_map(|lines| {
        let (mut notices, mut percents): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
        notices.sort_by_key(|notice| -notice.least_ms());
        notices.dedup_by_key(|notice| notice.least_ms());
        percents.sort_unstable_by(|a, b| b.cmp(a));
        let tiers = notices.into_iter().zip(percents).map(|(notice, percent)| RefundTier { notice, percent });
        RefundPolicy::new(tiers.collect()).unwrap()
    })
}

proptest! {
    #[test]
    fn a_refund_is_never_more_than_was_paid_and_never_grows_with_time(
        policy in any_policy(), amount in 0..=i64::MAX, earlier in -H..300 * H, later in 0..300 * H,
    ) {
        let first = refund(&policy, earlier, amount);
        let second = refund(&policy, earlier - later, amount);
        prop_assert!((0..=amount).contains(&first));
        prop_assert!(second <= first);
    }
}
