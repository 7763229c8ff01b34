use booking_core::ports::search::{Search as _, SearchIndex as _};

use super::TantivySearch;

fn fresh() -> impl AsyncFn() -> TantivySearch {
    let folder = tempfile::tempdir().expect("a temporary folder");
    async move || TantivySearch::open(&folder.path().join("search")).await.expect("an index")
}

mod contract {
    booking_core::search_contract!(
        #[tokio::test]
        super::fresh()
    );
}

mod relevance {
    booking_core::relevance_suite!(
        #[tokio::test]
        super::fresh()
    );
}

#[tokio::test]
async fn an_index_of_another_version_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut schema = tantivy::schema::Schema::builder();
    schema.add_u64_field("other", tantivy::schema::FAST);
    tantivy::Index::create_in_dir(folder.path(), schema.build()).unwrap();
    let first = TantivySearch::open(folder.path()).await.unwrap().id().await.unwrap();
    assert_eq!(TantivySearch::open(folder.path()).await.unwrap().id().await.unwrap(), first);
    std::fs::remove_dir_all(folder.path()).unwrap();
    assert_ne!(TantivySearch::open(folder.path()).await.unwrap().id().await.unwrap(), first);
}

#[tokio::test]
async fn an_index_that_can_t_be_read_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("meta.json"), "{").unwrap();
    let error = TantivySearch::open(folder.path()).await.unwrap_err().to_string();
    assert!(error.contains("remove the folder") && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn two_processes_do_not_write_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) =
        (TantivySearch::open(folder.path()).await.unwrap(), TantivySearch::open(folder.path()).await.unwrap());
    let gone = booking_core::search::Change {
        event_id: "evt_1".parse().unwrap(),
        version: 1,
        what: booking_core::search::What::Gone,
    };
    first.apply(std::slice::from_ref(&gone)).await.unwrap();
    let error = second.apply(std::slice::from_ref(&gone)).await.unwrap_err().to_string();
    assert!(error.contains("in use by another process"), "{error}");
    assert_ne!(first.state().await.unwrap(), u64::MAX);
}
