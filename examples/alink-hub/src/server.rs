//! From start to graceful end.

use std::future::Future;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::app::{App, Brake, SharedApp};
use crate::changes::Changes;
use crate::config::{Command, Config, TokenCommand};
use crate::durable::private_folder;
use crate::entered::Entered;
use crate::front::Front;
use crate::link::Link;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::mqtt;
use crate::platform::allowance::Allowance;
use crate::platform::calls::Calls;
use crate::platform::repeated::Repeated;
use crate::platform::upload;
use crate::security::guard::guard;
use crate::security::seal::Seal;
use crate::store::log::{self, New, Source};
use crate::store::{Store, products, retention, tokens};
use crate::{api, model, open_files, serving, web};

/// How long requests that are under way may take when the hub ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long what they have done may take to be written down after that.
const LAST: Duration = Duration::from_secs(5);

/// Starts the program's own log, to standard error; `RUST_LOG` chooses what is written.
pub(crate) fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// Serves until `end` is ready, then completes what is under way.
///
/// # Errors
/// What an operator has to mend.
pub(crate) async fn run(config: Config, end: impl Future<Output = ()>) -> Result<()> {
    open_files::raise_limit();
    for folder in [&config.data, &config.models, &config.data.join("firmware"), &config.data.join("uploads")] {
        private_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let models = model::read_folder(&config.models)?;
    if models.is_empty() {
        tracing::warn!(folder = %config.models.display(), "there is no thing model: no product, and so no device");
    }
    let store = Store::open(&config.database).await?;
    upload::sweep(&store, &config.data).await.context("cannot look through the files that devices have uploaded")?;
    let seal = Seal::open(&config.data)?;
    for product_key in models.keys() {
        products::enter(&store, &seal, product_key).await?;
    }
    let listener = TcpListener::bind(config.http).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", config.http))?;
    let devices = Front::open(&config, models.keys().cloned()).await?;
    let http_address = listener.local_addr()?;
    let (ending, ends) = watch::channel(false);
    let app = Arc::new(App {
        public_url: config.public_url.clone().unwrap_or_else(|| format!("http://{http_address}")),
        calls: Calls::new(&models),
        peers: devices.peers(),
        entered: Entered::read(&store).await?,
        link: Link::default(),
        repeated: Repeated::default(),
        allowance: Allowance::default(),
        changes: Changes::default(),
        live: Live::default(),
        metrics: Metrics::default(),
        notes: Brake::default(),
        has_tokens: AtomicBool::new(false),
        config,
        store,
        seal,
        models,
        ends,
    });
    app.check_exposure().await?;
    let (sense, sensed) = mqtt::senses(app.metrics.messages());
    let following = tokio::spawn(mqtt::follow(Arc::clone(&app), app.peers.events(), sensed));
    for url in devices.urls()? {
        println!("devices connect to {url}");
    }
    let mut devices = tokio::spawn(devices.serve(sense, Arc::clone(&app)));
    let old = tokio::spawn({
        let app = Arc::clone(&app);
        async move { retention::keep_for(&app.store, &app.config).await }
    });
    println!("the page is at http://{http_address}/");
    let router = router(&app);
    let mut stops = app.ends.clone();
    let stopped = async move { drop(stops.wait_for(|ends| *ends).await) };
    let serving = tokio::spawn(serving::serve(listener, router, app.config.connections_per_address, stopped));
    let ended = tokio::select! {
        () = end => Ok(()),
        // What no attempt can mend.
        ended = &mut devices => ended?,
    };
    let _ = ending.send(true);
    let requests = async {
        let served = serving.await;
        app.changes.ended().await;
        served
    };
    match tokio::time::timeout(PATIENCE, requests).await {
        Ok(served) => served?,
        Err(_) => tracing::warn!("some requests do not end; they are cut short"),
    }
    // The listener sets its own limits to how long devices may take.
    if !devices.is_finished() {
        devices.await??;
    }
    // Whoever waited for a device is told that it is gone, which is written down before the database is closed.
    let _ = tokio::time::timeout(LAST, app.changes.ended()).await;
    old.abort();
    following.await?;
    app.store.close().await;
    // Whoever read the addresses may be gone by now.
    let _ = writeln!(std::io::stdout(), "stopped");
    ended
}

/// Everything that is spoken over HTTP.
fn router(app: &SharedApp) -> Router {
    let router = Router::new().merge(api::router()).merge(web::router());
    router.layer(middleware::from_fn_with_state(Arc::clone(app), guard)).with_state(Arc::clone(app))
}

/// Does something else than serving.
///
/// # Errors
/// Those of the database; a name that is taken, or is none.
pub(crate) async fn command(command: Command, config: &Config) -> Result<()> {
    private_folder(&config.data).with_context(|| format!("cannot make {}", config.data.display()))?;
    let store = Store::open(&config.database).await?;
    let Command::Token(command) = command;
    match command {
        TokenCommand::Add { name, role } => match tokens::add(&store, &name, role).await? {
            Some(token) => {
                println!("{token}");
                note(&store, format!("command line: a token {name} ({}) was made", role.name())).await?;
            }
            None => bail!("there is a token of that name"),
        },
        TokenCommand::List => {
            for (name, role) in tokens::list(&store).await? {
                println!("{name} {role}");
            }
        }
        TokenCommand::Remove { name } => {
            if !tokens::remove(&store, &name).await? {
                bail!("there is no token of that name");
            }
            note(&store, format!("command line: the token {name} was removed")).await?;
        }
    }
    store.close().await;
    Ok(())
}

/// Writes down what the command line has changed.
async fn note(store: &Store, content: String) -> Result<()> {
    let entry = New { source: Source::Api, level: "info".to_owned(), details: None, content };
    Ok(log::add(store, ("", ""), vec![entry]).await?)
}

/// Ready when the process is asked to end: ctrl-c, or SIGTERM where there is such.
pub(crate) fn signals() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    async move {
        #[cfg(unix)]
        if let Ok(mut terminate) = terminate {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        drop(tokio::signal::ctrl_c().await);
    }
}
