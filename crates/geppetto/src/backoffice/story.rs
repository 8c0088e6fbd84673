//! The back-office as a whole, in one process: what must hold between changes, publications and node files.

mod grants;
mod removal;
mod server_alone;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use model::{
    estate::PlaceId,
    name::{Name, ServerName},
    wire::{EstateChangeResult, PublicationRequest},
};
use packaging::{openpgp::SecretKey, package::create_packages_with_compression, source::ComponentSource};

use super::*;
use crate::auth::{Admin, Principal, RequiredAccessLevel, UnscopedPermit};

const NOW: u32 = 1_700_000_000;
const SHOP: &str = "parameters:\n  port: {type: port, description: Where, default: 80}\n";
const PROD: &str = "format: geppetto/environment/1\nchannel: prod\n";

/// A back-office in a folder of its own, and a key its packages are signed with.
struct Story {
    back_office: Arc<BackOffice>,
    key: SecretKey,
    folder: tempfile::TempDir,
}

async fn open(folder: &tempfile::TempDir) -> BackOffice {
    let data = DataFolder::new_without_creating(&folder.path().join("data"), None, None);
    data.create_missing_parts().unwrap();
    BackOffice::open_or_create(&data, Clock::clock_from_function(|| i64::from(NOW) * 1_000_000))
        .await
        .unwrap()
}

fn admin() -> UnscopedPermit<Admin> {
    UnscopedPermit::new_for_local_administrator(0)
}

/// The permit of a token with these grants.
fn permit<L: RequiredAccessLevel>(grants: &[&str]) -> UnscopedPermit<L> {
    let grants = grants.iter().map(|grant| grant.parse().unwrap()).collect();
    Principal::Token { name: "ci".to_owned(), grants }.require_access_level_somewhere().unwrap()
}

impl Story {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let back_office = Arc::new(open(&folder).await);
        let channels = ["dev", "prod"].map(|name| Name::new(name).unwrap());
        back_office.create_channels_if_none(&admin().to_permit_of_lower_level(), &channels).await.unwrap();
        let key = SecretKey::generate_secret_key("CI", NOW).unwrap();
        back_office.trust_package_keys(&admin(), key.armored_public_key().unwrap()).await.unwrap();
        Self { back_office, key, folder }
    }

    /// Another control plane on the same data.
    async fn open_again(&self) -> BackOffice {
        open(&self.folder).await
    }

    /// Builds and publishes a version of `shop` with these parameters.
    async fn publish(&self, version: &str, parameters: &str, channel: &str) {
        self.publish_component("shop", version, parameters, channel).await;
    }

    /// Builds and publishes a version of a component; `more` is the rest of its description.
    async fn publish_component(&self, name: &str, version: &str, more: &str, channel: &str) {
        let source = self.folder.path().join(format!("{name}-{version}"));
        fs::create_dir_all(source.join("deploy")).unwrap();
        let head = format!(
            "format: geppetto/component/1\nname: {name}\nversion: {version}\nkind: os-config\nsummary: Sells\n\
             license: Apache-2.0\nfiles:\n  - {{source: shop, path: /usr/lib/{name}}}\n"
        );
        fs::write(source.join("component.yaml"), head + more).unwrap();
        fs::write(source.join("shop"), version).unwrap();
        let manifest = "format: geppetto/manifest/1\nresources: []\n";
        fs::write(source.join("deploy/manifest.yaml"), manifest).unwrap();
        let loaded = ComponentSource::load_component_source(&source).unwrap();
        let out = self.folder.path().join("dist");
        let packages = create_packages_with_compression(&loaded, &out, Some(&self.key), NOW, 1).unwrap();
        let mut files = Vec::new();
        for path in [&packages.payload, &packages.deployment] {
            files.push(self.receive(path).await);
        }
        let publication = PublicationRequest { files, preview: false };
        self.back_office
            .publish_or_preview_packages(
                &admin().to_permit_of_lower_level(),
                &Name::new(channel).unwrap(),
                publication,
            )
            .await
            .unwrap();
    }

    async fn receive(&self, path: &Path) -> String {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let permit = admin().to_permit_of_lower_level();
        let mut upload = self.back_office.begin_package_upload(&permit, &name, 1 << 20).await.unwrap();
        upload.write_next_bytes(&fs::read(path).unwrap()).unwrap();
        self.back_office.finish_package_upload(&permit, &name, upload).await.unwrap();
        name
    }

    async fn change(&self, documents: &[(&str, &str)]) -> Result<EstateChangeResult, BackOfficeError> {
        let some = documents.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
        change(&self.back_office, some.collect()).await
    }
}

