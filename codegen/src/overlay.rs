//! Overlays: JSON merge patches of schema files.

use serde_json::Value;

use crate::error::Error;

/// Applies each patch to the file of its name.
pub(crate) fn apply(files: &mut [(String, String)], patches: &[(String, String)]) -> Result<(), Error> {
    for (name, patch) in patches {
        let Some((_, text)) = files.iter_mut().find(|(file, _)| file == name) else {
            let problem = "an overlay of no schema: its name is that of the file it changes".to_owned();
            return Err(Error::Folder { file: name.clone(), problem });
        };
        let read = |text: &str| {
            serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}'))
                .map_err(|source| Error::Json { file: name.clone(), source })
        };
        let mut schema = read(text)?;
        merge(&mut schema, read(patch)?);
        *text = schema.to_string();
    }
    Ok(())
}

/// RFC 7396 §2.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            // The order of what stays is the order of constructors' parameters.
            target.shift_remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}
