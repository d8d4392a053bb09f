//! Who may charge.

use sqlx::AnyConnection;

use super::{StoreError, folded, sql};

/// What an id tag is worth, as an IdTagInfo says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Accepted, Blocked, Expired, Invalid or ConcurrentTx.
    pub status: &'static str,
    /// When the tag expires.
    pub expiry_at: Option<i64>,
    /// The tag of its group: who has the same one may stop each other's transactions.
    pub parent_id_tag: Option<String>,
    /// Whether somebody has entered the tag.
    pub is_known: bool,
}

impl Verdict {
    /// Whether it may charge.
    pub fn is_accepted(&self) -> bool {
        self.status == "Accepted"
    }
}

/// Judges an id tag at that time. A tag that nobody has entered is worth what `accepts_unknown` says.
///
/// # Errors
/// Those of the database.
pub async fn judge(
    db: &mut AnyConnection,
    id_tag: &str,
    accepts_unknown: bool,
    now: i64,
) -> Result<Verdict, StoreError> {
    let sql = "SELECT status, expiry_at, parent_id_tag FROM id_tags WHERE folded = $1";
    let found: Option<(String, Option<i64>, Option<String>)> =
        sql::query_as(sql).bind(folded(id_tag)).fetch_optional(&mut *db).await?;
    let Some((status, expiry_at, parent_id_tag)) = found else {
        let status = if accepts_unknown { "Accepted" } else { "Invalid" };
        return Ok(Verdict { status, expiry_at: None, parent_id_tag: None, is_known: false });
    };
    let status = match status.as_str() {
        "Accepted" if expiry_at.is_some_and(|expiry| expiry <= now) => "Expired",
        other => self::status(other),
    };
    Ok(Verdict { status, expiry_at, parent_id_tag, is_known: true })
}

/// A status as the database has it.
pub(super) fn status(text: &str) -> &'static str {
    match text {
        "Accepted" => "Accepted",
        "Blocked" => "Blocked",
        "Expired" => "Expired",
        "ConcurrentTx" => "ConcurrentTx",
        _ => "Invalid",
    }
}
