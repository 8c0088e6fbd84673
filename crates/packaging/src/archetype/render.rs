//! An archetype's files with its answers filled in.

use std::collections::BTreeMap;

use model::{
    format::{FormatError, component},
    name::{Key, Name},
    nearest,
    template::Renderer,
};

use super::{Answers, Archetype, ArchetypeError};

/// What every template knows besides the answers.
pub(super) const RESERVED: [&str; 4] = ["name", "identifier", "type_name", "archetype"];
/// The ending of files that are rendered.
const TEMPLATE: &str = ".tmpl";

/// Generated files, by path.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

impl Archetype {
    /// Completes answers with defaults, and checks them.
    pub fn answers(&self, name: &Name, given: &Answers) -> Result<Answers, ArchetypeError> {
        for key in given.keys() {
            if !self.questions.contains_key(key) {
                let known = self.questions.keys().map(Key::as_str);
                let hint = match nearest(key.as_str(), known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it asks: {}", known.collect::<Vec<_>>().join(", ")),
                };
                return Err(ArchetypeError::Answer(format!(
                    "the archetype `{}` does not ask `{key}`; {hint}",
                    self.name
                )));
            }
        }
        let mut context = self.context(name, &Answers::new());
        let mut answers = Answers::new();
        // In the order of the questions' names, so a default may use the answers before it.
        for (key, question) in &self.questions {
            let answer = match (given.get(key), &question.default) {
                (Some(answer), _) => answer.clone(),
                (None, Some(default)) => {
                    Renderer::new(&context).render(&format!("the default of `{key}`"), default)?
                }
                (None, None) => {
                    return Err(ArchetypeError::Answer(format!(
                        "the archetype `{}` needs an answer to `{key}` ({}); give it with `--set {key}=...`",
                        self.name, question.description
                    )));
                }
            };
            if answer.len() > 1000 || answer.chars().any(char::is_control) {
                return Err(ArchetypeError::Answer(format!(
                    "the answer to `{key}` must be one line of at most 1000 characters"
                )));
            }
            if !question.one_of.is_empty() && !question.one_of.contains(&answer) {
                return Err(ArchetypeError::Answer(format!(
                    "`{answer}` is no answer to `{key}`; it takes one of: {}",
                    question.one_of.join(", ")
                )));
            }
            context.insert(key.to_string(), answer.clone());
            answers.insert(key.clone(), answer);
        }
        Ok(answers)
    }

    /// All files of the component `name`, with complete answers filled in.
    pub(super) fn render(&self, name: &Name, answers: &Answers) -> Result<Files, ArchetypeError> {
        let context = self.context(name, answers);
        let renderer = Renderer::new(&context);
        let mut files = Files::new();
        for (path, bytes) in &self.files {
            let (path, is_template) = match path.strip_suffix(TEMPLATE) {
                Some(path) => (path, true),
                None => (path.as_str(), false),
            };
            let to = target(path, &context)?;
            let bytes = if is_template {
                let text = std::str::from_utf8(bytes).map_err(|_| {
                    FormatError::new(path, "it is not UTF-8 text, so it cannot be a template")
                })?;
                renderer.render(path, text)?.into_bytes()
            } else {
                bytes.clone()
            };
            if files.insert(to.clone(), bytes).is_some() {
                return Err(FormatError::new(path, format!("another file becomes `{to}` too")).into());
            }
        }
        Ok(files)
    }

    fn context(&self, name: &Name, answers: &Answers) -> BTreeMap<String, String> {
        let words: Vec<&str> = name.as_str().split('-').filter(|word| !word.is_empty()).collect();
        let capitalised = |word: &&str| -> String {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
        };
        let mut context = BTreeMap::from([
            ("name".to_owned(), name.to_string()),
            ("identifier".to_owned(), words.join("_")),
            ("type_name".to_owned(), words.iter().map(capitalised).collect()),
            ("archetype".to_owned(), format!("{} {}", self.name, self.version)),
        ]);
        context.extend(answers.iter().map(|(key, answer)| (key.to_string(), answer.clone())));
        context
    }
}

/// Where a file goes: `__KEY__` replaced, and still inside the component's folder.
fn target(path: &str, context: &BTreeMap<String, String>) -> Result<String, FormatError> {
    let mut to = path.to_owned();
    for (key, answer) in context {
        to = to.replace(&format!("__{key}__"), answer);
    }
    let inside = component::inside(&to).is_ok() && !to.split('/').any(|part| matches!(part, "" | "."));
    if !inside || to == ".geppetto" || to.starts_with(".geppetto/") {
        return Err(FormatError::new(path, format!("it would become `{to}`, which no archetype may write")));
    }
    Ok(to)
}