async fn change(
    back_office: &BackOffice,
    documents: BTreeMap<String, Option<String>>,
) -> Result<EstateChangeResult, BackOfficeError> {
    let proposed = SubmittedEstate::Some(documents);
    let proposal =
        EstateChangeSubmission { proposed, message: String::new(), preview: false, base: None, diffs: false };
    back_office.commit_or_preview_change(&admin().to_permit_of_lower_level(), proposal).await
}

fn server(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

fn role(version: &str, port: u16) -> String {
    format!(
        "format: geppetto/role/1\ncomponents: {{shop: '{version}'}}\nvalues: {{shop: {{port: {port}}}}}\n"
    )
}

fn host(role: &str) -> String {
    format!("format: geppetto/server/2\nenvironment: prod\nroles: [{role}]\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_never_undo_each_others_commits() {
    let story = Story::new().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..6 {
        let back_office = Arc::clone(&story.back_office);
        writers.spawn(async move {
            let path = format!("roles/r{writer}.yaml");
            for turn in 0..12 {
                let text = format!("format: geppetto/role/1\ndescription: turn {turn}\n");
                let done = change(&back_office, [(path.clone(), Some(text))].into()).await.unwrap();
                assert!(done.revision.is_some());
                let state = back_office.cached_or_read_current_estate().await.unwrap();
                let mine = state.documents.get(&path).map(String::as_str).unwrap_or_default();
                assert!(mine.contains(&format!("turn {turn}\n")), "{path} at {turn}: {mine}");
            }
        });
    }
    writers.join_all().await;
    let state = story.back_office.cached_or_read_current_estate().await.unwrap();
    assert_eq!((state.revision, state.documents.len()), (72, 6));
    assert_eq!(
        *state,
        story.back_office.read_estate_of_revision(72).await.unwrap(),
        "what is known is what is stored"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn change_and_publication_resolve_only_the_servers_they_reach() {
    let story = Story::new().await;
    let back_office = &story.back_office;
    story.publish("1.0.0", SHOP, "prod").await;
    let mut files = vec![("environments/prod.yaml".to_owned(), PROD.to_owned())];
    for n in 0..20 {
        files.push((format!("roles/r{n}.yaml"), role("*", 8000 + n)));
        files.push((format!("servers/s{n}.yaml"), host(&format!("r{n}"))));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(story.change(&files).await.unwrap().affected_servers().len(), 20);
    let all = async || {
        for n in 0..20 {
            back_office.get_or_create_node_generation(&server(&format!("s{n}"))).await.unwrap();
        }
        back_office.resolution_count_since_start()
    };
    assert_eq!(all().await, 20);
    assert_eq!(all().await, 20);

    let changed = story.change(&[("roles/r3.yaml", &role("*", 9000))]).await.unwrap();
    assert_eq!(changed.affected_servers(), ["s3"]);
    assert_eq!(all().await, 21, "one key of one role: one server is resolved again");
    story.publish("1.1.0", SHOP, "dev").await;
    assert_eq!(all().await, 21, "a publication in another channel reaches none");
    // Another process commits: only the database shows it.
    let other = story.open_again().await;
    change(&other, [("roles/r5.yaml".to_owned(), Some(role("*", 9001)))].into()).await.unwrap();
    assert_eq!(all().await, 22);
    story.publish("1.2.0", SHOP, "prod").await;
    assert_eq!(all().await, 42, "a publication in their channel reaches all of its servers");
    assert_eq!(back_office.get_or_create_node_generation(&server("s0")).await.unwrap().generation, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_control_plane_resolves_no_server_that_nothing_reached() {
    let story = Story::new().await;
    story.publish("1.0.0", SHOP, "prod").await;
    let documents = [
        ("environments/prod.yaml", PROD),
        ("roles/web.yaml", &role("*", 8080)),
        ("roles/other.yaml", &role("*", 8080)),
        ("servers/web-01.yaml", &host("web")),
        ("servers/other-01.yaml", &host("other")),
    ];
    story.change(&documents).await.unwrap();
    for name in ["web-01", "other-01"] {
        story.back_office.get_or_create_node_generation(&server(name)).await.unwrap();
    }
    // A change that does not reach web-01, and then a new process.
    story.change(&[("roles/other.yaml", &role("*", 9000))]).await.unwrap();
    let restarted = story.open_again().await;
    let known = story.back_office.get_or_create_node_generation(&server("web-01")).await.unwrap();
    assert_eq!(restarted.get_or_create_node_generation(&server("web-01")).await.unwrap(), known);
    assert_eq!(restarted.resolution_count_since_start(), 0);
    restarted.get_or_create_node_generation(&server("other-01")).await.unwrap();
    assert_eq!(restarted.resolution_count_since_start(), 1, "it was reached, and is resolved");
}

#[tokio::test(flavor = "multi_thread")]
async fn selection_of_another_environment_needs_a_view_of_it() {
    let story = Story::new().await;
    let balancer = "parameters:\n  backends: {type: servers, description: Behind it.}\n";
    story.publish_component("balancer", "1.0.0", balancer, "prod").await;
    let test = "format: geppetto/environment/1\nchannel: prod\nreadable_from: [prod]\n";
    let lb = "format: geppetto/server/2\nenvironment: prod\ncomponents: {balancer: '*'}\n\
              values: {balancer: {backends: {role: web, environment: ENV}}}\n";
    let documents = [
        ("environments/prod.yaml", PROD),
        ("environments/test.yaml", test),
        ("roles/web.yaml", "format: geppetto/role/1\n"),
        ("servers/lb-01.yaml", &lb.replace("ENV", "prod")),
        ("servers/web-01.yaml", "format: geppetto/server/2\nenvironment: test\nroles: [web]\n"),
    ];
    story.change(&documents).await.unwrap();
    let crossing = lb.replace("ENV", "test");
    let error = try_change(&story, &["operator:prod"], "servers/lb-01.yaml", &crossing).await.unwrap_err();
    assert!(error.to_string().contains("the environment test"), "{error}");
    try_change(&story, &["operator:prod", "viewer:test"], "servers/lb-01.yaml", &crossing).await.unwrap();

    // A server that gets the role is among the backends at once; one that leaves it is not any more.
    let backends = async || {
        let node = story.back_office.resolve_unnumbered_node(&server("lb-01")).await.unwrap().resolution.node;
        node.components["balancer"].values["backends"].value.to_string()
    };
    assert!(backends().await.contains("web-01"));
    let without = "format: geppetto/server/2\nenvironment: test\n";
    let changed = story.change(&[("servers/web-01.yaml", without)]).await.unwrap();
    assert_eq!(changed.affected_servers(), ["lb-01"], "the balancer is reached by a server it selected");
    assert_eq!(backends().await, "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_request_never_numbers_an_older_content_above_a_newer_one() {
    let story = Story::new().await;
    let back_office = &story.back_office;
    story.publish("1.0.0", SHOP, "prod").await;
    let web = [
        ("environments/prod.yaml", PROD),
        ("roles/web.yaml", &role("*", 80)),
        ("servers/web-01.yaml", &host("web")),
    ];
    story.change(&web).await.unwrap();
    let slow = back_office.resolve_unnumbered_node(&server("web-01")).await.unwrap();
    story.publish("1.1.0", SHOP, "prod").await;
    let fast = back_office.get_or_create_node_generation(&server("web-01")).await.unwrap();
    assert_eq!(
        back_office.store_resolved_node_unless_outdated(&slow).await.unwrap(),
        None,
        "it was overtaken"
    );
    assert_eq!(back_office.get_or_create_node_generation(&server("web-01")).await.unwrap(), fast);
    assert!(
        back_office.get_or_create_signed_node_file(&server("web-01")).await.unwrap().text.contains("1.1.0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn server_is_resolved_alike_with_and_without_the_places_read_at_the_start() {
    let story = Story::new().await;
    story.publish("1.0.0", SHOP, "prod").await;
    let group = "format: geppetto/group/1\nvalues: {shop: {port: 90}}\n";
    let places = [
        ("environments/prod.yaml", PROD),
        ("groups/paris.yaml", group),
        ("roles/web.yaml", &role("1.0.0", 80)),
        ("roles/shop.yaml", "format: geppetto/role/1\ninherits: [web]\n"),
        ("servers/web-01.yaml", &host("shop")),
        (
            "servers/web-02.yaml",
            "format: geppetto/server/2\nenvironment: prod\ngroups: [paris]\nroles: [shop]\n",
        ),
    ];
    story.change(&places).await.unwrap();
    let preloaded = story.open_again().await;
    preloaded.preload_shared_places().await;
    for name in ["web-01", "web-02"] {
        let plain = story.open_again().await.resolve_unnumbered_node(&server(name)).await.unwrap();
        let node = preloaded.resolve_unnumbered_node(&server(name)).await.unwrap();
        assert_eq!(node.resolution.node, plain.resolution.node, "{name}");
    }
    // A commit makes what was read at the start outdated.
    story.change(&[("roles/web.yaml", &role("1.0.0", 81))]).await.unwrap();
    let node = preloaded.resolve_unnumbered_node(&server("web-01")).await.unwrap().resolution.node;
    let plain = story.open_again().await.resolve_unnumbered_node(&server("web-01")).await.unwrap();
    assert_eq!(node, plain.resolution.node);
    let text = preloaded.get_or_create_signed_node_file(&server("web-01")).await.unwrap();
    let stored = preloaded.get_or_create_signed_node_file(&server("web-01")).await.unwrap();
    assert!(text.text.contains("81"));
    assert_eq!(text, stored, "what was just made and what is read again");
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_keeps_the_versions_that_a_server_would_get_now() {
    let story = Story::new().await;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        story.publish(version, SHOP, "prod").await;
    }
    let web = [
        ("environments/prod.yaml", PROD),
        ("roles/web.yaml", &role("1.0.0", 80)),
        ("servers/web-01.yaml", &host("web")),
    ];
    story.change(&web).await.unwrap();
    let permit = admin().to_permit_of_lower_level();
    let removed = story.back_office.remove_unneeded_versions_from_every_channel(&permit, 1).await.unwrap();
    assert_eq!(removed.files.len(), 2, "{removed:?}");
    let node = story.back_office.get_or_create_signed_node_file(&server("web-01")).await.unwrap();
    assert!(node.text.contains("1.0.0"), "{}", node.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn secret_stays_masked_when_the_version_that_declared_it_is_removed() {
    let story = Story::new().await;
    let back_office = &story.back_office;
    let parameter =
        |more: &str| format!("parameters:\n  password: {{type: string, description: Db{more}}}\n");
    let plain = "  note: {type: string, description: What}\n";
    story.publish("1.0.0", &(parameter(", secret: true") + plain), "prod").await;
    let role = "format: geppetto/role/1\nvalues: {shop: {password: hunter2, note: hunter3}}\n";
    story.change(&[("roles/spare.yaml", role)]).await.unwrap();
    story.publish("2.0.0", &parameter(""), "prod").await;
    back_office
        .remove_unneeded_versions_from_every_channel(&admin().to_permit_of_lower_level(), 1)
        .await
        .unwrap();
    let shop = &back_office.read_catalog_of_all_channels().await.unwrap().components["shop"];
    assert_eq!(shop.len(), 1, "no published version declares it secret any more");
    // Also after a new start.
    let again = story.open_again().await;
    for back_office in [back_office.as_ref(), &again] {
        let shown = back_office
            .get_place_document(&permit(&["viewer"]), &PlaceId::Role(Name::new("spare").unwrap()))
            .await
            .unwrap()
            .document;
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(shown.contains("(secret)") && shown.contains("no published version declares it"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_broken_by_a_publication_does_not_block_other_changes() {
    let story = Story::new().await;
    story.publish("1.0.0", SHOP, "prod").await;
    let web = [
        ("environments/prod.yaml", PROD),
        ("roles/web.yaml", &role("*", 80)),
        ("servers/web-01.yaml", &host("web")),
    ];
    story.change(&web).await.unwrap();
    let asks = format!("{SHOP}  owner: {{type: string, description: Whose, required: true}}\n");
    story.publish("2.0.0", &asks, "prod").await;
    let done = story.change(&[("roles/web.yaml", &role("*", 81))]).await.unwrap();
    assert_eq!(done.revision, Some(2));
    assert!(
        model::fault::format_fault_list(&done.warnings).contains("`shop.owner` (Whose) must have a value"),
        "{done:?}"
    );
    let wrong = role("*", 81).replace("port", "prot");
    let refused = story.change(&[("roles/web.yaml", &wrong)]).await.unwrap_err().to_string();
    assert!(refused.contains("`prot`") && !refused.contains("owner"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_log_records_the_begin_and_the_outcome_of_a_publication() {
    let story = Story::new().await;
    story.publish("1.0.0", SHOP, "prod").await;
    let nowhere = Name::new("nowhere").unwrap();
    let many = vec!["shop-1.0.0-1.noarch.rpm".to_owned(); 500];
    story
        .back_office
        .publish_or_preview_packages(
            &admin().to_permit_of_lower_level(),
            &nowhere,
            PublicationRequest { files: many, preview: false },
        )
        .await
        .unwrap_err();
    let log = story.back_office.store.read_audit_entries(None, 100).await.unwrap();
    let details = |action: &str| -> Vec<&str> {
        log.iter().rev().filter(|entry| entry.action == action).map(|entry| entry.detail.as_str()).collect()
    };
    let published = details("publish");
    // What was refused before anything was begun is not there.
    assert_eq!(published.len(), 2, "{published:#?}");
    for (at, start) in ["begun: shop-", "done: 2 files"].into_iter().enumerate() {
        assert!(published[at].starts_with(start), "{start}: {published:#?}");
        assert!(published[at].chars().count() < 2100);
    }
    let fingerprint = story.key.fingerprint().to_string();
    assert_eq!(details("trust-keys")[1], format!("done: {fingerprint}"));
}

const TEST: &str = "format: geppetto/environment/1\nchannel: dev\n";

/// An estate of two environments with one server each, both with the role `web`.
async fn two_environments(story: &Story) {
    story.publish("1.0.0", SHOP, "prod").await;
    story.publish("1.0.0", SHOP, "dev").await;
    let test_server = host("web").replace("prod", "test");
    let documents = [
        ("environments/prod.yaml", PROD),
        ("environments/test.yaml", TEST),
        ("roles/web.yaml", &role("*", 80)),
        ("servers/web-01.yaml", &host("web")),
        ("servers/web-02.yaml", &test_server),
    ];
    assert_eq!(story.change(&documents).await.unwrap().affected_servers(), ["web-01", "web-02"]);
}

async fn try_change(
    story: &Story,
    grants: &[&str],
    path: &str,
    text: &str,
) -> Result<EstateChangeResult, BackOfficeError> {
    let proposed = SubmittedEstate::Some([(path.to_owned(), Some(text.to_owned()))].into());
    let proposal =
        EstateChangeSubmission { proposed, message: String::new(), preview: false, base: None, diffs: false };
    story.back_office.commit_or_preview_change(&permit(grants), proposal).await
}
