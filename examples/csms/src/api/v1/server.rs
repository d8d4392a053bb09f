//! The server itself, and the switch that closes it.

use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::Json;
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::security::access::{Actor, ActorKind, Admin, Role, Viewer};
use crate::store::Kind;
use crate::store::records::audit::{self, NewEntry};
use crate::store::records::columns::Time;
use crate::store::records::settings::{self, UNKNOWN_CHARGE_POINTS, UNKNOWN_ID_TAGS};
use crate::time;

/// `/server`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(read, change))
}

/// The server.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// Of the program.
    name: &'static str,
    /// Of the program.
    version: &'static str,
    /// Whether unknown charge points and unknown id tags are accepted.
    open: bool,
    /// Whether unknown charge points are accepted.
    unknown_charge_points: bool,
    /// Whether unknown id tags are accepted.
    unknown_id_tags: bool,
    /// Whether one has to log in.
    authentication: bool,
    /// Where it is reached.
    urls: Urls,
    /// Now.
    time: Time,
    /// How many charge points are connected.
    connected: usize,
    /// Which database it has.
    database: Database,
    /// Who asks; `null` where nobody has to log in.
    user: Option<User>,
    /// What requests of the page that change something have to carry in the header `X-CSRF-Token`.
    csrf: Option<String>,
}

/// Where the server is reached.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Urls {
    /// By charge points, which append their identity.
    ocpp: Vec<String>,
}

/// A kind of database.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// Who asks.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Of the user or of the token.
    name: String,
    /// What they may do.
    role: Role,
}

/// What is to be changed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerChange {
    /// Both at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<bool>,
    /// Whether unknown charge points are accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_charge_points: Option<bool>,
    /// Whether unknown id tags are accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_id_tags: Option<bool>,
}

fn server(app: &SharedApp, actor: &Actor) -> Server {
    let (unknown_charge_points, unknown_id_tags) =
        (app.policy.accepts_unknown_charge_points(), app.policy.accepts_unknown_id_tags());
    let user = |name: &str| Some(User { name: name.to_owned(), role: actor.role });
    let (user, csrf) = match &actor.kind {
        ActorKind::Open => (None, None),
        ActorKind::User { name, csrf } => (user(name), Some(csrf.clone())),
        ActorKind::Token { name } => (user(name), None),
    };
    Server {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        open: unknown_charge_points && unknown_id_tags,
        unknown_charge_points,
        unknown_id_tags,
        authentication: actor.kind != ActorKind::Open,
        urls: Urls { ocpp: app.urls.clone() },
        time: Time(time::now()),
        connected: app.peers.len(),
        database: match app.store.kind() {
            Kind::Sqlite => Database::Sqlite,
            Kind::Postgres => Database::Postgres,
        },
        user,
        csrf,
    }
}

/// The server, and who asks.
#[utoipa::path(get, path = "/server", tag = "server", responses((status = OK, body = Server)))]
async fn read(Viewer(actor): Viewer, State(app): State<SharedApp>) -> Answer<Server> {
    Answer(server(&app, &actor))
}

/// Opens or closes the server for charge points and id tags that nobody has entered.
#[utoipa::path(patch, path = "/server", tag = "server", request_body = ServerChange,
    responses((status = OK, body = Server)))]
async fn change(
    Admin(actor): Admin,
    State(app): State<SharedApp>,
    Json(change): Json<ServerChange>,
) -> Result<Answer<Server>, Problem> {
    let charge_points = change.unknown_charge_points.or(change.open);
    let id_tags = change.unknown_id_tags.or(change.open);
    let entry = NewEntry::done(&actor, "change", "server", &serde_json::json!(change));
    let changing = app.policy.changing().await;
    let write = app.store.write(move |db| {
        Box::pin(async move {
            for (name, on) in [(UNKNOWN_CHARGE_POINTS, charge_points), (UNKNOWN_ID_TAGS, id_tags)] {
                if let Some(on) = on {
                    settings::turn(db, name, on).await?;
                }
            }
            audit::enter(db, entry).await
        })
    });
    write.await?;
    app.policy.set(charge_points, id_tags);
    drop(changing);
    Ok(Answer(server(&app, &actor)))
}
