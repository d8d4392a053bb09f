//! Id tags.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::change::given;
use crate::api::extract::{Json, Path, Query};
use crate::api::page::{Page, Paging};
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::security::access::{Actor, Admin, Operator, Viewer};
use crate::store::folded;
use crate::store::records::audit::{self, NewEntry};
use crate::store::records::columns::{Flag, Time};
use crate::store::records::id_tags::{self, Filter, IdTag, IdTagStatus};
use crate::time;

/// Longer than OCPP 1.6 allows: some charge points send what they read from a card, whatever its length.
const LONGEST: usize = 255;

/// For people.
const LONGEST_NOTE: usize = 1000;

/// `/id-tags`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, put, change, remove))
}

/// Which tags are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Those of that status.
    #[param(inline)]
    status: Option<IdTagStatus>,
    /// Those of that group.
    group: Option<String>,
    /// Those with that text in tag, parent or note.
    q: Option<String>,
}

/// What can be said of a tag.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdTagContent {
    /// Whether it may charge.
    #[serde(default)]
    status: IdTagStatus,
    /// From when on it may no longer.
    expiry_date: Option<Time>,
    /// The tag of its group: tags with one parent may end each other's transactions.
    #[schema(min_length = 1, max_length = 20, pattern = r"^[^\x00-\x1f\x7f]+$")]
    parent_id_tag: Option<String>,
    /// A name to sort tags by.
    #[schema(max_length = 1000)]
    group: Option<String>,
    /// Anything.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// A tag that an operator enters.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewIdTag {
    /// The tag; compared without case. With more than 20 characters (`tooLong`) it is never sent to a charge point.
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f]+$")]
    id_tag: String,
    /// Whether it may charge.
    #[serde(default)]
    status: IdTagStatus,
    /// From when on it may no longer.
    expiry_date: Option<Time>,
    /// The tag of its group: tags with one parent may end each other's transactions.
    #[schema(min_length = 1, max_length = 20, pattern = r"^[^\x00-\x1f\x7f]+$")]
    parent_id_tag: Option<String>,
    /// A name to sort tags by.
    #[schema(max_length = 1000)]
    group: Option<String>,
    /// Anything.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// What is to be changed; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdTagChange {
    /// Whether it may charge.
    status: Option<IdTagStatus>,
    /// From when on it may no longer; `null`: it always may.
    #[serde(default, deserialize_with = "given")]
    expiry_date: Option<Option<Time>>,
    /// The tag of its group; `null`: it has none.
    #[serde(default, deserialize_with = "given")]
    #[schema(min_length = 1, max_length = 20, pattern = r"^[^\x00-\x1f\x7f]+$")]
    parent_id_tag: Option<Option<String>>,
    /// A name to sort tags by; `null`: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 1000)]
    group: Option<Option<String>>,
    /// Anything; `null`: nothing.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 1000)]
    note: Option<Option<String>>,
}

fn judge_tag(pointer: &str, tag: &str, longest: usize) -> Result<(), Problem> {
    let length = tag.chars().count();
    if length == 0 || length > longest || tag.chars().any(char::is_control) {
        let detail = format!("from 1 to {longest} characters, none of them a control character");
        return Err(Problem::invalid_payload(pointer, detail));
    }
    Ok(())
}

fn judge(content: &IdTagContent) -> Result<(), Problem> {
    content.parent_id_tag.as_deref().map_or(Ok(()), |parent| judge_tag("/parentIdTag", parent, id_tags::ID_TOKEN))?;
    for (pointer, text) in [("/group", &content.group), ("/note", &content.note)] {
        if text.as_ref().is_some_and(|text| text.chars().count() > LONGEST_NOTE) {
            return Err(Problem::invalid_payload(pointer, "longer than 1000 characters"));
        }
    }
    Ok(())
}

fn unknown(id_tag: &str) -> Problem {
    Problem::not_found(format!("there is no id tag {id_tag:?}"))
}

fn tag(id_tag: &str, content: IdTagContent, created_at: Time) -> IdTag {
    IdTag {
        folded: folded(id_tag),
        id_tag: id_tag.to_owned(),
        status: content.status.as_str().to_owned(),
        expiry_at: content.expiry_date,
        parent_id_tag: content.parent_id_tag,
        tag_group: content.group,
        note: content.note,
        created_at,
        too_long: Flag(i64::from(id_tags::is_too_long(id_tag))),
    }
}

/// Whether a tag may be there before it is written, or must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Anything,
}

/// Writes a tag; the tag and whether it is new, or `None` if it was there and must not be.
async fn write(
    app: &SharedApp,
    actor: &Actor,
    id_tag: String,
    content: IdTagContent,
    before: Before,
) -> Result<Option<(IdTag, bool)>, Problem> {
    judge_tag("/idTag", &id_tag, LONGEST)?;
    judge(&content)?;
    let detail = json!(content);
    let actor = actor.to_string();
    let written = app.store.write(move |db| {
        Box::pin(async move {
            let known = id_tags::find(db, &id_tag).await?;
            if known.is_some() && before == Before::Nothing {
                return Ok(None);
            }
            let created_at = known.as_ref().map_or_else(|| Time(time::now()), |known| known.created_at);
            let tag = tag(&id_tag, content, created_at);
            id_tags::put(db, tag.clone()).await?;
            let action = if known.is_some() { "change" } else { "create" };
            audit::enter(db, NewEntry::done(actor, action, format!("id-tags/{id_tag}"), &detail)).await?;
            Ok(Some((tag, known.is_none())))
        })
    });
    Ok(written.await?)
}

