//! What our own sandbox does beside what every provider does.

use super::{authorise, status};
use crate::{
    id::TransactionId,
    ports::{
        contract::{at, booking, euros, transaction},
        payments::{
            Authorisation, DueNotice, NOTICE_LEASE_MS, Notice, PaymentStatus, Sandbox, SandboxOrder, SandboxOutcome,
        },
    },
};

/// Makes one test of each sentence of the sandbox's contract.
#[macro_export]
macro_rules! sandbox_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) payments:
            notices_are_given_out_when_they_are_due_until_they_were_sent
            notices_that_wait_survive_a_restart
            a_delay_is_waited_for_once
        }
    };
}

/// A payment of 5.00 for a booking, with these notices, made at the beginning.
async fn order(payments: &impl Sandbox, number: u32, notices_ms: &[u32]) {
    let plain = SandboxOrder::plain(euros(500), SandboxOutcome::Approve);
    let order = SandboxOrder { booking: Some(booking(number)), notices_ms: notices_ms.to_vec(), ..plain };
    for _ in 0..2 {
        payments.order(&transaction(number), &order, at(0)).await.expect("made once");
    }
    assert!(payments.create(&transaction(number), euros(500), SandboxOutcome::Approve).await.is_err(), "another one");
}

async fn due(payments: &impl Sandbox, now: i64) -> Vec<(TransactionId, u32)> {
    let mut due = payments.due_notices(at(now), 10).await.expect("the notices");
    due.sort_by(|a, b| (&a.notice.transaction, a.number).cmp(&(&b.notice.transaction, b.number)));
    due.into_iter().map(|due| (due.notice.transaction, due.number)).collect()
}

fn due_notice(number: u32, which: u32) -> DueNotice {
    let notice = Notice { booking: booking(number), transaction: transaction(number), amount: euros(500) };
    DueNotice { number: which, notice }
}

/// "Nobody else is given them for a while; then whoever asks, unless they were sent."
pub async fn notices_are_given_out_when_they_are_due_until_they_were_sent<P: Sandbox>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    order(&payments, 1, &[2_000, 0, 2_000]).await;
    order(&payments, 2, &[2_000]).await;
    order(&payments, 3, &[]).await;
    assert_eq!(payments.due_notices(at(0), 10).await.expect("the notices"), [due_notice(1, 1)]);
    assert_eq!(due(&payments, NOTICE_LEASE_MS - 1).await.len(), 3, "those that are due by then, and not the first");
    assert_eq!(due(&payments, NOTICE_LEASE_MS).await, [(transaction(1), 1)], "it was not sent");
    for which in [0, 1] {
        for _ in 0..2 {
            payments.notice_sent(&due_notice(1, which)).await.expect("noted");
        }
    }
    let later = 3 * NOTICE_LEASE_MS;
    assert_eq!(
        due(&payments, later).await,
        [(transaction(1), 2), (transaction(2), 0)],
        "what was sent is not sent again"
    );
    payments.notice_sent(&due_notice(1, 2)).await.expect("noted");
    payments.notice_sent(&due_notice(2, 0)).await.expect("noted");
    payments.notice_sent(&due_notice(9, 0)).await.expect("of nothing: nothing");
    assert_eq!(due(&payments, 9 * NOTICE_LEASE_MS).await, []);
    assert_eq!(status(&payments, 1).await, Some(PaymentStatus::Created), "telling sets nothing aside");
}

/// Kept with the payments.
pub async fn notices_that_wait_survive_a_restart<P: Sandbox>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    order(&payments, 1, &[1_000, 2_000]).await;
    assert_eq!(due(&payments, 1_000).await, [(transaction(1), 0)]);
    payments.notice_sent(&due_notice(1, 0)).await.expect("noted");
    drop(payments);
    let payments = open().await;
    assert_eq!(due(&payments, 2_000).await, [(transaction(1), 1)]);
}

/// "How much later the first authorisation is answered"; whoever repeats it is answered at once.
pub async fn a_delay_is_waited_for_once<P: Sandbox>(open: impl AsyncFn() -> P) {
    let payments = open().await;
    let order = SandboxOrder { delay_ms: 60_000, ..SandboxOrder::plain(euros(500), SandboxOutcome::Approve) };
    payments.order(&transaction(1), &order, at(0)).await.expect("made");
    let slow = authorise(&payments, 1, 1);
    let asked_again = async {
        // It is decided long before it is answered.
        while status(&payments, 1).await != Some(PaymentStatus::Authorised) {}
        authorise(&payments, 1, 1).await
    };
    let first = futures_util::future::select(Box::pin(slow), Box::pin(asked_again)).await;
    assert!(matches!(first, futures_util::future::Either::Right((Authorisation::Approved, _))), "the second is first");
}
