//! What the store must hold to about servers: joining, node files, reports.

use super::fixtures::{
    TIME_AND_ACTOR_ANN, insert_sample_report, open_empty_test_store, sample_node_file, sample_place_change,
};
use crate::store::{test_database::TestEngine, *};

on_both_engines! {
    join_token_is_accepted_once_and_only_before_it_expires,
    joining_again_revokes_the_earlier_credential,
    reports_of_unchanged_runs_are_counted_and_not_in_the_audit_log,
    generation_is_stored_once_and_kept,
    node_resolved_from_an_overtaken_revision_is_not_stored,
    reports_are_listed_newest_first_in_pages,
    run_is_stored_once_and_old_successes_are_pruned_before_old_failures,
    credential_of_a_removed_or_revoked_server_is_refused,
    concurrent_joins_of_one_server_leave_one_valid_credential,
}

async fn join_token_is_accepted_once_and_only_before_it_expires(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let token = NewJoinTokenRow { id: "j", server: "web-01", hash: "h", expires_us: 2_000 };
    store.insert_join_token(&token, &TIME_AND_ACTOR_ANN).await.unwrap();
    assert_eq!(store.read_usable_join_token_hash("j", "web-01", 1_000).await.unwrap().as_deref(), Some("h"));
    assert_eq!(store.read_usable_join_token_hash("j", "web-02", 1_000).await.unwrap(), None);
    assert_eq!(store.read_usable_join_token_hash("j", "web-01", 2_000).await.unwrap(), None);

    assert!(
        !store
            .replace_credential_by_join_token(
                "j",
                "web-01",
                "c0",
                "h0",
                &TimeAndActor { at_us: 2_000, ..TIME_AND_ACTOR_ANN }
            )
            .await
            .unwrap()
    );
    assert!(
        store.replace_credential_by_join_token("j", "web-01", "c1", "h1", &TIME_AND_ACTOR_ANN).await.unwrap()
    );
    assert!(
        !store
            .replace_credential_by_join_token("j", "web-01", "c2", "h2", &TIME_AND_ACTOR_ANN)
            .await
            .unwrap()
    );
    assert_eq!(
        store.read_unrevoked_credential_by_id("c1").await.unwrap(),
        Some(("web-01".to_owned(), "h1".to_owned()))
    );
    assert_eq!(store.read_unrevoked_credential_by_id("c2").await.unwrap(), None);
}

async fn joining_again_revokes_the_earlier_credential(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    for (token, credential) in [("j1", "c1"), ("j2", "c2")] {
        let token = NewJoinTokenRow { id: token, server: "web-01", hash: "h", expires_us: 2_000 };
        store.insert_join_token(&token, &TIME_AND_ACTOR_ANN).await.unwrap();
        assert!(
            store
                .replace_credential_by_join_token(token.id, "web-01", credential, "h", &TIME_AND_ACTOR_ANN)
                .await
                .unwrap()
        );
    }
    assert_eq!(store.read_unrevoked_credential_by_id("c1").await.unwrap(), None);
    assert!(store.read_unrevoked_credential_by_id("c2").await.unwrap().is_some());
}

async fn reports_of_unchanged_runs_are_counted_and_not_in_the_audit_log(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    for (generation, outcome) in
        [(1, "changed"), (2, "unchanged"), (3, "unchanged"), (3, "unchanged"), (4, "failed")]
    {
        insert_sample_report(&store, "web-01", generation, outcome).await;
    }
    let states = store.read_server_statuses_in_range("web-01", "web-01").await.unwrap();
    assert_eq!(states["web-01"].unchanged_reports, 2, "a run is reported once");
    let log = store.read_audit_entries(None, 10).await.unwrap();
    let details: Vec<&str> = log.iter().map(|entry| entry.detail.as_str()).collect();
    assert_eq!(details, ["generation 4, failed", "generation 1, changed"]);
}

async fn generation_is_stored_once_and_kept(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    store.commit_revision_and_revoke_removed(0, &[], "", &[], &TIME_AND_ACTOR_ANN).await.unwrap();
    let shop = [("shop".to_owned(), "1.0.0-1".to_owned())];
    assert_eq!(store.read_latest_node_file("web-01").await.unwrap(), None);
    assert!(
        store
            .insert_node_file_unless_outdated(&sample_node_file(1, "d1", &shop), &TIME_AND_ACTOR_ANN)
            .await
            .unwrap()
    );
    assert!(
        !store
            .insert_node_file_unless_outdated(&sample_node_file(1, "other", &[]), &TIME_AND_ACTOR_ANN)
            .await
            .unwrap()
    );
    assert!(
        store
            .insert_node_file_unless_outdated(&sample_node_file(2, "d2", &[]), &TIME_AND_ACTOR_ANN)
            .await
            .unwrap()
    );
    assert_eq!(store.read_latest_node_file("web-01").await.unwrap().unwrap().digest, "d2");
    assert_eq!(store.read_node_file_of_generation("web-01", 1).await.unwrap().unwrap().digest, "d1");
    assert_eq!(store.read_node_file_of_generation("web-02", 1).await.unwrap(), None);
    assert_eq!(store.read_component_versions_of_node_files().await.unwrap(), shop.into());
    let resolution = store.read_resolution_without_node("web-01").await.unwrap().unwrap();
    assert_eq!(resolution.digest, "d2", "it is stored with the node file");
}

