//! The client of the HTTP API: one function per request, shapes from `model::wire`.

mod connection_wait;
mod error;
mod events;
mod pinned_authority;
mod response;
mod unix_socket;
mod upload_package;

use std::{net::IpAddr, path::Path, time::Duration};

use model::{
    name::{Name, ServerName},
    report::Report,
    wire,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use ureq::{
    Agent, Body,
    config::ConfigBuilder,
    http::{Response, Uri},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
    typestate::AgentScope,
    unversioned::resolver::DefaultResolver,
};

pub(crate) use connection_wait::{ConnectionWait, ConnectionWaitArgs};
pub(crate) use error::ApiClientError;
pub(crate) use pinned_authority::{CaFingerprint, fetch_authority_by_fingerprint};
pub(crate) use response::strip_control_characters_and_shorten;

use crate::command_error::CommandError;

/// The largest JSON or YAML answer read, in bytes.
const MAX_RESPONSE_BYTES: u64 = 64 * 1024 * 1024;

/// The most items of a list asked for at once.
const PAGE_ITEMS: usize = 500;

/// The port of plain HTTP.
const HTTP_PORT: u16 = 80;

/// How the address of a Unix socket begins.
const UNIX_SCHEME: &str = "unix:";

/// A page of any list of the API.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Page<T> {
    items: Vec<T>,
    next: Option<serde_json::Value>,
}

/// A secret sent as a bearer token; never printed.
#[derive(Clone)]
pub(crate) struct BearerToken(String);

