//! What the removal of a component does to those that require it.

use super::{PROD, Story};

#[tokio::test(flavor = "multi_thread")]
async fn downgrade_caused_by_a_removal_names_it() {
    let story = Story::new().await;
    story.publish_component("base", "1.0.0", "", "prod").await;
    story.publish("1.0.0", "", "prod").await;
    story.publish("2.0.0", "requires: {base: '*'}\n", "prod").await;
    let server = "format: geppetto/server/2\nenvironment: prod\ncomponents: {shop: '*'}\n";
    story.change(&[("environments/prod.yaml", PROD), ("servers/web-01.yaml", server)]).await.unwrap();
    let without_base = format!("{server}remove: [base]\n");
    let changed = story.change(&[("servers/web-01.yaml", &without_base)]).await.unwrap();
    let effects: Vec<&str> =
        changed.effects.iter().flat_map(|group| &group.effects).map(|effect| effect.text.as_str()).collect();
    let downgrade =
        "downgrades shop 2.0.0-1 -> 1.0.0-1, because 2.0.0-1 requires `base`, which server web-01 removes";
    assert_eq!(effects, ["removes base 1.0.0-1", downgrade]);
}
