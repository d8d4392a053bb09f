//! `cargo xtask flash`: how much of a device's flash the generated codec of OCPP 1.6 takes.
//!
//! `tests/flash` is linked as a firmware image for a charge point, again and again with other messages in it. What
//! a message takes is what an image with it weighs more than one without; sizes of symbols alone would leave out
//! constants, and count twice what two messages share.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::no_std::cargo_build;
use crate::system::{ensure_system, output, probe, run as run_command};
use crate::workspace::Workspace;

const TARGET: &str = "thumbv7em-none-eabihf";
const LINKER: &str = "arm-none-eabi-ld";
const LINKER_VARIABLE: &str = "CARGO_TARGET_THUMBV7EM_NONE_EABIHF_LINKER";

/// What all actions may take together, both directions.
const GOAL: u64 = 32 * 1024;

/// Other builds of the image with all messages: a name, and what cargo is told on top.
const VARIANTS: [(&str, &[&str]); 1] = [("opt-level \"s\"", &["--config", "profile.release.opt-level=\"s\""])];

/// Weighs and prints; `totals` leaves out the actions one by one.
pub(crate) fn run(workspace: &Workspace, totals: bool, symbols: usize) -> Result<()> {
    if probe(workspace.command(LINKER).arg("--version")).is_none() {
        ensure_system(&["binutils-arm-none-eabi"], "linking for a microcontroller")?;
    }
    let actions = actions(workspace)?;
    let all: Vec<&str> = actions.iter().flat_map(Action::messages).collect();
    let only = |operation: &str| all.iter().copied().filter(|message| message.starts_with(operation)).collect();
    let (decoded, encoded): (Vec<&str>, Vec<&str>) = (only("decode:"), only("encode:"));

    let images = Images::new(workspace)?;
    // Shown, as it builds everything that the other images only link.
    run_command(&mut images.build(&[], &[])?)?;
    let base = images.weigh(&[], &[])?;
    let common = images.symbols()?;
    let decode = images.weigh(&decoded, &[])?;
    let encode = images.weigh(&encoded, &[])?;
    let both = images.weigh(&all, &[])?;
    let largest = images.symbols()?;

    println!("\nCodec of OCPP 1.6, charge point, {} actions, {TARGET}, opt-level \"z\", fat LTO:\n", actions.len());
    println!("{:<28}{:>8}{:>11}{:>7}{:>8}{:>12}", "image", "code", "constants", "data", "bytes", "codec alone");
    let row = |name: &str, weight: Weight, base: Weight| {
        let Weight { code, constants, data } = weight;
        let codec = weight.bytes().saturating_sub(base.bytes());
        println!("{name:<28}{code:>8}{constants:>11}{data:>7}{:>8}{codec:>12}", weight.bytes());
    };
    row("base: entry and allocator", base, base);
    row("decode only", decode, base);
    row("encode only", encode, base);
    row("decode and encode", both, base);
    for (name, options) in VARIANTS {
        let without = images.weigh(&[], options)?;
        row(name, images.weigh(&all, options)?, without);
    }
    println!("\n{}", verdict(both.bytes().saturating_sub(base.bytes())));

    println!("\nDevices over MQTT, the same way:\n");
    for (name, bin) in [("MQTT 3.1.1 client", "mqtt"), ("Alink: login, session, model", "alink")] {
        row(name, images.weigh_bin(bin)?, base);
    }

    println!("\nLargest symbols that the base has not, in bytes:\n");
    let known: HashSet<&str> = common.iter().map(|(_, name)| name.as_str()).collect();
    for (bytes, name) in largest.iter().filter(|(_, name)| !known.contains(name.as_str())).take(symbols) {
        println!("{bytes:>8}  {name}");
    }
    if totals { Ok(()) } else { print_actions(&images, &actions, base, both) }
}

