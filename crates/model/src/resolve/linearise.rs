//! The order of roles: C3 linearisation, as in Python and Dylan.
//!
//! A role comes before those it inherits, and every list of `inherits` keeps its order. Where that is
//! impossible the contradiction is named instead of guessed away.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use foldhash::fast::RandomState;

use super::fault::{EstateFault, EstateFaultKind};
use crate::{
    estate::{PlaceId, Role},
    name::Name,
    suggest_spelling,
};

/// The largest number of roles one role may inherit, itself included.
pub(super) const MAX_INHERITED_ROLES: usize = 500;

/// The number of roles of a cycle that a fault names.
const MAX_SHOWN: usize = 16;

/// The linearisation of every role that was asked for, or its fault.
pub(super) struct RoleLinearisations<'a> {
    roles: &'a BTreeMap<Name, Role>,
    orders: RefCell<HashMap<&'a Name, RoleOrder<'a>>>,
}

/// A role and all it inherits, strongest first, or why there is no order.
type RoleOrder<'a> = Result<Rc<[&'a Name]>, EstateFault>;

/// One list whose order must be kept, and the place that holds it.
struct OrderedRoles<'a> {
    names: Rc<[&'a Name]>,
    owner: PlaceId,
}

impl<'a> RoleLinearisations<'a> {
    pub(super) fn new(roles: &'a BTreeMap<Name, Role>) -> Self {
        Self { roles, orders: RefCell::default() }
    }

