//! Completes the description of the API with what follows from how it is served: refusals that no handler gives itself, and
//! the bounds of numbers.

use utoipa::{
    Number,
    openapi::{
        Content, KnownFormat, ObjectBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema,
        SchemaFormat, Type,
        path::{Operation, ParameterIn},
        schema::{AdditionalProperties, ArrayItems},
    },
};

/// How an endpoint is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RouteKind {
    /// Within a time limit, with an ETag.
    Bounded,
    /// A body of any length, written to the disk as it comes.
    Upload,
    /// Until the listener or its token ends.
    Stream,
}

/// The name of the schema that every refusal has.
const PROBLEM_SCHEMA: &str = "ProblemDetails";
const JSON: &str = "application/json";
const YAML: &str = "text/yaml";
const PROBLEM_JSON: &str = "application/problem+json";

/// Adds what holds for all endpoints of this kind.
pub(super) fn add_common_refusals_and_bounds(document: &mut OpenApi, kind: RouteKind) {
    for item in document.paths.paths.values_mut() {
        for (operation, method) in [
            (&mut item.get, "GET"),
            (&mut item.put, "PUT"),
            (&mut item.post, "POST"),
            (&mut item.delete, "DELETE"),
        ] {
            let Some(operation) = operation else { continue };
            add_refusals(operation, method, kind);
            operation.responses.responses.values_mut().for_each(correct_content);
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    parameter.schema.iter_mut().for_each(bound_numbers);
                }
            }
            if kind == RouteKind::Upload {
                describe_binary_body(operation);
            }
        }
    }
    if let Some(components) = &mut document.components {
        components.schemas.values_mut().for_each(bound_numbers);
    }
}

/// Adds the statuses that an endpoint is answered with before, after and beside its handler.
fn add_refusals(operation: &mut Operation, method: &str, kind: RouteKind) {
    let has = |place: &ParameterIn| {
        operation.parameters.iter().flatten().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == *place,
            RefOr::Ref(_) => false,
        })
    };
    let (has_path, has_query) = (has(&ParameterIn::Path), has(&ParameterIn::Query));
    let needs_token = operation.security.is_none();
    let has_json = match &operation.request_body {
        Some(RefOr::T(body)) => body.content.contains_key(JSON),
        _ => false,
    };
    let is_write = method != "GET";
    let all = [
        (has_json || has_query, "400", "The body is not JSON, or a parameter is malformed"),
        (needs_token, "401", "The bearer token is missing, unknown, expired or revoked"),
        (needs_token, "403", "The token may not do this"),
        (has_path, "404", "The name in the path is malformed, or nothing has it"),
        (kind == RouteKind::Bounded, "408", "It was not done in time"),
        (has_json, "413", "The body is too large"),
        (has_json, "415", "The body is not declared as JSON"),
        (has_json, "422", "The JSON does not match the schema, or what it asks for is refused"),
        (true, "500", "The control plane failed; its log says why"),
        (true, "503", "The database is locked or cannot be reached; try again"),
        (is_write, "507", "The disk of the control plane is full; nothing was changed"),
    ];
    let responses = &mut operation.responses.responses;
    for (_, status, description) in all.into_iter().filter(|(applies, ..)| *applies) {
        responses.entry(status.to_owned()).or_insert_with(|| problem_response(description));
    }
    if method == "GET" && needs_token && kind == RouteKind::Bounded {
        let unchanged = Response::new("It is the one named by `If-None-Match`");
        responses.entry("304".to_owned()).or_insert(RefOr::T(unchanged));
    }
}

/// Gives a documented refusal the media type it is sent with (RFC 9457), and says that a node file is a map.
fn correct_content(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    if let Some(RefOr::T(yaml)) = response.content.get_mut(YAML) {
        let map = ObjectBuilder::new().description(Some("`docs/reference/formats.md` describes it")).build();
        yaml.schema = Some(RefOr::T(Schema::Object(map)));
    }
    let is_problem = |content: &RefOr<Content>| {
        let RefOr::T(content) = content else { return false };
        matches!(&content.schema, Some(RefOr::Ref(schema)) if schema.ref_location.ends_with(PROBLEM_SCHEMA))
    };
    if response.content.get(JSON).is_some_and(is_problem)
        && let Some(content) = response.content.shift_remove(JSON)
    {
        response.content.insert(PROBLEM_JSON.to_owned(), content);
    }
}

fn problem_response(description: &str) -> RefOr<Response> {
    let content = Content::new(Some(Ref::from_schema_name(PROBLEM_SCHEMA)));
    RefOr::T(ResponseBuilder::new().description(description).content(PROBLEM_JSON, content).build())
}

/// The body of an upload is the file itself, under either media type.
fn describe_binary_body(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    let bytes = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .build();
    body.content.clear();
    for media_type in ["application/x-rpm", "application/octet-stream"] {
        body.content.insert(media_type.to_owned(), RefOr::T(Content::new(Some(bytes.clone()))));
    }
}

/// Says how large whole numbers that are not negative can be: `int64` numbers as large as it can hold, smaller ones as
/// large as 32 bits without a sign.
fn bound_numbers(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Object(object) => {
            let is_unsigned = match object.minimum {
                Some(Number::UInt(_)) => true,
                Some(Number::Int(minimum)) => minimum >= 0,
                Some(Number::Float(minimum)) => minimum >= 0.0,
                None => false,
            };
            if is_unsigned && object.maximum.is_none() {
                let is_32_bits = object.format == Some(SchemaFormat::KnownFormat(KnownFormat::Int32));
                object.maximum =
                    Some(Number::Int(if is_32_bits { u32::MAX as isize } else { i64::MAX as isize }));
                // What 32 bits hold without a sign is more than `int32` means.
                object.format = Some(SchemaFormat::KnownFormat(KnownFormat::Int64));
            }
            object.properties.values_mut().for_each(bound_numbers);
            if let Some(AdditionalProperties::RefOr(values)) = object.additional_properties.as_deref_mut() {
                bound_numbers(values);
            }
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                bound_numbers(items);
            }
        }
        Schema::OneOf(schemas) => schemas.items.iter_mut().for_each(bound_numbers),
        Schema::AllOf(schemas) => schemas.items.iter_mut().for_each(bound_numbers),
        Schema::AnyOf(schemas) => schemas.items.iter_mut().for_each(bound_numbers),
        _ => {}
    }
}
