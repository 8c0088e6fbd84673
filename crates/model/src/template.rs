//! Templates: text with holes for values, in Jinja's syntax; the only place that knows the template library.
//!
//! Strict: an undefined variable is an error that names the nearest one, not an empty text
//! in a configuration file. Work is bounded (fuel), nothing is escaped, one final newline is kept.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{
    AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value as Dynamic,
    syntax::SyntaxConfig,
    value::{Serde, merge_maps},
};
use serde::Serialize;

use crate::{format::FormatError, suggest_spelling, value::Value};

/// How much work one template may do: instructions, bytes written and list slots, all counted alike.
const FUEL: u64 = 20_000_000;

/// The largest template read, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// Why a template gave no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct TemplateError {
    /// Where, and what is wrong.
    pub error: FormatError,
    /// The expression that failed, as far as it is known: `server.nmae`.
    expression: Option<String>,
}

impl TemplateError {
    /// Whether the expression that failed uses the variable `name`, or a member of it.
    pub fn failed_expression_uses_variable(&self, name: &str) -> bool {
        self.expression.as_ref().is_some_and(|expression| {
            let variables = find_free_variables(&format!("{{{{ {expression} }}}}"));
            variables.iter().any(|variable| variable.split('.').next() == Some(name))
        })
    }
}

impl From<FormatError> for TemplateError {
    fn from(error: FormatError) -> Self {
        Self { error, expression: None }
    }
}
impl From<TemplateError> for FormatError {
    fn from(error: TemplateError) -> Self {
        error.error
    }
}

/// Renders `source`; `name` is what the user knows the template by.
pub fn render_template(name: &str, source: &str, context: &impl Serialize) -> Result<String, TemplateError> {
    TemplateRenderer::new(context).render_template(name, source)
}

/// What stands around the expression of a hole.
const HOLE: [char; 4] = ['{', '}', '-', ' '];

/// Renders any number of templates over the same variables. A copy costs next to nothing.
#[derive(Clone)]
pub struct TemplateRenderer {
    environment: Environment<'static>,
    context: Dynamic,
}

