//! Which source of a setting wins: an option, a variable, the configuration file, a default.

use std::{fmt, path::PathBuf};

use super::ConfigFile;
use crate::{command_context::CommandContext, command_error::CommandError};

/// The settings of punch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Setting {
    /// Address of the control plane.
    Url,
    /// Unix socket of a control plane on this machine.
    Socket,
    /// API token.
    Token,
    /// File that holds the API token.
    TokenFile,
    /// Certificate authorities in PEM.
    CaFile,
    /// Key that signs packages.
    Key,
    /// Channel `punch publish` publishes to.
    Channel,
    /// Channel `punch promote` promotes from.
    PromoteFrom,
    /// Channel `punch promote` promotes to.
    PromoteTo,
}

impl Setting {
    /// All settings, in the order `punch config` shows them.
    pub(crate) const ALL_SETTINGS: [Self; 9] = [
        Self::Url,
        Self::Socket,
        Self::Token,
        Self::TokenFile,
        Self::CaFile,
        Self::Key,
        Self::Channel,
        Self::PromoteFrom,
        Self::PromoteTo,
    ];

    /// Its key in the configuration file.
    pub(crate) fn config_file_key(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Socket => "socket",
            Self::Token => "token",
            Self::TokenFile => "token_file",
            Self::CaFile => "ca_file",
            Self::Key => "key",
            Self::Channel => "channel",
            Self::PromoteFrom => "promote.from",
            Self::PromoteTo => "promote.to",
        }
    }

    /// Its environment variable.
    pub(crate) fn environment_variable(self) -> &'static str {
        match self {
            Self::Url => "PUNCH_URL",
            Self::Socket => "PUNCH_SOCKET",
            Self::Token => "PUNCH_TOKEN",
            Self::TokenFile => "PUNCH_TOKEN_FILE",
            Self::CaFile => "PUNCH_CA_FILE",
            Self::Key => "PUNCH_KEY",
            Self::Channel => "PUNCH_CHANNEL",
            Self::PromoteFrom => "PUNCH_PROMOTE_FROM",
            Self::PromoteTo => "PUNCH_PROMOTE_TO",
        }
    }

    /// Its command-line option; a token is not given on the command line, where other users see it.
    fn option(self) -> &'static str {
        match self {
            Self::Url => "--url",
            Self::Socket => "--socket",
            Self::Token => "(no option)",
            Self::TokenFile => "--token-file",
            Self::CaFile => "--ca-file",
            Self::Key => "--key",
            Self::Channel => "--channel",
            Self::PromoteFrom => "--from",
            Self::PromoteTo => "--to",
        }
    }

    /// Whether its value must not be shown.
    pub(crate) fn is_secret_setting(self) -> bool {
        self == Self::Token
    }

    /// Whether its value is the path of a file.
    fn is_path(self) -> bool {
        matches!(self, Self::Socket | Self::TokenFile | Self::CaFile | Self::Key)
    }
}

/// Where a value of a setting comes from; the smaller one wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SettingSource {
    /// A command-line option.
    Option(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// The configuration file.
    File {
        /// Its path.
        path: PathBuf,
        /// The line of the value.
        line: u64,
    },
    /// The value of the setting `channel`, which is the default of another one.
    ConfiguredChannel,
    /// A default of punch.
    Default,
}

impl SettingSource {
    /// Its rank: 0 is the strongest.
    pub(crate) fn precedence_of_source(&self) -> u8 {
        match self {
            Self::Option(_) => 0,
            Self::Variable(_) => 1,
            Self::File { .. } => 2,
            Self::ConfiguredChannel | Self::Default => 3,
        }
    }
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) => write!(f, "option {name}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::ConfiguredChannel => f.write_str("default: the setting channel"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The channel that packages are published to when nothing says otherwise.
const DEFAULT_CHANNEL: &str = "dev";

/// One value of a setting and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingCandidate {
    /// The value.
    pub(crate) value: String,
    /// Where it comes from.
    pub(crate) source: SettingSource,
}

/// The sources of all settings.
pub(crate) struct SettingsResolver<'a> {
    context: &'a CommandContext,
    file: Option<ConfigFile>,
}

impl<'a> SettingsResolver<'a> {
    /// Reads the configuration file.
    pub(crate) fn new_with_config_file(context: &'a CommandContext) -> Result<Self, CommandError> {
        let file = match &context.config_path {
            Some(path) => Some(ConfigFile::load_config_file(path)?),
            None => None,
        };
        Ok(Self { context, file })
    }

    /// The configuration file, when this user has a home folder.
    pub(crate) fn config_file(&self) -> Option<&ConfigFile> {
        self.file.as_ref()
    }

    /// All values of a setting, the one that wins first; `option` is the value on the command line.
    pub(crate) fn list_candidates_of_setting(
        &self,
        setting: Setting,
        option: Option<String>,
    ) -> Vec<SettingCandidate> {
        let mut all = self.list_values_set_by_user(setting, option);
        match setting {
            Setting::Channel => {
                let value = DEFAULT_CHANNEL.to_owned();
                all.push(SettingCandidate { value, source: SettingSource::Default });
            }
            // What is promoted was published to that channel.
            Setting::PromoteFrom => {
                let value = self.resolve_channel_to_publish_to(None);
                all.push(SettingCandidate { value, source: SettingSource::ConfiguredChannel });
            }
            Setting::Socket => {
                let path = self.context.local_control_plane_socket_path();
                if std::os::unix::net::UnixStream::connect(&path).is_ok() {
                    all.push(SettingCandidate {
                        value: path.display().to_string(),
                        source: SettingSource::Default,
                    });
                }
            }
            _ => (),
        }
        all
    }

    /// The values of a setting that are no defaults, the one that wins first.
    fn list_values_set_by_user(&self, setting: Setting, option: Option<String>) -> Vec<SettingCandidate> {
        let mut all = Vec::new();
        if let Some(value) = option {
            all.push(SettingCandidate { value, source: SettingSource::Option(setting.option()) });
        }
        if let Some(value) = self.context.environment.get(setting.environment_variable()) {
            let source = SettingSource::Variable(setting.environment_variable());
            all.push(SettingCandidate { value: value.clone(), source });
        }
        if let Some(file) = &self.file
            && let Some(value) = file.get_setting(setting)
        {
            let source = SettingSource::File { path: file.config_file_path().to_owned(), line: value.line };
            // Paths in the file are relative to the file, not to where punch runs.
            let value = match file.config_file_path().parent() {
                Some(folder) if setting.is_path() => folder.join(&value.value).display().to_string(),
                _ => value.value.clone(),
            };
            all.push(SettingCandidate { value, source });
        }
        all
    }

    /// The channel that packages are published to; `option` is the one on the command line.
    pub(crate) fn resolve_channel_to_publish_to(&self, option: Option<String>) -> String {
        let set = self.list_values_set_by_user(Setting::Channel, option).into_iter().next();
        set.map_or_else(|| DEFAULT_CHANNEL.to_owned(), |set| set.value)
    }

    /// The channel that versions are promoted from; `option` is the one on the command line.
    pub(crate) fn resolve_channel_to_promote_from(&self, option: Option<String>) -> String {
        let set = self.list_values_set_by_user(Setting::PromoteFrom, option).into_iter().next();
        set.map_or_else(|| self.resolve_channel_to_publish_to(None), |set| set.value)
    }

    /// The value of a setting that wins; `option` is the value on the command line.
    pub(crate) fn resolve_setting_value(&self, setting: Setting, option: Option<String>) -> Option<String> {
        self.list_candidates_of_setting(setting, option).into_iter().next().map(|candidate| candidate.value)
    }
}
