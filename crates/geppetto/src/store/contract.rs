//! What any database behind the store must hold to; each fact once, run on every engine there is.

mod fixtures;

use std::collections::BTreeMap;

use fixtures::{
    SAMPLE_CHECK_JOB, TIME_AND_ACTOR_ANN, format_path_text_pairs, open_empty_test_store,
    open_store_of_test_database, sample_grant_row, sample_node_file, sample_place_change,
};

use super::{
    test_database::{TestDatabase, TestEngine},
    *,
};

/// Defines each test once for each engine.
macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            use super::TestEngine;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(TestEngine::Sqlite).await; })*
        }
        mod postgres {
            use super::TestEngine;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(TestEngine::Postgres).await; })*
        }
    };
}

mod hosts;
mod people;

use people::{
    password_link_is_good_once_until_it_expires_or_another_replaces_it,
    session_is_good_while_it_is_used_and_ends_with_its_user,
};

on_both_engines!(
    every_revision_can_be_read_back_whole,
    commit_from_an_older_revision_is_refused_and_changes_nothing,
    of_many_commits_from_one_revision_exactly_one_succeeds,
    token_is_valid_until_it_expires_or_is_revoked,
    places_are_read_by_path_however_many,
    places_changed_since_a_revision_are_listed_with_their_authors,
    every_write_is_in_the_audit_log_which_only_grows,
    store_opened_again_holds_what_was_written_and_refuses_other_keys,
    texts_are_sealed_in_the_database_and_one_without_its_seal_is_not_opened,
    two_stores_that_open_an_empty_database_at_once_agree_on_its_keys,
    events_are_received_after_the_commit_and_not_before,
    due_job_is_taken_by_one_owner_and_again_after_its_lease,
    cancelled_job_is_told_to_stop_and_a_waiting_one_ends_at_once,
    old_jobs_are_pruned_with_their_logs,
    reconciler_has_one_unfinished_job_and_its_next_run_is_stored_when_it_ends,
    password_link_is_good_once_until_it_expires_or_another_replaces_it,
    session_is_good_while_it_is_used_and_ends_with_its_user,
);

async fn every_revision_can_be_read_back_whole(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    assert_eq!(store.read_current_revision_number().await.unwrap(), 0);
    let first = [sample_place_change("roles/a.yaml", "a1"), sample_place_change("roles/b.yaml", "b1")];
    assert_eq!(
        store.commit_revision_and_revoke_removed(0, &first, "start", &[], &TIME_AND_ACTOR_ANN).await.unwrap(),
        1
    );
    let removal = PlaceChange { path: "roles/b.yaml".to_owned(), becomes: None };
    store
        .commit_revision_and_revoke_removed(
            1,
            &[sample_place_change("roles/a.yaml", "a2"), removal],
            "less",
            &[],
            &TIME_AND_ACTOR_ANN,
        )
        .await
        .unwrap();
    store
        .commit_revision_and_revoke_removed(
            2,
            &[sample_place_change("roles/b.yaml", "b3")],
            "more",
            &[],
            &TIME_AND_ACTOR_ANN,
        )
        .await
        .unwrap();

    assert!(store.read_revision_places(0).await.unwrap().is_empty());
    assert_eq!(
        format_path_text_pairs(store.read_revision_places(1).await.unwrap()),
        ["roles/a.yaml=a1", "roles/b.yaml=b1"]
    );
    assert_eq!(format_path_text_pairs(store.read_revision_places(2).await.unwrap()), ["roles/a.yaml=a2"]);
    assert_eq!(
        format_path_text_pairs(store.read_revision_places(3).await.unwrap()),
        ["roles/a.yaml=a2", "roles/b.yaml=b3"]
    );
    let history = store.read_revisions(None, 2).await.unwrap();
    assert_eq!(history.iter().map(|r| r.number).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(store.read_revisions(Some(2), 10).await.unwrap()[0].message, "start");
}

async fn commit_from_an_older_revision_is_refused_and_changes_nothing(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    store
        .commit_revision_and_revoke_removed(
            0,
            &[sample_place_change("roles/a.yaml", "a1")],
            "",
            &[],
            &TIME_AND_ACTOR_ANN,
        )
        .await
        .unwrap();
    let error = store
        .commit_revision_and_revoke_removed(
            0,
            &[sample_place_change("roles/a.yaml", "x")],
            "",
            &[],
            &TIME_AND_ACTOR_ANN,
        )
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Overtaken { base: 0, found: 1 }), "{error}");
    assert_eq!(format_path_text_pairs(store.read_revision_places(1).await.unwrap()), ["roles/a.yaml=a1"]);
}

