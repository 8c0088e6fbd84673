//! How far each parameter's evaluation is.

use std::{collections::BTreeMap, iter::Sum, ops::Add, sync::Arc};

use super::{ComponentParameters, ParameterId};
use crate::{name::Key, node::NodeValue, resolve::fault::EstateFault};

/// The state of a value's evaluation.
#[derive(Clone)]
pub(in crate::resolve) enum ValueState {
    /// Not evaluated yet.
    Pending,
    /// In evaluation, possibly because another value refers to it.
    Begun,
    /// Evaluated; `of_server` if it depends on the server and not only on places that others share.
    Final { value: Arc<NodeValue>, sizes: ValueSizes, of_server: bool },
    /// No value is set, and none is required; `of_server` as above.
    Absent { of_server: bool },
    /// It depends on the server: it must be evaluated for each one.
    Unsettled,
    /// Its fault is recorded.
    Failed,
}

/// What values and their provenance weigh; see [`crate::parameter::estimate_value_size`].
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::resolve) struct ValueSizes {
    pub(in crate::resolve) values: usize,
    pub(in crate::resolve) provenance: usize,
}

impl Add for ValueSizes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { values: self.values + other.values, provenance: self.provenance + other.provenance }
    }
}

impl Sum for ValueSizes {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), Add::add)
    }
}

/// The states of one component's parameters: those of a shared stack, or a copy in which some are evaluated again.
pub(in crate::resolve) enum ComponentValueStates<'e> {
    Shared(&'e SharedValueStates),
    Own(Vec<ValueState>),
}

/// The states of one component's parameters in a stack that servers share.
pub(in crate::resolve) struct SharedValueStates {
    states: Vec<ValueState>,
    sizes: ValueSizes,
}

/// What an evaluation comes to.
pub(in crate::resolve) struct EvaluatedValues<'e> {
    pub(in crate::resolve) states: Vec<ComponentValueStates<'e>>,
    pub(in crate::resolve) faults: Vec<EstateFault>,
    /// For each component, its evaluated values with those they refer to.
    pub(in crate::resolve) references: Vec<Vec<(usize, ParameterId)>>,
    pub(in crate::resolve) sizes: ValueSizes,
}

impl SharedValueStates {
    /// The states without the values that depend on the server.
    pub(in crate::resolve) fn without_server_values(mut states: Vec<ValueState>) -> Self {
        for state in &mut states {
            if let ValueState::Final { of_server: true, .. } | ValueState::Absent { of_server: true } = state
            {
                *state = ValueState::Unsettled;
            }
        }
        Self { sizes: total_value_sizes(&states), states }
    }

    /// The state of every parameter.
    pub(in crate::resolve) fn value_states(&self) -> &[ValueState] {
        &self.states
    }

    /// The positions of the parameters that must be evaluated for each server.
    pub(in crate::resolve) fn unsettled_parameters(&self) -> impl Iterator<Item = usize> {
        let states = self.states.iter().enumerate();
        states.filter(|(_, state)| matches!(state, ValueState::Unsettled)).map(|(at, _)| at)
    }
}

fn total_value_sizes(states: &[ValueState]) -> ValueSizes {
    let finals = states.iter().filter_map(|state| match state {
        ValueState::Final { sizes, .. } => Some(*sizes),
        _ => None,
    });
    finals.sum()
}

impl<'e> ComponentValueStates<'e> {
    /// All parameters of a component, none of them evaluated.
    pub(in crate::resolve) fn all_pending(component: &ComponentParameters<'_>) -> Self {
        Self::Own(vec![ValueState::Pending; component.parameters.len()])
    }

    /// Marks a parameter to be evaluated; whether it was not marked yet.
    pub(in crate::resolve) fn mark_pending(&mut self, parameter: usize) -> bool {
        if matches!(self.value_state(parameter), ValueState::Pending) {
            return false;
        }
        self.set_value_state(parameter, ValueState::Pending);
        true
    }

    /// Whether a parameter is to be evaluated.
    pub(in crate::resolve) fn is_pending(&self, parameter: usize) -> bool {
        matches!(self.value_state(parameter), ValueState::Pending)
    }

    pub(in crate::resolve) fn value_state(&self, parameter: usize) -> &ValueState {
        match self {
            Self::Shared(shared) => &shared.states[parameter],
            Self::Own(states) => &states[parameter],
        }
    }

    pub(super) fn set_value_state(&mut self, parameter: usize, state: ValueState) {
        if let Self::Shared(shared) = self {
            *self = Self::Own(shared.states.clone());
        }
        if let Self::Own(states) = self {
            states[parameter] = state;
        }
    }

    /// The positions of the pending parameters.
    pub(super) fn pending_parameters(&self) -> Vec<usize> {
        match self {
            Self::Shared(_) => Vec::new(),
            Self::Own(states) => {
                let states = states.iter().enumerate();
                states.filter(|(_, state)| matches!(state, ValueState::Pending)).map(|(at, _)| at).collect()
            }
        }
    }

    pub(super) fn value_sizes(&self) -> ValueSizes {
        match self {
            Self::Shared(shared) => shared.sizes,
            Self::Own(states) => total_value_sizes(states),
        }
    }

    /// The states by themselves; `None` if they are those of the shared stack.
    pub(in crate::resolve) fn into_owned_states(self) -> Option<Vec<ValueState>> {
        match self {
            Self::Shared(_) => None,
            Self::Own(states) => Some(states),
        }
    }
}

/// The final values among the states.
pub(in crate::resolve) fn collect_final_values(
    component: &ComponentParameters<'_>,
    states: &[ValueState],
) -> BTreeMap<Key, Arc<NodeValue>> {
    let values = component.parameters.iter().zip(states).filter_map(|((key, _), state)| match state {
        ValueState::Final { value, .. } => Some(((*key).clone(), Arc::clone(value))),
        _ => None,
    });
    values.collect()
}
