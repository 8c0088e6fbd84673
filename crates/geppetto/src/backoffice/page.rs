//! Pages of lists, in the order of their names or in one of their own.

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

    /// The part of a list that is asked for, when the list has an order of its own: what comes behind the item named
    /// `after`. `None` when there is no such item.
    pub(super) fn slice_page_behind_named_item<'a, T>(
        &self,
        all: Vec<(&'a str, T)>,
    ) -> Option<PageSlice<'a, T>> {
        let begin = match &self.after {
            Some(after) => all.iter().position(|(name, _)| name == after)? + 1,
            None => 0,
        };
        let limit = self.limit as usize;
        let more = all.len() > begin + limit;
        let items: Vec<_> = all.into_iter().skip(begin).take(limit).collect();
        let next = items.last().filter(|_| more).map(|(name, _)| (*name).to_owned());
        Some(PageSlice { items, next })
    }
}
