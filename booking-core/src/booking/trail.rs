//! What a trail of payment acts says of the money it is about.

use super::{PaymentAct, PaymentStep};

/// The act since which something is to be done about the money of `acts`: all that are about one payment or one refund,
/// in their order. `None`: nothing is.
///
/// What the provider declined is at its end, unless it is to be given back all the same: the provider may have another
/// amount set aside than it was asked for.
pub fn open_since<'a>(acts: impl IntoIterator<Item = &'a PaymentAct>) -> Option<&'a PaymentAct> {
    let (mut since, mut is_declined, mut goes_back) = (None, false, false);
    for act in acts {
        match act.step {
            PaymentStep::Declined => {
                is_declined = true;
                since = since.filter(|_| goes_back);
            }
            step if step.is_end() => return None,
            PaymentStep::VoidDue => {
                goes_back = true;
                since = since.or(Some(act));
            }
            step if step.is_begin() && !is_declined => since = since.or(Some(act)),
            _ => {}
        }
    }
    since
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{money::Money, time::Timestamp};

    #[test]
    fn money_is_open_from_what_began_it_to_its_end() {
        use PaymentStep::{
            Asked, Authorised, Captured, Declined, RefundDue, Refunded, Resolved, Stuck, VoidDue, Voided,
        };
        let table: [(&[PaymentStep], Option<usize>); 16] = [
            (&[], None),
            (&[Asked], Some(0)),
            (&[Asked, Authorised], Some(0)),
            (&[Asked, Authorised, Captured], None),
            (&[Asked, Declined], None),
            (&[Declined, Asked], None),
            (&[Asked, VoidDue], Some(0)),
            (&[Asked, VoidDue, Voided], None),
            (&[Asked, VoidDue, Declined], Some(0)),
            (&[Asked, Declined, VoidDue], Some(2)),
            (&[Asked, Declined, VoidDue, Stuck], Some(2)),
            (&[Asked, Declined, VoidDue, Stuck, Resolved], None),
            (&[Asked, Declined, VoidDue, Voided], None),
            (&[VoidDue], Some(0)),
            (&[RefundDue, Stuck], Some(0)),
            (&[RefundDue, Stuck, Refunded], None),
        ];
        for (steps, since) in table {
            let act = |step: &PaymentStep| PaymentAct {
                booking: "booking_1".parse().unwrap(),
                transaction: "txn_1".parse().unwrap(),
                refund: 0,
                step: *step,
                amount: Money { amount: 500, currency: "EUR".parse().unwrap() },
                reason: None,
                at: Timestamp::default(),
            };
            let acts: Vec<PaymentAct> = steps.iter().map(act).collect();
            assert_eq!(open_since(&acts), since.map(|at| &acts[at]), "{steps:?}");
        }
    }
}
