//! The suite of a catalog's changes: see [`crate::ports::contract`].

use super::CatalogChanges;
use crate::{
    capture::CatalogChange,
    ports::{
        catalog::{
            Catalog,
            contract::{moved, show, venue},
        },
        contract::{at, event},
    },
};

/// Makes one test of each sentence of the contract of a catalog's changes.
#[macro_export]
macro_rules! changes_contract {
    (#[$test:meta] $open:expr) => {
        $crate::contract_checks! { [#[$test]] ($open) changes:
            each_write_is_a_change_and_one_that_does_nothing_is_none
            a_change_is_handed_out_until_it_is_published
        }
    };
}

async fn waiting(catalog: &impl CatalogChanges) -> Vec<(u64, CatalogChange)> {
    catalog.changes(100).await.expect("changes")
}

/// "A change is written together with what it is of. Of one event, versions rise."
pub async fn each_write_is_a_change_and_one_that_does_nothing_is_none<C: Catalog + CatalogChanges>(
    open: impl AsyncFn() -> C,
) {
    let catalog = open().await;
    assert!(waiting(&catalog).await.is_empty());
    catalog.put_venue(&venue(1, "A")).await.expect("put");
    for _ in 0..2 {
        catalog.put_event(&show(1, at(5))).await.expect("put");
        catalog.put_event(&show(2, at(6))).await.expect("put");
        catalog.move_event(&event(1), &moved(1, at(5), at(20))).await.expect("moved");
    }
    catalog.put_event(&show(2, at(7))).await.expect("a conflict");
    let changes: Vec<CatalogChange> = waiting(&catalog).await.into_iter().map(|(_, change)| change).collect();
    let of = |number| changes.iter().filter(|change| change.event_id == event(number)).collect::<Vec<_>>();
    let (first, second) = (of(1), of(2));
    assert_eq!((first.len(), second.len()), (2, 1), "{changes:?}");
    assert_eq!(first[0].event, Some(show(1, at(5))));
    assert_eq!(first[1].event, show(1, at(5)).after(&moved(1, at(5), at(20))));
    assert!(first[0].version < first[1].version, "versions of an event rise");
    assert_eq!(second[0].event, Some(show(2, at(6))));
}

/// "It is handed out until it is noted as published, also after a restart."
pub async fn a_change_is_handed_out_until_it_is_published<C: Catalog + CatalogChanges>(open: impl AsyncFn() -> C) {
    let catalog = open().await;
    catalog.put_venue(&venue(1, "A")).await.expect("put");
    for number in 1..=3 {
        catalog.put_event(&show(number, at(i64::from(number)))).await.expect("put");
    }
    assert_eq!(catalog.changes(2).await.expect("changes").len(), 2, "no more than asked for");
    let all = waiting(&catalog).await;
    assert_eq!(all.len(), 3);
    catalog.changes_published(&[all[0].0, all[1].0]).await.expect("noted");
    drop(catalog);
    let catalog = open().await;
    assert_eq!(waiting(&catalog).await, all[2..]);
    catalog.changes_published(&[all[0].0, all[2].0]).await.expect("noted");
    catalog.put_event(&show(4, at(4))).await.expect("put");
    let last = waiting(&catalog).await;
    assert_eq!(last.len(), 1);
    assert!(last[0].1.version > all[2].1.version && last[0].0 > all[2].0, "numbers are not used again");
}
