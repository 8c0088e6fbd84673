//! The picture of what inherits what: general roles on top, edges never through boxes.
//!
//! The layers, the order within them by means, and the points that long edges pass are those of Sugiyama, Tagawa and Toda
//! (Methods for visual understanding of hierarchical system structures, 1981). The layout crates there are give no points
//! of long edges, which would go through boxes.

use std::collections::{BTreeMap, BTreeSet};

use crate::backoffice::RoleUse;

/// The height of a box.
const BOX_HEIGHT: f64 = 26.0;
/// From one layer to the next.
const LAYER_STEP: f64 = 66.0;
/// Between two boxes of a layer.
const GAP: f64 = 18.0;
/// The width of a character of a name.
const CHARACTER_WIDTH: f64 = 7.4;
/// How much the widest box and the picture have around the text and the boxes.
const MARGIN: f64 = 12.0;
/// How often the layers are ordered again.
const SWEEPS: usize = 12;

/// A role in the picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RoleBox {
    pub(super) name: String,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) text_x: f64,
    pub(super) text_y: f64,
}

/// The picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RoleGraph {
    pub(super) boxes: Vec<RoleBox>,
    /// Paths of SVG, from the role that is inherited to the one that inherits it.
    pub(super) edges: Vec<String>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Something in a layer: a role, or where an edge passes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    Role(usize),
    Pass { edge: usize, layer: usize },
}

/// Lays out all roles.
pub(super) fn lay_out_roles(roles: &BTreeMap<String, RoleUse>) -> RoleGraph {
    let names: Vec<&String> = roles.keys().collect();
    let number: BTreeMap<&str, usize> =
        names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    // From the inherited role to the one that inherits it.
    let edges: Vec<(usize, usize)> = roles
        .iter()
        .flat_map(|(name, role)| {
            role.inherits
                .iter()
                .filter_map(|inherited| Some((*number.get(inherited.as_str())?, *number.get(name.as_str())?)))
                .collect::<Vec<_>>()
        })
        .collect();
    let layer_of = layers(names.len(), &edges);
    let mut layers: Vec<Vec<Node>> = vec![Vec::new(); layer_of.iter().max().map_or(0, |most| most + 1)];
    for (role, layer) in layer_of.iter().enumerate() {
        layers[*layer].push(Node::Role(role));
    }
    for (edge, (from, to)) in edges.iter().enumerate() {
        let between = layers.iter_mut().enumerate().take(layer_of[*to]).skip(layer_of[*from] + 1);
        between.for_each(|(layer, nodes)| nodes.push(Node::Pass { edge, layer }));
    }
    let links = links(&edges, &layer_of);
    order_layers(&mut layers, &links);
    let centers = place_nodes(&layers, &links, &names);
    draw(&layers, &centers, &edges, &layer_of, &names)
}

fn width_of(node: &Node, names: &[&String]) -> f64 {
    match node {
        Node::Role(role) => names[*role].chars().count() as f64 * CHARACTER_WIDTH + 2.0 * MARGIN,
        Node::Pass { .. } => 6.0,
    }
}

