//! The second part of docs/ref/control.md is made from the .varlink file; this test makes it
//! (`UPDATE_DOCS=1`) or checks it.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::{fmt::Write, fs, path::Path};

use streamd_protocol::control::DESCRIPTION;
use zlink::idl::{Comment, Field, Interface};

const MARK: &str = "<!-- made from the interface: UPDATE_DOCS=1 cargo test -p streamd-protocol --test reference -->\n";

fn words<'a>(comments: impl Iterator<Item = &'a Comment<'a>>) -> String {
    let lines: Vec<_> = comments.map(|c| c.text().trim()).collect();
    lines.join(" ")
}

/// `name: type, …`
fn list<'a>(fields: impl Iterator<Item = &'a Field<'a>>) -> String {
    let fields: Vec<_> = fields
        .map(|f| format!("{}: {}", f.name(), f.ty()))
        .collect();
    fields.join(", ")
}

fn made() -> String {
    let interface: Interface<'_> = DESCRIPTION.try_into().unwrap();
    let mut page = format!("\n{}\n\n### Methods\n", words(interface.comments()));
    for method in interface.methods() {
        let (inputs, outputs) = (list(method.inputs()), list(method.outputs()));
        let text = words(method.comments());
        let name = method.name();
        write!(page, "\n**{name}** `({inputs}) -> ({outputs})`\n\n{text}\n").unwrap();
    }
    page += "\n### Errors\n\n| error | parameters | |\n|---|---|---|\n";
    for error in interface.errors() {
        let (fields, text) = (list(error.fields()), words(error.comments()));
        writeln!(page, "| {} | `({fields})` | {text} |", error.name()).unwrap();
    }
    page += "\n### Types\n";
    for custom in interface.custom_types() {
        write!(page, "\n**{}**", custom.name()).unwrap();
        if let Some(symbols) = custom.as_enum() {
            let names: Vec<_> = symbols
                .variants()
                .map(|v| format!("`{}`", v.name()))
                .collect();
            let text = words(symbols.comments());
            writeln!(page, " is one of {}. {text}", names.join(", ")).unwrap();
        } else if let Some(object) = custom.as_object() {
            let text = words(object.comments());
            write!(page, ": {text}\n\n| field | type | |\n|---|---|---|\n").unwrap();
            for field in object.fields() {
                let text = words(field.comments());
                writeln!(page, "| {} | `{}` | {text} |", field.name(), field.ty()).unwrap();
            }
        }
    }
    page
}

#[test]
fn the_reference_is_made_from_the_interface() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/control.md");
    let page = fs::read_to_string(&path).unwrap();
    let (by_hand, generated) = page.split_once(MARK).expect("the page has the mark");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{by_hand}{MARK}{}", made())).unwrap();
        return;
    }
    assert!(
        generated == made(),
        "docs/ref/control.md is not what the interface says: run with UPDATE_DOCS=1"
    );
}
