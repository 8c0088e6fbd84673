//! Selections of other servers at their limits.

use model::{
    catalog::ComponentCatalog,
    estate::Estate,
    format::{estate, yaml},
    name::ServerName,
    resolve::Resolver,
};

use crate::random;

/// Servers of an environment whose role requires `lb`, with what each says.
fn servers(parameters: &str, role: &str, servers: &[String]) -> (Estate, ComponentCatalog) {
    let component =
        format!("{{name: lb, version: 1-1, kind: os-config, summary: S., parameters: {{{parameters}}}}}");
    let mut documents = estate::EstateYamlByPath::from([
        ("environments/prod.yaml".to_owned(), "format: geppetto/environment/1\nchannel: prod\n".to_owned()),
        (
            "roles/lb.yaml".to_owned(),
            format!("format: geppetto/role/1\ncomponents: {{lb: \"*\"}}\nvalues: {{lb: {{{role}}}}}\n"),
        ),
    ]);
    for (at, text) in servers.iter().enumerate() {
        let text = format!("format: geppetto/server/2\nenvironment: prod\nroles: [lb]\n{text}");
        documents.insert(format!("servers/s{at:02}.yaml"), text);
        documents.insert(format!("groups/g{at:02}.yaml"), "format: geppetto/group/1\n".to_owned());
    }
    let component = yaml::parse_yaml("component.yaml", &component).unwrap();
    (estate::parse_estate_yaml(&documents).unwrap(), random::catalog(vec![component]))
}

#[test]
fn selected_servers_that_are_larger_than_a_value_may_be_are_refused() {
    let parameters = "text: {type: string, description: T.}, \
                      all: {type: servers, description: A., reads: [lb.text]}";
    let text = format!("values: {{lb: {{text: {}}}}}\n", "x".repeat(300_000));
    let (one, catalog) = servers(parameters, "all: {role: lb}", std::slice::from_ref(&text));
    let first = ServerName::new("s00").unwrap();
    assert!(Resolver::new(&one, &catalog).resolve_server(&first).is_ok());
    let (two, catalog) = servers(parameters, "all: {role: lb}", &[text.clone(), text]);
    assert_eq!(
        Resolver::new(&two, &catalog).resolve_server(&first).unwrap_err().to_string(),
        "role lb: `lb.all` must not hold more than 524288 bytes; put large data into a file"
    );
}

#[test]
fn chain_of_servers_over_the_limit_is_refused_in_whatever_order_servers_are_resolved() {
    // Each reads `map` of the next, but what it reads is overridden: the chain adds nothing to the value.
    let parameters = "map: {type: map, description: M., merge: deep}, next: {type: string, description: N.}, \
                      peer: {type: servers, description: P., reads: [lb.map]}";
    let role = "map: {x: \"${lb.peer}\"}, peer: {group: \"${lb.next}\"}";
    let says = |at: usize| {
        let next = (at + 1) % 41;
        format!("groups: [g{at:02}]\nvalues: {{lb: {{map: {{x: 1}}, next: g{next:02}}}}}\n")
    };
    let mut chain: Vec<String> = (0..40).map(says).collect();
    // The last one selects nobody.
    chain.push("groups: [g40]\nvalues: {lb: {map: {x: 1}, next: nobody}}\n".to_owned());
    let (estate, catalog) = servers(parameters, role, &chain);
    let names: Vec<ServerName> = estate.servers.keys().cloned().collect();
    let alone = |name: &ServerName| Resolver::new(&estate, &catalog).resolve_server(name).is_ok();
    let expected: Vec<bool> = names.iter().map(alone).collect();
    assert_eq!(expected, (0..41).map(|at| 40 - at <= 32).collect::<Vec<_>>());
    for is_reversed in [false, true] {
        let resolver = Resolver::new(&estate, &catalog);
        let mut resolved: Vec<bool> = Vec::new();
        let mut order = names.clone();
        if is_reversed {
            order.reverse();
        }
        resolved.extend(order.iter().map(|name| resolver.resolve_server(name).is_ok()));
        if is_reversed {
            resolved.reverse();
        }
        assert_eq!(resolved, expected, "reversed: {is_reversed}");
    }
}