impl TemplateRenderer {
    /// Makes the members of `context` the variables.
    pub fn new(context: &impl Serialize) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(64);
        // The place of an error inside a line is kept only in debug mode.
        environment.set_debug(true);
        // `debug()` would print every variable, secrets included.
        environment.remove_global("debug");
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            environment.set_syntax(syntax);
        }
        Self { environment, context: Dynamic::from(Serde(context)) }
    }

    /// The same with one more variable. What it costs does not depend on the others.
    pub fn with_variable(&self, name: &'static str, value: &impl Serialize) -> Self {
        let more = Dynamic::from(Serde(&BTreeMap::from([(name, value)])));
        Self { environment: self.environment.clone(), context: merge_maps([more, self.context.clone()]) }
    }

    /// Renders `source` to text.
    pub fn render_template(&self, name: &str, source: &str) -> Result<String, TemplateError> {
        if source.len() > LARGEST {
            return Err(FormatError::new(
                name,
                format!("it has {} bytes; a template may have {LARGEST}", source.len()),
            )
            .into());
        }
        self.environment
            .template_from_named_str(name, source)
            .and_then(|template| template.render(self.context.clone()))
            .map_err(|error| self.explain(name, source, &error))
    }

    /// Fills in one text of a manifest: exactly one `{{ expression }}` keeps the expression's type.
    pub fn render_keeping_single_expression_type(
        &self,
        name: &str,
        source: &str,
    ) -> Result<Value, TemplateError> {
        let Some(expression) = only_expression(source) else {
            return self.render_template(name, source).map(Value::Text);
        };
        let Ok(compiled) = self.environment.compile_expression(expression) else {
            // Either several expressions in one text, or an error: rendering reports it with its place.
            return self.render_template(name, source).map(Value::Text);
        };
        let dynamic =
            compiled.eval(self.context.clone()).map_err(|error| self.explain(name, expression, &error))?;
        if dynamic.is_undefined() {
            let error = FormatError::new(name, self.undefined(expression));
            return Err(TemplateError { error, expression: Some(expression.to_owned()) });
        }
        let no_value = |error: serde_json::Error| {
            let error = FormatError::new(name, format!("`{expression}` has no plain value: {error}"));
            TemplateError { error, expression: Some(expression.to_owned()) }
        };
        let json = serde_json::to_value(&dynamic).map_err(no_value)?;
        serde_json::from_value(json).map_err(no_value)
    }

    /// What an error of the library means to the person who wrote the template.
    fn explain(&self, name: &str, source: &str, error: &minijinja::Error) -> TemplateError {
        let expression = error.range().and_then(|range| source.get(range)).map(str::trim);
        let detail = error.detail().unwrap_or_default();
        let message = match (error.kind(), expression) {
            (ErrorKind::UndefinedError, Some(expression)) => match local_variable(source, expression) {
                Some(variable) => format!(
                    "`{}` is not defined; what `{variable}` stands for here does not have it (`{{% if \"x\" in y %}}` \
                     asks first)",
                    shorten(expression.trim_matches(HOLE))
                ),
                None => self.undefined(expression),
            },
            (ErrorKind::OutOfFuel, _) => {
                "the template does too much work: is there a loop over a huge range?".to_owned()
            }
            (kind, Some(expression)) => sentence(&format!("{kind}: {detail}"), Some(expression)),
            (kind, None) => sentence(&format!("{kind}: {detail}"), None),
        };
        let expression = expression.map(|expression| expression.trim_matches(HOLE).to_owned());
        let error = match error.line() {
            Some(line) if source.contains('\n') => FormatError::new_at_line(name, line as u64, message),
            _ => FormatError::new(name, message),
        };
        TemplateError { error, expression }
    }

    fn undefined(&self, expression: &str) -> String {
        let expression = expression.trim_matches(HOLE);
        // Only a path of names can be followed; a filter or a call is reported as written.
        let path = expression.split(['|', ' ', '(']).next().unwrap_or(expression);
        let mut at = self.context.clone();
        let mut known = String::new();
        for part in path.split('.') {
            match at.get_attr(part) {
                Ok(next) if !next.is_undefined() => {
                    known = format!("{known}{part}.");
                    at = next;
                }
                _ => {
                    let names = variable_names(&at);
                    let hint = match suggest_spelling(part, names.iter().map(String::as_str)) {
                        Some(name) => format!("did you mean `{known}{name}`?"),
                        None if names.is_empty() => "nothing is defined there".to_owned(),
                        None => format!(
                            "defined are: {}",
                            shorten(&names.into_iter().collect::<Vec<_>>().join(", "))
                        ),
                    };
                    return format!("`{known}{part}` is not defined; {hint}");
                }
            }
        }
        format!("`{}` is not defined", shorten(expression))
    }
}

/// The variables `source` uses without defining them: `banner`, `server.name`.
///
/// Read from the syntax alone, so a variable in a branch not taken counts too. An error in the syntax
/// gives an empty set; rendering reports it.
pub fn find_free_variables(source: &str) -> BTreeSet<String> {
    let environment = Environment::new();
    let Ok(template) = environment.template_from_str(source) else { return BTreeSet::new() };
    let builtin: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
    template
        .undeclared_variables(true)
        .into_iter()
        .filter(|name| !builtin.contains(name.split('.').next().unwrap_or(name)))
        .collect()
}

/// The variable that an expression begins with, if the template sets it itself: by a loop, for instance.
fn local_variable<'e>(source: &str, expression: &'e str) -> Option<&'e str> {
    let expression = expression.trim_matches(HOLE);
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let variable = &expression[..expression.find(|c| !is_name(c)).unwrap_or(expression.len())];
    let undeclared = find_free_variables(source);
    let is_from_outside = undeclared.iter().any(|name| name.split('.').next() == Some(variable));
    (!variable.is_empty() && !is_from_outside).then_some(variable)
}

/// Whether a text has any expression.
pub fn has_expressions(source: &str) -> bool {
    source.contains("{{") || source.contains("{%") || source.contains("{#")
}