async fn of_many_commits_from_one_revision_exactly_one_succeeds(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let mut attempts = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = store.clone();
        attempts.spawn(async move {
            store
                .commit_revision_and_revoke_removed(
                    0,
                    &[sample_place_change("roles/a.yaml", &n.to_string())],
                    "",
                    &[],
                    &TIME_AND_ACTOR_ANN,
                )
                .await
                .is_ok()
        });
    }
    assert_eq!(attempts.join_all().await.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(store.read_current_revision_number().await.unwrap(), 1);
}

async fn token_is_valid_until_it_expires_or_is_revoked(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let grants = [
        sample_grant_row("developer", Some("staging"), None),
        sample_grant_row("viewer", None, Some("shop")),
    ];
    let ci = NewTokenRow { id: "1", name: "ci", grants: &grants, hash: "h", expires_us: Some(2_000) };
    store.insert_token_and_grants(&ci, &TIME_AND_ACTOR_ANN).await.unwrap();
    assert_eq!(store.read_valid_token_by_id("1", 1_999).await.unwrap().unwrap().grants.len(), 2);
    assert_eq!(store.read_all_tokens().await.unwrap()[0].grants, grants);
    assert_eq!(store.read_valid_token_by_id("1", 2_000).await.unwrap(), None);

    let again = NewTokenRow { id: "2", expires_us: None, ..ci.clone() };
    assert!(
        matches!(store.insert_token_and_grants(&again, &TIME_AND_ACTOR_ANN).await, Err(StoreError::NameTaken(name)) if name == "ci")
    );
    assert!(store.revoke_token("ci", &TIME_AND_ACTOR_ANN).await.unwrap());
    assert!(!store.revoke_token("ci", &TIME_AND_ACTOR_ANN).await.unwrap());
    assert_eq!(store.read_valid_token_by_id("1", 1_500).await.unwrap(), None);
    store.insert_token_and_grants(&again, &TIME_AND_ACTOR_ANN).await.unwrap();
    assert!(store.read_valid_token_by_id("2", i64::MAX).await.unwrap().is_some());

    // The name of an expired token can be given again.
    let short = NewTokenRow { id: "3", name: "short", expires_us: Some(500), ..ci };
    store.insert_token_and_grants(&short, &TimeAndActor { at_us: 400, ..TIME_AND_ACTOR_ANN }).await.unwrap();
    store.insert_token_and_grants(&NewTokenRow { id: "4", ..short }, &TIME_AND_ACTOR_ANN).await.unwrap();
    assert_eq!(store.read_all_tokens().await.unwrap().len(), 4);
}

async fn places_are_read_by_path_however_many(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let paths: Vec<String> = (0..40).map(|n| format!("roles/r{n:02}.yaml")).collect();
    assert_eq!(store.read_current_places_at_paths(&paths[..2]).await.unwrap(), (0, BTreeMap::new()));
    let first: Vec<_> = paths[..39].iter().map(|path| sample_place_change(path, path)).collect();
    store.commit_revision_and_revoke_removed(0, &first, "", &[], &TIME_AND_ACTOR_ANN).await.unwrap();
    let removed = PlaceChange { path: paths[0].clone(), becomes: None };
    store.commit_revision_and_revoke_removed(1, &[removed], "", &[], &TIME_AND_ACTOR_ANN).await.unwrap();
    let (revision, places) = store.read_current_places_at_paths(&paths).await.unwrap();
    assert_eq!((revision, places.keys().collect::<Vec<_>>()), (2, paths[1..39].iter().collect()));
    assert_eq!(places[&paths[38]].text, paths[38]);
}