/// Id tags, in order.
#[utoipa::path(get, path = "/id-tags", tag = "id tags", params(Wanted, Paging),
    responses((status = OK, body = Page<IdTag>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<IdTag>>, Problem> {
    let filter = Filter { status: wanted.status.map(IdTagStatus::as_str), group: wanted.group, q: wanted.q };
    let (limit, after) = (paging.limit()?, paging.after()?);
    let items = id_tags::list(&app.store, &filter, after, limit + 1).await?;
    let total = id_tags::count(&app.store, &filter).await?;
    Ok(Answer(paging.page(items, Some(total), |item| item.folded.clone())?))
}

/// Enters a tag.
#[utoipa::path(post, path = "/id-tags", tag = "id tags", request_body = NewIdTag,
    responses((status = CREATED, body = IdTag)))]
async fn create(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Json(new): Json<NewIdTag>,
) -> Result<(StatusCode, Answer<IdTag>), Problem> {
    let NewIdTag { id_tag, status, expiry_date, parent_id_tag, group, note } = new;
    let content = IdTagContent { status, expiry_date, parent_id_tag, group, note };
    match write(&app, &actor, id_tag.clone(), content, Before::Nothing).await? {
        Some((tag, _)) => Ok((StatusCode::CREATED, Answer(tag))),
        None => Err(Problem::conflict(format!("there is an id tag {id_tag:?} already"))),
    }
}

/// A tag.
#[utoipa::path(get, path = "/id-tags/{idTag}", tag = "id tags", params(("idTag" = String, Path)),
    responses((status = OK, body = IdTag)))]
async fn read(_: Viewer, State(app): State<SharedApp>, Path(id_tag): Path<String>) -> Result<Answer<IdTag>, Problem> {
    let found = id_tags::get(&app.store, &id_tag).await?;
    found.map(Answer).ok_or_else(|| unknown(&id_tag))
}

/// Enters a tag, or replaces what was said of it.
#[utoipa::path(put, path = "/id-tags/{idTag}", tag = "id tags",
    params(("idTag" = String, Path, min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f]+$")),
    request_body = IdTagContent, responses((status = OK, body = IdTag), (status = CREATED, body = IdTag)))]
async fn put(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id_tag): Path<String>,
    Json(content): Json<IdTagContent>,
) -> Result<(StatusCode, Answer<IdTag>), Problem> {
    match write(&app, &actor, id_tag.clone(), content, Before::Anything).await? {
        Some((tag, is_new)) => Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Answer(tag))),
        None => Err(unknown(&id_tag)),
    }
}

/// Changes what is said of a tag.
#[utoipa::path(patch, path = "/id-tags/{idTag}", tag = "id tags", params(("idTag" = String, Path)),
    request_body = IdTagChange, responses((status = OK, body = IdTag)))]
async fn change(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id_tag): Path<String>,
    Json(change): Json<IdTagChange>,
) -> Result<Answer<IdTag>, Problem> {
    let content = IdTagContent {
        status: change.status.unwrap_or_default(),
        expiry_date: change.expiry_date.flatten(),
        parent_id_tag: change.parent_id_tag.clone().flatten(),
        group: change.group.clone().flatten(),
        note: change.note.clone().flatten(),
    };
    judge(&content)?;
    let (actor, name) = (actor.to_string(), id_tag.clone());
    let changed = app.store.write(move |db| {
        Box::pin(async move {
            let Some(known) = id_tags::find(db, &name).await? else { return Ok(None) };
            let tag = IdTag {
                status: change.status.map_or(known.status, |status| status.as_str().to_owned()),
                expiry_at: change.expiry_date.unwrap_or(known.expiry_at),
                parent_id_tag: change.parent_id_tag.unwrap_or(known.parent_id_tag),
                tag_group: change.group.unwrap_or(known.tag_group),
                note: change.note.unwrap_or(known.note),
                ..known
            };
            id_tags::put(db, tag.clone()).await?;
            audit::enter(db, NewEntry::done(actor, "change", format!("id-tags/{name}"), &json!(tag))).await?;
            Ok(Some(tag))
        })
    });
    changed.await?.map(Answer).ok_or_else(|| unknown(&id_tag))
}

/// Takes a tag out.
#[utoipa::path(delete, path = "/id-tags/{idTag}", tag = "id tags", params(("idTag" = String, Path)),
    responses((status = NO_CONTENT)))]
async fn remove(
    Admin(actor): Admin,
    State(app): State<SharedApp>,
    Path(id_tag): Path<String>,
) -> Result<StatusCode, Problem> {
    let name = id_tag.clone();
    let entry = NewEntry::done(&actor, "delete", format!("id-tags/{id_tag}"), &json!({}));
    let removed = app.store.write(move |db| {
        Box::pin(async move {
            let removed = id_tags::remove(db, &name).await?;
            if removed {
                audit::enter(db, entry).await?;
            }
            Ok(removed)
        })
    });
    if removed.await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(&id_tag)) }
}
