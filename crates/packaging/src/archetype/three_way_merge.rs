//! Three-way merge of texts, line by line.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// A merged text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreeWayMergeResult {
    /// The text, with both sides of every conflict between marks.
    pub text: String,
    /// How many conflicts it holds.
    pub conflicts: usize,
}

/// Starts the reader's side of a conflict.
pub(super) const OURS_CONFLICT_START_MARKER: &str = "<<<<<<< yours";
const MIDDLE: &str = "=======";
const THEIRS: &str = ">>>>>>>";

/// Merges two descendants of `base`: what one side changed is taken from it; where both changed the same
/// lines differently, both versions are kept between marks, the second one under the name `label`.
pub fn merge_texts_three_way(base: &str, ours: &str, theirs: &str, label: &str) -> ThreeWayMergeResult {
    let base: Vec<&str> = base.split_inclusive('\n').collect();
    let ours: Vec<&str> = ours.split_inclusive('\n').collect();
    let theirs: Vec<&str> = theirs.split_inclusive('\n').collect();
    let in_ours = matching_lines(&base, &ours);
    let in_theirs = matching_lines(&base, &theirs);
    let mut merged = ThreeWayMergeResult { text: String::new(), conflicts: 0 };
    let (mut b, mut o, mut t) = (0, 0, 0);
    loop {
        // The next line of the base that both sides still have ends the stretch that may differ.
        let stable = (b..base.len()).find_map(|at| Some((at, in_ours[at]?, in_theirs[at]?)));
        let (b_end, o_end, t_end) = stable.unwrap_or((base.len(), ours.len(), theirs.len()));
        merged.changed_range(&base[b..b_end], &ours[o..o_end], &theirs[t..t_end], label);
        let Some((at, ..)) = stable else { break };
        merged.text.push_str(base[at]);
        (b, o, t) = (b_end + 1, o_end + 1, t_end + 1);
    }
    merged
}

impl ThreeWayMergeResult {
    fn changed_range(&mut self, base: &[&str], ours: &[&str], theirs: &[&str], label: &str) {
        if ours == base || ours == theirs {
            return self.text.extend(theirs.iter().copied());
        }
        if theirs == base {
            return self.text.extend(ours.iter().copied());
        }
        // Lines both sides begin and end with alike are no part of the disagreement.
        let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        let (head, ours, theirs) = (&ours[..same], &ours[same..], &theirs[same..]);
        let same = ours.iter().rev().zip(theirs.iter().rev()).take_while(|(a, b)| a == b).count();
        let (ours, tail) = ours.split_at(ours.len() - same);
        let theirs = &theirs[..theirs.len() - same];
        self.text.extend(head.iter().copied());
        self.conflicts += 1;
        self.push_marker_line(OURS_CONFLICT_START_MARKER);
        self.text.extend(ours.iter().copied());
        self.push_marker_line(MIDDLE);
        self.text.extend(theirs.iter().copied());
        self.push_marker_line(&format!("{THEIRS} {label}"));
        self.text.extend(tail.iter().copied());
    }

    /// Adds a line of its own, even after a last line without an end.
    fn push_marker_line(&mut self, line: &str) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// Whether a text still holds conflicts of an earlier merge.
pub(super) fn has_conflict_markers(text: &str) -> bool {
    let mut lines = text.lines();
    lines.any(|line| line == OURS_CONFLICT_START_MARKER) && lines.any(|line| line.starts_with(THEIRS))
}

/// For each line of `base`, where the other text has it.
fn matching_lines(base: &[&str], other: &[&str]) -> Vec<Option<usize>> {
    let mut found = vec![None; base.len()];
    for operation in capture_diff_slices(Algorithm::Patience, base, other) {
        if let DiffOp::Equal { old_index, new_index, len } = operation {
            for offset in 0..len {
                found[old_index + offset] = Some(new_index + offset);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(base: &str, ours: &str, theirs: &str, expected: &str) {
        let lines = |text: &str| text.split_whitespace().map(|word| format!("{word}\n")).collect::<String>();
        let merged = merge_texts_three_way(&lines(base), &lines(ours), &lines(theirs), "web-service 2");
        let text = merged.text.replace(">>>>>>> web-service 2", ">").replace("<<<<<<< yours", "<");
        assert_eq!(text.replace("=======", "=").split_whitespace().collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn changes_in_different_places_are_both_taken() {
        check("a b c d e", "a B c d e", "a b c d E", "a B c d E");
        check("a b c d e", "b c d e", "a b c d e f", "b c d e f");
        check("a b c", "a x b c", "a b y c", "a x b y c");
    }

    #[test]
    fn same_change_on_both_sides_is_no_conflict() {
        check("a b c", "a X c", "a X c", "a X c");
        check("a b c", "a c", "a c", "a c");
    }

    #[test]
    fn different_changes_of_one_place_are_both_kept_between_marks() {
        check("a b c", "a X c", "a Y c", "a < X = Y > c");
        check("a b c", "a c", "a Y c", "a < = Y > c");
        check("", "x", "y", "< x = y >");
        check("a b c", "a p X q c", "a p Y q c", "a p < X = Y > q c");
    }

    #[test]
    fn last_line_without_newline_stays_a_line() {
        let merged = merge_texts_three_way("a\nb", "a\nX", "a\nY", "z 1");
        assert_eq!(merged.text, "a\n<<<<<<< yours\nX\n=======\nY\n>>>>>>> z 1\n");
        assert!(has_conflict_markers(&merged.text));
        assert_eq!(merge_texts_three_way("a\nb", "a\nb", "a\nb\n", "z 1").text, "a\nb\n");
    }

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec("[abc]\n", 0..12).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn unchanged_side_does_not_affect_the_merge(base in text(), other in text()) {
            prop_assert_eq!(merge_texts_three_way(&base, &base, &other, "x").text, other.clone());
            prop_assert_eq!(merge_texts_three_way(&base, &other, &base, "x").text, other.clone());
            prop_assert_eq!(merge_texts_three_way(&base, &other, &other, "x").text, other);
        }

        #[test]
        fn merge_keeps_every_added_line(base in text(), ours in text(), theirs in text()) {
            // Marked, so that a line of one side cannot stand in for one of the other.
            let ours: String = ours.lines().map(|line| format!("{line}{}\n", if line == "a" { "" } else { "-ours" })).collect();
            let theirs: String = theirs.lines().map(|line| format!("{line}{}\n", if line == "a" { "" } else { "-theirs" })).collect();
            let merged = merge_texts_three_way(&base, &ours, &theirs, "x").text;
            for added in ours.lines().chain(theirs.lines()).filter(|line| line.contains('-')) {
                let count = |text: &str| text.lines().filter(|line| *line == added).count();
                prop_assert!(count(&merged) >= count(&ours).max(count(&theirs)), "{} in {}", added, merged);
            }
        }
    }
}
