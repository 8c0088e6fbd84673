//! The shapes of the HTTP API, shared by the control plane and its clients.

mod duplicate_keys;
mod event;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use duplicate_keys::deserialize_map_refusing_duplicate_keys;
pub use effects::{EffectDescription, ServersWithSameEffectDescriptions};
pub use event::ControlPlaneEvent;
pub use explanation::{ExplainedMapEntry, ExplainedProvenanceEntry, Explanation};
pub use job::{Job, JobLogEntry, JobPage, JobRequest};
pub use retention::{ChannelRetentionPreview, RetentionPreview};
pub use server_credential::ServerCredentialStatus;
pub use token::{IssuedToken, PrincipalInfo, TokenList, TokenRequest, TokenSummary};
pub use user::{IssuedPasswordLink, UserGrantsRequest, UserList, UserRequest, UserSummary};

macro_rules! shape {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* pub $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
            pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
        )*
    };
}

// These use the macro above.
mod effects;
mod explanation;
mod job;
mod retention;
mod server_credential;
mod token;
mod user;

shape! {
    /// An error, as RFC 9457 describes it (`application/problem+json`).
    pub struct ProblemDetails {
        /// A name for this sort of error: `not-found`.
        #[serde(rename = "type")]
        pub kind: String,
        /// What failed, in a few words.
        pub title: String,
        /// The HTTP status.
        pub status: u16,
        /// What failed, where, why, and what to do next.
        pub detail: String,
        /// The faults of what was sent, each with the place to correct.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub faults: Vec<crate::fault::Fault>,
    }

    /// `POST /api/v1/join`
    pub struct JoinRequest {
        /// The one-time token.
        pub token: String,
        /// The server that joins.
        pub server: String,
    }

    /// What a server gets when it joins.
    pub struct JoinResponse {
        /// Its name.
        pub server: String,
        /// The secret it shows from now on as a bearer token.
        pub credential: String,
        /// The public key node files are signed with, in base64 (Ed25519).
        pub node_key: String,
        /// The OpenPGP keys packages and metadata are signed with, armored.
        pub package_keys: String,
    }

    /// `POST /api/v1/join-tokens`
    pub struct JoinTokenRequest {
        /// The server that may join.
        pub server: String,
        /// Seconds the token is good for: up to thirty days.
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 2_592_000))]
        pub seconds: u32,
    }

    /// A one-time join token.
    pub struct IssuedJoinToken {
        /// Shown once.
        pub token: String,
        /// The server that may join.
        pub server: String,
        /// Until when, in microseconds since 1970-01-01 UTC.
        pub expires_us: i64,
        /// Where to join.
        pub control_plane: ControlPlaneAddress,
    }

    /// How a client reaches the control plane and recognises it.
    pub struct ControlPlaneAddress {
        /// Its URL.
        pub url: String,
        /// The fingerprint of the control plane's own certificate authority, `sha256:` and 64 hexadecimal digits; absent
        /// where it has a certificate of another one, or none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ca_fingerprint: Option<String>,
    }

    /// A package received, not yet visible in a channel.
    pub struct UploadedPackage {
        /// Its file name.
        pub file: String,
        /// SHA-256 of the file, in hexadecimal.
        pub sha256: String,
        /// Its size in bytes.
        pub size: u64,
    }

    /// `POST /api/v1/channels/{channel}/publications`: makes received packages visible, all or none.
    pub struct PublicationRequest {
        /// File names of received packages.
        pub files: Vec<String>,
        /// Only say what it would do.
        #[serde(default)]
        pub preview: bool,
    }

    /// `POST /api/v1/withdrawals`
    pub struct WithdrawalRequest {
        /// The component.
        pub name: String,
        /// Its version; with or without release.
        pub version: String,
        /// The channel it is taken out of.
        pub from: String,
        /// Only say what it would do.
        #[serde(default)]
        pub preview: bool,
    }

    /// What a publication, promotion or withdrawal does.
    pub struct ChannelChangeResult {
        /// The channel.
        pub channel: String,
        /// Whether it was only a preview.
        pub preview: bool,
        /// Files that become visible.
        pub added: Vec<String>,
        /// Files that were visible already.
        pub present: Vec<String>,
        /// Files that are not visible any more.
        pub removed: Vec<String>,
        /// What it does to servers, grouped by identical effects; what takes something away comes first.
        pub effects: Vec<ServersWithSameEffectDescriptions>,
    }

    /// What a publication or promotion did to the files of a channel.
    pub struct FilesAddedToChannel {
        /// The channel.
        pub channel: String,
        /// Files that became visible.
        pub added: Vec<String>,
        /// Files that were visible already.
        pub present: Vec<String>,
    }

    /// `POST /api/v1/promotions`
    pub struct PromotionRequest {
        /// The component.
        pub name: String,
        /// Its version; with or without release.
        pub version: String,
        /// The channel it is in.
        pub from: String,
        /// The channel it shall be in too; the next one in the order of promotion if absent.
        #[serde(default)]
        pub to: Option<String>,
        /// Only say what it would do.
        #[serde(default)]
        pub preview: bool,
    }

    /// One version of a component.
    pub struct ComponentVersionSummary {
        /// The component.
        pub name: String,
        /// Its version and release.
        pub version: String,
        /// Its kind.
        pub kind: crate::component::ComponentKind,
        /// One line about it.
        pub summary: String,
        /// The channels it is visible in.
        pub channels: Vec<String>,
    }

    /// A page of a list.
    pub struct ComponentVersionPage {
        /// The versions, newest first.
        pub items: Vec<ComponentVersionSummary>,
        /// Give this as `after` to get the next page.
        pub next: Option<String>,
    }

    /// A change of the back-office's data: YAML documents by path (`roles/web.yaml`).
    pub struct EstateChangeRequest {
        /// The documents that are new or different; `null` removes one.
        #[serde(deserialize_with = "deserialize_map_refusing_duplicate_keys")]
        pub documents: BTreeMap<String, Option<String>>,
        /// The documents are the whole estate: what is not among them is removed.
        #[serde(default)]
        pub whole: bool,
        /// With `whole`: it is meant that nothing is left.
        #[serde(default)]
        pub allow_empty: bool,
        /// Why, for the history.
        pub message: String,
        /// Only say what would happen.
        pub preview: bool,
        /// The revision it was made from, if what others changed since must not be overwritten.
        pub base: Option<u64>,
        /// Give the difference of each place, too.
        #[serde(default)]
        pub diffs: bool,
    }

    /// What a change does.
    pub struct EstateChangeResult {
        /// The revision it became; absent for a preview or when nothing differs.
        pub revision: Option<u64>,
        /// Places added, changed and removed.
        pub places: Vec<PlaceChangeSummary>,
        /// What it does to servers, grouped by identical effects; what takes something away comes first.
        pub effects: Vec<ServersWithSameEffectDescriptions>,
        /// What may not be intended. None of it prevents the change.
        pub warnings: Vec<crate::fault::Fault>,
    }

    /// One place a change touches.
    pub struct PlaceChangeSummary {
        /// The place: `role web`.
        pub place: String,
        /// `added`, `changed` or `removed`.
        pub how: String,
        /// A unified diff of its file, if it was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub diff: Option<String>,
    }

    /// A role, group or environment in a list.
    pub struct RoleGroupOrEnvironmentSummary {
        /// Its name.
        pub name: String,
        /// What it is for.
        pub description: String,
    }

    /// A page of roles, groups or environments.
    pub struct RoleGroupOrEnvironmentPage {
        /// In the order of their names.
        pub items: Vec<RoleGroupOrEnvironmentSummary>,
        /// Give this as `after` to get the next page.
        pub next: Option<String>,
    }

    /// The document of a role, group, environment or server.
    pub struct PlaceDocument {
        /// Where its file is in an exported folder: `roles/web.yaml`.
        pub path: String,
        /// The revision it is from: the newest.
        pub revision: u64,
        /// Its document in canonical YAML; secrets are masked for principals below operator.
        pub document: String,
    }

    /// A server in a list.
    pub struct ServerSummary {
        /// Its name.
        pub name: String,
        /// What it is for.
        pub description: String,
        /// Its environment.
        pub environment: String,
        /// Its roles, strongest first.
        pub roles: Vec<String>,
        /// The newest generation of its node file, if one was made.
        pub generation: Option<u64>,
        /// The generation its last report is about.
        pub reported_generation: Option<u64>,
        /// How that run ended: `changed`, `unchanged`, `blocked`, `failed`.
        pub outcome: Option<String>,
        /// When that report came in, in microseconds since 1970-01-01 UTC.
        pub reported_us: Option<i64>,
        /// How many of its reports were about runs that changed nothing; these are not in the audit log.
        #[serde(default)]
        pub unchanged_reports: u64,
    }

    /// A page of servers.
    pub struct ServerPage {
        /// In the order of their names.
        pub items: Vec<ServerSummary>,
        /// Give this as `after` to get the next page.
        pub next: Option<String>,
    }

    /// A committed state of all roles, groups, environments and servers.
    pub struct RevisionSummary {
        /// Counted from 1.
        pub number: u64,
        /// When, in microseconds since 1970-01-01 UTC.
        pub created_us: i64,
        /// Who committed it.
        pub author: String,
        /// Why.
        pub message: String,
    }

    /// A page of revisions.
    pub struct RevisionPage {
        /// Newest first.
        pub items: Vec<RevisionSummary>,
        /// Give this as `before` to get the next page.
        pub next: Option<u64>,
    }

    /// A report, as it was stored.
    pub struct StoredReport {
        /// Its number; it grows with each report.
        pub id: u64,
        /// When it came in, in microseconds since 1970-01-01 UTC.
        pub received_us: i64,
        /// The report.
        pub report: crate::report::Report,
    }

    /// A report in a list: all but what was done.
    pub struct ReportSummary {
        /// Its number; it grows with each report.
        pub id: u64,
        /// When it came in, in microseconds since 1970-01-01 UTC.
        pub received_us: i64,
        /// The node file's generation.
        pub generation: u64,
        /// How the run ended.
        pub outcome: crate::report::RunOutcome,
        /// When it started, in microseconds since 1970-01-01 UTC.
        pub started_us: i64,
        /// How long it took, in microseconds.
        pub duration_us: i64,
        /// How many things were right already.
        pub unchanged: u64,
        /// How many things were done or tried; the report itself names them.
        pub entries: u64,
    }

    /// A page of a server's reports.
    pub struct ReportPage {
        /// Newest first.
        pub items: Vec<ReportSummary>,
        /// Give this as `before` to get the next page.
        pub next: Option<u64>,
    }

    /// A component of the repository.
    pub struct ComponentSummary {
        /// Its name.
        pub name: String,
        /// The kind of its newest version.
        pub kind: crate::component::ComponentKind,
        /// One line about its newest version.
        pub summary: String,
        /// The newest version in each channel that has one.
        pub channels: BTreeMap<String, String>,
    }

    /// A page of components.
    pub struct ComponentPage {
        /// In the order of their names.
        pub items: Vec<ComponentSummary>,
        /// Give this as `after` to get the next page.
        pub next: Option<String>,
    }

    /// A channel of the repository.
    pub struct ChannelSummary {
        /// Its name.
        pub name: String,
        /// How many components it has.
        pub components: usize,
    }

    /// A page of channels.
    pub struct ChannelPage {
        /// In the order of their names.
        pub items: Vec<ChannelSummary>,
        /// Give this as `after` to get the next page.
        pub next: Option<String>,
    }

    /// What differs between two revisions.
    pub struct RevisionDiff {
        /// The older revision.
        pub from: u64,
        /// The newer one.
        pub to: u64,
        /// The places that differ.
        pub places: Vec<PlaceChangeSummary>,
    }

    /// The documents of a revision, by path.
    pub struct EstateExport {
        /// The revision.
        pub revision: u64,
        /// Whether these are all documents, and no secret in them is masked.
        pub complete: bool,
        /// YAML documents by path (`roles/web.yaml`).
        pub documents: BTreeMap<String, String>,
    }

    /// `POST /api/v1/keys`
    pub struct KeyTrustRequest {
        /// Armored OpenPGP certificates.
        pub armored: String,
    }

    /// A key that packages are trusted by, or were.
    pub struct TrustedKeyStatus {
        /// Its fingerprint, in hexadecimal.
        pub fingerprint: String,
        /// Whose it is, as its certificate says; absent if that is no readable text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub holder: Option<String>,
        /// Whether the repository signs its metadata with it.
        #[serde(default)]
        pub signs_metadata: bool,
        /// When it expires, in microseconds since 1970-01-01 UTC; absent if it does not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_us: Option<i64>,
        /// When it was withdrawn, in microseconds since 1970-01-01 UTC: no new package that it signed is accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub withdrawn_us: Option<i64>,
    }

    /// Keys that packages are trusted by.
    pub struct TrustedKeyList {
        /// In the order they were trusted.
        pub items: Vec<TrustedKeyStatus>,
    }

    /// `POST /api/v1/channels`
    pub struct ChannelCreationRequest {
        /// The name of the channel.
        pub name: String,
        /// The channel it comes after in the order of promotion; at the end if absent.
        #[serde(default)]
        pub after: Option<String>,
    }

    /// A channel was created, or was there already.
    pub struct ChannelCreationResult {
        /// The channel.
        pub name: String,
        /// Whether it is new.
        pub created: bool,
    }

    /// One entry of the audit log.
    pub struct AuditEntry {
        /// Its number.
        pub id: u64,
        /// When, in microseconds since 1970-01-01 UTC.
        pub at_us: i64,
        /// Who: `token ci`, `server web-01`, `local administrator (uid 0)`.
        pub actor: String,
        /// What was done: `publish`.
        pub action: String,
        /// To what.
        pub subject: String,
        /// The rest of the sentence.
        pub detail: String,
    }

    /// A page of the audit log.
    pub struct AuditPage {
        /// Newest first.
        pub items: Vec<AuditEntry>,
        /// Give this as `before` to get the next page.
        pub next: Option<u64>,
    }
}

impl EstateChangeResult {
    /// The servers for which something changes, in order.
    pub fn affected_servers(&self) -> Vec<&str> {
        let mut servers: Vec<&str> =
            self.effects.iter().flat_map(|group| group.servers.iter().map(String::as_str)).collect();
        servers.sort_unstable();
        servers
    }
}
