//! Components to deploy, small enough to read at a glance.

use std::fs;

use crate::test_folder::TestFolder;

/// A component with one file, one configuration file and one parameter.
pub(crate) fn shop(test: &TestFolder, version: &str) {
    let _ = fs::remove_dir_all(test.path("shop"));
    test.write(
        "shop/component.yaml",
        &format!(
            "format: geppetto/component/1\nname: shop\nversion: {version}\nkind: processing\nsummary: Sells things\nlicense: Apache-2.0\n\
             files:\n  - source: shop.sh\n    path: /usr/bin/shop\n    mode: \"0755\"\n\
             parameters:\n  greeting:\n    type: string\n    description: What it says first\n    default: hello\n  \
             password:\n    type: string\n    description: What nobody must see\n    secret: true\n"
        ),
    );
    test.write("shop/shop.sh", &format!("#!/bin/sh\necho shop {version}\n"));
    test.write(
        "shop/deploy/manifest.yaml",
        "format: geppetto/manifest/1\nresources:\n  - directory: /etc/shop\n    mode: \"0755\"\n  \
         - template: /etc/shop/shop.conf\n    source: shop.conf.j2\n    mode: \"0640\"\n",
    );
    test.write(
        "shop/deploy/templates/shop.conf.j2",
        "greeting={{ greeting }}\nversion={{ component.version }}\npassword={{ password | default('none') }}\n",
    );
}

/// Packages `shop` in this version into `dist/`, signed when there is a key.
pub(crate) fn packaged(test: &TestFolder, version: &str, key: Option<&str>) {
    shop(test, version);
    let mut arguments = vec!["package", "shop", "--out", "dist", "--source-date", "1700000000"];
    arguments.extend(key.iter().flat_map(|key| ["--key", key]));
    test.ok(&arguments);
}

/// A node file written by hand.
pub(crate) fn node(test: &TestFolder, name: &str, version: &str, greeting: &str) {
    test.write(
        name,
        &format!(
            "format: geppetto/node/1\ncomponents:\n  shop:\n    version: {version}\n    values: {{greeting: \"{greeting}\"}}\n"
        ),
    );
}
