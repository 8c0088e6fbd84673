//! The back-office as a whole, in one process: what must hold between changes, publications and node files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{
    name::{Name, ServerName},
    wire::ChangeResult,
};
use packaging::{openpgp::SecretKey, package::package_at_level, source::ComponentSource};

use super::*;

const NOW: u32 = 1_700_000_000;
const SHOP: &str = "parameters:\n  port: {type: port, description: Where, default: 80}\n";
const PROD: &str = "format: geppetto/environment/1\nchannel: prod\n";

/// A back-office in a folder of its own, and a key its packages are signed with.
struct Story {
    back_office: Arc<BackOffice>,
    key: SecretKey,
    folder: tempfile::TempDir,
}

impl Story {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::create(&folder.path().join("data")).unwrap();
        let clock = Clock::from_fn(|| i64::from(NOW) * 1_000_000);
        let back_office = Arc::new(BackOffice::open(data, clock).await.unwrap());
        let channels = ["dev", "prod"].map(|name| Name::new(name).unwrap());
        back_office.create_first_channels(&channels, "ann").await.unwrap();
        let key = SecretKey::generate("CI", NOW).unwrap();
        back_office.trust(key.public_armored().unwrap(), "ann").await.unwrap();
        Self { back_office, key, folder }
    }

    /// Builds and publishes a version of `shop` with these parameters.
    async fn publish(&self, version: &str, parameters: &str, channel: &str) {
        let source = self.folder.path().join(format!("shop-{version}"));
        fs::create_dir_all(source.join("deploy")).unwrap();
        let head = format!(
            "format: geppetto/component/1\nname: shop\nversion: {version}\nkind: os-config\nsummary: Sells\n\
             license: Apache-2.0\nfiles:\n  - {{source: shop, path: /usr/lib/shop}}\n"
        );
        fs::write(source.join("component.yaml"), head + parameters).unwrap();
        fs::write(source.join("shop"), version).unwrap();
        let manifest = "format: geppetto/manifest/1\nresources: []\n";
        fs::write(source.join("deploy/manifest.yaml"), manifest).unwrap();
        let loaded = ComponentSource::load(&source).unwrap();
        let out = self.folder.path().join("dist");
        let packages = package_at_level(&loaded, &out, Some(&self.key), NOW, 1).unwrap();
        let mut files = Vec::new();
        for path in [&packages.payload, &packages.deployment] {
            files.push(self.receive(path).await);
        }
        self.back_office.publish(&Name::new(channel).unwrap(), files, "ann").await.unwrap();
    }

    async fn receive(&self, path: &Path) -> String {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        self.back_office.receive(fs::File::open(path).unwrap(), &name, 1 << 20, "ann").await.unwrap();
        name
    }

    async fn change(&self, documents: &[(&str, &str)]) -> Result<ChangeResult, BackOfficeError> {
        let some = documents.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
        change(&self.back_office, some.collect()).await
    }
}

