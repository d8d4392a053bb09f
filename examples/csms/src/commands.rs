//! What the program does beside serving: users, tokens, certificates.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;

use crate::config::Config;
use crate::durable::{self, Readers};
use crate::security::access::Role;
use crate::security::authority::{self, Authority};
use crate::security::passwords::{self, Passwords};
use crate::security::{issued, tokens, users};
use crate::store::Store;

/// What to do instead of serving. Flags of the server (--data, --database, --ca, ..) come before it.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The people who log in; works also while the server runs
    #[command(subcommand)]
    User(UserCommand),
    /// Tokens for programs; works also while the server runs
    #[command(subcommand)]
    Token(TokenCommand),
    /// Make a certificate authority to try security profiles 2 and 3, and a certificate of it for the server
    ///
    /// DIR gets ca.pem, ca.key, server.pem and server.key. If there is an authority in it already, it is kept, and so is
    /// the server's key; only the server's certificate is made anew.
    MakeCa {
        /// Where to.
        folder: PathBuf,
        /// A DNS name or an address of the server; repeat it for more [default: localhost and 127.0.0.1]
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
    },
    /// Issue a certificate, with its key, for a charge point that cannot make its own; needs --ca
    IssueCertificate {
        /// The charge point's identity.
        identity: String,
        /// Folder that gets IDENTITY.pem and IDENTITY.key [default: the working directory]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Revoke a charge point's certificate; works also while the server runs
    RevokeCertificate {
        /// Its serial number, hexadecimal; colons do not matter.
        serial: String,
    },
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Enter a user; the password is asked for, read from standard input, or the environment's
    /// CSMS_PASSWORD
    Add {
        /// With which they log in.
        name: String,
        /// What they may do.
        #[arg(long)]
        role: Role,
    },
    /// Change a user's password, read likewise, which ends their sessions
    Password {
        /// Whose.
        name: String,
    },
    /// Change what a user may do
    Role {
        /// Whose.
        name: String,
        /// What they may do.
        role: Role,
    },
    /// Remove a user
    Remove {
        /// Whom.
        name: String,
    },
    /// List users
    List,
}

/// What to do with API tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and print it; it is not shown again
    Add {
        /// What it is for.
        name: String,
        /// What it may do.
        #[arg(long)]
        role: Role,
    },
    /// Delete a token
    Remove {
        /// Its id.
        id: String,
    },
    /// List tokens, without what opens
    List,
}

/// Does it.
///
/// # Errors
/// What an operator has to mend.
pub async fn run(command: Command, config: &Config) -> Result<()> {
    let out = &mut std::io::stdout();
    match command {
        Command::MakeCa { folder, names } => make_ca(&folder, names, config, out),
        Command::User(command) => with_store(config, async |store| user(command, store, out).await).await,
        Command::Token(command) => with_store(config, async |store| token(command, store, out).await).await,
        Command::IssueCertificate { identity, out: folder } => {
            with_store(config, async |store| issue(&identity, folder, config, store, out).await).await
        }
        Command::RevokeCertificate { serial } => {
            let serial = serial.replace(':', "").to_ascii_lowercase();
            ensure!(serial.chars().all(|digit| digit.is_ascii_hexdigit()) && !serial.is_empty(), "no serial number");
            let serial = authority_serial(&serial);
            with_store(config, async |store| Ok(issued::revoke(store, &serial).await?)).await?;
            Ok(writeln!(out, "{serial} is revoked")?)
        }
    }
}

/// Without leading zero bytes, as the database has it.
fn authority_serial(digits: &str) -> String {
    let digits = digits.trim_start_matches('0');
    if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") }
}

async fn with_store(config: &Config, work: impl AsyncFnOnce(&Store) -> Result<()>) -> Result<()> {
    config.make_data_folder()?;
    let store = Store::open(&config.database).await?;
    let done = work(&store).await;
    store.close().await;
    done
}

async fn user(command: UserCommand, store: &Store, out: &mut impl Write) -> Result<()> {
    match command {
        UserCommand::Add { name, role } => {
            let hash = Passwords::default().hash(password()?).await?;
            users::add(store, &name, hash, role).await?;
            writeln!(out, "{name} may log in as {}", role.name())?;
        }
        UserCommand::Password { name } => {
            let hash = Passwords::default().hash(password()?).await?;
            users::change(store, &name, Some(hash), None).await?;
            writeln!(out, "{name} has another password")?;
        }
        UserCommand::Role { name, role } => {
            users::change(store, &name, None, Some(role)).await?;
            writeln!(out, "{name} is {}", role.name())?;
        }
        UserCommand::Remove { name } => {
            users::remove(store, &name).await?;
            writeln!(out, "{name} is removed")?;
        }
        UserCommand::List => {
            for user in users::list(store).await? {
                writeln!(out, "{}\t{}\tsince {}", user.name, user.role.name(), user.created_at)?;
            }
        }
    }
    Ok(())
}

