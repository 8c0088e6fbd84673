//! What is around every page: the bar on top, the list of nouns, the equivalent command.

use super::visitor::Visitor;
use crate::auth::{AccessLevel, EnvironmentAndComponentScope};

/// The nouns of the list: address and name.
const NOUNS: [(&str, &str); 10] = [
    ("/", "Overview"),
    ("/servers", "Servers"),
    ("/roles", "Roles"),
    ("/groups", "Groups"),
    ("/environments", "Environments"),
    ("/components", "Components"),
    ("/revisions", "Revisions"),
    ("/jobs", "Jobs"),
    ("/audit", "Audit"),
    ("/users", "Users"),
];

/// What is around a page.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// What the page is about.
    pub(super) title: String,
    /// The address of the noun it belongs to.
    pub(super) noun: &'static str,
    /// Who looks at it.
    pub(super) user: String,
    /// What forms send along, so that no other site can send them.
    pub(super) form_token: String,
    /// The command that shows the same, if there is one.
    pub(super) command: String,
    /// The nouns that this person can look at.
    pub(super) nouns: Vec<(&'static str, &'static str)>,
}

impl Frame {
    /// The frame of a page.
    pub(super) fn new(
        visitor: &Visitor,
        noun: &'static str,
        title: impl Into<String>,
        command: impl Into<String>,
    ) -> Self {
        let everywhere = |level| {
            visitor.user.principal.has_grant_in_scope(level, &EnvironmentAndComponentScope::EVERYWHERE)
        };
        let is_shown = |address: &str| match address {
            "/audit" => everywhere(AccessLevel::Operator),
            "/jobs" => everywhere(AccessLevel::Viewer),
            "/users" => everywhere(AccessLevel::Admin),
            _ => true,
        };
        Self {
            title: title.into(),
            noun,
            user: visitor.user.name.clone(),
            form_token: visitor.form_token.clone(),
            command: command.into(),
            nouns: NOUNS.into_iter().filter(|(address, _)| is_shown(address)).collect(),
        }
    }
}
