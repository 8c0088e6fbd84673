//! `punch config`: every setting, its value and the source that won.

use model::exit::Exit;
use serde::Serialize;

use crate::{
    command_context::CommandContext,
    command_error::CommandError,
    settings::{ControlPlaneArgs, Setting, SettingCandidate, SettingsResolver},
};

/// Show every setting, its value and where it comes from
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  punch config\n  punch config --json\n\n\
    Options are stronger than PUNCH_* variables, which are stronger than the configuration file\n\
    ($XDG_CONFIG_HOME/geppetto/punch.yaml or ~/.config/geppetto/punch.yaml). Its keys are the names shown here:\n\n  \
    url: https://geppetto.example.org\n  token_file: token.txt\n  channel: dev\n  promote: {from: dev, to: prod}\n\n\
    Paths in the file are relative to its folder.")]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    remote: ControlPlaneArgs,
}

/// What `--json` prints.
#[derive(Serialize)]
struct ConfigView {
    file: Option<String>,
    settings: Vec<SettingView>,
}

/// One setting; the value of a secret is never shown.
#[derive(Serialize)]
struct SettingView {
    name: &'static str,
    variable: &'static str,
    value: Option<String>,
    source: Option<String>,
    overridden: Vec<OverriddenView>,
}

/// A value that a stronger source overrides.
#[derive(Serialize)]
struct OverriddenView {
    value: String,
    source: String,
}

impl ConfigArgs {
    pub(super) fn run_config_command(self, context: &CommandContext) -> Result<Exit, CommandError> {
        let settings = SettingsResolver::new_with_config_file(context)?;
        let view = ConfigView {
            file: settings.config_file().map(|file| file.config_file_path().display().to_string()),
            settings: Setting::ALL_SETTINGS
                .into_iter()
                .map(|setting| {
                    view(
                        setting,
                        settings.list_candidates_of_setting(
                            setting,
                            self.remote.option_value_of_setting(setting),
                        ),
                    )
                })
                .collect(),
        };
        let mut rows = Vec::new();
        for setting in &view.settings {
            let missing =
                if setting.name == Setting::PromoteTo.config_file_key() { "(next channel)" } else { "-" };
            let value = setting.value.clone().unwrap_or_else(|| missing.to_owned());
            let source = setting.source.clone().unwrap_or_else(|| format!("not set ({})", setting.variable));
            rows.push(vec![setting.name.to_owned(), value, source]);
            for OverriddenView { value, source } in &setting.overridden {
                rows.push(vec![String::new(), value.clone(), format!("{source} (overridden)")]);
            }
        }
        context.output.print_table_unless_json(&["SETTING", "VALUE", "SOURCE"], &rows);
        if let Some(file) = &view.file {
            context.output.print_note_to_stderr(format!("configuration file: {file}"));
        }
        context.output.print_json_if_requested(&view);
        Ok(Exit::Done)
    }
}

fn view(setting: Setting, candidates: Vec<SettingCandidate>) -> SettingView {
    let shown = |candidate: SettingCandidate| OverriddenView {
        value: if setting.is_secret_setting() { "(secret)".to_owned() } else { candidate.value },
        source: candidate.source.to_string(),
    };
    let mut all = candidates.into_iter().map(shown);
    let (value, source) = match all.next() {
        Some(OverriddenView { value, source }) => (Some(value), Some(source)),
        None => (None, None),
    };
    let overridden = all.collect();
    SettingView {
        name: setting.config_file_key(),
        variable: setting.environment_variable(),
        value,
        source,
        overridden,
    }
}
