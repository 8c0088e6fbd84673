//! Servers by what they are and how they are, for pages of thousands.

use std::collections::BTreeSet;

use model::{
    estate::{Estate, Server},
    name::{Name, ServerName},
};

use super::{BackOffice, BackOfficeError, server_state::ServerState};
use crate::{
    auth::{UnscopedPermit, Viewer},
    store::ServerStatusRow,
};

/// Which servers are asked for. What is absent does not restrict them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerFilter {
    /// The one server of this name.
    pub(crate) name: Option<String>,
    /// A part of the name, the description or a label.
    pub(crate) text: Option<String>,
    /// The environment.
    pub(crate) environment: Option<String>,
    /// A group they are in.
    pub(crate) group: Option<String>,
    /// A role they have, or inherit.
    pub(crate) role: Option<String>,
    /// How they are.
    pub(crate) state: Option<ServerState>,
}

/// A server as a list shows it.
#[derive(Debug, Clone)]
pub(crate) struct FoundServer {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) environment: String,
    pub(crate) roles: Vec<String>,
    pub(crate) state: ServerState,
    /// The number of its newest node file.
    pub(crate) generation: Option<u64>,
    /// The number of the node file it reported last.
    pub(crate) reported_generation: Option<u64>,
    pub(crate) reported_us: Option<i64>,
}

/// A part of the servers that were asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct FoundServers {
    pub(crate) items: Vec<FoundServer>,
    /// How many there are in all.
    pub(crate) count: usize,
    /// How many of what the filter but for its state finds are in each state.
    pub(crate) counts_by_state: Vec<(ServerState, usize)>,
    /// After which name the next part begins.
    pub(crate) next: Option<String>,
}

impl BackOffice {
    /// Refuses a server that is not in the estate, or that the principal may not see.
    pub(crate) async fn require_known_and_visible_server(
        &self,
        permit: &UnscopedPermit<Viewer>,
        server: &ServerName,
    ) -> Result<(), BackOfficeError> {
        self.require_visible_environment_of_server(permit.principal(), server).await.map(drop)
    }

    /// The servers that a filter finds and the principal may see, by name, at most `limit` after the name `after`.
    pub(crate) async fn search_servers(
        &self,
        permit: &UnscopedPermit<Viewer>,
        filter: &ServerFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<FoundServers, BackOfficeError> {
        let state = self.cached_or_read_current_estate().await?;
        let estate = &state.estate;
        let roles = filter.role.as_deref().map(|role| roles_that_include(estate, role));
        let matching: Vec<(&ServerName, &Server)> = estate
            .servers
            .iter()
            .filter(|(_, server)| permit.principal().can_see_part_of_environment(&server.environment))
            .filter(|(name, server)| matches_filter(name, server, filter, roles.as_ref()))
            .collect();
        let (Some((first, _)), Some((last, _))) = (matching.first(), matching.last()) else {
            return Ok(FoundServers::default());
        };
        let statuses = self.store.read_server_statuses_in_range(first.as_str(), last.as_str()).await?;
        let now_us = self.clock.now_us();
        let never = ServerStatusRow::default();
        let mut found = FoundServers::default();
        let mut counts = [0; ServerState::ALL_SERVER_STATES.len()];
        for (name, server) in matching {
            let status = statuses.get(name.as_str()).unwrap_or(&never);
            let state = ServerState::server_state_from_status(status, now_us);
            counts[state as usize] += 1;
            if filter.state.is_some_and(|wanted| wanted != state) {
                continue;
            }
            found.count += 1;
            if after.is_some_and(|after| name.as_str() <= after) {
                continue;
            }
            if found.items.len() == limit {
                found.next = found.items.last().map(|last| last.name.clone());
                continue;
            }
            if found.items.len() < limit {
                found.items.push(found_server(name, server, status, state));
            }
        }
        found.counts_by_state = ServerState::ALL_SERVER_STATES.into_iter().zip(counts).collect();
        Ok(found)
    }
}

fn found_server(
    name: &ServerName,
    server: &Server,
    status: &ServerStatusRow,
    state: ServerState,
) -> FoundServer {
    FoundServer {
        name: name.to_string(),
        description: server.description.clone(),
        environment: server.environment.to_string(),
        roles: server.roles.iter().map(Name::to_string).collect(),
        state,
        generation: status.generation,
        reported_generation: status.reported_generation,
        reported_us: status.reported_us,
    }
}

fn matches_filter(
    name: &ServerName,
    server: &Server,
    filter: &ServerFilter,
    roles: Option<&BTreeSet<&Name>>,
) -> bool {
    let is =
        |wanted: &Option<String>, mine: &Name| wanted.as_deref().is_none_or(|wanted| wanted == mine.as_str());
    let in_group = |group: &str| server.groups.iter().any(|mine| mine.as_str() == group);
    let has_text = |text: &str| {
        let text = text.to_lowercase();
        name.as_str().contains(&text)
            || server.description.to_lowercase().contains(&text)
            || server
                .labels
                .iter()
                .any(|(label, value)| format!("{label}={value}").to_lowercase().contains(&text))
    };
    filter.name.as_deref().is_none_or(|wanted| wanted == name.as_str())
        && is(&filter.environment, &server.environment)
        && filter.group.as_deref().is_none_or(in_group)
        && roles.is_none_or(|roles| server.roles.iter().any(|mine| roles.contains(mine)))
        && filter.text.as_deref().is_none_or(has_text)
}

/// The role and all that inherit it.
fn roles_that_include<'a>(estate: &'a Estate, role: &str) -> BTreeSet<&'a Name> {
    let mut found: BTreeSet<&Name> = estate.roles.keys().filter(|name| name.as_str() == role).collect();
    loop {
        let before = found.len();
        let inherits =
            |of: &model::estate::Role| of.inherits.iter().any(|inherited| found.contains(inherited));
        let more: Vec<&Name> =
            estate.roles.iter().filter(|(_, of)| inherits(of)).map(|(name, _)| name).collect();
        found.extend(more);
        if found.len() == before {
            return found;
        }
    }
}
