//! A component's description.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::format::component::parse_component_yaml;

fuzz_target!(|text: &str| {
    let _ = parse_component_yaml("component.yaml", text);
});