async fn places_changed_since_a_revision_are_listed_with_their_authors(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let both = [sample_place_change("roles/a.yaml", "a1"), sample_place_change("roles/b.yaml", "b1")];
    store.commit_revision_and_revoke_removed(0, &both, "", &[], &TIME_AND_ACTOR_ANN).await.unwrap();
    store
        .commit_revision_and_revoke_removed(
            1,
            &[sample_place_change("roles/a.yaml", "a2")],
            "",
            &[],
            &TIME_AND_ACTOR_ANN,
        )
        .await
        .unwrap();
    let gone = PlaceChange { path: "roles/b.yaml".to_owned(), becomes: None };
    store
        .commit_revision_and_revoke_removed(
            2,
            &[gone],
            "",
            &[],
            &TimeAndActor { actor: "token bob", ..TIME_AND_ACTOR_ANN },
        )
        .await
        .unwrap();
    let changed = |path: &str, revision, by: &str| (path.to_owned(), (revision, by.to_owned()));
    assert_eq!(
        store.read_last_place_changes_since(1).await.unwrap(),
        [changed("roles/a.yaml", 2, "token ann"), changed("roles/b.yaml", 3, "token bob")].into()
    );
    assert_eq!(
        store.read_last_place_changes_since(2).await.unwrap(),
        [changed("roles/b.yaml", 3, "token bob")].into()
    );
    let (newest, objects) = store.read_current_places().await.unwrap();
    assert_eq!((newest, format_path_text_pairs(objects)), (3, vec!["roles/a.yaml=a2".to_owned()]));
}

async fn every_write_is_in_the_audit_log_which_only_grows(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let ci = NewTokenRow { id: "1", name: "ci", grants: &[], hash: "h", expires_us: None };
    store.insert_token_and_grants(&ci, &TIME_AND_ACTOR_ANN).await.unwrap();
    store.commit_revision_and_revoke_removed(0, &[], "why", &[], &TIME_AND_ACTOR_ANN).await.unwrap();
    store
        .insert_repository_audit_entry(&TIME_AND_ACTOR_ANN, "publish", "shop", "to dev", None)
        .await
        .unwrap();
    let log = store.read_audit_entries(None, 10).await.unwrap();
    assert_eq!(
        log.iter().map(|a| a.action.as_str()).collect::<Vec<_>>(),
        ["publish", "commit", "create-token"]
    );
    assert!(log.iter().all(|a| a.actor == "token ann" && a.at_us == 1_000));
    for attempt in ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit"] {
        let mut connection = store.connection("testing").await.unwrap();
        let error = execute_raw!(connection, attempt).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    // A write that fails leaves no entry.
    store.insert_token_and_grants(&ci, &TIME_AND_ACTOR_ANN).await.unwrap_err();
    assert_eq!(store.read_audit_entries(None, 10).await.unwrap().len(), 3);
}

async fn store_opened_again_holds_what_was_written_and_refuses_other_keys(engine: TestEngine) {
    let Some((store, database)) = open_empty_test_store(engine).await else { return };
    store
        .commit_revision_and_revoke_removed(
            0,
            &[sample_place_change("roles/a.yaml", "a1")],
            "",
            &[],
            &TIME_AND_ACTOR_ANN,
        )
        .await
        .unwrap();
    store.close().await;
    let opened = async || StoreWithUncheckedKeys::open_and_migrate(&database.database).await.unwrap();
    assert!(opened().await.was_used_before());
    let wrong = opened().await.check_or_set_both_keys(SealingKey::new(&[8; 32]), "node key").await;
    assert!(matches!(wrong, Err(StoreError::WrongKey(_))));
    let wrong = opened().await.check_or_set_both_keys(SealingKey::new(&[7; 32]), "another node key").await;
    assert!(matches!(wrong, Err(StoreError::WrongNodeKey(_))));
    let store = open_store_of_test_database(&database).await;
    assert_eq!(format_path_text_pairs(store.read_revision_places(1).await.unwrap()), ["roles/a.yaml=a1"]);
}

async fn texts_are_sealed_in_the_database_and_one_without_its_seal_is_not_opened(engine: TestEngine) {
    let Some((store, database)) = open_empty_test_store(engine).await else { return };
    store
        .commit_revision_and_revoke_removed(
            0,
            &[sample_place_change("roles/a.yaml", "hunter2")],
            "",
            &[],
            &TIME_AND_ACTOR_ANN,
        )
        .await
        .unwrap();
    let secret = NewNodeFile { text: "hunter2", ..sample_node_file(1, "the digest", &[]) };
    assert!(store.insert_node_file_unless_outdated(&secret, &TIME_AND_ACTOR_ANN).await.unwrap());
    let mut connection = store.connection("testing").await.unwrap();
    let stored: Vec<(String,)> = fetch_all!(
        connection,
        "testing",
        "SELECT text FROM places UNION ALL SELECT text FROM nodes UNION ALL SELECT digest FROM nodes",
    )
    .unwrap();
    assert_eq!(stored.len(), 3);
    for (text,) in stored {
        assert!(
            text.starts_with("sealed1") && !text.contains("hunter2") && !text.contains("digest"),
            "{text}"
        );
    }
    // Without the seal, forged texts would be accepted.
    execute!(connection, "testing", "DELETE FROM control_plane").unwrap();
    drop(connection);
    store.close().await;
    let opened = StoreWithUncheckedKeys::open_and_migrate(&database.database).await.unwrap();
    let unsealed = opened.check_or_set_both_keys(SealingKey::new(&[7; 32]), "node key").await;
    assert!(matches!(unsealed, Err(StoreError::Unsealed(_))));
}