/// The layer of each role: below all that it inherits. The estate has no cycles.
fn layers(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut layer = vec![0; count];
    for _ in 0..count {
        let mut moved = false;
        for (from, to) in edges {
            if layer[*to] <= layer[*from] {
                layer[*to] = layer[*from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    layer
}

/// What each node is joined to in the layer above, and below.
#[derive(Debug, Default)]
struct Links {
    above: BTreeMap<Node, Vec<Node>>,
    below: BTreeMap<Node, Vec<Node>>,
}

fn links(edges: &[(usize, usize)], layer_of: &[usize]) -> Links {
    let mut links = Links::default();
    for (edge, (from, to)) in edges.iter().enumerate() {
        let passes = (layer_of[*from] + 1..layer_of[*to]).map(|layer| Node::Pass { edge, layer });
        let way: Vec<Node> =
            std::iter::once(Node::Role(*from)).chain(passes).chain([Node::Role(*to)]).collect();
        for pair in way.windows(2) {
            links.below.entry(pair[0].clone()).or_default().push(pair[1].clone());
            links.above.entry(pair[1].clone()).or_default().push(pair[0].clone());
        }
    }
    links
}

/// Orders each layer by the mean place of what its nodes are joined to, down and up again.
fn order_layers(layers: &mut [Vec<Node>], links: &Links) {
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let count = layers.len();
        for step in 1..count {
            let (at, other) = if down { (step, step - 1) } else { (count - 1 - step, count - step) };
            let place: BTreeMap<&Node, f64> =
                layers[other].iter().enumerate().map(|(at, node)| (node, at as f64)).collect();
            let joined = if down { &links.above } else { &links.below };
            let mut keyed: Vec<(f64, Node)> = layers[at]
                .iter()
                .enumerate()
                .map(|(own, node)| {
                    let mean = mean(
                        joined.get(node).into_iter().flatten().filter_map(|other| place.get(other).copied()),
                    );
                    (mean.unwrap_or(own as f64), node.clone())
                })
                .collect();
            keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
            layers[at] = keyed.into_iter().map(|(_, node)| node).collect();
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The middle of each node from the left: near what it is joined to, never over its neighbours.
fn place_nodes(layers: &[Vec<Node>], links: &Links, names: &[&String]) -> BTreeMap<Node, f64> {
    let mut centers: BTreeMap<Node, f64> = BTreeMap::new();
    for layer in layers {
        let mut x = 0.0;
        for node in layer {
            let width = width_of(node, names);
            centers.insert(node.clone(), x + width / 2.0);
            x += width + GAP;
        }
    }
    for sweep in 0..SWEEPS {
        let joined = if sweep % 2 == 0 { &links.above } else { &links.below };
        for layer in layers {
            let wanted: Vec<f64> = layer
                .iter()
                .map(|node| {
                    let others = joined.get(node).into_iter().flatten().map(|other| centers[other]);
                    mean(others).unwrap_or(centers[node])
                })
                .collect();
            for (node, center) in layer.iter().zip(without_overlaps(layer, &wanted, names)) {
                centers.insert(node.clone(), center);
            }
        }
    }
    centers
}

/// The places nearest to the wanted ones in the order of the layer, without overlaps: neighbours that would overlap are
/// moved together, as a block around the mean of where they want to be.
fn without_overlaps(layer: &[Node], wanted: &[f64], names: &[&String]) -> Vec<f64> {
    // Distances of each node's middle from that of the first, packed as tightly as allowed.
    let mut packed = Vec::with_capacity(layer.len());
    let mut x = 0.0;
    for (at, node) in layer.iter().enumerate() {
        let half = width_of(node, names) / 2.0;
        x += if at == 0 { 0.0 } else { half };
        packed.push(x);
        x += half + GAP;
    }
    // Pool adjacent violators: the offsets must not decrease.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        blocks.push((wanted - packed[at], 1));
        while let [.., (before, many), (last, few)] = blocks[..]
            && before > last
        {
            blocks.truncate(blocks.len() - 2);
            blocks.push(((before * many as f64 + last * few as f64) / (many + few) as f64, many + few));
        }
    }
    let offsets = blocks.iter().flat_map(|(offset, count)| std::iter::repeat_n(*offset, *count));
    offsets.zip(packed).map(|(offset, packed)| offset + packed).collect()
}

fn draw(
    layers: &[Vec<Node>],
    centers: &BTreeMap<Node, f64>,
    edges: &[(usize, usize)],
    layer_of: &[usize],
    names: &[&String],
) -> RoleGraph {
    let left = |node: &Node| centers[node] - width_of(node, names) / 2.0;
    let nodes: BTreeSet<&Node> = layers.iter().flatten().collect();
    let least = nodes.iter().map(|node| left(node)).fold(f64::INFINITY, f64::min);
    let shift = if least.is_finite() { MARGIN - least } else { MARGIN };
    let mut graph = RoleGraph { height: layers.len() as f64 * LAYER_STEP, ..RoleGraph::default() };
    for (layer, nodes) in layers.iter().enumerate() {
        for node in nodes {
            let Node::Role(role) = node else { continue };
            let (x, y, width) =
                (left(node) + shift, layer as f64 * LAYER_STEP + MARGIN, width_of(node, names));
            graph.width = graph.width.max(x + width + MARGIN);
            graph.boxes.push(RoleBox {
                name: names[*role].clone(),
                x: round(x),
                y,
                width: round(width),
                height: BOX_HEIGHT,
                text_x: round(x + width / 2.0),
                text_y: y + 17.0,
            });
        }
    }
    graph.width = round(graph.width);
    let top = |layer: usize| layer as f64 * LAYER_STEP + MARGIN;
    for (edge, (from, to)) in edges.iter().enumerate() {
        let mut way = vec![(centers[&Node::Role(*from)] + shift, top(layer_of[*from]) + BOX_HEIGHT)];
        for layer in layer_of[*from] + 1..layer_of[*to] {
            let x = centers[&Node::Pass { edge, layer }] + shift;
            // Straight down past the boxes of its layer.
            way.extend([(x, top(layer)), (x, top(layer) + BOX_HEIGHT)]);
        }
        way.push((centers[&Node::Role(*to)] + shift, top(layer_of[*to])));
        graph.edges.push(path_of(&way));
    }
    graph
}

/// A curve between layers, and a straight line through each.
fn path_of(way: &[(f64, f64)]) -> String {
    let mut path = format!("M{} {}", round(way[0].0), way[0].1);
    for (at, pair) in way.windows(2).enumerate() {
        let ((from_x, from_y), (x, y)) = (pair[0], pair[1]);
        if at % 2 == 1 {
            path.push_str(&format!("L{} {y}", round(x)));
            continue;
        }
        let middle = (from_y + y) / 2.0;
        path.push_str(&format!("C{} {middle} {} {middle} {} {y}", round(from_x), round(x), round(x)));
    }
    path
}

fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn roles(inherits: &[(&str, &[&str])]) -> BTreeMap<String, RoleUse> {
        inherits
            .iter()
            .map(|(name, inherited)| {
                let inherits = inherited.iter().map(|name| (*name).to_owned()).collect();
                ((*name).to_owned(), RoleUse { inherits, ..RoleUse::default() })
            })
            .collect()
    }

    fn assert_no_boxes_overlap(graph: &RoleGraph) {
        for (at, one) in graph.boxes.iter().enumerate() {
            for other in &graph.boxes[at + 1..] {
                let apart = one.y != other.y
                    || one.x + one.width + 1.0 < other.x
                    || other.x + other.width + 1.0 < one.x;
                assert!(apart, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn role_is_below_all_that_it_inherits() {
        let graph = lay_out_roles(&roles(&[("base", &[]), ("web", &["base"]), ("shop", &["web", "base"])]));
        let y = |name: &str| graph.boxes.iter().find(|it| it.name == name).unwrap().y;
        assert!(y("base") < y("web") && y("web") < y("shop"));
        assert_eq!(graph.edges.len(), 3);
        assert_no_boxes_overlap(&graph);
    }

    #[test]
    fn three_hundred_roles_do_not_overlap_and_are_laid_out_in_time() {
        let names: Vec<String> = (0..300).map(|at| format!("role-number-{at:03}")).collect();
        let mut all = BTreeMap::new();
        for (at, name) in names.iter().enumerate() {
            let inherits = [at / 3, at / 7, (at * 31) % (at + 1)];
            let inherits: BTreeSet<usize> = inherits.into_iter().filter(|other| *other < at).collect();
            let inherits = inherits.into_iter().map(|other| names[other].clone()).collect();
            all.insert(name.clone(), RoleUse { inherits, ..RoleUse::default() });
        }
        #[expect(clippy::disallowed_methods, reason = "the time it takes is what is tested")]
        let began = std::time::Instant::now();
        let graph = lay_out_roles(&all);
        let took = began.elapsed();
        assert_eq!(graph.boxes.len(), 300);
        assert_no_boxes_overlap(&graph);
        assert!(took < Duration::from_millis(500), "{took:?}");
    }

    #[test]
    fn no_roles_give_an_empty_picture() {
        assert_eq!(lay_out_roles(&BTreeMap::new()).boxes, Vec::new());
    }
}
