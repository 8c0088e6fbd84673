//! `~/.config/geppetto/punch.yaml`: read strictly, written with mode 0600 because it can hold a token.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use converge::HostRoot;
use model::format::yaml::{self, Spanned};
use serde::Deserialize;

use super::Setting;
use crate::command_error::CommandError;

/// A value of the configuration file and the line it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigFileValue {
    /// The value as it was written.
    pub(crate) value: String,
    /// Counted from 1.
    pub(crate) line: u64,
}

/// The configuration file; empty when it does not exist.
#[derive(Debug, Clone)]
pub(crate) struct ConfigFile {
    path: PathBuf,
    values: BTreeMap<Setting, ConfigFileValue>,
}

/// Its keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    url: Option<Spanned<String>>,
    socket: Option<Spanned<String>>,
    token: Option<Spanned<String>>,
    token_file: Option<Spanned<String>>,
    ca_file: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    channel: Option<Spanned<String>>,
    #[serde(default)]
    promote: Promote,
}

/// The promotion `punch promote` makes when no option says otherwise.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Promote {
    from: Option<Spanned<String>>,
    to: Option<Spanned<String>>,
}

impl ConfigFile {
    /// Reads the file. Unknown keys are errors that name the line and the nearest key.
    pub(crate) fn load_config_file(path: &Path) -> Result<Self, CommandError> {
        let mut values = BTreeMap::new();
        if let Some(text) = read_optional(path)?
            && text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        {
            let document: Document = yaml::parse_yaml(&path.display().to_string(), &text)?;
            let all = [
                (Setting::Url, document.url),
                (Setting::Socket, document.socket),
                (Setting::Token, document.token),
                (Setting::TokenFile, document.token_file),
                (Setting::CaFile, document.ca_file),
                (Setting::Key, document.key),
                (Setting::Channel, document.channel),
                (Setting::PromoteFrom, document.promote.from),
                (Setting::PromoteTo, document.promote.to),
            ];
            for (setting, value) in all {
                if let Some(value) = value {
                    let line = value.referenced.line();
                    values.insert(setting, ConfigFileValue { value: value.value, line });
                }
            }
        }
        let file = Self { path: path.to_owned(), values };
        file.refuse_contradictions()?;
        Ok(file)
    }

    fn refuse_contradictions(&self) -> Result<(), CommandError> {
        for (one, other) in [(Setting::Url, Setting::Socket), (Setting::Token, Setting::TokenFile)] {
            if let (Some(_), Some(second)) = (self.values.get(&one), self.values.get(&other)) {
                return Err(CommandError::invalid_input_error(format!(
                    "{}:{}: `{}` and `{}` cannot both be set",
                    self.path.display(),
                    second.line,
                    one.config_file_key(),
                    other.config_file_key()
                ))
                .with_hint("remove one of the two lines"));
            }
        }
        Ok(())
    }

    /// Where the file is.
    pub(crate) fn config_file_path(&self) -> &Path {
        &self.path
    }

    /// The value of a setting, when the file has it.
    pub(crate) fn get_setting(&self, setting: Setting) -> Option<&ConfigFileValue> {
        self.values.get(&setting)
    }

    /// Sets a value; `save_config_file` writes it.
    pub(crate) fn set_setting_in_memory(&mut self, setting: Setting, value: String) {
        self.values.insert(setting, ConfigFileValue { value, line: 0 });
    }

    /// Removes a value and returns whether there was one; `save_config_file` writes it.
    pub(crate) fn unset_setting_in_memory(&mut self, setting: Setting) -> bool {
        self.values.remove(&setting).is_some()
    }

    /// Copies certificate authorities to a file beside this one, `ca.pem`, and gives its path.
    pub(crate) fn save_ca_certificates_beside(&self, pem: &Path) -> Result<PathBuf, CommandError> {
        let text =
            fs::read_to_string(pem).map_err(|error| CommandError::cannot_read_file_error(pem, &error))?;
        let path = self.path.with_file_name("ca.pem");
        let path = std::path::absolute(&path)
            .and_then(|path| write_private_file(&path, &text).map(|()| path))
            .map_err(|error| CommandError::cannot_write_file_error(&path, &error))?;
        Ok(path)
    }