async fn two_stores_that_open_an_empty_database_at_once_agree_on_its_keys(engine: TestEngine) {
    let Some(database) = TestDatabase::create_empty_if_engine_installed(engine) else { return };
    let open = async |key: u8| {
        let opened = StoreWithUncheckedKeys::open_and_migrate(&database.database).await?;
        opened.check_or_set_both_keys(SealingKey::new(&[key; 32]), "node key").await
    };
    let (one, other) = tokio::join!(open(1), open(2));
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    won.unwrap();
    assert!(matches!(lost, Err(StoreError::WrongKey(_))), "{lost:?}");
}

async fn next_event(events: &mut tokio::sync::broadcast::Receiver<ControlPlaneEvent>) -> ControlPlaneEvent {
    tokio::time::timeout(std::time::Duration::from_secs(20), events.recv()).await.unwrap().unwrap()
}

async fn events_are_received_after_the_commit_and_not_before(engine: TestEngine) {
    let Some((store, database)) = open_empty_test_store(engine).await else { return };
    let mut events = store.subscribe_to_events();
    // On PostgreSQL another control plane hears of it too.
    let other = open_store_of_test_database(&database).await;
    let mut heard = other.subscribe_to_events();
    let refused = store.commit_revision_and_revoke_removed(7, &[], "", &[], &TIME_AND_ACTOR_ANN).await;
    assert!(refused.is_err(), "there is no revision 7 to make one from");
    store.commit_revision_and_revoke_removed(0, &[], "", &[], &TIME_AND_ACTOR_ANN).await.unwrap();
    assert_eq!(next_event(&mut events).await, ControlPlaneEvent::RevisionCommitted { revision: 1 });
    if engine == TestEngine::Postgres {
        assert_eq!(next_event(&mut heard).await, ControlPlaneEvent::RevisionCommitted { revision: 1 });
    }
}

async fn due_job_is_taken_by_one_owner_and_again_after_its_lease(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let id = store.insert_job_or_get_unfinished(&SAMPLE_CHECK_JOB, &TIME_AND_ACTOR_ANN).await.unwrap();
    assert_eq!(store.lease_due_job("early", 999, 2_000).await.unwrap(), None);
    let mut takers = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = store.clone();
        takers.spawn(async move { store.lease_due_job(&format!("plane-{n}"), 1_000, 2_000).await.unwrap() });
    }
    let taken: Vec<LeasedJob> = takers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1);
    let first = &taken[0];
    assert_eq!((first.job.id, first.job.attempt, first.job.state), (id, 1, JobState::Running));
    assert_eq!(
        store.save_progress_renew_lease_check_cancellation(first, 3_000, (1, 4)).await.unwrap(),
        Some(false)
    );
    store.append_job_log(first, 1_500, &["one".to_owned(), "two".to_owned()]).await.unwrap();

    assert_eq!(store.read_next_job_due_us().await.unwrap(), Some(3_000));
    assert_eq!(store.lease_due_job("other", 3_000, 9_000).await.unwrap(), None, "the lease holds");
    let second = store.lease_due_job("other", 3_001, 9_000).await.unwrap().unwrap();
    assert_eq!((second.job.id, second.job.attempt), (id, 2));
    assert_eq!(
        store.save_progress_renew_lease_check_cancellation(first, 9_000, (2, 4)).await.unwrap(),
        None,
        "taken over"
    );
    assert!(!store.end_or_reschedule_job(first, JobState::Done, None, None, None, 4_000).await.unwrap());
    assert!(
        store
            .end_or_reschedule_job(&second, JobState::Failed, Some("why"), Some(5_000), None, 4_000)
            .await
            .unwrap()
    );
    let waiting = store.read_job(id).await.unwrap().unwrap();
    assert_eq!(
        (waiting.state, waiting.due_us, waiting.result.as_deref()),
        (JobState::Waiting, 5_000, Some("why"))
    );
    let third = store.lease_due_job("other", 5_000, 9_000).await.unwrap().unwrap();
    assert!(
        store.end_or_reschedule_job(&third, JobState::Done, Some("{}"), None, None, 6_000).await.unwrap()
    );
    assert_eq!(store.read_job(id).await.unwrap().unwrap().finished_us, Some(6_000));
    let log: Vec<String> = store.read_job_log(id).await.unwrap().into_iter().map(|line| line.text).collect();
    assert_eq!(log, ["one", "two"]);
}