/// One line for each action, the largest first.
fn print_actions(images: &Images<'_>, actions: &[Action], base: Weight, all: Weight) -> Result<()> {
    let mut rows = Vec::new();
    for action in actions {
        let messages: Vec<&str> = action.messages().collect();
        let others: Vec<&str> =
            actions.iter().filter(|other| other.name != action.name).flat_map(Action::messages).collect();
        let alone = images.weigh(&messages, &[])?.bytes().saturating_sub(base.bytes());
        let adds = all.bytes().saturating_sub(images.weigh(&others, &[])?.bytes());
        rows.push((adds, alone, action));
    }
    rows.sort_by_key(|(adds, ..)| std::cmp::Reverse(*adds));
    println!("\nWhat each action adds to the other {}, and what it takes alone, in bytes:\n", actions.len() - 1);
    println!("{:<32}{:>8}{:>8}", "action", "adds", "alone");
    for (adds, alone, action) in &rows {
        println!("{:<32}{adds:>8}{alone:>8}", action.name);
    }
    let added: u64 = rows.iter().map(|(adds, ..)| adds).sum();
    let shared = all.bytes().saturating_sub(base.bytes() + added);
    println!("{:<32}{added:>8}\n{:<32}{shared:>8}", "sum", "shared by two or more");
    Ok(())
}

fn verdict(bytes: u64) -> String {
    match bytes.checked_sub(GOAL) {
        None | Some(0) => format!("onwire: {bytes} bytes, within the goal of {GOAL}"),
        Some(excess) => format!("onwire: {bytes} bytes, {excess} over the goal of {GOAL}"),
    }
}

/// An action as a charge point sees it.
struct Action {
    name: String,
    /// As `tests/flash/build.rs` takes them: `decode:ResetRequest`.
    messages: Vec<String>,
}

impl Action {
    fn messages(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().map(String::as_str)
    }
}

/// The actions of the index, but for the security extension's.
fn actions(workspace: &Workspace) -> Result<Vec<Action>> {
    let path = workspace.path("schemas/ocpp1.6/index.json");
    let index = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let index: Value = serde_json::from_str(&index).with_context(|| format!("reading {}", path.display()))?;
    let list = index.get("actions").and_then(Value::as_array).context("the index has no list of actions")?;
    list.iter()
        .filter(|action| action.get("profile").and_then(Value::as_str) != Some("Security"))
        .map(|action| as_charge_point(action).context("an action of the index has no name, or says not who sends it"))
        .collect()
}

fn as_charge_point(action: &Value) -> Option<Action> {
    let name = action.get("name")?.as_str()?;
    let callers = action.get("from")?.as_array()?;
    let mut messages = Vec::new();
    if callers.iter().any(|caller| caller == "ChargePoint") {
        messages.extend([format!("encode:{name}Request"), format!("decode:{name}Response")]);
    }
    if callers.iter().any(|caller| caller == "CentralSystem") {
        messages.extend([format!("decode:{name}Request"), format!("encode:{name}Response")]);
    }
    Some(Action { name: name.to_owned(), messages })
}

/// Makes one image after the other, each in the place of the last.
struct Images<'w> {
    workspace: &'w Workspace,
    target_dir: PathBuf,
}

impl<'w> Images<'w> {
    fn new(workspace: &'w Workspace) -> Result<Self> {
        Ok(Self { workspace, target_dir: workspace.target_dir("flash")? })
    }

    /// The command that makes the image with `messages`.
    fn build(&self, messages: &[&str], options: &[&str]) -> Result<Command> {
        let mut command = cargo_build(self.workspace, TARGET)?;
        command.args(["--release", "--manifest-path", "tests/flash/Cargo.toml"]).args(options);
        command.env("CARGO_TARGET_DIR", &self.target_dir).env(LINKER_VARIABLE, LINKER);
        command.env("ONWIRE_FLASH", messages.join(" "));
        Ok(command)
    }

    fn weigh(&self, messages: &[&str], options: &[&str]) -> Result<Weight> {
        output(self.build(messages, options)?.arg("--quiet"))?;
        let sections = output(self.workspace.command("arm-none-eabi-size").arg("--format=sysv").arg(self.image()))?;
        Ok(Weight::of(&sections))
    }

