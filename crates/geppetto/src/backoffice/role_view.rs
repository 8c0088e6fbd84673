//! Roles as pages show them: what inherits what, and where each is used.

use std::collections::{BTreeMap, BTreeSet};

use model::{estate::Estate, name::Name};

use super::{BackOffice, BackOfficeError};
use crate::auth::{UnscopedPermit, Viewer};

/// What a role inherits, what inherits it, and who has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleUse {
    /// What it is for.
    pub(crate) description: String,
    /// The roles it inherits, strongest first.
    pub(crate) inherits: Vec<String>,
    /// The roles that inherit it.
    pub(crate) inherited_by: Vec<String>,
    /// How many servers that the principal may see have it themselves.
    pub(crate) servers: usize,
    /// The components it requires itself, with their version ranges.
    pub(crate) components: Vec<(String, String)>,
}

impl BackOffice {
    /// All roles with what each inherits and who uses it.
    pub(crate) async fn read_role_uses(
        &self,
        permit: &UnscopedPermit<Viewer>,
    ) -> Result<BTreeMap<String, RoleUse>, BackOfficeError> {
        let state = self.cached_or_read_current_estate().await?;
        let Estate { roles, servers, .. } = &state.estate;
        let mut uses: BTreeMap<String, RoleUse> = BTreeMap::new();
        for (name, role) in roles {
            let of = uses.entry(name.to_string()).or_default();
            of.description.clone_from(&role.description);
            of.inherits = role.inherits.iter().map(Name::to_string).collect();
            let components = role.settings.components.iter();
            of.components =
                components.map(|(name, wanted)| (name.to_string(), wanted.range.to_string())).collect();
            for inherited in &role.inherits {
                uses.entry(inherited.to_string()).or_default().inherited_by.push(name.to_string());
            }
        }
        let visible = servers
            .values()
            .filter(|server| permit.principal().can_see_part_of_environment(&server.environment));
        for server in visible {
            for role in server.roles.iter().collect::<BTreeSet<_>>() {
                if let Some(of) = uses.get_mut(role.as_str()) {
                    of.servers += 1;
                }
            }
        }
        Ok(uses)
    }
}
