//! An archetype's files with its answers filled in.

use std::collections::BTreeMap;

use model::{
    format::{FormatError, component},
    name::{Key, Name},
    parameter::{MergeStrategy, Parameter, ParameterType},
    suggest_spelling,
    template::TemplateRenderer,
    value::Value,
};

use super::{AnswersByQuestion, Archetype, ArchetypeError, ArchetypeQuestion};

/// What every template knows besides the answers.
pub(super) const BUILT_IN_TEMPLATE_VARIABLES: [&str; 4] = ["name", "identifier", "type_name", "archetype"];
/// Words that Java or Python keep for themselves: no module, package or variable can be called so.
const KEYWORDS: &str = "
abstract and as assert async await boolean break byte case catch char class const continue def default del do
double elif else enum except extends false final finally float for from global goto if implements import in
instanceof int interface is java lambda long native new nonlocal not null or package pass private protected public
raise return short static strictfp super switch synchronized this throw throws transient true try void volatile
while with yield
";
/// The ending of files that are rendered.
const TEMPLATE: &str = ".tmpl";

/// Generated files, by path.
pub(super) type RenderedFilesByPath = BTreeMap<String, Vec<u8>>;

impl Archetype {
    /// Completes answers with defaults, and checks them.
    pub fn complete_and_check_answers(
        &self,
        name: &Name,
        given: &AnswersByQuestion,
    ) -> Result<AnswersByQuestion, ArchetypeError> {
        for key in given.keys() {
            if !self.questions.contains_key(key) {
                let known = self.questions.keys().map(Key::as_str);
                let hint = match suggest_spelling(key.as_str(), known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it asks: {}", known.collect::<Vec<_>>().join(", ")),
                };
                return Err(ArchetypeError::Answer(format!(
                    "the archetype `{}` does not ask `{key}`; {hint}",
                    self.name
                )));
            }
        }
        let mut context = self.context(name, &AnswersByQuestion::new());
        let mut answers = AnswersByQuestion::new();
        // In the order of the questions' names, so a default may use the answers before it.
        for (key, question) in &self.questions {
            let answer = match (given.get(key), &question.default) {
                (Some(answer), _) => answer.clone(),
                (None, Some(default)) => TemplateRenderer::new(&context)
                    .render_template(&format!("the default of `{key}`"), default)
                    .map_err(FormatError::from)?,
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
            if let Err(why) = question.parameter().check_final_value(&question.value(&answer)) {
                return Err(ArchetypeError::Answer(format!("the answer to `{key}` {why}")));
            }
            context.insert(key.to_string(), answer.clone());
            answers.insert(key.clone(), answer);
        }
        Ok(answers)
    }

    /// All files of the component `name`, with complete answers filled in.
    pub(super) fn render_component_files(
        &self,
        name: &Name,
        answers: &AnswersByQuestion,
    ) -> Result<RenderedFilesByPath, ArchetypeError> {
        let context = self.context(name, answers);
        let renderer = TemplateRenderer::new(&context);
        let mut files = RenderedFilesByPath::new();
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
                renderer.render_template(path, text).map_err(FormatError::from)?.into_bytes()
            } else {
                bytes.clone()
            };
            if files.insert(to.clone(), bytes).is_some() {
                return Err(FormatError::new(path, format!("another file becomes `{to}` too")).into());
            }
        }
        Ok(files)
    }

    fn context(&self, name: &Name, answers: &AnswersByQuestion) -> BTreeMap<String, String> {
        let identifier = |words: &[&str]| match words {
            [word] if KEYWORDS.split_whitespace().any(|keyword| keyword == *word) => format!("{word}_"),
            words => words.join("_"),
        };
        let words: Vec<&str> = name.as_str().split('-').filter(|word| !word.is_empty()).collect();
        let capitalised = |word: &&str| -> String {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
        };
        let mut context = BTreeMap::from([
            ("name".to_owned(), name.to_string()),
            ("identifier".to_owned(), identifier(&words)),
            ("type_name".to_owned(), words.iter().map(capitalised).collect()),
            ("archetype".to_owned(), format!("{} {}", self.name, self.version)),
        ]);
        context.extend(answers.iter().map(|(key, answer)| (key.to_string(), answer.clone())));
        context
    }
}

impl ArchetypeQuestion {
    /// A parameter that takes what answers the question.
    fn parameter(&self) -> Parameter {
        Parameter {
            kind: self.kind,
            description: self.description.clone(),
            default: None,
            required: false,
            secret: false,
            merge: MergeStrategy::default(),
            one_of: Vec::new(),
            reads: Vec::new(),
            shared: false,
            min: None,
            max: None,
        }
    }

    /// An answer as the value it stands for.
    fn value(&self, answer: &str) -> Value {
        match self.kind {
            ParameterType::Integer | ParameterType::Port => answer.parse().map(Value::Integer).ok(),
            ParameterType::Number => answer.parse().map(Value::Number).ok(),
            ParameterType::Boolean => answer.parse().map(Value::Boolean).ok(),
            _ => None,
        }
        .unwrap_or_else(|| Value::Text(answer.to_owned()))
    }
}

/// Where a file goes: `__KEY__` replaced, and still inside the component's folder.
fn target(path: &str, context: &BTreeMap<String, String>) -> Result<String, FormatError> {
    let mut to = path.to_owned();
    for (key, answer) in context {
        to = to.replace(&format!("__{key}__"), answer);
    }
    let inside = component::check_source_path_stays_in_component(&to).is_ok()
        && !to.split('/').any(|part| matches!(part, "" | "."));
    if !inside || to == ".geppetto" || to.starts_with(".geppetto/") {
        return Err(FormatError::new(path, format!("it would become `{to}`, which no archetype may write")));
    }
    Ok(to)
}