async fn cancelled_job_is_told_to_stop_and_a_waiting_one_ends_at_once(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let id = store.insert_job_or_get_unfinished(&SAMPLE_CHECK_JOB, &TIME_AND_ACTOR_ANN).await.unwrap();
    let taken = store.lease_due_job("plane", 1_000, 2_000).await.unwrap().unwrap();
    assert_eq!(
        store.request_job_cancellation(id, &TIME_AND_ACTOR_ANN).await.unwrap(),
        Some(JobState::Running)
    );
    assert_eq!(
        store.save_progress_renew_lease_check_cancellation(&taken, 3_000, (0, 0)).await.unwrap(),
        Some(true)
    );
    assert!(store.end_or_reschedule_job(&taken, JobState::Cancelled, None, None, None, 1_500).await.unwrap());
    assert_eq!(store.request_job_cancellation(id, &TIME_AND_ACTOR_ANN).await.unwrap(), None);
    let waiting = store.insert_job_or_get_unfinished(&SAMPLE_CHECK_JOB, &TIME_AND_ACTOR_ANN).await.unwrap();
    assert_eq!(
        store.request_job_cancellation(waiting, &TIME_AND_ACTOR_ANN).await.unwrap(),
        Some(JobState::Cancelled)
    );
    assert_eq!(store.lease_due_job("plane", 9_000, 9_999).await.unwrap(), None);
}

async fn old_jobs_are_pruned_with_their_logs(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let id = store.insert_job_or_get_unfinished(&SAMPLE_CHECK_JOB, &TIME_AND_ACTOR_ANN).await.unwrap();
    let taken = store.lease_due_job("plane", 1_000, 2_000).await.unwrap().unwrap();
    store.append_job_log(&taken, 1_500, &["one".to_owned()]).await.unwrap();
    assert!(store.end_or_reschedule_job(&taken, JobState::Done, None, None, None, 2_000).await.unwrap());
    let waiting = store.insert_job_or_get_unfinished(&SAMPLE_CHECK_JOB, &TIME_AND_ACTOR_ANN).await.unwrap();
    assert_eq!(store.prune_ended_jobs(2_000).await.unwrap(), 0);
    assert_eq!(store.prune_ended_jobs(2_001).await.unwrap(), 1);
    assert_eq!(store.read_job(id).await.unwrap(), None);
    assert!(store.read_job_log(id).await.unwrap().is_empty());
    assert!(store.read_job(waiting).await.unwrap().is_some());
}

async fn reconciler_has_one_unfinished_job_and_its_next_run_is_stored_when_it_ends(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    store.ensure_unfinished_job(&SAMPLE_CHECK_JOB, 0).await.unwrap();
    store.ensure_unfinished_job(&SAMPLE_CHECK_JOB, 0).await.unwrap();
    let id = store.insert_job_or_get_unfinished(&SAMPLE_CHECK_JOB, &TIME_AND_ACTOR_ANN).await.unwrap();
    assert_eq!(store.read_jobs(None, 10).await.unwrap().len(), 1);
    let taken = store.lease_due_job("plane", 1_000, 2_000).await.unwrap().unwrap();
    assert_eq!(taken.job.id, id);
    let next = NewJob { due_us: 90_000, ..SAMPLE_CHECK_JOB };
    assert!(
        store.end_or_reschedule_job(&taken, JobState::Done, None, None, Some(&next), 1_500).await.unwrap()
    );
    assert_eq!(store.read_next_job_due_us().await.unwrap(), Some(90_000));
    store.start_waiting_job_now("check", 2_000).await.unwrap();
    assert_eq!(store.read_next_job_due_us().await.unwrap(), Some(2_000));
    assert_eq!(store.read_jobs(None, 10).await.unwrap().len(), 2);
}
