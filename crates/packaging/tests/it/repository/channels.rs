//! Channels exist once they are created, in an order of promotion.

use packaging::repository::Repository;

use super::{TestRepository, name, visible};
use crate::tools::NOON;

fn order(test: &TestRepository) -> Vec<String> {
    test.repository.list_channels().unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn new_channel_is_empty_and_has_its_place_in_the_order_of_promotion() {
    let test = TestRepository::new();
    let create = |channel: &str, after: Option<&str>| {
        let after = after.map(name);
        test.repository
            .create_channel_if_absent(&name(channel), after.as_ref(), NOON)
            .map_err(|error| error.to_string())
    };
    assert_eq!(create("staging", Some("dev")), Ok(true));
    assert_eq!(create("archive", None), Ok(true));
    assert_eq!(order(&test), ["dev", "staging", "prod", "archive"]);
    assert_eq!(visible(&test, "staging"), Vec::<String>::new());
    let again = Repository::open_repository_and_clean_incoming(&test.root()).unwrap();
    assert_eq!(again.list_channels().unwrap(), test.repository.list_channels().unwrap());
    // Creating it again changes nothing; another place is refused, and so is an unknown one.
    let serial = test.repository.sum_of_channel_generations().unwrap();
    assert_eq!(create("staging", Some("dev")), Ok(false));
    assert_eq!(create("staging", None), Ok(false));
    assert_eq!(
        create("staging", Some("prod")).unwrap_err(),
        "there is a channel `staging` already, elsewhere in the order of promotion (dev, staging, prod, archive)"
    );
    assert!(create("qa", Some("stging")).unwrap_err().contains("did you mean `staging`?"));
    assert_eq!(order(&test), ["dev", "staging", "prod", "archive"]);
    assert_eq!(test.repository.sum_of_channel_generations().unwrap(), serial);
    assert_eq!(test.repository.check_repository().unwrap(), []);
}

#[test]
fn publishing_into_an_unknown_channel_is_refused_naming_the_nearest() {
    let test = TestRepository::new();
    let files = test.component("shop", "1.0", &[]);
    let error =
        test.repository.publish_received_packages_in_channel(&name("prodd"), &files, NOON).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no channel `prodd`; did you mean `prod`? (channels: dev, prod; `punch channel create` makes another)"
    );
    assert_eq!(order(&test), ["dev", "prod"]);
}

#[test]
fn promotion_into_an_unknown_or_an_earlier_channel_is_refused() {
    let test = TestRepository::new();
    let files = test.component("shop", "1.0", &[]);
    test.publish("prod", &files);
    let promote = |from: &str, to: &str| {
        let version = "1.0".parse().unwrap();
        let promoted = test.repository.promote_version_with_required_components(
            &name("shop"),
            &version,
            &name(from),
            &name(to),
            |_| Ok::<(), packaging::repository::RepositoryError>(()),
            NOON,
        );
        promoted.unwrap_err().to_string()
    };
    assert!(promote("prod", "archive").contains("there is no channel `archive`"));
    assert!(promote("qa", "prod").contains("there is no channel `qa`"));
    for (from, to) in [("prod", "dev"), ("prod", "prod")] {
        assert_eq!(
            promote(from, to),
            format!(
                "`{from}` does not come before `{to}` in the order of promotion (dev, prod): promote to a later channel, or publish the version in `{to}` itself"
            )
        );
    }
    assert_eq!(visible(&test, "dev"), Vec::<String>::new());
}

#[test]
fn channel_whose_creation_was_cut_off_can_be_created_again() {
    let test = TestRepository::new();
    // Killed between the entry in the order and the first generation.
    std::fs::write(test.root().join("order.json"), r#"["dev","staging","prod"]"#).unwrap();
    assert_eq!(order(&test), ["dev", "prod"]);
    assert!(test.repository.create_channel_if_absent(&name("staging"), None, NOON).unwrap());
    assert_eq!(order(&test), ["dev", "prod", "staging"]);
}
