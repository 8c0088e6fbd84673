//! Effects on servers in words: a summary first, then one block for each distinct result.

use model::wire::ServersWithSameEffectDescriptions;

use crate::{command_context::CommandContext, terminal_output::ChangeLayout};

/// How many servers of a group are named.
const NAMED_SERVERS: usize = 10;
/// How many effects of a group are listed.
const LISTED_EFFECTS: usize = 30;

/// Prints what a change does to servers.
pub(crate) fn print_effects(context: &CommandContext, groups: &[ServersWithSameEffectDescriptions]) {
    context.output.hold_output_for_pager();
    context.output.print_changes_unless_json(effect_text(groups), ChangeLayout::Effects);
}

fn effect_text(groups: &[ServersWithSameEffectDescriptions]) -> String {
    let servers: usize = groups.iter().map(|group| group.servers.len()).sum();
    if servers == 0 {
        return "nothing changes on any server".to_owned();
    }
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let mut text = format!("{}, {}", count(servers, "server"), count(groups.len(), "distinct result"));
    for group in groups {
        let named: Vec<&str> = group.servers.iter().take(NAMED_SERVERS).map(String::as_str).collect();
        let more = group.servers.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text.push_str(&format!("\n{}: {}{more}", count(group.servers.len(), "server"), named.join(", ")));
        for effect in group.effects.iter().take(LISTED_EFFECTS) {
            let mark = if effect.takes_away { '-' } else { '+' };
            text.push_str(&format!("\n  {mark} {}", effect.text));
        }
        if group.effects.len() > LISTED_EFFECTS {
            text.push_str(&format!("\n  and {} more", group.effects.len() - LISTED_EFFECTS));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use model::wire::EffectDescription;

    use super::*;

    fn effect(kind: &str, text: &str, takes_away: bool) -> EffectDescription {
        let (component, key, from, to) = Default::default();
        EffectDescription {
            kind: kind.to_owned(),
            component,
            key,
            from,
            to,
            takes_away,
            text: text.to_owned(),
        }
    }

    #[test]
    fn effects_are_summarized_before_each_distinct_result_is_listed() {
        let servers = (0..12).map(|number| format!("web-{number:02}")).collect();
        let groups = [
            ServersWithSameEffectDescriptions {
                effects: vec![effect("removes", "removes shop 1.0-1", true)],
                servers: vec!["edge-26".to_owned()],
            },
            ServersWithSameEffectDescriptions {
                effects: vec![effect("value", "shop.port: 80 -> 81", false)],
                servers,
            },
        ];
        assert_eq!(
            effect_text(&groups),
            "13 servers, 2 distinct results\n1 server: edge-26\n  - removes shop 1.0-1\n12 servers: web-00, web-01, \
             web-02, web-03, web-04, web-05, web-06, web-07, web-08, web-09 and 2 more\n  + shop.port: 80 -> 81"
        );
        assert_eq!(effect_text(&[]), "nothing changes on any server");
    }
}
