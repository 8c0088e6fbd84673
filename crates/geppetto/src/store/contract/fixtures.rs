//! Rows that the tests of the store write.

use model::{name::ServerName, resolve::ResolutionReads};

use crate::store::*;

pub(super) const ANN: TimeAndActor<'static> = TimeAndActor { at_us: 1_000, actor: "token ann" };

pub(super) fn becomes(path: &str, text: &str) -> PlaceChange {
    let object = PlaceDocumentRow { text: text.to_owned(), origins: "{}".to_owned() };
    PlaceChange { path: path.to_owned(), becomes: Some(object) }
}

pub(super) fn grant(access_level: &str, environment: Option<&str>, component: Option<&str>) -> GrantRow {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    GrantRow {
        access_level: access_level.to_owned(),
        environment: owned(environment),
        component: owned(component),
    }
}

pub(super) fn node<'a>(
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

pub(super) async fn report(store: &Store, server: &str, generation: u64, outcome: &str) -> u64 {
    let head = ReportSummaryColumns {
        generation,
        outcome: outcome.to_owned(),
        started_us: i64::try_from(generation).unwrap(),
        duration_us: 2,
        unchanged: 3,
        entries: 4,
    };
    store.insert_report(&NewReport { server, head, json: &generation.to_string() }, &ANN).await.unwrap()
}

pub(super) const CHECK: NewJob<'static> =
    NewJob { kind: "check", input: "{}", unique_key: Some("check"), due_us: 1_000, max_attempts: 3 };