    /// Weighs another of the package's images, which has nothing to choose.
    fn weigh_bin(&self, bin: &str) -> Result<Weight> {
        output(self.build(&[], &["--features", "alink", "--bin", bin])?.arg("--quiet"))?;
        let image = self.target_dir.join(TARGET).join("release").join(bin);
        let sections = output(self.workspace.command("arm-none-eabi-size").arg("--format=sysv").arg(image))?;
        Ok(Weight::of(&sections))
    }

    /// What the last image holds in flash, the largest first: bytes and name.
    fn symbols(&self) -> Result<Vec<(u64, String)>> {
        let mut nm = self.workspace.command("arm-none-eabi-nm");
        nm.args(["--print-size", "--size-sort", "--reverse-sort", "--radix=d", "--demangle"]);
        Ok(output(nm.arg(self.image()))?.lines().filter_map(symbol).collect())
    }

    fn image(&self) -> PathBuf {
        self.target_dir.join(TARGET).join("release/onwire-flash")
    }
}

/// A line of nm: address, bytes, kind, name.
fn symbol(line: &str) -> Option<(u64, String)> {
    let mut words = line.splitn(4, ' ');
    let (_, bytes, kind, name) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let in_flash = !kind.eq_ignore_ascii_case("b");
    in_flash.then_some((bytes.parse().ok()?, name.to_owned()))
}

/// The bytes that an image takes of the flash.
#[derive(Clone, Copy)]
struct Weight {
    code: u64,
    constants: u64,
    /// Variables that do not begin as zero: flash holds what they begin as.
    data: u64,
}

impl Weight {
    /// Sums up what `size` lists: name, bytes and address of each section.
    fn of(sections: &str) -> Self {
        let bytes = |names: &[&str]| -> u64 {
            let listed = sections.lines().filter_map(|line| {
                let mut words = line.split_whitespace();
                let named = words.next().is_some_and(|name| names.contains(&name));
                named.then(|| words.next()?.parse::<u64>().ok())?
            });
            listed.sum()
        };
        Self {
            code: bytes(&[".vector_table", ".text"]),
            constants: bytes(&[".rodata", ".ARM.exidx", ".ARM.extab"]),
            data: bytes(&[".data"]),
        }
    }

    fn bytes(self) -> u64 {
        self.code + self.constants + self.data
    }
}

#[cfg(test)]
mod tests {
    use super::{Weight, as_charge_point, symbol, verdict};
    use serde_json::json;

    #[test]
    fn what_ends_in_flash_is_summed_up() {
        let sections = "image  :\nsection  size  addr\n.vector_table 1024 0\n.text 20 1024\n.rodata 4 1044\n\
                        .data 8 536870912\n.bss 65536 536870920\n.comment 74 0\nTotal 66666\n\n";
        let weight = Weight::of(sections);
        assert_eq!((weight.code, weight.constants, weight.data, weight.bytes()), (1044, 4, 8, 1056));
    }

    #[test]
    fn symbols_of_variables_that_begin_as_zero_are_in_no_flash() {
        assert_eq!(symbol("00001024 00000020 t <A as B>::c"), Some((20, "<A as B>::c".to_owned())));
        assert_eq!(symbol("00001024 00000020 b HEAP"), None);
    }

    #[test]
    fn a_charge_point_reads_requests_that_it_receives_and_responses_to_its_own() {
        let action = |from| as_charge_point(&json!({ "name": "A", "from": from })).unwrap().messages;
        assert_eq!(action(json!(["ChargePoint"])), ["encode:ARequest", "decode:AResponse"]);
        assert_eq!(action(json!(["CentralSystem"])), ["decode:ARequest", "encode:AResponse"]);
        assert_eq!(action(json!(["CentralSystem", "ChargePoint"])).len(), 4);
    }

    #[test]
    fn the_goal_itself_is_within_it() {
        assert_eq!(verdict(32_768), "onwire: 32768 bytes, within the goal of 32768");
        assert_eq!(verdict(32_770), "onwire: 32770 bytes, 2 over the goal of 32768");
    }
}
