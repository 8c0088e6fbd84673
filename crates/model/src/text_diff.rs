//! Differences between two texts, as people read them: bounded in work and in length.

use similar::TextDiff;

/// Texts that differ in more lines than this, both together, are not compared line by line: the work
/// grows quadratically, and such a diff is not readable.
const MAX_COMPARED: usize = 5_000;

/// The unified diff of two texts with `context` lines around each change; at most `lines` lines of it.
pub fn unified_diff(before: &str, after: &str, context: usize, lines: usize) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[same..], &new[same..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    if old.len() + new.len() <= MAX_COMPARED {
        let text = TextDiff::from_lines(before, after).unified_diff().context_radius(context).to_string();
        return first(text.lines(), lines, "");
    }
    let line = same + 1;
    format!(
        "@@ -{line},{} +{line},{} @@\n{}{}",
        old.len(),
        new.len(),
        first(old.iter().copied(), lines / 2, "-"),
        first(new.iter().copied(), lines / 2, "+")
    )
}

/// The first lines, each after `sign`, and how many more there are.
fn first<'a>(mut all: impl Iterator<Item = &'a str>, lines: usize, sign: &str) -> String {
    let mut text: String =
        all.by_ref().take(lines).map(|line| format!("{sign}{}\n", line.trim_end_matches('\n'))).collect();
    match all.count() {
        0 => (),
        more => text.push_str(&format!("... {more} more lines\n")),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::unified_diff;

    fn numbers(from: usize, count: usize) -> String {
        (from..from + count).map(|number| format!("- {number}\n")).collect()
    }

    #[test]
    fn diff_of_a_long_text_shows_the_change_with_context() {
        let before = numbers(0, 60_000);
        let after = before.replace("- 30000\n", "- other\n");
        assert_eq!(
            unified_diff(&before, &after, 1, 60),
            "@@ -30000,3 +30000,3 @@\n - 29999\n-- 30000\n+- other\n - 30001\n"
        );
        assert_eq!(unified_diff(&before, &before, 1, 60), "");
    }

    #[test]
    fn truncated_diff_counts_the_omitted_lines() {
        let shown = unified_diff("", &numbers(0, 100), 3, 10);
        assert_eq!(shown.lines().count(), 11);
        assert!(shown.ends_with("... 91 more lines\n"), "{shown}");
    }

    #[test]
    fn texts_that_differ_in_everything_are_not_compared_line_by_line() {
        let (before, after) = (format!("head\n{}", numbers(0, 60_000)), numbers(1_000_000, 60_001));
        let after = format!("head\n{after}");
        assert_eq!(
            unified_diff(&before, &after, 3, 4),
            "@@ -2,60000 +2,60001 @@\n-- 0\n-- 1\n... 59998 more lines\n+- 1000000\n+- 1000001\n... 59999 more lines\n"
        );
    }
}
