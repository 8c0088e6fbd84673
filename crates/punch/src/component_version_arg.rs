//! Parses `NAME@VERSION`, one version of a component on the command line.

use std::str::FromStr;

use model::{name::Name, version::Version};

/// One version of a component.
#[derive(Debug, Clone)]
pub(crate) struct ComponentVersionArg {
    /// Which component.
    pub(crate) name: Name,
    /// Which version, with or without release.
    pub(crate) version: Version,
}

impl FromStr for ComponentVersionArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) =
            text.split_once('@').ok_or_else(|| "write NAME@VERSION, for instance shop@1.2.0".to_owned())?;
        Ok(Self {
            name: name.parse().map_err(|error: model::name::NameError| error.to_string())?,
            version: version.parse().map_err(|error: model::version::VersionError| error.to_string())?,
        })
    }
}
