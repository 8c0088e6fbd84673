//! What any database behind the store must hold to; each fact once, run on every engine there is.

use super::*;

/// A store on an empty database, which lives as long as the folder beside it.
async fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("geppetto.db"), Seal::new(&[7; 32])).await.unwrap();
    (store, folder)
}

const ANN: AuditContext<'static> = AuditContext { at_us: 1_000, actor: "local user ann" };

fn becomes(path: &str, text: &str) -> PlaceChange {
    let object = PlaceText { text: text.to_owned(), origins: "{}".to_owned() };
    PlaceChange { path: path.to_owned(), becomes: Some(object) }
}

fn texts(objects: std::collections::BTreeMap<String, PlaceText>) -> Vec<String> {
    objects.into_iter().map(|(path, object)| format!("{path}={}", object.text)).collect()
}

#[tokio::test]
async fn every_revision_can_be_read_back_whole() {
    let (store, _folder) = store().await;
    assert_eq!(store.current_revision().await.unwrap(), 0);
    let first = [becomes("roles/a.yaml", "a1"), becomes("roles/b.yaml", "b1")];
    assert_eq!(store.commit_revision(0, &first, "start", &ANN).await.unwrap(), 1);
    let removal = PlaceChange { path: "roles/b.yaml".to_owned(), becomes: None };
    store.commit_revision(1, &[becomes("roles/a.yaml", "a2"), removal], "less", &ANN).await.unwrap();
    store.commit_revision(2, &[becomes("roles/b.yaml", "b3")], "more", &ANN).await.unwrap();

    assert!(store.places_of_revision(0).await.unwrap().is_empty());
    assert_eq!(texts(store.places_of_revision(1).await.unwrap()), ["roles/a.yaml=a1", "roles/b.yaml=b1"]);
    assert_eq!(texts(store.places_of_revision(2).await.unwrap()), ["roles/a.yaml=a2"]);
    assert_eq!(texts(store.places_of_revision(3).await.unwrap()), ["roles/a.yaml=a2", "roles/b.yaml=b3"]);
    let history = store.revisions(None, 2).await.unwrap();
    assert_eq!(history.iter().map(|r| r.number).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(store.revisions(Some(2), 10).await.unwrap()[0].message, "start");
}

#[tokio::test]
async fn a_commit_made_from_an_older_revision_is_refused_and_changes_nothing() {
    let (store, _folder) = store().await;
    store.commit_revision(0, &[becomes("roles/a.yaml", "a1")], "", &ANN).await.unwrap();
    let error = store.commit_revision(0, &[becomes("roles/a.yaml", "x")], "", &ANN).await.unwrap_err();
    assert!(matches!(error, StoreError::Overtaken { base: 0, found: 1 }), "{error}");
    assert_eq!(texts(store.places_of_revision(1).await.unwrap()), ["roles/a.yaml=a1"]);
}

#[tokio::test]
async fn of_many_commits_from_one_revision_exactly_one_wins() {
    let (store, _folder) = store().await;
    let mut attempts = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = store.clone();
        attempts.spawn(async move {
            store.commit_revision(0, &[becomes("roles/a.yaml", &n.to_string())], "", &ANN).await.is_ok()
        });
    }
    assert_eq!(attempts.join_all().await.into_iter().filter(|won| *won).count(), 1);
    assert_eq!(store.current_revision().await.unwrap(), 1);
}

