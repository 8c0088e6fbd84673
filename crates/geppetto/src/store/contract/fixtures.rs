//! Rows that the tests of the store write.

use model::{name::ServerName, resolve::ResolutionReads};

use crate::store::{
    test_database::{TestDatabase, TestEngine},
    *,
};

pub(super) async fn open_empty_test_store(engine: TestEngine) -> Option<(Store, TestDatabase)> {
    let database = TestDatabase::create_empty_if_engine_installed(engine)?;
    Some((open_store_of_test_database(&database).await, database))
}

pub(super) async fn open_store_of_test_database(database: &TestDatabase) -> Store {
    let opened = StoreWithUncheckedKeys::open_and_migrate(&database.database).await.unwrap();
    opened.check_or_set_both_keys(SealingKey::new(&[7; 32]), "node key").await.unwrap()
}

pub(super) const TIME_AND_ACTOR_ANN: TimeAndActor<'static> =
    TimeAndActor { at_us: 1_000, actor: "token ann" };

pub(super) fn sample_place_change(path: &str, text: &str) -> PlaceChange {
    let object = PlaceTextAndOriginsRow { text: text.to_owned(), origins: "{}".to_owned() };
    PlaceChange { path: path.to_owned(), becomes: Some(object) }
}

pub(super) fn sample_grant_row(
    access_level: &str,
    environment: Option<&str>,
    component: Option<&str>,
) -> GrantRow {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    GrantRow {
        access_level: access_level.to_owned(),
        environment: owned(environment),
        component: owned(component),
    }
}

pub(super) fn sample_node_file<'a>(
    generation: u64,
    digest: &'a str,
    components: &'a [(String, String)],
) -> NewNodeFile<'a> {
    let resolution = NewResolutionRow {
        server: ServerName::new("web-01").unwrap(),
        digest: digest.to_owned(),
        reads: ResolutionReads::default(),
        offers: String::new(),
    };
    NewNodeFile { server: "web-01", generation, digest, text: "text", revision: 1, components, resolution }
}

pub(super) async fn insert_sample_report(store: &Store, server: &str, generation: u64, outcome: &str) -> u64 {
    let head = ReportSummaryColumns {
        generation,
        outcome: outcome.to_owned(),
        started_us: i64::try_from(generation).unwrap(),
        duration_us: 2,
        unchanged: 3,
        entries: 4,
    };
    store
        .insert_report_or_get_existing(
            &NewReport { server, head, json: &generation.to_string() },
            &TIME_AND_ACTOR_ANN,
        )
        .await
        .unwrap()
}

pub(super) const SAMPLE_CHECK_JOB: NewJob<'static> =
    NewJob { kind: "check", input: "{}", unique_key: Some("check"), due_us: 1_000, max_attempts: 3 };

pub(super) fn format_path_text_pairs(
    objects: std::collections::BTreeMap<String, PlaceTextAndOriginsRow>,
) -> Vec<String> {
    objects.into_iter().map(|(path, object)| format!("{path}={}", object.text)).collect()
}
