//! The order of promotion: a channel exists once it was created, and has a place between the others.
//!
//! `order.json` lists the channels' names, from the first a version is published to, to the last it is
//! promoted to. A new channel is entered there first, then gets its first, empty generation: an entry
//! without a generation, left by a process that was killed, is no channel yet. As long as no package was received, such
//! entries are the remaining channels of an interrupted `geppetto init`: the next start creates them.

use std::{collections::BTreeSet, io};

use model::name::Name;

use super::{
    Repository, RepositoryError, Result,
    durable_writes::{self, UnflushedWrites},
};

impl Repository {
    /// Creates the empty channel `name`, directly behind the channel `after` in the order of promotion, or
    /// at its end. Returns whether it is new: one that exists already behind `after` is left as it is.
    /// `now` is in seconds since 1970.
    pub fn create_channel_if_absent(&self, name: &Name, after: Option<&Name>, now: u32) -> Result<bool> {
        let _lock = self.lock()?;
        let mut order = self.list_channels()?;
        if let Some(after) = after {
            self.load_current_generation_of_published_channel(after)?;
        }
        if order.contains(name) {
            return match after {
                Some(after) if !comes_before(&order, after, name) => {
                    Err(RepositoryError::ChannelExists { channel: name.clone(), order: listed(&order) })
                }
                _ => Ok(false),
            };
        }
        let at = after.and_then(|after| order.iter().position(|known| known == after));
        order.insert(at.map_or(order.len(), |at| at + 1), name.clone());
        self.write_promotion_order(&order)?;
        self.show_first_generation(name, now)?;
        Ok(true)
    }

    /// The first channels that are still to be created, in the order of promotion: `channels` in a repository that has
    /// none, and the rest of those it began with where their creation was killed. None once a package was received.
    pub fn record_and_list_initial_channels(&self, channels: &[Name]) -> Result<Vec<Name>> {
        let _lock = self.lock()?;
        let created = self.list_channels()?;
        let mut order = self.read_promotion_order()?;
        let is_used = !self.is_pool_empty()?;
        if created.is_empty() && (order.is_empty() || is_used) {
            channels.clone_into(&mut order);
            self.write_promotion_order(&order)?;
        } else if is_used {
            return Ok(Vec::new());
        }
        order.retain(|name| !created.contains(name));
        Ok(order)
    }

    /// Creates the empty channel `name`, one of [`Repository::record_and_list_initial_channels`], at the place it has in that
    /// order. Returns whether it is new.
    pub fn create_initial_channel_if_absent(&self, name: &Name, now: u32) -> Result<bool> {
        let _lock = self.lock()?;
        if self.list_channels()?.contains(name) {
            return Ok(false);
        }
        self.show_first_generation(name, now)?;
        Ok(true)
    }

    fn show_first_generation(&self, name: &Name, now: u32) -> Result<()> {
        let nothing = self.load_current_or_empty_generation(name)?;
        self.commit_next_generation(&nothing, Vec::new(), UnflushedWrites::default(), now).map(drop)
    }

    fn write_promotion_order(&self, order: &Vec<Name>) -> Result<()> {
        let path = self.layout().promotion_order_path();
        self.write(&path, &durable_writes::to_json_bytes(&path, order)?)
    }

    /// The names of all channels, in the order of promotion.
    pub fn list_channels(&self) -> Result<Vec<Name>> {
        let mut order = self.read_promotion_order()?;
        order.retain(|name| self.layout().channel_current_generation_link_path(name).is_symlink());
        Ok(order)
    }

    /// The same with the channels that are not created yet.
    fn read_promotion_order(&self) -> Result<Vec<Name>> {
        let path = self.layout().promotion_order_path();
        let mut order: Vec<Name> = match durable_writes::read_json_file(&path) {
            Err(RepositoryError::Io { why, .. }) if why.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        // Channels without an entry (`order.json` was lost, or is an older one) come last.
        let known: BTreeSet<Name> = order.iter().cloned().collect();
        let found = durable_writes::list_folder_or_empty(&self.layout().channels_folder_path())?;
        order.extend(
            found.iter().filter_map(|name| Name::new(name).ok()).filter(|name| !known.contains(name)),
        );
        Ok(order)
    }

    /// The channel that comes after `channel` in the order of promotion.
    pub fn next_channel_in_promotion_order(&self, channel: &Name) -> Result<Name> {
        let order = self.list_channels()?;
        let Some(at) = order.iter().position(|known| known == channel) else {
            return Err(self.unknown_channel_error(channel)?);
        };
        order
            .get(at + 1)
            .cloned()
            .ok_or_else(|| RepositoryError::NoNextChannel { from: channel.clone(), order: listed(&order) })
    }

    /// Refuses a promotion that does not go forward in the order of promotion.
    pub(super) fn check_promotion_goes_forward(&self, from: &Name, to: &Name) -> Result<()> {
        let order = self.list_channels()?;
        if comes_before(&order, from, to) {
            return Ok(());
        }
        Err(RepositoryError::BackwardPromotion { from: from.clone(), to: to.clone(), order: listed(&order) })
    }

    /// Refuses a channel that does not exist, naming the nearest.
    pub fn check_channel_exists(&self, channel: &Name) -> Result<()> {
        match self.list_channels()?.contains(channel) {
            true => Ok(()),
            false => Err(self.unknown_channel_error(channel)?),
        }
    }

    /// The error for a channel that does not exist: names the nearest, and all there are.
    pub(super) fn unknown_channel_error(&self, name: &Name) -> Result<RepositoryError> {
        let order = self.list_channels()?;
        let hint = model::suggest_spelling(name.as_str(), order.iter().map(Name::as_str))
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let known = if order.is_empty() { "none yet".to_owned() } else { listed(&order) };
        Ok(RepositoryError::NoChannel { channel: name.clone(), hint, known })
    }
}

/// Whether both are in `order`, `one` first.
fn comes_before(order: &[Name], one: &Name, other: &Name) -> bool {
    let place = |name: &Name| order.iter().position(|known| known == name);
    matches!((place(one), place(other)), (Some(one), Some(other)) if one < other)
}

fn listed(order: &[Name]) -> String {
    order.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}