async fn node_resolved_from_an_overtaken_revision_is_not_stored(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    store.commit_revision_and_revoke_removed(0, &[], "", &[], &TIME_AND_ACTOR_ANN).await.unwrap();
    store.commit_revision_and_revoke_removed(1, &[], "", &[], &TIME_AND_ACTOR_ANN).await.unwrap();
    assert!(
        !store
            .insert_node_file_unless_outdated(&sample_node_file(1, "old", &[]), &TIME_AND_ACTOR_ANN)
            .await
            .unwrap()
    );
    assert_eq!(store.read_latest_node_file("web-01").await.unwrap(), None);
}

async fn reports_are_listed_newest_first_in_pages(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    for generation in 1..=5 {
        insert_sample_report(&store, "web-01", generation, "changed").await;
    }
    insert_sample_report(&store, "web-02", 1, "failed").await;
    let generations = |page: &[(super::reports::ReportIdAndReceiptTime, ReportSummaryColumns)]| -> Vec<u64> {
        page.iter().map(|(_, head)| head.generation).collect()
    };
    let page = store.read_report_summaries_of_server("web-01", None, 2).await.unwrap();
    assert_eq!(generations(&page), [5, 4]);
    let states = store.read_server_statuses_in_range("web-01", "web-03").await.unwrap();
    assert_eq!(states.keys().collect::<Vec<_>>(), ["web-01", "web-02"]);
    let state = &states["web-01"];
    assert_eq!((state.reported_generation, state.outcome.as_deref()), (Some(5), Some("changed")));
    let rest = store.read_report_summaries_of_server("web-01", Some(page[1].0.id), 10).await.unwrap();
    assert_eq!(generations(&rest), [3, 2, 1]);
    let whole = store.read_report("web-01", page[0].0.id).await.unwrap().unwrap();
    assert_eq!(whole.report, "5");
    assert_eq!(store.read_report("web-02", page[0].0.id).await.unwrap(), None);
}

async fn run_is_stored_once_and_old_successes_are_pruned_before_old_failures(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let first = insert_sample_report(&store, "web-01", 1, "failed").await;
    assert_eq!(insert_sample_report(&store, "web-01", 1, "failed").await, first);
    assert_eq!(store.read_audit_entries(None, 10).await.unwrap().len(), 1);
    for generation in 2..=600 {
        insert_sample_report(&store, "web-01", generation, "unchanged").await;
    }
    assert_eq!(store.read_servers_with_many_reports().await.unwrap(), ["web-01"]);
    assert_eq!(store.prune_reports_of_server("web-01").await.unwrap(), 99);
    let all = store.read_report_summaries_of_server("web-01", None, 1000).await.unwrap();
    assert_eq!(all.len(), 501);
    assert_eq!(all.last().unwrap().1.outcome, "failed");
}

async fn credential_of_a_removed_or_revoked_server_is_refused(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    store
        .commit_revision_and_revoke_removed(
            0,
            &[sample_place_change("servers/web-01.yaml", "x")],
            "",
            &[],
            &TIME_AND_ACTOR_ANN,
        )
        .await
        .unwrap();
    let join = async |token: &'static str, credential: &str| {
        let new = NewJoinTokenRow { id: token, server: "web-01", hash: "h", expires_us: 2_000 };
        store.insert_join_token(&new, &TIME_AND_ACTOR_ANN).await.unwrap();
        assert!(
            store
                .replace_credential_by_join_token(token, "web-01", credential, "h", &TIME_AND_ACTOR_ANN)
                .await
                .unwrap()
        );
    };
    join("j1", "c1").await;
    assert!(store.revoke_server_credential_and_join_tokens("web-01", &TIME_AND_ACTOR_ANN).await.unwrap());
    assert!(!store.revoke_server_credential_and_join_tokens("web-01", &TIME_AND_ACTOR_ANN).await.unwrap());
    assert_eq!(store.read_unrevoked_credential_by_id("c1").await.unwrap(), None);
    join("j2", "c2").await;
    let spare = NewJoinTokenRow { id: "j3", server: "web-01", hash: "h", expires_us: 2_000 };
    store.insert_join_token(&spare, &TIME_AND_ACTOR_ANN).await.unwrap();
    let removal = PlaceChange { path: "servers/web-01.yaml".to_owned(), becomes: None };
    store.commit_revision_and_revoke_removed(1, &[removal], "", &[], &TIME_AND_ACTOR_ANN).await.unwrap();
    assert_eq!(store.read_unrevoked_credential_by_id("c2").await.unwrap(), None);
    assert_eq!(store.read_usable_join_token_hash("j3", "web-01", 1_000).await.unwrap(), None);
}

async fn concurrent_joins_of_one_server_leave_one_valid_credential(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let mut joins = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = store.clone();
        joins.spawn(async move {
            let (token, credential) = (format!("j{n}"), format!("c{n}"));
            let row = NewJoinTokenRow { id: &token, server: "web-01", hash: "h", expires_us: 2_000 };
            store.insert_join_token(&row, &TIME_AND_ACTOR_ANN).await.unwrap();
            store
                .replace_credential_by_join_token(&token, "web-01", &credential, "h", &TIME_AND_ACTOR_ANN)
                .await
                .unwrap()
        });
    }
    assert!(joins.join_all().await.into_iter().all(|joined| joined));
    let mut valid = 0;
    for n in 0..8 {
        valid +=
            usize::from(store.read_unrevoked_credential_by_id(&format!("c{n}")).await.unwrap().is_some());
    }
    assert_eq!(valid, 1);
}
