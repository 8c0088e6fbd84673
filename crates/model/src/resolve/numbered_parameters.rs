//! The components of a server with their parameters numbered, and which of these each place touches.
//!
//! A parameter's position among those of all components is its slot. Servers with the same components share the
//! numbering, so that each place is matched with it once.

use std::{cell::RefCell, collections::HashMap, ops::Range, rc::Rc};

use foldhash::fast::FixedState;

use crate::{
    component::Component,
    estate::{PlaceSettings, RemovedInheritedItem},
    name::{Key, Name},
    parameter::Parameter,
};

/// Components and their parameters, in the order of their names.
pub(super) struct ComponentsWithNumberedParameters<'a> {
    pub(super) components: Vec<IndexedComponent<'a>>,
    /// One for each slot.
    pub(super) parameters: Vec<IndexedParameter<'a>>,
    /// The components with the number of their first parameter, in the order of these numbers.
    by_number: Vec<(u32, usize)>,
    /// What each place touches, by the address of its settings.
    touched: RefCell<HashMap<*const PlaceSettings, Rc<ParametersTouchedByPlace<'a>>, FixedState>>,
}

/// A component of a set.
pub(super) struct IndexedComponent<'a> {
    pub(super) name: &'a Name,
    pub(super) component: &'a Component,
    /// Its parameters.
    pub(super) slots: Range<usize>,
}

/// A parameter of a component of a set.
#[derive(Clone, Copy)]
pub(super) struct IndexedParameter<'a> {
    /// The position of the component.
    pub(super) component: usize,
    pub(super) key: &'a Key,
    pub(super) parameter: &'a Parameter,
    /// The same number in every set with this version of the component.
    pub(super) number: u32,
}

/// What one place says about the components of a set.
pub(super) struct ParametersTouchedByPlace<'a> {
    /// The parameters it sets, or of which it removes something, in their order.
    pub(super) slots: Vec<usize>,
    /// The parameters it sets that the component, given by its position, does not declare.
    pub(super) undeclared: Vec<(usize, &'a Key)>,
}

impl<'a> ComponentsWithNumberedParameters<'a> {
    /// Numbers the parameters of components, which come in the order of their names; `number` gives the number of a
    /// component's first parameter.
    pub(super) fn new(
        components: impl IntoIterator<Item = (&'a Name, &'a Component)>,
        mut number: impl FnMut(&'a Component) -> u32,
    ) -> Self {
        let mut set = Self {
            components: Vec::new(),
            parameters: Vec::new(),
            by_number: Vec::new(),
            touched: RefCell::default(),
        };
        for (position, (name, component)) in components.into_iter().enumerate() {
            let (first_slot, first_number) = (set.parameters.len(), number(component));
            let parameters = (first_number..).zip(&component.parameters).map(|(number, (key, parameter))| {
                IndexedParameter { component: position, key, parameter, number }
            });
            set.parameters.extend(parameters);
            set.components.push(IndexedComponent {
                name,
                component,
                slots: first_slot..set.parameters.len(),
            });
            set.by_number.push((first_number, position));
        }
        set.by_number.sort_unstable();
        set
    }

    /// The position of a component.
    pub(super) fn find_component_index(&self, name: &Name) -> Option<usize> {
        self.components.binary_search_by(|component| component.name.cmp(name)).ok()
    }

    /// The slot of a parameter of the component at a position.
    pub(super) fn find_parameter_slot_by_key(&self, component: usize, key: &Key) -> Option<usize> {
        let slots = self.components[component].slots.clone();
        let found =
            self.parameters[slots.clone()].binary_search_by(|parameter| parameter.key.cmp(key)).ok()?;
        Some(slots.start + found)
    }

    /// The slot of a parameter.
    pub(super) fn find_parameter_slot(&self, name: &Name, key: &Key) -> Option<usize> {
        self.find_parameter_slot_by_key(self.find_component_index(name)?, key)
    }

    /// The slot of a parameter by its number, if this version of its component is in the set.
    pub(super) fn find_parameter_slot_by_number(&self, number: u32) -> Option<usize> {
        let at = self.by_number.partition_point(|(first, _)| *first <= number).checked_sub(1)?;
        let (first, component) = self.by_number[at];
        let slots = &self.components[component].slots;
        let slot = slots.start + (number - first) as usize;
        (slot < slots.end).then_some(slot)
    }

    /// What a place touches that many servers share.
    pub(super) fn cached_parameters_touched_by_place(
        &self,
        settings: &'a PlaceSettings,
    ) -> Rc<ParametersTouchedByPlace<'a>> {
        let mut known = self.touched.borrow_mut();
        Rc::clone(
            known.entry(settings).or_insert_with(|| Rc::new(self.parameters_touched_by_place(settings))),
        )
    }

    /// What a place touches.
    pub(super) fn parameters_touched_by_place(
        &self,
        settings: &'a PlaceSettings,
    ) -> ParametersTouchedByPlace<'a> {
        let mut touched = ParametersTouchedByPlace { slots: Vec::new(), undeclared: Vec::new() };
        for (name, values) in &settings.values {
            let Some(component) = self.find_component_index(name) else { continue };
            for key in values.keys() {
                match self.find_parameter_slot_by_key(component, key) {
                    Some(slot) => touched.slots.push(slot),
                    None => touched.undeclared.push((component, key)),
                }
            }
        }
        for removal in &settings.remove {
            match &removal.what {
                RemovedInheritedItem::Component(name) => {
                    let component =
                        self.find_component_index(name).map(|found| self.components[found].slots.clone());
                    touched.slots.extend(component.into_iter().flatten());
                }
                RemovedInheritedItem::Value(name, key) | RemovedInheritedItem::Entry(name, key, _) => {
                    touched.slots.extend(self.find_parameter_slot(name, key));
                }
            }
        }
        if !settings.remove.is_empty() {
            touched.slots.sort_unstable();
            touched.slots.dedup();
        }
        touched
    }
}
