//! Money that the provider had set aside and that is to be given back, whatever was said of it before.

use crate::{
    booking::{PaymentAct, PaymentStep},
    ports::{
        contract::{at, booking, euros, transaction},
        ledger::Ledger,
    },
};

/// Open from the act on that says so: also where the payment had been declined, and where that is said afterwards.
pub async fn what_is_to_be_given_back_is_unsettled_until_it_was<L: Ledger>(open: impl AsyncFn() -> L) {
    let ledger = open().await;
    let act = |number, step, now| PaymentAct {
        booking: booking(number),
        transaction: transaction(number),
        refund: 0,
        step,
        amount: euros(4_500),
        at: at(now),
        reason: None,
    };
    let record = async |number, steps: &[PaymentStep]| {
        for (step, now) in steps.iter().zip(10 * i64::from(number)..) {
            // The same act twice is one.
            for _ in 0..2 {
                ledger.record_payment(&act(number, *step, now)).await.expect("recorded");
            }
        }
    };
    let (asked, declined, void_due) = (PaymentStep::Asked, PaymentStep::Declined, PaymentStep::VoidDue);
    record(1, &[asked, declined, void_due]).await;
    record(2, &[asked, void_due, declined]).await;
    record(3, &[asked, void_due]).await;
    record(4, &[asked, declined, void_due, PaymentStep::Voided]).await;
    record(5, &[declined, asked]).await;
    record(6, &[asked, declined, void_due, PaymentStep::Stuck]).await;
    let expected = [act(1, void_due, 12), act(2, asked, 20), act(3, asked, 30)];
    assert_eq!(ledger.unsettled_payments(at(1_000), 10).await.expect("the unsettled"), expected);
    assert_eq!(ledger.stuck_payments(10).await.expect("the stuck"), [act(6, PaymentStep::Stuck, 63)]);
    for number in [1, 2, 3, 6] {
        ledger.record_payment(&act(number, PaymentStep::Voided, 100)).await.expect("recorded");
    }
    assert_eq!(ledger.unsettled_payments(at(1_000), 10).await.expect("none"), []);
    assert_eq!(ledger.stuck_payments(10).await.expect("none"), []);
}
