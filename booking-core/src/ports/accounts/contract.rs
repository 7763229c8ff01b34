//! The refresh families' suite: see [`crate::ports::contract`].

use futures_util::future::join_all;

use super::{RefreshFamilies, Rotation};
use crate::{ports::contract::at, time::Timestamp};

/// Makes one test of each sentence of the refresh families' contract.
#[macro_export]
macro_rules! accounts_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) accounts:
            a_token_works_once_and_gives_the_next
            a_token_used_twice_ends_its_family
            a_token_that_was_never_given_ends_its_family
            a_token_used_many_times_at_once_works_once_at_most
            a_rotation_survives_a_restart
            a_family_past_its_time_gives_no_more
            families_are_apart
        }
    };
}

const FAMILY: [u8; 16] = [7; 16];

async fn rotate_at(families: &impl RefreshFamilies, serial: u64, now: Timestamp) -> Rotation {
    families.rotate(FAMILY, serial, at(100_000), now).await.expect("an answer")
}

async fn rotate(families: &impl RefreshFamilies, serial: u64) -> Rotation {
    rotate_at(families, serial, at(0)).await
}

/// "A family never seen stands at serial 0."
pub async fn a_token_works_once_and_gives_the_next<R: RefreshFamilies>(open: impl AsyncFn() -> R) {
    let families = open().await;
    for serial in 0..4 {
        assert_eq!(rotate(&families, serial).await, Rotation::Next(serial + 1));
    }
}

/// "One used twice ends its whole family."
pub async fn a_token_used_twice_ends_its_family<R: RefreshFamilies>(open: impl AsyncFn() -> R) {
    let families = open().await;
    rotate(&families, 0).await;
    rotate(&families, 1).await;
    assert_eq!(rotate(&families, 0).await, Rotation::Revoked, "stolen, or its owner's: nobody can tell");
    for serial in [2, 3, 1, 0] {
        assert_eq!(rotate(&families, serial).await, Rotation::Revoked, "serial {serial}");
    }
}

/// A serial ahead of the family can't have been given: the store lost something, or the key did.
pub async fn a_token_that_was_never_given_ends_its_family<R: RefreshFamilies>(open: impl AsyncFn() -> R) {
    let families = open().await;
    rotate(&families, 0).await;
    assert_eq!(rotate(&families, 5).await, Rotation::Revoked);
    assert_eq!(rotate(&families, 1).await, Rotation::Revoked);
}

/// "Rotate is atomic for a family."
pub async fn a_token_used_many_times_at_once_works_once_at_most<R: RefreshFamilies>(open: impl AsyncFn() -> R) {
    let families = open().await;
    let answers = join_all((0..50).map(|_| rotate(&families, 0))).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Rotation::Next(1)).count(), 1);
    assert_eq!(rotate(&families, 1).await, Rotation::Revoked);
}

/// "And survives a restart."
pub async fn a_rotation_survives_a_restart<R: RefreshFamilies>(open: impl AsyncFn() -> R) {
    let families = open().await;
    rotate(&families, 0).await;
    drop(families);
    let families = open().await;
    assert_eq!(rotate(&families, 1).await, Rotation::Next(2));
    assert_eq!(rotate(&families, 0).await, Rotation::Revoked);
    drop(families);
    assert_eq!(rotate(&open().await, 2).await, Rotation::Revoked);
}

/// "A family nobody may use any more (past its `expires_at`) may be forgotten": so its tokens are void.
pub async fn a_family_past_its_time_gives_no_more<R: RefreshFamilies>(open: impl AsyncFn() -> R) {
    let families = open().await;
    assert_eq!(rotate_at(&families, 0, at(99_999)).await, Rotation::Next(1));
    for serial in [1, 0, 1] {
        assert_eq!(rotate_at(&families, serial, at(100_000)).await, Rotation::Revoked);
    }
}

/// One family's end is no other's.
pub async fn families_are_apart<R: RefreshFamilies>(open: impl AsyncFn() -> R) {
    let families = open().await;
    rotate(&families, 0).await;
    rotate(&families, 0).await;
    let other = families.rotate([8; 16], 0, at(100_000), at(0)).await.expect("an answer");
    assert_eq!(other, Rotation::Next(1));
}
