//! Id tags: who may charge.

use onwire::ocpp::v16::{AuthorizationStatus, IdTagInfo};
use onwire::types::DateTime;
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, AssertSqlSafe};
use utoipa::ToSchema;

use super::columns::{Flag, Time};
use super::select::{Select, containing};
use crate::store::{Store, StoreError, folded, sql};
use crate::time;

/// How many characters an IdToken of OCPP 1.6 has at most.
pub const ID_TOKEN: usize = 20;

const COLUMNS: &str = "SELECT folded, id_tag, status, expiry_at, parent_id_tag, tag_group, note, created_at,
    CAST(CASE WHEN LENGTH(id_tag) > 20 THEN 1 ELSE 0 END AS BIGINT) AS too_long FROM id_tags";

/// An id tag.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdTag {
    /// For comparing.
    #[serde(skip)]
    pub folded: String,
    /// As it was entered; compared without case.
    pub id_tag: String,
    /// Whether it may charge.
    #[schema(value_type = IdTagStatus)]
    pub status: String,
    /// From when on it may no longer.
    #[serde(rename = "expiryDate")]
    pub expiry_at: Option<Time>,
    /// The tag of its group, as OCPP has it: tags with one parent may end each other's transactions.
    pub parent_id_tag: Option<String>,
    /// A name to sort tags by.
    #[serde(rename = "group")]
    pub tag_group: Option<String>,
    /// An operator's.
    pub note: Option<String>,
    /// When it was entered.
    pub created_at: Time,
    /// Whether it has more characters than OCPP 1.6 has room for (20). It may charge where a charge point sends it; it is
    /// left out of local lists, and nothing is started or reserved for it from here.
    pub too_long: Flag,
}

/// See [`IdTag::too_long`].
pub fn is_too_long(id_tag: &str) -> bool {
    id_tag.chars().count() > ID_TOKEN
}

/// Whether a tag may charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub enum IdTagStatus {
    /// It may.
    #[default]
    Accepted,
    /// It was blocked.
    Blocked,
    /// Its time has run out.
    Expired,
    /// It is not to be known.
    Invalid,
}

impl IdTagStatus {
    /// As the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Blocked => "Blocked",
            Self::Expired => "Expired",
            Self::Invalid => "Invalid",
        }
    }
}

impl IdTag {
    /// What a charge point is told of it.
    pub fn info(&self) -> IdTagInfo {
        let status = match self.status.as_str() {
            "Accepted" if self.expiry_at.is_some_and(|at| at.0 <= time::now()) => AuthorizationStatus::Expired,
            "Accepted" => AuthorizationStatus::Accepted,
            "Blocked" => AuthorizationStatus::Blocked,
            "Expired" => AuthorizationStatus::Expired,
            _ => AuthorizationStatus::Invalid,
        };
        IdTagInfo {
            expiry_date: self.expiry_at.map(DateTime::from),
            parent_id_tag: self.parent_id_tag.as_deref().map(Into::into),
            ..IdTagInfo::new(status)
        }
    }
}

/// Which tags are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With that status.
    pub status: Option<&'static str>,
    /// Of that group.
    pub group: Option<String>,
    /// With that text in tag, parent or note.
    pub q: Option<String>,
}

fn selected(filter: &Filter) -> Select {
    Select::all().and_if("status = ?", filter.status).and_if("tag_group = ?", filter.group.clone()).and_if(
        "folded LIKE ? ESCAPE '\\' OR LOWER(COALESCE(parent_id_tag, '')) LIKE ? ESCAPE '\\'
                OR LOWER(COALESCE(note, '')) LIKE ? ESCAPE '\\'",
        filter.q.as_deref().map(containing),
    )
}

/// In order, those after `after` (folded).
///
/// # Errors
/// Those of the database.
pub async fn list(store: &Store, filter: &Filter, after: Option<String>, limit: i64) -> Result<Vec<IdTag>, StoreError> {
    selected(filter).and_if("folded > ?", after).rows(store.readers(), COLUMNS, "folded", limit, 0).await
}

/// How many there are.
///
/// # Errors
/// Those of the database.
pub async fn count(store: &Store, filter: &Filter) -> Result<i64, StoreError> {
    selected(filter).count(store.readers(), "id_tags").await
}

/// One of them.
///
/// # Errors
/// Those of the database.
pub async fn get(store: &Store, id_tag: &str) -> Result<Option<IdTag>, StoreError> {
    let found: Vec<_> =
        Select::all().and("folded = ?", folded(id_tag)).rows(store.readers(), COLUMNS, "folded", 1, 0).await?;
    Ok(found.into_iter().next())
}

/// One of them, within a write.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut AnyConnection, id_tag: &str) -> Result<Option<IdTag>, StoreError> {
    let sql = AssertSqlSafe(format!("{COLUMNS} WHERE folded = $1"));
    Ok(sql::query_as(sql).bind(folded(id_tag)).fetch_optional(&mut *db).await?)
}

/// Enters one, or changes what is there.
///
/// # Errors
/// Those of the database.
pub async fn put(db: &mut AnyConnection, tag: IdTag) -> Result<(), StoreError> {
    let sql = "INSERT INTO id_tags (folded, id_tag, status, expiry_at, parent_id_tag, tag_group, note, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (folded) DO UPDATE SET id_tag = excluded.id_tag,
        status = excluded.status, expiry_at = excluded.expiry_at, parent_id_tag = excluded.parent_id_tag,
        tag_group = excluded.tag_group, note = excluded.note";
    let query = sql::query(sql).bind(tag.folded).bind(tag.id_tag).bind(tag.status);
    let query = query.bind(tag.expiry_at.map(|at| at.0)).bind(tag.parent_id_tag).bind(tag.tag_group);
    query.bind(tag.note).bind(tag.created_at.0).execute(&mut *db).await?;
    Ok(())
}

/// Enters tags that may charge, those that are not there yet.
///
/// # Errors
/// Those of the database.
pub async fn enter(db: &mut AnyConnection, id_tags: Vec<String>, now: i64) -> Result<(), StoreError> {
    for id_tag in id_tags {
        let sql = "INSERT INTO id_tags (folded, id_tag, status, created_at) VALUES ($1, $2, 'Accepted', $3)
            ON CONFLICT (folded) DO NOTHING";
        sql::query(sql).bind(folded(&id_tag)).bind(id_tag).bind(now).execute(&mut *db).await?;
    }
    Ok(())
}

/// Takes one out; `false` if there is none.
///
/// # Errors
/// Those of the database.
pub async fn remove(db: &mut AnyConnection, id_tag: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM id_tags WHERE folded = $1";
    Ok(sql::query(sql).bind(folded(id_tag)).execute(&mut *db).await?.rows_affected() > 0)
}
