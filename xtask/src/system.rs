//! Running programs, and the one place that installs system packages.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace::cargo_program;

/// Runs `command` to its end, showing it first so that a failing step can be repeated by hand.
///
/// Nothing started here may ask questions: standard input is closed, as in continuous integration.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("starting {}", program(command)))?;
    if !status.success() {
        bail!("`{}`: {status}", shown(command));
    }
    Ok(())
}

/// Runs `command` without showing it and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("starting {}", program(command)))?;
    if !output.status.success() {
        bail!("`{}`: {}", shown(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("reading what `{}` printed", shown(command)))
}

/// Like [`output`], for a question whose answer may be "no such program" or a failure.
pub(crate) fn probe(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Makes sure that Debian's `packages` are installed; as root this installs those that are missing.
///
/// `why` says what needs them (it begins a sentence), for somebody who has to install them by hand.
pub(crate) fn ensure_system(packages: &[&str], why: &str) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let apt = probe(Command::new("apt-get").arg("--version")).is_some();
    if !(is_root() && apt) {
        bail!("{why} needs the Debian packages {names}; install them, for example: sudo apt-get install {names}");
    }
    run(apt_get().arg("update"))?;
    run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(&missing))
        .with_context(|| format!("{why} needs the Debian packages {names}"))
}

/// Whether this runs as root.
pub(crate) fn is_root() -> bool {
    probe(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_installed(package: &str) -> bool {
    probe(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package])).is_some_and(|s| s == "installed")
}

/// The command as one would type it, with the variables it sets but for `PATH`, which is long and says little.
fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value.filter(|_| name != "PATH") {
            words.push(format!("{}={}", name.display(), quoted(&value.to_string_lossy())));
        }
    }
    words.push(program(command));
    words.extend(command.get_args().map(|arg| quoted(&arg.to_string_lossy())));
    words.join(" ")
}

/// The cargo that started this program is just `cargo`: its path inside a toolchain is not what one would type.
fn program(command: &Command) -> String {
    let program = command.get_program();
    if program == cargo_program() { "cargo".to_owned() } else { program.to_string_lossy().into_owned() }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,./:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

#[cfg(test)]
mod tests {
    use super::{Command, cargo_program, run, shown};

    #[test]
    fn commands_are_shown_as_typed() {
        let mut command = Command::new(cargo_program());
        command.args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").env_remove("CARGO_PKG_NAME");
        assert_eq!(shown(&command), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("false").arg("--quietly")).unwrap_err();
        assert!(error.to_string().starts_with("`false --quietly`: exit status"), "{error}");
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "starting no-such-program");
    }
}
