//! Which grants a change, a publication and a promotion need, and what a principal sees.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn change_needs_a_grant_in_every_environment_where_its_effects_fall() {
    let story = Story::new().await;
    two_environments(&story).await;
    let denied = |result: Result<EstateChangeResult, BackOfficeError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, BackOfficeError::Denied(_)), "{error}");
        error.to_string()
    };
    // The role reaches servers of both environments.
    let text = role("*", 81);
    let error = denied(try_change(&story, &["operator:test"], "roles/web.yaml", &text).await);
    assert!(error.contains("the component shop in the environment prod"), "{error}");
    denied(try_change(&story, &["operator:*/mail"], "roles/web.yaml", &text).await);
    try_change(&story, &["operator:test", "operator:prod/shop"], "roles/web.yaml", &text).await.unwrap();
    // A value of one environment has effects there only.
    let values = "values: {shop: {port: 8080}}\n";
    let test = TEST.to_owned() + values;
    denied(try_change(&story, &["operator:prod"], "environments/test.yaml", &test).await);
    try_change(&story, &["operator:test"], "environments/test.yaml", &test).await.unwrap();
    // Moving a server to another environment needs both.
    denied(try_change(&story, &["operator:test"], "servers/web-02.yaml", &host("web")).await);
    denied(try_change(&story, &["operator:prod"], "servers/web-02.yaml", &host("web")).await);
    try_change(&story, &["operator:prod", "operator:test"], "servers/web-02.yaml", &host("web"))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn publication_needs_a_grant_in_every_environment_that_follows_the_channel() {
    let story = Story::new().await;
    two_environments(&story).await;
    let files = || vec!["shop-1.0.0-1.noarch.rpm".to_owned()];
    let (prod, dev) = (Name::new("prod").unwrap(), Name::new("dev").unwrap());
    let publish = async |grants: &[&str], channel: &Name| {
        story
            .back_office
            .publish_or_preview_packages(
                &permit(grants),
                channel,
                PublicationRequest { files: files(), preview: false },
            )
            .await
    };
    for grants in [["developer:test"], ["developer:prod/mail"]] {
        let error = publish(&grants, &prod).await.unwrap_err();
        assert!(matches!(error, BackOfficeError::Denied(_)), "{grants:?}: {error}");
    }
    publish(&["developer:prod/shop"], &prod).await.unwrap();
    publish(&["developer:test"], &dev).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_needs_a_grant_for_each_component_it_takes_along() {
    let story = Story::new().await;
    story.change(&[("environments/prod.yaml", PROD)]).await.unwrap();
    story.publish_component("lib", "1.0.0", "", "dev").await;
    story.publish_component("app", "1.0.0", "requires: {lib: '*'}\n", "dev").await;
    let promote = async |grants: &[&str]| {
        let [name, version, from, to] = ["app", "1.0.0", "dev", "prod"].map(str::to_owned);
        let request = model::wire::PromotionRequest { name, version, from, to: Some(to), preview: false };
        story.back_office.promote_or_preview_version(&permit(grants), &request).await
    };
    let error = promote(&["developer:prod/app"]).await.unwrap_err();
    assert!(matches!(error, BackOfficeError::Denied(_)) && error.to_string().contains("lib"), "{error}");
    let promoted = promote(&["developer:prod/app", "developer:*/lib"]).await.unwrap();
    assert_eq!(promoted.added.len(), 4, "{promoted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn principal_sees_its_environments_only_and_their_secrets_as_operator() {
    let story = Story::new().await;
    two_environments(&story).await;
    let page = PageRequest { limit: 100, after: None };
    let servers = async |grants: &[&str]| {
        let page = story.back_office.list_servers(&permit(grants), &page).await.unwrap();
        page.items.into_iter().map(|server| server.name).collect::<Vec<_>>()
    };
    assert_eq!(servers(&["viewer"]).await, ["web-01", "web-02"]);
    assert_eq!(servers(&["viewer:test"]).await, ["web-02"]);
    let exported =
        async |grants: &[&str]| story.back_office.export_estate(&permit(grants), None).await.unwrap();
    assert!(exported(&["operator"]).await.complete);
    let partly = exported(&["operator:test"]).await;
    assert!(!partly.complete);
    assert_eq!(
        partly.documents.keys().collect::<Vec<_>>(),
        ["environments/test.yaml", "roles/web.yaml", "servers/web-02.yaml"]
    );
    let principal = |grants: &[&str]| permit::<crate::auth::Viewer>(grants).principal().clone();
    let node = async |grants: &[&str]| {
        story.back_office.get_or_create_node_file(&principal(grants), &server("web-02"), None).await
    };
    assert!(matches!(node(&["operator:test"]).await.unwrap(), SignedOrMaskedNode::Signed(_)));
    assert!(matches!(node(&["viewer:test"]).await.unwrap(), SignedOrMaskedNode::Masked(_)));
    assert!(matches!(node(&["operator:prod", "viewer:test"]).await.unwrap(), SignedOrMaskedNode::Masked(_)));
    assert!(matches!(node(&["operator:prod"]).await.unwrap_err(), BackOfficeError::Denied(_)));
}