    /// Writes the file with mode 0600. Comments are not kept.
    pub(crate) fn save_config_file(&self) -> Result<(), CommandError> {
        let mut document: BTreeMap<&str, &str> = BTreeMap::new();
        let mut promote: BTreeMap<&str, &str> = BTreeMap::new();
        for (setting, ConfigFileValue { value, .. }) in &self.values {
            match setting.config_file_key().split_once('.') {
                Some((_, key)) => promote.insert(key, value),
                None => document.insert(setting.config_file_key(), value),
            };
        }
        let mut text = if document.is_empty() { String::new() } else { yaml::to_yaml_text(&document) };
        if !promote.is_empty() {
            text += &yaml::to_yaml_text(&BTreeMap::from([("promote", promote)]));
        }
        write_private_file(&self.path, &text)
            .map_err(|error| CommandError::cannot_write_file_error(&self.path, &error))
    }
}

/// Replaces a file whole, with mode 0600; the folders above it are made where there are none.
fn write_private_file(path: &Path, text: &str) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let path = path.to_str().ok_or_else(|| io::Error::other("its path is not UTF-8"))?;
    HostRoot::new(Path::new("/")).replace_file(path, text.as_bytes(), 0o600)
}

/// Reads a text file; `None` when there is none.
fn read_optional(path: &Path) -> Result<Option<String>, CommandError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(CommandError::cannot_read_file_error(path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<ConfigFile, CommandError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("punch.yaml");
        std::fs::write(&path, text).unwrap();
        ConfigFile::load_config_file(&path)
    }

    #[test]
    fn values_know_their_line() {
        let file = load("# mine\nurl: https://a.example\n\npromote:\n  from: dev\n  to: prod\n").unwrap();
        assert_eq!(file.get_setting(Setting::Url).unwrap().line, 2);
        assert_eq!(
            file.get_setting(Setting::PromoteTo).unwrap(),
            &ConfigFileValue { value: "prod".to_owned(), line: 6 }
        );
        assert_eq!(file.get_setting(Setting::Key), None);
    }

    #[test]
    fn file_without_values_is_empty() {
        assert!(load("").unwrap().values.is_empty());
        assert!(load("# nothing yet\n").unwrap().values.is_empty());
    }

    #[test]
    fn unknown_key_is_refused_with_its_line_and_the_nearest_key() {
        let failure = load("url: https://a.example\nchanel: dev\n").unwrap_err();
        assert!(failure.message.contains("punch.yaml:2"), "{}", failure.message);
        assert!(failure.message.contains("`chanel`"), "{}", failure.message);
        assert!(failure.message.contains("did you mean `channel`"), "{}", failure.message);
    }

    #[test]
    fn url_and_socket_together_are_refused() {
        let failure = load("url: https://a.example\nsocket: /run/g.sock\n").unwrap_err();
        assert!(
            failure.message.contains("punch.yaml:2: `url` and `socket` cannot both"),
            "{}",
            failure.message
        );
    }

    #[test]
    fn saving_keeps_the_other_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/punch.yaml");
        let mut file = ConfigFile::load_config_file(&path).unwrap();
        for setting in Setting::ALL_SETTINGS {
            if !matches!(setting, Setting::Socket | Setting::TokenFile) {
                file.set_setting_in_memory(setting, format!("value: of {}", setting.config_file_key()));
            }
        }
        file.save_config_file().unwrap();
        let mut again = ConfigFile::load_config_file(&path).unwrap();
        assert!(
            again.unset_setting_in_memory(Setting::Token) && !again.unset_setting_in_memory(Setting::Token)
        );
        again.save_config_file().unwrap();
        let last = ConfigFile::load_config_file(&path).unwrap();
        assert_eq!(last.get_setting(Setting::Token), None);
        for setting in
            [Setting::Url, Setting::Key, Setting::Channel, Setting::PromoteFrom, Setting::PromoteTo]
        {
            assert_eq!(
                last.get_setting(setting).unwrap().value,
                format!("value: of {}", setting.config_file_key())
            );
        }
    }
}
