//! The parameters of the chosen components, numbered.

use std::rc::Rc;

use crate::{
    component::Component,
    name::{Key, Name},
    parameter::Parameter,
};

/// A parameter of a chosen component, by the positions of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::resolve) struct ParameterId {
    pub(in crate::resolve) component: usize,
    pub(in crate::resolve) parameter: usize,
}

/// A chosen component and its parameters, in the order of their names.
pub(in crate::resolve) struct ComponentParameters<'a> {
    pub(in crate::resolve) name: &'a Name,
    pub(in crate::resolve) component: &'a Component,
    pub(in crate::resolve) parameters: ParameterList<'a>,
}

/// The parameters of a component version, in the order of their names.
pub(in crate::resolve) type ParameterList<'a> = Rc<[(&'a Key, &'a Parameter)]>;

/// Numbers the parameters of the chosen components; these come in the order of their names.
pub(in crate::resolve) fn collect_component_parameters<'a>(
    chosen: impl IntoIterator<Item = (&'a Name, &'a Component)>,
) -> Vec<ComponentParameters<'a>> {
    let numbered = chosen.into_iter().map(|(name, component)| {
        let parameters = component.parameters.iter().collect();
        ComponentParameters { name, component, parameters }
    });
    numbered.collect()
}

/// Finds a parameter by name.
pub(in crate::resolve) fn find_parameter(
    components: &[ComponentParameters<'_>],
    name: &Name,
    key: &Key,
) -> Option<ParameterId> {
    let component = components.binary_search_by(|component| component.name.cmp(name)).ok()?;
    let parameters = &components[component].parameters;
    let parameter = parameters.binary_search_by(|(known, _)| (*known).cmp(key)).ok()?;
    Some(ParameterId { component, parameter })
}
