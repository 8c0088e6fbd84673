//! One server is resolved without the rest of the estate, where that gives the same.

use super::{PROD, SHOP, Story, host, role, server};

#[tokio::test(flavor = "multi_thread")]
async fn first_node_file_after_a_start_does_not_read_the_whole_estate() {
    let story = Story::new().await;
    story.publish("1.0.0", SHOP, "prod").await;
    let base = "format: geppetto/role/1\nvalues: {shop: {port: 81}}\n";
    let web = role("*", 80).replace("components:", "inherits: [base]\ncomponents:");
    let documents = [
        ("environments/prod.yaml", PROD),
        ("roles/base.yaml", base),
        ("roles/web.yaml", &web),
        ("servers/web-01.yaml", &host("web")),
        ("servers/web-02.yaml", &host("web")),
    ];
    story.change(&documents).await.unwrap();
    let started = story.open_again().await;
    let alone = started.resolve_unnumbered_node(&server("web-01")).await.unwrap().resolution;
    assert!(started.cache().snapshot_if_cached(1).is_none(), "the estate was read");
    let whole = story.back_office.resolve_unnumbered_node(&server("web-01")).await.unwrap().resolution;
    assert_eq!(alone, whole, "the values, their provenance with its origins, and what was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_selects_others_is_resolved_in_the_whole_estate() {
    let story = Story::new().await;
    let balancer = "parameters:\n  backends: {type: servers, description: Behind it.}\n";
    story.publish_component("balancer", "1.0.0", balancer, "prod").await;
    let balanced = "format: geppetto/server/2\nenvironment: prod\ncomponents: {balancer: '*'}\n\
                    values: {balancer: {backends: {role: web}}}\n";
    let documents = [
        ("environments/prod.yaml", PROD),
        ("roles/web.yaml", "format: geppetto/role/1\n"),
        ("servers/lb-01.yaml", balanced),
        ("servers/web-01.yaml", &host("web")),
    ];
    story.change(&documents).await.unwrap();
    let node =
        story.open_again().await.resolve_unnumbered_node(&server("lb-01")).await.unwrap().resolution.node;
    assert!(node.components["balancer"].values["backends"].value.to_string().contains("web-01"));
}
