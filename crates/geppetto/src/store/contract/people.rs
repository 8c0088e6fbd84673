//! People and their sessions.

use super::*;

fn link(id: &str) -> NewPasswordLinkRow<'_> {
    NewPasswordLinkRow { id, hash: "hash", expires_us: 5_000 }
}

const LATER: TimeAndActor<'static> = TimeAndActor { at_us: 2_000, actor: "user ann" };

pub(super) async fn password_link_is_good_once_until_it_expires_or_another_replaces_it(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    let grants = [sample_grant_row("viewer", None, None), sample_grant_row("operator", Some("prod"), None)];
    let one = link("one");
    let create =
        |name| store.insert_user_with_grants_and_password_link(name, &grants, &one, &TIME_AND_ACTOR_ANN);
    create("ann").await.unwrap();
    assert!(matches!(create("ann").await, Err(StoreError::UserNameTaken(name)) if name == "ann"));
    let found = |id: &'static str, now_us| store.read_usable_password_link(id, now_us);
    assert_eq!(found("one", 4_999).await.unwrap(), Some(("ann".to_owned(), "hash".to_owned())));
    assert_eq!(found("one", 5_000).await.unwrap(), None);
    assert!(store.replace_password_link("ann", &link("two"), &LATER).await.unwrap());
    assert!(!store.replace_password_link("ben", &link("three"), &LATER).await.unwrap());
    assert_eq!(found("one", 2_000).await.unwrap(), None);
    assert!(!store.set_password_by_link("one", "ann", "argon", &LATER).await.unwrap());
    assert!(!store.set_password_by_link("two", "ben", "argon", &LATER).await.unwrap());
    assert!(store.set_password_by_link("two", "ann", "argon", &LATER).await.unwrap());
    assert!(!store.set_password_by_link("two", "ann", "other", &LATER).await.unwrap());
    let user = store.read_user("ann").await.unwrap().unwrap();
    assert_eq!((user.password_hash.as_deref(), user.grants.len()), (Some("argon"), 2));
    assert!(store.replace_user_grants("ann", &grants[..1], &LATER).await.unwrap());
    assert_eq!(store.read_all_users().await.unwrap()[0].grants, grants[..1]);
    assert!(!store.replace_user_grants("ben", &grants, &LATER).await.unwrap());
}

pub(super) async fn session_is_good_while_it_is_used_and_ends_with_its_user(engine: TestEngine) {
    let Some((store, _database)) = open_empty_test_store(engine).await else { return };
    store
        .insert_user_with_grants_and_password_link("ann", &[], &link("one"), &TIME_AND_ACTOR_ANN)
        .await
        .unwrap();
    let session = |id: &'static str| NewSessionRow { id, user: "ann", hash: "hash", expires_us: 9_000 };
    for id in ["first", "second"] {
        store.insert_session(&session(id), 0, &LATER).await.unwrap();
    }
    let good = async |id, now_us, unused_since_us| {
        store.read_valid_session_by_id(id, now_us, unused_since_us).await.unwrap().is_some()
    };
    assert!(good("first", 8_999, 1_999).await);
    assert!(!good("first", 9_000, 1_999).await, "it has expired");
    assert!(!good("first", 3_000, 2_000).await, "it was not used");
    store.mark_session_used("first", 3_000).await.unwrap();
    assert!(good("first", 3_000, 2_000).await);
    assert_eq!(store.read_valid_sessions_of_user("ann", 3_000, 1_999).await.unwrap().len(), 2);
    assert!(!store.end_session("first", "ben", &LATER).await.unwrap(), "it is ann's");
    assert!(store.end_session("first", "ann", &LATER).await.unwrap());
    assert!(!good("first", 3_000, 0).await);
    assert!(store.disable_user("ann", &LATER).await.unwrap());
    assert!(!store.disable_user("ann", &LATER).await.unwrap());
    assert!(!good("second", 3_000, 0).await);
    assert!(!store.replace_password_link("ann", &link("two"), &LATER).await.unwrap());
    let actions = store.read_audit_entries(None, 50).await.unwrap();
    let actions: Vec<&str> = actions.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["disable-user", "log-out", "log-in", "log-in", "create-user"]);
}
