//! The README shows programs that compile.

use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_readme_s_programs_are_the_examples() {
    let readme = read("../README.md");
    for example in ["central_system", "charge_point"] {
        let code = read(&format!("../examples/first-steps/src/bin/{example}.rs"));
        // Without the line that says how to run it from here.
        let (_, program) = code.split_once('\n').unwrap();
        assert!(readme.contains(&format!("```rust\n{program}```")), "the README's {example} differs from the example");
        assert!(program.lines().count() <= 36, "{example} has grown");
    }
}

#[test]
fn the_devices_are_as_short_as_it_says() {
    for program in
        [include_str!("../../examples/alink-device/src/main.rs"), include_str!("../../examples/alink-pile/src/main.rs")]
    {
        assert!(program.lines().count() < 150);
    }
}