async fn token(command: TokenCommand, store: &Store, out: &mut impl Write) -> Result<()> {
    match command {
        TokenCommand::Add { name, role } => {
            let (_, token) = tokens::add(store, &name, role, None).await?;
            writeln!(out, "{token}")?;
        }
        TokenCommand::Remove { id } => {
            ensure!(tokens::remove(store, &id).await?, "there is no such token");
            writeln!(out, "{id} is deleted")?;
        }
        TokenCommand::List => {
            for token in tokens::list(store).await? {
                let used = token.last_used_at.as_deref().unwrap_or("never");
                writeln!(out, "{}\t{}\t{}\tlast used {used}", token.id, token.name, token.role.name())?;
            }
        }
    }
    Ok(())
}

fn password() -> Result<String> {
    if let Ok(password) = std::env::var("CSMS_PASSWORD") {
        return Ok(password);
    }
    let password = match std::io::stdin().is_terminal() {
        true => typed()?,
        false => {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).context("cannot read the password")?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    passwords::check(&password)?;
    Ok(password)
}

/// At the terminal itself, which does not show it; twice, because nobody sees what was mistyped.
fn typed() -> Result<String> {
    let ask = |prompt: &str| rpassword::prompt_password(prompt).context("cannot read the password");
    let (password, again) = (ask("password: ")?, ask("once more: ")?);
    ensure!(password == again, "these are two different passwords");
    Ok(password)
}

/// Enters the user `admin` with the password in that file, unless there are users.
///
/// # Errors
/// A file that cannot be read, a password that is too short, a database that fails.
pub async fn first_admin(file: &Path, passwords: &Passwords, store: &Store) -> Result<()> {
    if !users::list(store).await?.is_empty() {
        return Ok(());
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let password = text.trim_end_matches(['\r', '\n']).to_owned();
    let hash = passwords.hash(password).await.with_context(|| format!("in {}", file.display()))?;
    users::add(store, "admin", hash, Role::Admin).await?;
    Ok(())
}

fn make_ca(folder: &Path, names: Vec<String>, config: &Config, out: &mut impl Write) -> Result<()> {
    let operator = config.cpo_name.as_deref().unwrap_or("onwire");
    let authority = match folder.join("ca.pem").exists() {
        true => Authority::open(folder)?,
        false => Authority::make(folder, operator)?,
    };
    let names = if names.is_empty() { vec!["localhost".to_owned(), "127.0.0.1".to_owned()] } else { names };
    let issued = authority.issue_server(&names, operator, &authority::key(&folder.join("server.key"))?)?;
    write(&folder.join("server.pem"), &issued.pem, Readers::Everybody)?;
    let shown = folder.display();
    writeln!(out, "charge points have to trust {shown}/ca.pem; {shown}/ca.key is worth protecting")?;
    writeln!(
        out,
        "csms --tls-listen 127.0.0.1:8443 --tls-certificate {shown}/server.pem --tls-key {shown}/server.key --ca {shown}"
    )?;
    Ok(())
}

fn write(path: &Path, text: &str, readers: Readers) -> Result<()> {
    durable::replace(path, text.as_bytes(), readers).with_context(|| format!("cannot write {}", path.display()))
}

async fn issue(
    identity: &str,
    folder: Option<PathBuf>,
    config: &Config,
    store: &Store,
    out: &mut impl Write,
) -> Result<()> {
    let Some(ca) = &config.ca else {
        bail!("say by --ca which authority is to issue it: csms --ca DIR issue-certificate")
    };
    let folder = folder.unwrap_or_default();
    let is_file_name = Path::new(identity).file_name().is_some_and(|name| name == identity);
    ensure!(is_file_name, "{identity:?} cannot be the name of a file");
    let (issued, key) = Authority::open(ca)?.issue(identity, config.cpo_name.as_deref(), config.certificate_days)?;
    issued::keep(store, identity, &issued).await?;
    if !folder.as_os_str().is_empty() {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let path = |ending: &str| folder.join(format!("{identity}.{ending}"));
    write(&path("key"), &key, Readers::Owner)?;
    write(&path("pem"), &issued.pem, Readers::Everybody)?;
    Ok(writeln!(out, "{} {}: serial number {}", path("pem").display(), path("key").display(), issued.serial)?)
}
