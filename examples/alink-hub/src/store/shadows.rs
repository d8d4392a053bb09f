//! Shadows: one JSON document for each device.

use super::{Store, StoreError, sql};
use crate::platform::shadow::Shadow;

fn read(text: &str) -> Result<Shadow, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt("a shadow"))
}

pub(crate) async fn find(store: &Store, device: i64) -> Result<Option<Shadow>, StoreError> {
    let query = sql::query_scalar("SELECT document FROM shadows WHERE device_id = $1").bind(device);
    let text: Option<String> = query.fetch_optional(store.readers()).await?;
    text.map(|text| read(&text)).transpose()
}

/// Changes the document by `change`, which gets what is there; others do not come in between. What `change` returns beside
/// it is returned, whether it is kept or not.
pub(crate) async fn change<T: Send + 'static>(
    store: &Store,
    device: i64,
    change: impl FnOnce(Option<Shadow>) -> (Option<Shadow>, T) + Send + 'static,
) -> Result<T, StoreError> {
    store
        .write(move |db| {
            Box::pin(async move {
                let query = sql::query_scalar("SELECT document FROM shadows WHERE device_id = $1").bind(device);
                let text: Option<String> = query.fetch_optional(&mut *db).await?;
                let (document, result) = change(text.map(|text| read(&text)).transpose()?);
                if let Some(document) = document {
                    let sql = "INSERT INTO shadows (device_id, document) VALUES ($1, $2)
                        ON CONFLICT (device_id) DO UPDATE SET document = $2";
                    let text = serde_json::to_string(&document).map_err(|_| StoreError::Corrupt("a shadow"))?;
                    sql::query(sql).bind(device).bind(text).execute(&mut *db).await?;
                }
                Ok(result)
            })
        })
        .await
}