/// The inside of a text that is exactly one `{{ ... }}`, if it may be one.
fn only_expression(source: &str) -> Option<&str> {
    // A line break after it belongs to a text: `content: |` and one hole is a file of one line.
    let inner = source.trim_matches(' ').strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    Some(inner.strip_suffix('-').unwrap_or(inner).trim())
}

fn variable_names(value: &Dynamic) -> BTreeSet<String> {
    match value.kind() {
        minijinja::value::ValueKind::Map => {
            value.try_iter().map(|keys| keys.map(|key| key.to_string()).collect()).unwrap_or_default()
        }
        _ => BTreeSet::new(),
    }
}

fn sentence(text: &str, expression: Option<&str>) -> String {
    let text = shorten(text.trim_end_matches([':', ' ']));
    match expression {
        Some(expression) if !expression.is_empty() => format!("{text}, in `{}`", shorten(expression)),
        _ => text,
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn output(source: &str) -> String {
        let context = json!({"banner": "hi", "http_port": 80, "server": {"name": "web-01"}});
        render_template("motd.j2", source, &context).unwrap_err().to_string()
    }

    #[test]
    fn values_fill_the_holes_and_the_last_newline_stays() {
        let context = json!({"port": 80, "names": ["a", "b"], "on": true});
        let source = "port={{ port }}\n{% for name in names %}{{ name }};{% endfor %}\n<{{ '<' }}>\n";
        assert_eq!(render_template("x", source, &context).unwrap(), "port=80\na;b;\n<<>\n");
    }

    #[test]
    fn undefined_variable_is_an_error_with_line_and_nearest_name() {
        assert_eq!(
            output("a\nb {{ banenr }}\n"),
            "motd.j2:2: `banenr` is not defined; did you mean `banner`?"
        );
        assert_eq!(
            output("a\n{{ server.nmae }}\n"),
            "motd.j2:2: `server.nmae` is not defined; did you mean `server.name`?"
        );
    }

    #[test]
    fn missing_entry_of_a_loop_variable_is_not_taken_for_a_variable() {
        let source = "a\n{% for host in [server] %}\n{{ host.adress }}\n{% endfor %}\n";
        let error = output(source);
        assert!(
            error.starts_with("motd.j2:3: `host.adress` is not defined; what `host` stands for here"),
            "{error}"
        );
    }

    #[test]
    fn template_syntax_error_has_its_line_number() {
        assert!(
            output("a\n{% if %}\n").starts_with("motd.j2:2: syntax error: "),
            "{}",
            output("a\n{% if %}\n")
        );
    }

    #[test]
    fn endless_template_is_stopped() {
        let source = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}";
        assert!(output(source).contains("too much work"), "{}", output(source));
    }

    #[test]
    fn debug_function_is_an_error() {
        assert!(render_template("x", "{{ debug() }}", &json!({"password": "hunter2"})).is_err());
    }

    #[test]
    fn single_expression_keeps_its_type() {
        let renderer = TemplateRenderer::new(&json!({"port": 80, "users": [{"name": "a"}], "on": false}));
        let value = |source| renderer.render_keeping_single_expression_type("m", source).unwrap();
        assert_eq!(value("{{ port }}"), Value::Integer(80));
        assert_eq!(value("{{ on }}"), Value::Boolean(false));
        assert_eq!(value("{{ port }}-{{ port }}"), Value::from("80-80"));
        assert_eq!(value("{{ users }}").to_string(), r#"[{"name":"a"}]"#);
        assert_eq!(value("plain"), Value::from("plain"));
        let error =
            renderer.render_keeping_single_expression_type("m:3", "{{ prot }}").unwrap_err().to_string();
        assert_eq!(error, "m:3: `prot` is not defined; did you mean `port`?");
    }

    #[test]
    fn undeclared_variables_are_found_from_the_syntax() {
        let source = "{% set x = secret %}{% if a %}{{ server.name }}{% endif %}{{ range(3) }}";
        assert_eq!(
            find_free_variables(source).into_iter().collect::<Vec<_>>(),
            ["a", "secret", "server.name"]
        );
    }
}
