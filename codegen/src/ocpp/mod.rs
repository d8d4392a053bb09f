//! The OCPP front-end: a folder of JSON Schemas and an index of the actions.

mod convert;
mod cycles;
mod index;

use std::collections::BTreeMap;
use std::path::Path;

use schemars::schema::RootSchema;

use crate::error::Error;
use crate::model::{Action, Protocol, Type};
use crate::names;
use convert::Converter;
use index::Index;

const INDEX: &str = "index.json";

/// The JSON files of a folder, by name.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<(String, String)>, Error> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io(folder))? {
        let path = entry.map_err(io(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".json")) else {
            continue;
        };
        files.push((name.to_owned(), std::fs::read_to_string(&path).map_err(io(&path))?));
    }
    if files.is_empty() {
        return Err(Error::Folder {
            file: folder.display().to_string(),
            problem: "no JSON files; name the folder that holds the schemas".to_owned(),
        });
    }
    files.sort();
    Ok(files)
}

/// Schemas by the names of their types.
#[cfg(feature = "typify")]
pub(crate) type Definitions = BTreeMap<String, serde_json::Value>;

/// The schemas of all messages and shared definitions.
#[cfg(feature = "typify")]
pub(crate) fn definitions(files: &[(String, String)]) -> Result<Definitions, Error> {
    // The model's own reading refuses what is ambiguous.
    let protocol = protocol(files)?;
    let mut all = Definitions::new();
    for (name, text) in files.iter().filter(|(name, _)| name != INDEX) {
        let mut schema: serde_json::Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|source| Error::Json { file: name.clone(), source })?;
        if let Some(serde_json::Value::Object(shared)) =
            schema.as_object_mut().and_then(|schema| schema.remove("definitions"))
        {
            all.extend(shared);
        }
        let stem = name.trim_end_matches(".json");
        let is_message = |action: &&Action| {
            stem == action.name
                || stem == format!("{}Request", action.name)
                || stem == format!("{}Response", action.name)
        };
        if let Some(action) = protocol.actions.iter().find(is_message) {
            let part = if stem.ends_with("Response") && stem != action.name { "Response" } else { "Request" };
            all.insert(format!("{}{part}", action.name), schema);
        }
    }
    Ok(all)
}

/// The messages of an action; a SEND has no response.
struct Pair<'f> {
    action: &'f str,
    request: &'f str,
    response: Option<&'f str>,
}

/// Reads files, sorted by name, into a protocol; the last `index.json` among them counts.
pub(crate) fn protocol(files: &[(String, String)]) -> Result<Protocol, Error> {
    let index = files.iter().rfind(|(name, _)| name == INDEX).map(|(_, text)| Index::read(text)).transpose()?;
    let mut schemas = BTreeMap::new();
    for (name, text) in files.iter().filter(|(name, _)| name != INDEX) {
        // The Open Charge Alliance's files begin with a byte order mark in places.
        let schema: RootSchema = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|source| Error::Json { file: name.clone(), source })?;
        schemas.insert(name.as_str(), schema);
    }
    let pairs = pairs(&schemas, index.as_ref())?;
    let index = index.unwrap_or_else(|| Index::without_file(pairs.iter().map(|pair| pair.action)));
    index.check(&pairs.iter().map(|pair| pair.action).collect::<Vec<_>>())?;

    let mut converter = Converter::new(&schemas, index.framing())?;
    let mut actions = Vec::new();
    let mut messages = Vec::new();
    for pair in &pairs {
        let name = names::type_name(pair.action).ok_or_else(|| Error::Folder {
            file: pair.request.to_owned(),
            problem: "the file's name cannot be the name of a Rust type; rename it".to_owned(),
        })?;
        let (request, response) = (format!("{name}Request"), pair.response.map(|_| format!("{name}Response")));
        messages.push(converter.message(&request, pair.request)?);
        if let (Some(response), Some(file)) = (&response, pair.response) {
            messages.push(converter.message(response, file)?);
        }
        let entry = index.action(pair.action);
        actions.push(Action {
            wire: entry.wire().to_owned(),
            doc: entry.doc(),
            from: entry.from.clone(),
            name,
            request,
            response,
            fresh: entry.fresh,
        });
    }
    let reserved = actions.iter().map(|action| (action.name.clone(), format!("the action {}", action.wire)));
    let mut secrets = index.secrets();
    let mut types: Vec<Type> = converter.finish(reserved.collect(), messages, &mut secrets)?;
    types.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(Protocol {
        title: index.title(),
        framing: index.framing(),
        subprotocols: index.subprotocols.clone(),
        roles: index.roles.clone(),
        actions,
        sync: Vec::new(),
        types,
        secrets,
    })
}

/// Finds the requests and responses among the files.
fn pairs<'f>(schemas: &BTreeMap<&'f str, RootSchema>, index: Option<&Index>) -> Result<Vec<Pair<'f>>, Error> {
    let mut pairs = Vec::new();
    for name in schemas.keys() {
        let Some(action) = name.strip_suffix("Response.json") else { continue };
        let candidates = [format!("{action}Request.json"), format!("{action}.json")];
        let request = candidates.iter().find_map(|candidate| schemas.get_key_value(candidate.as_str()));
        let Some((request, _)) = request else {
            return Err(Error::Folder {
                file: (*name).to_owned(),
                problem: format!("its request is missing: neither {} is there", candidates.join(" nor ")),
            });
        };
        pairs.push(Pair { action, request, response: Some(name) });
    }
    // What is left is a SEND, or must be a library of definitions.
    let requests_have_a_suffix = pairs.iter().any(|pair| pair.request.ends_with("Request.json"));
    for (name, schema) in schemas {
        let is_paired = |pair: &Pair<'_>| pair.request == *name || pair.response == Some(*name);
        if pairs.iter().any(is_paired) {
            continue;
        }
        let action = name.trim_end_matches(".json");
        let is_send = match index {
            Some(index) => index.is_send(action),
            // The folders of 2.1 end requests with `Request`, and a SEND with nothing.
            None => requests_have_a_suffix && !action.ends_with("Request") && schema.schema.object.is_some(),
        };
        if is_send {
            pairs.push(Pair { action, request: name, response: None });
        } else if schema.schema.object.is_some() || schema.definitions.is_empty() {
            let action = action.trim_end_matches("Request");
            return Err(Error::Folder {
                file: (*name).to_owned(),
                problem: format!("its response is missing: {action}Response.json is not there"),
            });
        }
    }
    if pairs.is_empty() {
        return Err(Error::Folder {
            file: "the folder".to_owned(),
            problem: "no action: an action X needs X.json (or XRequest.json) and XResponse.json".to_owned(),
        });
    }
    pairs.sort_by_key(|pair| pair.action);
    Ok(pairs)
}
