//! Evaluated values, shared by all servers of which the same places say the same.
//!
//! A value follows from the version of its component, from the places that touch it, and from the values it refers to.
//! The server's own layer does not count: what it touches is evaluated for each server.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
};

use foldhash::fast::FixedState;

use super::reference_text::ReferenceTextTemplate;
use crate::{
    component::Component,
    estate::PlaceSettings,
    name::{Key, Name},
    node::{CanonicalDigestPart, NodeValue, canonical_parameter_value},
};

/// How many values are kept at most: an estate in which servers have little in common must not fill the memory.
const MAX_KEPT_VALUES: u32 = 200_000;

/// How many values that differ in what they refer to are kept of one parameter and the same places.
const MAX_VARIANTS: usize = 64;

/// What was evaluated, for as long as estate and catalog stay as they are. The addresses in it are of parts of both.
#[derive(Default)]
pub(super) struct ValueCache {
    /// The number of each version's first parameter.
    numbers: RefCell<HashMap<*const Component, u32, FixedState>>,
    next_number: Cell<u32>,
    lists: RefCell<HashMap<(PlaceListId, *const PlaceSettings), PlaceListId, FixedState>>,
    entries: RefCell<HashMap<(u32, PlaceListId), Rc<CachedParameterValues>, FixedState>>,
    kept: Cell<u32>,
}

/// The number of a list of places, strongest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct PlaceListId(u32);

/// What is known of a parameter that the same places touch.
#[derive(Default)]
pub(super) struct CachedParameterValues {
    variants: RefCell<Vec<Rc<CachedValueAndConditions>>>,
    /// How its text is made for each server, if it is a text with references.
    template: RefCell<Option<Rc<ReferenceTextTemplate>>>,
}

/// A value, and what it holds for.
pub(super) struct CachedValueAndConditions {
    /// The parameters it refers to, by their numbers, with the values they had.
    pub(super) references: Vec<(u32, Rc<EvaluatedValue>)>,
    /// The address of the environment's name, if the value depends on it.
    pub(super) environment: Option<*const Name>,
    pub(super) value: Rc<EvaluatedValue>,
}

/// An evaluated value.
pub(super) struct EvaluatedValue {
    /// Its number among the kept values; 0 if it is of one server only.
    pub(super) number: u32,
    /// `None` if no value is set, and none is required.
    pub(super) value: Option<Arc<NodeValue>>,
    pub(super) sizes: ValueAndProvenanceSizes,
    /// The length of the longest chain of references that begins with it.
    pub(super) chain: usize,
    /// Whether it depends on the server, and not only on places that others share.
    pub(super) of_server: bool,
    /// Whether it names the environment.
    pub(super) of_environment: bool,
    canonical: OnceCell<CanonicalDigestPart>,
}

/// What values and their provenance weigh; see [`crate::parameter::estimate_value_size`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ValueAndProvenanceSizes {
    pub(super) values: usize,
    pub(super) provenance: usize,
}

impl PlaceListId {
    /// The list without any place.
    pub(super) const EMPTY_PLACE_LIST: Self = Self(0);
}

impl ValueCache {
    /// The number of a version's first parameter.
    pub(super) fn number_of_first_parameter(&self, component: &Component) -> u32 {
        let mut known = self.numbers.borrow_mut();
        *known.entry(component).or_insert_with(|| {
            let count = u32::try_from(component.parameters.len()).unwrap_or(u32::MAX);
            // Versions without parameters have numbers of their own, too.
            self.next_number.replace(self.next_number.get().saturating_add(count.max(1)))
        })
    }

    /// The list with one more place, which is weaker than those in it.
    pub(super) fn place_list_id_with_weaker_place(
        &self,
        list: PlaceListId,
        place: *const PlaceSettings,
    ) -> PlaceListId {
        let mut known = self.lists.borrow_mut();
        let next = PlaceListId(u32::try_from(known.len()).unwrap_or(u32::MAX).saturating_add(1));
        *known.entry((list, place)).or_insert(next)
    }

    /// What is known of a parameter that these places touch.
    pub(super) fn find_cached_parameter(
        &self,
        parameter: u32,
        places: PlaceListId,
    ) -> Option<Rc<CachedParameterValues>> {
        self.entries.borrow().get(&(parameter, places)).cloned()
    }

    /// The same, which is made if there is none.
    pub(super) fn find_or_add_cached_parameter(
        &self,
        parameter: u32,
        places: PlaceListId,
    ) -> Rc<CachedParameterValues> {
        Rc::clone(self.entries.borrow_mut().entry((parameter, places)).or_default())
    }

    /// The number of the next value, if it is to be kept.
    pub(super) fn reserve_value_number_if_room(&self, entry: &CachedParameterValues) -> Option<u32> {
        let number = self.kept.get() + 1;
        (number <= MAX_KEPT_VALUES && entry.variants.borrow().len() < MAX_VARIANTS).then(|| {
            self.kept.set(number);
            number
        })
    }

    /// Whether nothing more is kept.
    pub(super) fn is_full(&self) -> bool {
        self.kept.get() >= MAX_KEPT_VALUES
    }
}

impl CachedParameterValues {
    /// One of the known values.
    pub(super) fn nth_cached_variant(&self, at: usize) -> Option<Rc<CachedValueAndConditions>> {
        self.variants.borrow().get(at).cloned()
    }

    pub(super) fn text_template_if_cached(&self) -> Option<Rc<ReferenceTextTemplate>> {
        self.template.borrow().clone()
    }

    pub(super) fn set_text_template(&self, template: ReferenceTextTemplate) {
        *self.template.borrow_mut() = Some(Rc::new(template));
    }

    /// Keeps a value for other servers.
    pub(super) fn add_cached_variant(&self, variant: CachedValueAndConditions) {
        self.variants.borrow_mut().push(Rc::new(variant));
    }
}

impl EvaluatedValue {
    pub(super) fn new(value: Option<Arc<NodeValue>>, sizes: ValueAndProvenanceSizes) -> Self {
        let (number, chain, of_server, of_environment) = (0, 0, false, false);
        Self { number, value, sizes, chain, of_server, of_environment, canonical: OnceCell::new() }
    }

    /// The value in the form that digests are made of, if there is one.
    pub(super) fn canonical_form_for_digest(&self, key: &Key) -> Option<&CanonicalDigestPart> {
        let value = self.value.as_ref()?;
        Some(self.canonical.get_or_init(|| canonical_parameter_value(key, value)))
    }
}

impl ValueAndProvenanceSizes {
    pub(super) fn add_sizes(&mut self, other: Self) {
        self.values += other.values;
        self.provenance += other.provenance;
    }

    pub(super) fn subtract_sizes(&mut self, other: Self) {
        self.values -= other.values;
        self.provenance -= other.provenance;
    }
}