impl BearerToken {
    /// Checks that it can be sent in a header.
    pub(crate) fn new(text: &str) -> Result<Self, CommandError> {
        if text.is_empty() {
            return Err(CommandError::invalid_input_error("the token is empty"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CommandError::invalid_input_error(
                "the token holds spaces or characters that no token has; was something else pasted?",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself.
    pub(crate) fn expose_secret(&self) -> &str {
        &self.0
    }
}

/// A client of one back-office, with a token or without.
pub(crate) struct ApiClient {
    agent: Agent,
    /// `https://geppetto.example.org`, or `unix:/var/lib/geppetto-data/geppetto.sock`.
    base: String,
    token: Option<BearerToken>,
}

/// The response to a request for a node file.
pub(crate) enum NodeFileResponse {
    /// The file still has the ETag that was sent.
    Same,
    /// The file, and its tag.
    File {
        /// The signed text.
        text: String,
        /// Its ETag.
        tag: Option<String>,
    },
}

impl ApiClient {
    /// A client of the back-office at `url`, trusting the authorities in a PEM file instead of the public ones.
    pub(crate) fn new(
        url: &str,
        token: Option<BearerToken>,
        authorities: Option<&Path>,
    ) -> Result<Self, CommandError> {
        if let Some(socket) = url.strip_prefix(UNIX_SCHEME) {
            return Ok(Self { agent: unix_agent(Path::new(socket)), base: url.to_owned(), token });
        }
        let base = check_and_trim_base_url(url)?;
        Ok(Self { agent: new_http_agent_with_timeouts(authorities)?, base, token })
    }

    /// The address, without a slash at its end.
    pub(crate) fn base_url(&self) -> &str {
        &self.base
    }

    /// Whether secrets would be sent unencrypted.
    pub(crate) fn would_send_secrets_unencrypted(&self) -> bool {
        let uri = self.base.starts_with("http://").then(|| self.base.parse::<Uri>().ok()).flatten();
        uri.is_some_and(|uri| !is_loopback_host(uri.host().unwrap_or_default()))
    }

    /// Exchanges a one-time token for a credential and the keys to trust.
    pub(crate) fn send_join_request(
        &self,
        join: &wire::JoinRequest,
    ) -> Result<wire::JoinResponse, ApiClientError> {
        self.post_json("/api/v1/join", join)
    }

    /// Fetches a server's node file, unless it is the one called `tag`.
    pub(crate) fn fetch_node_file_unless_unchanged(
        &self,
        server: &ServerName,
        tag: Option<&str>,
    ) -> Result<NodeFileResponse, ApiClientError> {
        let url = self.url(&format!("/api/v1/servers/{server}/node"));
        let mut request = self.agent.get(&url);
        if let Some(tag) = tag {
            request = request.header("If-None-Match", tag);
        }
        let response = self.authorize(request).call();
        let mut response = self.check_status(response)?;
        if response.status() == 304 {
            return Ok(NodeFileResponse::Same);
        }
        let tag = response::response_header_text(&response, "etag");
        Ok(NodeFileResponse::File { text: response::read_response_text(&self.base, &mut response)?, tag })
    }

    /// Sends the report of a run.
    pub(crate) fn send_report(&self, server: &ServerName, report: &Report) -> Result<(), ApiClientError> {
        let url = self.url(&format!("/api/v1/servers/{server}/reports"));
        let response = self.authorize(self.agent.post(&url)).send_json(report);
        self.check_status(response).map(|_| ())
    }

    /// Makes received packages visible in a channel, all or none.
    pub(crate) fn publish_received_packages_in_channel(
        &self,
        channel: &Name,
        publication: &wire::PublicationRequest,
    ) -> Result<wire::ChannelChangeResult, ApiClientError> {
        self.post_json(&format!("/api/v1/channels/{channel}/publications"), publication)
    }

    /// Makes a version visible in another channel, with what it needs.
    pub(crate) fn promote_version(
        &self,
        promotion: &wire::PromotionRequest,
    ) -> Result<wire::ChannelChangeResult, ApiClientError> {
        self.post_json("/api/v1/promotions", promotion)
    }

    /// Takes a version out of a channel.
    pub(crate) fn withdraw_version(
        &self,
        withdrawal: &wire::WithdrawalRequest,
    ) -> Result<wire::ChannelChangeResult, ApiClientError> {
        self.post_json("/api/v1/withdrawals", withdrawal)
    }

    /// Reads a list page by page, at most `most` items. `cursor` is the parameter that gets the `next` of the
    /// page before: `after` or `before`.
    pub(crate) fn get_list_items_up_to<T: DeserializeOwned>(
        &self,
        path: &str,
        cursor: &str,
        most: usize,
    ) -> Result<Vec<T>, ApiClientError> {
        let mut all: Vec<T> = Vec::new();
        let mut next: Option<String> = None;
        while all.len() < most {
            let limit = (most - all.len()).min(PAGE_ITEMS);
            let mut request = self.agent.get(self.url(path)).query("limit", limit.to_string());
            if let Some(next) = &next {
                request = request.query(cursor, next);
            }
            let response = self.authorize(request).call();
            let page: Page<T> = response::read_response_json(&self.base, &mut self.check_status(response)?)?;
            all.extend(page.items);
            let following = page.next.map(|next| match next {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            });
            // A server that repeats a page must not cause an endless loop.
            if following.is_none() || following == next {
                break;
            }
            next = following;
        }
        Ok(all)
    }

    /// Reads a JSON document.
    pub(crate) fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiClientError> {
        self.get_json_with_query(path, &[])
    }

    /// Reads a JSON document with query parameters.
    pub(crate) fn get_json_with_query<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ApiClientError> {
        let request = self.agent.get(self.url(path)).query_pairs(query.iter().copied());
        let response = self.authorize(request).call();
        response::read_response_json(&self.base, &mut self.check_status(response)?)
    }

    /// Reads a text.
    pub(crate) fn get_text(&self, path: &str) -> Result<String, ApiClientError> {
        let response = self.authorize(self.agent.get(self.url(path))).call();
        response::read_response_text(&self.base, &mut self.check_status(response)?)
    }

    /// Deletes what is at a path.
    pub(crate) fn send_delete_request(&self, path: &str) -> Result<(), ApiClientError> {
        let response = self.authorize(self.agent.delete(self.url(path))).call();
        self.check_status(response).map(|_| ())
    }

    /// Checks that the back-office accepts the token.
    pub(crate) fn check_token_is_accepted(&self) -> Result<(), ApiClientError> {
        self.get_json::<wire::PrincipalInfo>("/api/v1/whoami").map(|_| ())
    }

    /// Checks that the back-office answers.
    pub(crate) fn check_back_office_answers(&self) -> Result<(), ApiClientError> {
        let response = self.agent.get(self.url("/api/v1/health")).call();
        self.check_status(response).map(|_| ())
    }

    /// Sends a JSON document and reads the one that answers it.
    pub(crate) fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ApiClientError> {
        let response = self.authorize(self.agent.post(self.url(path))).send_json(body);
        response::read_response_json(&self.base, &mut self.check_status(response)?)
    }

    /// Puts a JSON document in the place of what is at a path.
    pub(crate) fn put_json(&self, path: &str, body: &impl Serialize) -> Result<(), ApiClientError> {
        let response = self.authorize(self.agent.put(self.url(path))).send_json(body);
        self.check_status(response).map(|_| ())
    }

    fn url(&self, path: &str) -> String {
        if self.base.starts_with(UNIX_SCHEME) {
            // HTTP needs a host; the connector of the socket ignores it.
            return format!("http://127.0.0.1{path}");
        }
        format!("{}{path}", self.base)
    }

    fn authorize<S>(&self, request: ureq::RequestBuilder<S>) -> ureq::RequestBuilder<S> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {}", token.expose_secret())),
            None => request,
        }
    }

    /// Returns a successful response, or the error it describes.
    fn check_status(
        &self,
        response: Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, ApiClientError> {
        let mut response = response.map_err(|error| ApiClientError::from_ureq_error(&self.base, &error))?;
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(response::read_error_response(&self.base, &mut response));
        }
        if response::is_html(&response, "") {
            return Err(response::not_control_plane_error(&self.base, &response, ""));
        }
        Ok(response)
    }
}

/// A name as one segment of a path. Names of the API need no encoding; others cannot be there.
pub(crate) fn check_url_path_segment(name: &str) -> Result<&str, CommandError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
    match !name.is_empty() && name != "." && name != ".." && name.chars().all(plain) {
        true => Ok(name),
        false => Err(CommandError::invalid_input_error(format!(
            "`{}` is not a name",
            response::strip_control_characters_and_shorten(name, 80)
        ))
        .with_hint("a name has letters, digits and `-_.@+`")),
    }
}

/// Checks an address and removes trailing slashes.
pub(crate) fn check_and_trim_base_url(url: &str) -> Result<String, CommandError> {
    let wrong = |why: &str| {
        CommandError::invalid_input_error(format!(
            "`{}` is not an address: {why}",
            response::strip_control_characters_and_shorten(url, 200)
        ))
        .with_hint("write it like https://geppetto.example.org or http://127.0.0.1:8700")
    };
    if let Some(with_scheme) = address_with_missing_scheme(url) {
        return Err(
            wrong("it does not begin with http:// or https://").with_hint(format!("write {with_scheme}"))
        );
    }
    let uri: Uri = url.parse().map_err(|_| wrong("it is not a URL"))?;
    match uri.scheme_str() {
        Some("http" | "https") => (),
        _ => return Err(wrong("it must begin with http:// or https://")),
    }
    let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("user names and passwords do not belong in it; use a token"));
    }
    if uri.query().is_some() {
        return Err(wrong("it must not hold a `?`"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// `https://geppetto.example.org:8700` for `geppetto.example.org:8700`, and `http://` for the loopback interface and for
/// port 80; nothing when the address has a scheme or is none in any case.
fn address_with_missing_scheme(url: &str) -> Option<String> {
    let trimmed = url.trim_matches('/');
    if url.contains("://") || trimmed.is_empty() || trimmed.starts_with(UNIX_SCHEME) {
        return None;
    }
    let secure: Uri = format!("https://{trimmed}").parse().ok()?;
    let loopback = is_loopback_host(secure.host()?);
    let port = if loopback && secure.port().is_none() { ":8700" } else { "" };
    let plain = loopback || secure.port_u16() == Some(HTTP_PORT);
    Some(format!("{}://{trimmed}{port}", if plain { "http" } else { "https" }))
}

/// Whether a host of a URL is this machine's loopback interface.
fn is_loopback_host(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// An HTTP agent with timeouts. A long body may take any time while data keeps arriving.
pub(crate) fn new_http_agent_with_timeouts(authorities: Option<&Path>) -> Result<Agent, CommandError> {
    // Fails only when a provider is already installed.
    let _already = rustls::crypto::ring::default_provider().install_default();
    let roots = match authorities {
        Some(path) => read_ca_file(path)?,
        None => RootCerts::WebPki,
    };
    Ok(agent_config().tls_config(TlsConfig::builder().root_certs(roots).build()).build().new_agent())
}

/// An HTTP agent that connects to a Unix socket.
fn unix_agent(socket: &Path) -> Agent {
    let connector = unix_socket::UnixSocketConnector::new(socket.to_owned());
    Agent::with_parts(agent_config().build(), connector, DefaultResolver::default())
}

/// The timeouts of all agents.
fn agent_config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("punch/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(120)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .timeout_per_write(Some(Duration::from_secs(60)))
}

fn read_ca_file(path: &Path) -> Result<RootCerts, CommandError> {
    let pem = std::fs::read(path).map_err(|error| CommandError::cannot_read_file_error(path, &error))?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => (),
            Err(error) => {
                return Err(CommandError::invalid_input_error(format!(
                    "{} is not PEM: {error}",
                    path.display()
                )));
            }
        }
    }
    if certificates.is_empty() {
        return Err(CommandError::invalid_input_error(format!("{} holds no certificate", path.display()))
            .with_hint("it must hold at least one `-----BEGIN CERTIFICATE-----` block"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_addresses_are_refused_with_an_example() {
        assert_eq!(check_and_trim_base_url("http://127.0.0.1:8470/").unwrap(), "http://127.0.0.1:8470");
        for (url, why) in [
            ("", "it is not a URL"),
            ("geppetto.example.org", "does not begin with http:// or https://"),
            ("ftp://x", "must begin with http"),
            ("http://a:b@x", "use a token"),
            ("http://x/?a=1", "must not hold a `?`"),
        ] {
            let failure = check_and_trim_base_url(url).unwrap_err();
            assert!(failure.message.contains(why), "{url}: {}", failure.message);
        }
    }

    #[test]
    fn address_without_a_scheme_is_refused_and_the_whole_address_suggested() {
        for (url, suggested) in [
            ("localhost:8700", "write http://localhost:8700"),
            ("localhost", "write http://localhost:8700"),
            ("127.0.0.1:8700/", "write http://127.0.0.1:8700"),
            ("[::1]:8700", "write http://[::1]:8700"),
            ("geppetto.example.org:8700", "write https://geppetto.example.org:8700"),
            ("//geppetto.example.org/a", "write https://geppetto.example.org/a"),
        ] {
            let failure = check_and_trim_base_url(url).unwrap_err();
            assert_eq!(failure.hint.unwrap(), suggested, "{}", failure.message);
        }
    }

    #[test]
    fn plain_http_is_unencrypted_except_on_loopback() {
        for (url, exposed) in [
            ("http://geppetto.example.org", true),
            ("https://geppetto.example.org", false),
            ("http://127.0.0.1:8470", false),
            ("http://localhost:8470", false),
            ("http://[::1]:8470", false),
            ("http://[2001:db8::1]:8470", true),
        ] {
            assert_eq!(
                ApiClient::new(url, None, None).unwrap().would_send_secrets_unencrypted(),
                exposed,
                "{url}"
            );
        }
    }
}
