//! The people who log in.

use serde::Serialize;

use super::access::Role;
use crate::store::{Store, StoreError, sql};
use crate::time;

/// A user.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// With which they log in.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when there is such a user.
    pub created_at: String,
}

/// Why a user was not changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// The name is taken.
    #[error("there is such a user already")]
    Exists,
    /// There is no such user.
    #[error("there is no such user")]
    Unknown,
    /// Nobody could manage users any more.
    #[error("it is the last administrator")]
    LastAdmin,
    /// The name is empty, longer than 64 characters, or has control characters.
    #[error("a name has 1 to 64 characters, none of them a control character")]
    Name,
    /// The database failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Enters a user.
///
/// # Errors
/// [`UserError`].
pub async fn add(store: &Store, name: &str, hash: String, role: Role) -> Result<(), UserError> {
    if name.is_empty() || name.chars().count() > 64 || name.contains(char::is_control) {
        return Err(UserError::Name);
    }
    let name = name.to_owned();
    let sql = "INSERT INTO users (name, password_hash, role, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO NOTHING";
    let write = store.write(move |db| {
        Box::pin(async move {
            let query = sql::query(sql).bind(name).bind(hash).bind(role.name()).bind(time::now());
            Ok(query.execute(&mut *db).await?.rows_affected())
        })
    });
    if write.await? == 0 { Err(UserError::Exists) } else { Ok(()) }
}

/// The hash of a user's password, and their role.
///
/// # Errors
/// Those of the database.
pub async fn find(store: &Store, name: &str) -> Result<Option<(String, Role)>, StoreError> {
    let sql = "SELECT password_hash, role FROM users WHERE name = $1";
    let row: Option<(String, String)> =
        sql::query_as(sql).bind(name.to_owned()).fetch_optional(store.readers()).await?;
    row.map(|(hash, role)| Ok((hash, Role::read(&role)?))).transpose()
}

/// All users.
///
/// # Errors
/// Those of the database.
pub async fn list(store: &Store) -> Result<Vec<User>, StoreError> {
    let sql = "SELECT name, role, created_at FROM users ORDER BY name LIMIT 10000";
    let rows: Vec<(String, String, i64)> = sql::query_as(sql).fetch_all(store.readers()).await?;
    let user = |(name, role, created_at): (_, String, _)| {
        Ok(User { name, role: Role::read(&role)?, created_at: time::text(created_at) })
    };
    rows.into_iter().map(user).collect()
}

/// Changes a user's password (hash) or role. Who changes a password ends the sessions that were opened with the old one.
///
/// # Errors
/// [`UserError`].
pub async fn change(store: &Store, name: &str, hash: Option<String>, role: Option<Role>) -> Result<(), UserError> {
    let name = name.to_owned();
    let write = store.write(move |db| {
        Box::pin(async move {
            if role.is_some_and(|role| role != Role::Admin) && is_last_admin(db, &name).await? {
                return Ok(Err(UserError::LastAdmin));
            }
            let ends_sessions = hash.is_some();
            let sql = "UPDATE users SET password_hash = COALESCE($1, password_hash), role = COALESCE($2, role)
                WHERE name = $3";
            let query = sql::query(sql).bind(hash).bind(role.map(Role::name)).bind(name.clone());
            if query.execute(&mut *db).await?.rows_affected() == 0 {
                return Ok(Err(UserError::Unknown));
            }
            if ends_sessions {
                sql::query("DELETE FROM web_sessions WHERE user_name = $1").bind(name).execute(&mut *db).await?;
            }
            Ok(Ok(()))
        })
    });
    write.await?
}

/// Removes a user and their sessions.
///
/// # Errors
/// [`UserError`].
pub async fn remove(store: &Store, name: &str) -> Result<(), UserError> {
    let name = name.to_owned();
    let write = store.write(move |db| {
        Box::pin(async move {
            if is_last_admin(db, &name).await? {
                return Ok(Err(UserError::LastAdmin));
            }
            sql::query("DELETE FROM web_sessions WHERE user_name = $1").bind(name.clone()).execute(&mut *db).await?;
            let removed = sql::query("DELETE FROM users WHERE name = $1").bind(name).execute(&mut *db).await?;
            Ok(if removed.rows_affected() == 0 { Err(UserError::Unknown) } else { Ok(()) })
        })
    });
    write.await?
}

async fn is_last_admin(db: &mut sqlx::AnyConnection, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT name FROM users WHERE role = 'admin' LIMIT 2";
    let admins: Vec<String> = sql::query_scalar(sql).fetch_all(&mut *db).await?;
    Ok(admins == [name])
}