#[tokio::test]
async fn a_token_is_good_until_it_expires_or_is_revoked() {
    let (store, _folder) = store().await;
    let ci = NewTokenRow { id: "1", name: "ci", role: "developer", hash: "h", expires_us: Some(2_000) };
    store.create_token(&ci, &ANN).await.unwrap();
    assert_eq!(store.token("1", 1_999).await.unwrap().unwrap().role, "developer");
    assert_eq!(store.token("1", 2_000).await.unwrap(), None);

    let again = NewTokenRow { id: "2", expires_us: None, ..ci.clone() };
    assert!(
        matches!(store.create_token(&again, &ANN).await, Err(StoreError::NameTaken(name)) if name == "ci")
    );
    assert!(store.revoke_token("ci", &ANN).await.unwrap());
    assert!(!store.revoke_token("ci", &ANN).await.unwrap());
    assert_eq!(store.token("1", 1_500).await.unwrap(), None);
    store.create_token(&again, &ANN).await.unwrap();
    assert!(store.token("2", i64::MAX).await.unwrap().is_some());

    // The name of an expired token can be given again.
    let short = NewTokenRow { id: "3", name: "short", expires_us: Some(500), ..ci };
    store.create_token(&short, &AuditContext { at_us: 400, ..ANN }).await.unwrap();
    store.create_token(&NewTokenRow { id: "4", ..short }, &ANN).await.unwrap();
    assert_eq!(store.tokens().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_join_token_lets_one_server_in_once_and_not_after_its_time() {
    let (store, _folder) = store().await;
    let token = JoinTokenRow { id: "j", server: "web-01", hash: "h", expires_us: 2_000 };
    store.create_join_token(&token, &ANN).await.unwrap();
    assert_eq!(store.join_token("j", "web-01", 1_000).await.unwrap().as_deref(), Some("h"));
    assert_eq!(store.join_token("j", "web-02", 1_000).await.unwrap(), None);
    assert_eq!(store.join_token("j", "web-01", 2_000).await.unwrap(), None);

    assert!(!store.join("j", "web-01", "c0", "h0", &AuditContext { at_us: 2_000, ..ANN }).await.unwrap());
    assert!(store.join("j", "web-01", "c1", "h1", &ANN).await.unwrap());
    assert!(!store.join("j", "web-01", "c2", "h2", &ANN).await.unwrap());
    assert_eq!(store.credential("c1").await.unwrap(), Some(("web-01".to_owned(), "h1".to_owned())));
    assert_eq!(store.credential("c2").await.unwrap(), None);
}

#[tokio::test]
async fn joining_again_revokes_the_earlier_credential() {
    let (store, _folder) = store().await;
    for (token, credential) in [("j1", "c1"), ("j2", "c2")] {
        let token = JoinTokenRow { id: token, server: "web-01", hash: "h", expires_us: 2_000 };
        store.create_join_token(&token, &ANN).await.unwrap();
        assert!(store.join(token.id, "web-01", credential, "h", &ANN).await.unwrap());
    }
    assert_eq!(store.credential("c1").await.unwrap(), None);
    assert!(store.credential("c2").await.unwrap().is_some());
}

fn node<'a>(generation: u64, digest: &'a str, components: &'a [(String, String)]) -> NewNode<'a> {
    NewNode { server: "web-01", generation, digest, text: "text", revision: 1, components }
}

#[tokio::test]
async fn a_generation_is_stored_once_and_kept() {
    let (store, _folder) = store().await;
    store.commit_revision(0, &[], "", &ANN).await.unwrap();
    let shop = [("shop".to_owned(), "1.0.0-1".to_owned())];
    assert_eq!(store.latest_node("web-01").await.unwrap(), None);
    assert!(store.add_node(&node(1, "d1", &shop), &ANN).await.unwrap());
    assert!(!store.add_node(&node(1, "other", &[]), &ANN).await.unwrap());
    assert!(store.add_node(&node(2, "d2", &[]), &ANN).await.unwrap());
    assert_eq!(store.latest_node("web-01").await.unwrap().unwrap().digest, "d2");
    assert_eq!(store.node("web-01", 1).await.unwrap().unwrap().digest, "d1");
    assert_eq!(store.node("web-02", 1).await.unwrap(), None);
    assert_eq!(store.needed_versions().await.unwrap(), shop.into());
}

#[tokio::test]
async fn a_node_resolved_from_an_overtaken_revision_is_not_stored() {
    let (store, _folder) = store().await;
    store.commit_revision(0, &[], "", &ANN).await.unwrap();
    store.commit_revision(1, &[], "", &ANN).await.unwrap();
    assert!(!store.add_node(&node(1, "old", &[]), &ANN).await.unwrap());
    assert_eq!(store.latest_node("web-01").await.unwrap(), None);
}

async fn report(store: &Store, server: &str, generation: u64, outcome: &str) -> u64 {
    let head = ReportHead {
        generation,
        outcome: outcome.to_owned(),
        started_us: i64::try_from(generation).unwrap(),
        duration_us: 2,
        unchanged: 3,
        entries: 4,
    };
    store.add_report(&NewReport { server, head, json: &generation.to_string() }, &ANN).await.unwrap()
}

#[tokio::test]
async fn reports_come_back_newest_first_page_by_page() {
    let (store, _folder) = store().await;
    for generation in 1..=5 {
        report(&store, "web-01", generation, "changed").await;
    }
    report(&store, "web-02", 1, "failed").await;
    let generations = |page: &[(ReportId, ReportHead)]| -> Vec<u64> {
        page.iter().map(|(_, head)| head.generation).collect()
    };
    let page = store.reports("web-01", None, 2).await.unwrap();
    assert_eq!(generations(&page), [5, 4]);
    let status = store.server_status("web-01").await.unwrap();
    assert_eq!((status.reported_generation, status.outcome.as_deref()), (Some(5), Some("changed")));
    assert_eq!(store.server_status("web-03").await.unwrap(), ServerStatus::default());
    let rest = store.reports("web-01", Some(page[1].0.id), 10).await.unwrap();
    assert_eq!(generations(&rest), [3, 2, 1]);
    let whole = store.report("web-01", page[0].0.id).await.unwrap().unwrap();
    assert_eq!(whole.report, "5");
    assert_eq!(store.report("web-02", page[0].0.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_run_is_reported_once_and_old_successes_go_before_old_failures() {
    let (store, _folder) = store().await;
    let first = report(&store, "web-01", 1, "failed").await;
    assert_eq!(report(&store, "web-01", 1, "failed").await, first);
    assert_eq!(store.audit(None, 10).await.unwrap().len(), 1);
    for generation in 2..=600 {
        report(&store, "web-01", generation, "unchanged").await;
    }
    let all = store.reports("web-01", None, 1000).await.unwrap();
    assert_eq!(all.len(), 501);
    assert_eq!(all.last().unwrap().1.outcome, "failed");
}

#[tokio::test]
async fn what_changed_since_a_revision_is_told_with_who_did_it() {
    let (store, _folder) = store().await;
    let both = [becomes("roles/a.yaml", "a1"), becomes("roles/b.yaml", "b1")];
    store.commit_revision(0, &both, "", &ANN).await.unwrap();
    store.commit_revision(1, &[becomes("roles/a.yaml", "a2")], "", &ANN).await.unwrap();
    let removal = PlaceChange { path: "roles/b.yaml".to_owned(), becomes: None };
    store.commit_revision(2, &[removal], "", &AuditContext { actor: "token bob", ..ANN }).await.unwrap();
    let told = |path: &str, revision, by: &str| (path.to_owned(), (revision, by.to_owned()));
    assert_eq!(
        store.places_changed_since(1).await.unwrap(),
        [told("roles/a.yaml", 2, "local user ann"), told("roles/b.yaml", 3, "token bob")].into()
    );
    assert_eq!(store.places_changed_since(2).await.unwrap(), [told("roles/b.yaml", 3, "token bob")].into());
    let (newest, objects) = store.current_places().await.unwrap();
    assert_eq!((newest, texts(objects)), (3, vec!["roles/a.yaml=a2".to_owned()]));
}

#[tokio::test]
async fn a_server_that_is_removed_or_revoked_shows_its_credential_in_vain() {
    let (store, _folder) = store().await;
    store.commit_revision(0, &[becomes("servers/web-01.yaml", "x")], "", &ANN).await.unwrap();
    let join = async |token: &'static str, credential: &str| {
        let new = JoinTokenRow { id: token, server: "web-01", hash: "h", expires_us: 2_000 };
        store.create_join_token(&new, &ANN).await.unwrap();
        assert!(store.join(token, "web-01", credential, "h", &ANN).await.unwrap());
    };
    join("j1", "c1").await;
    assert!(store.revoke_credential("web-01", &ANN).await.unwrap());
    assert!(!store.revoke_credential("web-01", &ANN).await.unwrap());
    assert_eq!(store.credential("c1").await.unwrap(), None);
    join("j2", "c2").await;
    let spare = JoinTokenRow { id: "j3", server: "web-01", hash: "h", expires_us: 2_000 };
    store.create_join_token(&spare, &ANN).await.unwrap();
    let removal = PlaceChange { path: "servers/web-01.yaml".to_owned(), becomes: None };
    store.commit_revision(1, &[removal], "", &ANN).await.unwrap();
    assert_eq!(store.credential("c2").await.unwrap(), None);
    assert_eq!(store.join_token("j3", "web-01", 1_000).await.unwrap(), None);
}

#[tokio::test]
async fn every_write_is_in_the_audit_log_which_only_grows() {
    let (store, _folder) = store().await;
    let ci = NewTokenRow { id: "1", name: "ci", role: "viewer", hash: "h", expires_us: None };
    store.create_token(&ci, &ANN).await.unwrap();
    store.commit_revision(0, &[], "why", &ANN).await.unwrap();
    store.record(&ANN, "publish", "shop", "to dev").await.unwrap();
    let log = store.audit(None, 10).await.unwrap();
    assert_eq!(
        log.iter().map(|a| a.action.as_str()).collect::<Vec<_>>(),
        ["publish", "commit", "create-token"]
    );
    assert!(log.iter().all(|a| a.actor == "local user ann" && a.at_us == 1_000));
    for attempt in ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit"] {
        let error = sqlx::query(attempt).execute(&store.pool).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    // A write that fails leaves no entry.
    store.create_token(&ci, &ANN).await.unwrap_err();
    assert_eq!(store.audit(None, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_store_opened_again_holds_what_was_written() {
    let (store, folder) = store().await;
    store.commit_revision(0, &[becomes("roles/a.yaml", "a1")], "", &ANN).await.unwrap();
    store.close().await;
    let wrong = Store::open(&folder.path().join("geppetto.db"), Seal::new(&[8; 32])).await;
    assert!(matches!(wrong, Err(StoreError::WrongKey(_))));
    let store = Store::open(&folder.path().join("geppetto.db"), Seal::new(&[7; 32])).await.unwrap();
    assert_eq!(texts(store.places_of_revision(1).await.unwrap()), ["roles/a.yaml=a1"]);
}

#[tokio::test]
async fn texts_are_sealed_in_the_database_and_one_without_its_seal_is_not_opened() {
    let (store, folder) = store().await;
    store.commit_revision(0, &[becomes("roles/a.yaml", "hunter2")], "", &ANN).await.unwrap();
    let secret = NewNode { text: "hunter2", ..node(1, "the digest", &[]) };
    assert!(store.add_node(&secret, &ANN).await.unwrap());
    let kept = async |store: &Store| -> Vec<String> {
        sqlx::query_as::<_, (String,)>("SELECT text FROM objects UNION SELECT text || digest FROM nodes")
            .fetch_all(&store.pool)
            .await
            .unwrap()
            .into_iter()
            .map(|(text,)| text)
            .collect()
    };
    for text in kept(&store).await {
        assert!(
            text.starts_with("sealed1:") && !text.contains("hunter2") && !text.contains("digest"),
            "{text}"
        );
    }
    // Without the seal, forged texts would be accepted.
    sqlx::query("DELETE FROM seal").execute(&store.pool).await.unwrap();
    store.close().await;
    let opened = Store::open(&folder.path().join("geppetto.db"), Seal::new(&[7; 32])).await;
    assert!(matches!(opened, Err(StoreError::Unsealed(_))));
}
