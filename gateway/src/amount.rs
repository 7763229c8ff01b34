//! Amounts as people and machines outside write them.

use booking_core::money::Currency;

/// `45.00`: an amount in minor units with as many digits as its currency's minor unit has, without grouping; two where the
/// currency is unknown.
pub(crate) fn in_major_units(amount: i64, currency: Currency) -> String {
    let known = iso_currency::Currency::from_code(currency.as_str());
    let digits = usize::from(known.and_then(iso_currency::Currency::exponent).unwrap_or(2));
    let unit = 10_u64.pow(u32::try_from(digits).unwrap_or(2));
    let (sign, amount) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    if digits == 0 {
        return format!("{sign}{amount}");
    }
    format!("{sign}{}.{:0digits$}", amount / unit, amount % unit)
}