    /// The role and all it inherits, strongest first. Linearised once, its parents first.
    pub(super) fn linearise_role(&self, role: &Name) -> Option<RoleOrder<'a>> {
        if let Some(known) = self.orders.borrow().get(role) {
            return Some(known.clone());
        }
        let (name, _) = self.roles.get_key_value(role)?;
        self.visit(name);
        self.orders.borrow().get(role).cloned()
    }

    /// One order of all roles of `wanted` and what they inherit; `owner` is who wants them.
    pub(super) fn merge_linearisations(
        &self,
        owner: &PlaceId,
        wanted: &'a [Name],
    ) -> Result<Vec<&'a Name>, Vec<EstateFault>> {
        let mut faults = Vec::new();
        let mut orders = Vec::new();
        for name in wanted {
            match self.linearise_role(name) {
                Some(Ok(names)) => orders.push(OrderedRoles { names, owner: PlaceId::Role(name.clone()) }),
                Some(Err(fault)) if faults.contains(&fault) => (),
                Some(Err(fault)) => faults.push(fault),
                None => faults.push(self.unknown(owner, name)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        if let [only] = &orders[..] {
            return Ok(only.names.to_vec());
        }
        orders.push(OrderedRoles { names: wanted.iter().collect(), owner: owner.clone() });
        c3_merge(owner, &orders).map_err(|fault| vec![*fault])
    }

    fn unknown(&self, owner: &PlaceId, name: &Name) -> EstateFault {
        let near = suggest_spelling(name.as_str(), self.roles.keys().map(Name::as_str));
        let name = name.to_string();
        EstateFault::new(
            owner.clone(),
            EstateFaultKind::Unknown { what: "role", name, near: near.map(str::to_owned) },
        )
    }

    /// Linearises `start` and all it inherits; iterative, so that no hierarchy is too deep for
    /// the stack.
    fn visit(&self, start: &'a Name) {
        let mut path: Vec<(&'a Name, usize)> = vec![(start, 0)];
        let mut on_path = BTreeSet::from([start]);
        while let Some((name, next)) = path.last_mut() {
            let name = *name;
            if self.orders.borrow().contains_key(name) {
                path.pop();
                on_path.remove(name);
                continue;
            }
            let inherits = self.roles.get(name).map_or(&[][..], |role| &role.inherits);
            match inherits.get(*next) {
                Some(parent) => {
                    *next += 1;
                    if on_path.contains(parent) {
                        let at = path.iter().position(|(role, _)| *role == parent).unwrap_or_default();
                        let circle = cycle_fault(path[at..].iter().map(|(name, _)| *name).collect());
                        for (role, _) in &path {
                            self.orders.borrow_mut().insert(*role, Err(circle.clone()));
                        }
                    } else if self.roles.contains_key(parent) {
                        path.push((parent, 0));
                        on_path.insert(parent);
                    }
                }
                None => {
                    let order = self.linearise(name, inherits);
                    let order = order.map(Rc::from).map_err(|fault| *fault);
                    self.orders.borrow_mut().insert(name, order);
                }
            }
        }
    }

    fn linearise(&self, name: &'a Name, inherits: &'a [Name]) -> Result<Vec<&'a Name>, Box<EstateFault>> {
        let owner = PlaceId::Role(name.clone());
        let rest = self
            .merge_linearisations(&owner, inherits)
            .map_err(|mut faults| Box::new(faults.swap_remove(0)))?;
        let mut order = vec![name];
        order.extend(rest);
        if order.len() > MAX_INHERITED_ROLES {
            return Err(Box::new(EstateFault::new(
                owner,
                EstateFaultKind::TooManyRoles(MAX_INHERITED_ROLES),
            )));
        }
        Ok(order)
    }
}

/// The fault of roles that inherit each other; the same from whichever role the cycle was entered.
fn cycle_fault(mut names: Vec<&Name>) -> EstateFault {
    let first = (0..names.len()).min_by_key(|at| names[*at]).unwrap_or_default();
    names.rotate_left(first);
    let more = names.len().saturating_sub(MAX_SHOWN);
    let place = PlaceId::Role(names[0].clone());
    let names = names.into_iter().take(MAX_SHOWN).cloned().collect();
    EstateFault::new(place, EstateFaultKind::CyclicRoles { names, more })
}

/// The C3 merge: repeatedly takes the first head that is in no list's tail.
fn c3_merge<'a>(owner: &PlaceId, orders: &[OrderedRoles<'a>]) -> Result<Vec<&'a Name>, Box<EstateFault>> {
    // How many lists hold a name behind their head; a name is free when none does.
    let mut behind: HashMap<&str, usize, RandomState> = HashMap::default();
    for name in orders.iter().flat_map(|order| order.names.iter().skip(1)) {
        *behind.entry(name.as_str()).or_default() += 1;
    }
    let mut heads = vec![0; orders.len()];
    let mut merged = Vec::new();
    loop {
        let mut waiting = orders.iter().zip(&heads).filter_map(|(order, head)| order.names.get(*head));
        let Some(first) = waiting.clone().next() else { return Ok(merged) };
        let Some(free) =
            waiting.find(|name| behind.get(name.as_str()).is_none_or(|count| *count == 0)).copied()
        else {
            let kind = EstateFaultKind::Inconsistent(contradiction(first, orders, &heads));
            return Err(Box::new(EstateFault::new(owner.clone(), kind)));
        };
        merged.push(free);
        for (order, head) in orders.iter().zip(&mut heads) {
            if order.names.get(*head) == Some(&free) {
                *head += 1;
                if let Some(count) = order.names.get(*head).and_then(|name| behind.get_mut(name.as_str())) {
                    *count -= 1;
                }
            }
        }
    }
}

/// Follows who must come before whom until a name comes again: the shortest honest account of why no
/// order exists.
fn contradiction(first: &Name, orders: &[OrderedRoles<'_>], heads: &[usize]) -> Vec<(Name, Name, PlaceId)> {
    let mut steps: Vec<(Name, Name, PlaceId)> = Vec::new();
    let mut name = first;
    loop {
        let blocking = orders.iter().zip(heads).find_map(|(order, head)| {
            let rest = order.names.get(*head..)?;
            let (before, tail) = rest.split_first()?;
            tail.contains(&name).then_some((*before, &order.owner))
        });
        let Some((before, owner)) = blocking else { return steps };
        steps.insert(0, (before.clone(), name.clone(), owner.clone()));
        if let Some(last) = steps.iter().position(|(_, after, _)| after == before) {
            steps.truncate(last + 1);
            return steps;
        }
        name = before;
    }
}
