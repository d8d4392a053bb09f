//! Sessions of people who have logged in: a random cookie, kept as its hash.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use http::header::{COOKIE, HeaderMap};
use ring::digest;

use super::access::Role;
use crate::store::{Store, StoreError, sql};
use crate::time;

/// Name of the cookie.
pub const NAME: &str = "onwire_session";

/// How long a session lasts, in seconds.
pub const LASTS: i64 = 12 * 3600;

/// How many sessions of a user there may be; then the oldest go.
const PER_USER: i64 = 20;

/// A session that has begun.
#[derive(Debug)]
pub struct Begun {
    /// What the cookie holds.
    pub token: String,
    /// What requests that change something have to carry in the header `X-CSRF-Token`.
    pub csrf: String,
}

/// Whose session it is.
#[derive(Debug, Clone)]
pub struct Session {
    /// Name of the user.
    pub user: String,
    /// What they may do now.
    pub role: Role,
    /// As in [`Begun::csrf`].
    pub csrf: String,
}

/// A random text of 256 bits, for a cookie or a token.
///
/// # Errors
/// The system has no random numbers.
pub fn random_text() -> anyhow::Result<String> {
    Ok(BASE64URL_NOPAD.encode(&super::random::<32>()?))
}

/// What is kept of such a text: it has enough random bits of its own for a fast hash.
pub fn hash(text: &str) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// Begins a session of somebody whose password has that hash. `None`: it has another one now, or is not there any more. A
/// password takes its time to be judged, and whoever changes it has ended the sessions of the old one meanwhile.
///
/// # Errors
/// Those of the database; the system has no random numbers.
pub async fn begin(store: &Store, user: &str, password_hash: String) -> anyhow::Result<Option<Begun>> {
    let begun = Begun { token: random_text()?, csrf: random_text()? };
    let (user, hash, csrf, now) = (user.to_owned(), hash(&begun.token), begun.csrf.clone(), time::now());
    let write = store.write(move |db| {
        Box::pin(async move {
            sql::query("DELETE FROM web_sessions WHERE expires_at <= $1").bind(now).execute(&mut *db).await?;
            let sql = "DELETE FROM web_sessions WHERE user_name = $1 AND token_hash NOT IN
                (SELECT token_hash FROM web_sessions WHERE user_name = $1 ORDER BY created_at DESC LIMIT $2)";
            sql::query(sql).bind(user.clone()).bind(PER_USER - 1).execute(&mut *db).await?;
            let sql = "INSERT INTO web_sessions (token_hash, user_name, csrf, created_at, expires_at)
                SELECT CAST($1 AS TEXT), name, CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS BIGINT) FROM users
                WHERE name = $5 AND password_hash = $6";
            let query = sql::query(sql).bind(hash).bind(csrf).bind(now).bind(now + LASTS * 1000);
            let query = query.bind(user).bind(password_hash);
            Ok(query.execute(&mut *db).await?.rows_affected() > 0)
        })
    });
    Ok(write.await?.then_some(begun))
}

/// The session of a cookie.
///
/// # Errors
/// Those of the database.
pub async fn find(store: &Store, token: &str) -> Result<Option<Session>, StoreError> {
    let sql = "SELECT users.name, users.role, web_sessions.csrf FROM web_sessions
        JOIN users ON users.name = web_sessions.user_name WHERE token_hash = $1 AND expires_at > $2";
    let query = sql::query_as(sql).bind(hash(token)).bind(time::now());
    let row: Option<(String, String, String)> = query.fetch_optional(store.readers()).await?;
    row.map(|(user, role, csrf)| Ok(Session { user, role: Role::read(&role)?, csrf })).transpose()
}

/// Ends a session.
///
/// # Errors
/// Those of the database.
pub async fn end(store: &Store, token: &str) -> Result<(), StoreError> {
    let hash = hash(token);
    store
        .write(move |db| {
            Box::pin(async move {
                sql::query("DELETE FROM web_sessions WHERE token_hash = $1").bind(hash).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

/// What the session's cookie holds.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = values.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find_map(|(name, value)| (name == NAME).then_some(value))
}

/// The header that sets the cookie, or takes it away.
pub fn set_cookie(token: Option<&str>, is_encrypted: bool) -> String {
    let (value, age) = token.map_or(("", 0), |token| (token, LASTS));
    let secure = if is_encrypted { "; Secure" } else { "" };
    format!("{NAME}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=b; xonwire_session=no".parse().unwrap());
        assert_eq!(cookie(&headers), None);
        headers.append(COOKIE, "c=d;onwire_session=yes".parse().unwrap());
        assert_eq!(cookie(&headers), Some("yes"));
    }
}
