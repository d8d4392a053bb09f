//! The generator's readers: a file of somebody else's is generated from, or refused.

use onwire_schemas::{ALINK_TOPICS, THING};

/// A thing model is read, or refused; what is written of it is Rust.
pub fn thing_model(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    if let Ok(code) = onwire_codegen::alink_text("model.json", text).serde(false).code() {
        assert!(!code.contains("compile_error"), "{code}");
    }
}

/// A table of topics, the same way.
pub fn topic_table(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    if let Ok(code) = onwire_codegen::topics_text("table.json", text).code() {
        assert!(!code.contains("compile_error"), "{code}");
    }
}

pub(crate) fn thing_model_seeds() -> Vec<Vec<u8>> {
    const SMALL: [&str; 5] = [
        r#"{"properties":[{"identifier":"a","dataType":{"type":"int","specs":{"min":"0","max":"9","step":"1"}}}]}"#,
        r#"{"properties":[{"identifier":"m:b","dataType":{"type":"double","specs":{"min":"-4.9E-324","step":"0.01"}}},
            {"identifier":"c","dataType":{"type":"array","specs":{"size":"5","item":{"type":"struct","specs":[
            {"identifier":"d","dataType":{"type":"text","specs":{"length":"8"}}}]}}}}]}"#,
        r#"{"properties":[{"identifier":"e","accessMode":"rw","dataType":{"type":"enum","specs":{"0":"On","7":"Off"}}},
            {"identifier":"f","dataType":{"type":"bool","specs":{"0":"no","1":"yes"}}}],
            "services":[{"identifier":"get","inputData":["e"]},{"identifier":"set","inputData":[]}]}"#,
        r#"{"events":[{"identifier":"g","type":"alert","method":"thing.event.g.post","outputData":[
            {"identifier":"h","dataType":{"type":"date"}}]}]}"#,
        r#"{"functionBlockId":"m","services":[{"identifier":"i","callType":"sync","inputData":[
            {"identifier":"type","dataType":{"type":"float"}}],"outputData":[]}]}"#,
    ];
    let carried = THING.iter().map(|file| file.text).filter(|text| text.len() < 16 * 1024);
    SMALL.into_iter().chain(carried).map(|text| text.as_bytes().to_vec()).collect()
}

pub(crate) fn topic_table_seeds() -> Vec<Vec<u8>> {
    const SMALL: &str = r#"{"doc":"","names":[{"name":"p","doc":""},{"name":"d","doc":""}],"reserved":["a/{rest..}"],"topics":[
        {"name":"A","doc":"","fields":[{"name":"x","doc":""}],"rows":[{"pattern":"a/{p}/{d}/{x..}","from":["Device"],
            "answer":"a/{p}/{d}/{x..}_b","method":"m.{x}","framed":true,"paths":[{"path":"c/{y}","from":"Device"}]}]},
        {"name":"B","doc":"","fields":[{"name":"x","doc":""}],"rows":[{"pattern":"a/{p}/{d}/{x..}_b","from":["Platform"]}]},
        {"name":"C","doc":"","fields":[{"name":"k","type":"bool","doc":""}],"rows":[
            {"pattern":"c/{p}","set":{"k":true},"from":["Device"]},{"pattern":"d/{p}/{d}","set":{"k":false},"from":["Device"]}]}]}"#;
    [SMALL, ALINK_TOPICS.text].map(|text| text.as_bytes().to_vec()).to_vec()
}
