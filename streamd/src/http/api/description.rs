//! The description of the API by OpenAPI 3.1, made from its table and the types of its messages.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::operation::{MakeSchema, OPERATIONS, Operation, Verb};

/// Where the document keeps the types that others name.
const TYPES: &str = "#/components/schemas/";

/// The document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = TYPES.trim_start_matches('#').trim_end_matches('/').into();
    });
    let mut types = settings.into_generator();
    let mut paths = Map::new();
    paths.insert(
        "/api/v1/session".into(),
        json!({ "get": {
            "summary": "Who asks, and what they may",
            "responses": { "200": content(&session()) },
        } }),
    );
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[verb(operation.verb)] = described(operation, &mut types);
    }
    let schemas = types.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "streamd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Watches and changes a running streamd, as far as an operator may.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }, { "basic": [] }, {}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "failed": failed() },
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any user; the token is the password.",
                },
            },
        },
    })
}

fn described(operation: &Operation, types: &mut SchemaGenerator) -> Value {
    let mut described = json!({
        "summary": operation.summary,
        "responses": {
            "200": answer(operation, types),
            "default": { "$ref": "#/components/responses/failed" },
        },
    });
    let mut parameters = Vec::new();
    for (name, kind) in [("camera", "string"), ("id", "integer")] {
        if operation.path.contains(&format!("{{{name}}}")) {
            let schema = json!({ "type": kind });
            parameters
                .push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
    }
    if operation.verb == Verb::Delete {
        let schema = json!({ "type": "string", "maxLength": 200 });
        parameters.push(json!({ "name": "reason", "in": "query", "schema": schema }));
    }
    described["parameters"] = parameters.into();
    if let Some((request, in_address)) = operation.request {
        let body = without(schema_inline(request, types), in_address);
        described["requestBody"] = content(&body);
        described["requestBody"]["required"] = true.into();
    }
    described
}

/// What is answered; of a stream, the data of each event.
fn answer(operation: &Operation, types: &mut SchemaGenerator) -> Value {
    let schema = schema(operation.reply, types);
    match operation.is_stream {
        false => content(&schema),
        true => json!({
            "description": "The data of each event is JSON of this type; it has no end.",
            "content": { "text/event-stream": { "schema": schema } },
        }),
    }
}

/// As OpenAPI calls it.
fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::Patch => "patch",
        Verb::Delete => "delete",
    }
}

fn schema(make: MakeSchema, types: &mut SchemaGenerator) -> Value {
    make(types).to_value()
}

/// A type itself, where [`schema`] only names it.
fn schema_inline(make: MakeSchema, types: &mut SchemaGenerator) -> Value {
    let named = schema(make, types);
    let name = named["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix(TYPES));
    // It is no type of the document: nothing names it but this.
    let own = name.and_then(|name| types.definitions_mut().remove(name));
    own.unwrap_or(named)
}

/// A type without what stands in the address.
fn without(mut schema: Value, field: &str) -> Value {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.remove(field);
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != field);
    }
    schema
}

fn content(schema: &Value) -> Value {
    json!({ "description": "", "content": { "application/json": { "schema": schema } } })
}

fn session() -> Value {
    json!({
        "type": "object",
        "required": ["name", "roles", "camera", "mayChange", "webrtc"],
        "properties": {
            "name": { "type": "string", "description": "The token's; empty for who shows none." },
            "roles": { "type": "array", "items": { "enum": ["viewer", "operator", "metrics"] } },
            "camera": { "type": "string", "description": "The one that the token is for; empty for all." },
            "mayChange": { "type": "boolean" },
            "webrtc": { "type": "boolean", "description": "Whether `/whep` answers offers." },
        },
    })
}

fn failed() -> Value {
    let error = json!({
        "type": "object",
        "required": ["code", "message", "parameters"],
        "properties": {
            "code": { "type": "string", "description": "The control socket's name of it." },
            "message": { "type": "string", "description": "For people." },
            "parameters": { "type": "object" },
        },
    });
    let mut failed = content(&json!({
        "type": "object", "required": ["error"], "properties": { "error": error },
    }));
    failed["description"] =
        "It failed. What is refused before it is a call has a line of text.".into();
    failed
}