async fn change(
    back_office: &BackOffice,
    documents: BTreeMap<String, Option<String>>,
) -> Result<ChangeResult, BackOfficeError> {
    let proposed = ProposedEstate::Some(documents);
    back_office
        .change(ChangeProposal { proposed, message: String::new(), preview: false, base: None }, "ann")
        .await
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
    format!("format: geppetto/server/1\nenvironment: prod\nroles: [{role}]\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_none_undoes_what_another_committed() {
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
                let state = back_office.current_estate().await.unwrap();
                let mine = state.documents.get(&path).map(String::as_str).unwrap_or_default();
                assert!(mine.contains(&format!("turn {turn}\n")), "{path} at {turn}: {mine}");
            }
        });
    }
    writers.join_all().await;
    let state = story.back_office.current_estate().await.unwrap();
    assert_eq!((state.revision, state.documents.len()), (72, 6));
    assert_eq!(
        *state,
        story.back_office.estate_of_revision(72).await.unwrap(),
        "what is known is what is stored"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_and_a_publication_cost_what_they_reach() {
    let story = Story::new().await;
    let back_office = &story.back_office;
    story.publish("1.0.0", SHOP, "prod").await;
    let mut files = vec![("environments/prod.yaml".to_owned(), PROD.to_owned())];
    for n in 0..20 {
        files.push((format!("roles/r{n}.yaml"), role("*", 8000 + n)));
        files.push((format!("servers/s{n}.yaml"), host(&format!("r{n}"))));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(story.change(&files).await.unwrap().servers.len(), 20);
    let all = async || {
        for n in 0..20 {
            back_office.current_node_version(&server(&format!("s{n}"))).await.unwrap();
        }
        back_office.resolution_count()
    };
    assert_eq!(all().await, 20);
    assert_eq!(all().await, 20);

    let changed = story.change(&[("roles/r3.yaml", &role("*", 9000))]).await.unwrap();
    assert_eq!(changed.servers, ["s3"]);
    assert_eq!(all().await, 21, "one key of one role: one server is resolved again");
    story.publish("1.1.0", SHOP, "dev").await;
    assert_eq!(all().await, 21, "a publication in another channel reaches none");
    // Another process commits: only the database shows it.
    let other = BackOffice::open(back_office.data.clone(), back_office.clock.clone()).await.unwrap();
    change(&other, [("roles/r5.yaml".to_owned(), Some(role("*", 9001)))].into()).await.unwrap();
    assert_eq!(all().await, 22);
    story.publish("1.2.0", SHOP, "prod").await;
    assert_eq!(all().await, 42, "a publication in their channel reaches all of its servers");
    assert_eq!(back_office.current_node_version(&server("s0")).await.unwrap().generation, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_request_never_numbers_an_older_choice_above_a_newer_one() {
    let story = Story::new().await;
    let back_office = &story.back_office;
    story.publish("1.0.0", SHOP, "prod").await;
    let web = [
        ("environments/prod.yaml", PROD),
        ("roles/web.yaml", &role("*", 80)),
        ("servers/web-01.yaml", &host("web")),
    ];
    story.change(&web).await.unwrap();
    let slow = back_office.resolve_node(&server("web-01")).await.unwrap();
    story.publish("1.1.0", SHOP, "prod").await;
    let fast = back_office.current_node_version(&server("web-01")).await.unwrap();
    assert_eq!(back_office.assign_generation(&slow).await.unwrap(), None, "it was overtaken");
    assert_eq!(back_office.current_node_version(&server("web-01")).await.unwrap(), fast);
    assert!(back_office.signed_node(&server("web-01")).await.unwrap().text.contains("1.1.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_keeps_what_a_server_would_get_if_it_asked_now() {
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
    let removed = story.back_office.retain_versions(1, "ann").await.unwrap();
    assert_eq!(removed.files.len(), 2, "{removed:?}");
    let node = story.back_office.signed_node(&server("web-01")).await.unwrap();
    assert!(node.text.contains("1.0.0"), "{}", node.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_stays_hidden_when_the_version_that_declared_it_is_gone() {
    let story = Story::new().await;
    let back_office = &story.back_office;
    let parameter =
        |more: &str| format!("parameters:\n  password: {{type: string, description: Db{more}}}\n");
    let plain = "  note: {type: string, description: What}\n";
    story.publish("1.0.0", &(parameter(", secret: true") + plain), "prod").await;
    let role = "format: geppetto/role/1\nvalues: {shop: {password: hunter2, note: hunter3}}\n";
    story.change(&[("roles/spare.yaml", role)]).await.unwrap();
    story.publish("2.0.0", &parameter(""), "prod").await;
    back_office.retain_versions(1, "ann").await.unwrap();
    let shop = &back_office.catalog().await.unwrap().components["shop"];
    assert_eq!(shop.len(), 1, "no published version declares it secret any more");
    // Also after a new start.
    let again = BackOffice::open(back_office.data.clone(), back_office.clock.clone()).await.unwrap();
    for back_office in [back_office.as_ref(), &again] {
        let shown = back_office.place_document("role", "roles/", "spare", false).await.unwrap().document;
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(shown.contains("(secret)") && shown.contains("no published version declares it"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_a_publication_broke_stops_nobodys_change() {
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
        model::fault::list(&done.warnings).contains("`shop.owner` (Whose) must have a value"),
        "{done:?}"
    );
    let wrong = role("*", 81).replace("port", "prot");
    let refused = story.change(&[("roles/web.yaml", &wrong)]).await.unwrap_err().to_string();
    assert!(refused.contains("`prot`") && !refused.contains("owner"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_says_what_was_begun_and_how_it_ended() {
    let story = Story::new().await;
    let channel = Name::new("prod").unwrap();
    let missing = vec!["shop-9-1.noarch.rpm".to_owned()];
    story.back_office.publish(&channel, missing, "ann").await.unwrap_err();
    story.publish("1.0.0", SHOP, "prod").await;
    let many = (0..500).map(|n| format!("missing-{n}-1-1.noarch.rpm")).collect();
    story.back_office.publish(&channel, many, "ann").await.unwrap_err();
    let log = story.back_office.store.audit(None, 100).await.unwrap();
    let told = |action: &str| -> Vec<&str> {
        log.iter().rev().filter(|entry| entry.action == action).map(|entry| entry.detail.as_str()).collect()
    };
    let published = told("publish");
    assert_eq!(published.len(), 6, "{published:#?}");
    for (at, start) in ["begun: shop-9", "refused: ", "begun: shop-", "done: 2 files", "begun: ", "refused: "]
        .into_iter()
        .enumerate()
    {
        assert!(published[at].starts_with(start), "{start}: {published:#?}");
        assert!(published[at].chars().count() < 2100);
    }
    let fingerprint = story.key.fingerprint().to_string();
    assert_eq!(told("trust")[1], format!("done: {fingerprint}"));
}

#[tokio::test]
async fn a_folder_that_says_nothing_of_its_revision_is_taken_as_made_from_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(folder::read_base(folder.path()).unwrap(), None);
    folder::write_base(folder.path(), 41).unwrap();
    assert_eq!(folder::read_base(folder.path()).unwrap(), Some(41));
    let path: PathBuf = folder.path().join("estate.yaml");
    fs::write(&path, "format: geppetto/estate/1\nrevison: 41\n").unwrap();
    let error = folder::read_base(folder.path()).unwrap_err().to_string();
    assert!(error.contains("estate.yaml") && error.contains("revison"), "{error}");
}
