//! Refuses what belongs to root in a folder that a user owns: the user could replace it at any time.

use super::planner::Planner;
use crate::resource::{self, Resource};

impl Planner<'_> {
    /// Why a file or directory cannot be kept safe where it is described.
    pub(super) fn root_owned_in_user_folder_reason(&self, resource: &Resource) -> Option<String> {
        // Below the folder of an ordinary user all is that user's.
        if self.observed.cannot_give_files_to_any_user {
            return None;
        }
        resource::root_owned_in_user_folder_reason(resource, |folder| self.wanted.get(folder).copied())
    }
}
