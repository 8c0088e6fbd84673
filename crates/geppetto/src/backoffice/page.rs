//! Pages of lists in the order of their names.

/// Which part of a list is asked for.
#[derive(Debug, Clone)]
pub(crate) struct PageRequest {
    /// How many items at most.
    pub(crate) limit: u32,
    /// The `next` of the page before.
    pub(crate) after: Option<String>,
}

/// A part of a list, and where the next one begins.
pub(super) struct PageSlice<'a, T> {
    pub(super) items: Vec<(&'a str, T)>,
    pub(super) next: Option<String>,
}

impl PageRequest {
    /// The part of a list that is asked for. The names are in order.
    pub(super) fn slice_page<'a, T>(&self, all: impl Iterator<Item = (&'a str, T)>) -> PageSlice<'a, T> {
        let limit = self.limit as usize;
        let after = self.after.as_deref().unwrap_or_default();
        let mut items: Vec<_> = all.filter(|(name, _)| *name > after).take(limit + 1).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|(name, _)| (*name).to_owned());
        PageSlice { items, next }
    }
}
