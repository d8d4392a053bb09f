//! Products.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, sql};
use crate::security::new_secret;
use crate::security::seal::Seal;
use crate::time::now;

/// Which devices may ask for their secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Registration {
    /// None.
    Off,
    /// Those that were entered, and never logged in yet.
    Known,
    /// Any that has the product's secret.
    Any,
}

impl Registration {
    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Known => "known",
            Self::Any => "any",
        }
    }

    fn read(name: &str) -> Result<Self, StoreError> {
        let all = [Self::Off, Self::Known, Self::Any];
        all.into_iter().find(|each| each.name() == name).ok_or(StoreError::Corrupt("a registration mode"))
    }
}

/// A product, with its secret.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) secret: String,
    pub(crate) registration: Registration,
}

fn place(product_key: &str) -> String {
    format!("product/{product_key}")
}

/// Enters a product with a secret of its own, unless it is there.
pub(crate) async fn enter(store: &Store, seal: &Seal, product_key: &str) -> Result<()> {
    let (key, secret) = (product_key.to_owned(), seal.seal(&place(product_key), &new_secret()?)?);
    store
        .write(|db| {
            Box::pin(async move {
                let sql = "INSERT INTO products (product_key, product_secret, created_at) VALUES ($1, $2, $3)
                    ON CONFLICT (product_key) DO NOTHING";
                sql::query(sql).bind(key).bind(secret).bind(now()).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await?;
    Ok(())
}

pub(crate) async fn find(store: &Store, seal: &Seal, product_key: &str) -> Result<Option<Product>, StoreError> {
    let sql = "SELECT product_secret, dynamic_registration FROM products WHERE product_key = $1";
    let query = sql::query_as(sql).bind(product_key);
    let row: Option<(String, String)> = query.fetch_optional(store.readers()).await?;
    let Some((secret, registration)) = row else { return Ok(None) };
    let secret = seal.open_text(&place(product_key), &secret)?;
    Ok(Some(Product { secret, registration: Registration::read(&registration)? }))
}

/// Changes who may register; whether there is such a product.
pub(crate) async fn set_registration(store: &Store, key: &str, mode: Registration) -> Result<bool, StoreError> {
    let key = key.to_owned();
    store
        .write(move |db| {
            Box::pin(async move {
                let sql = "UPDATE products SET dynamic_registration = $1 WHERE product_key = $2";
                let query = sql::query(sql).bind(mode.name()).bind(key);
                Ok(query.execute(&mut *db).await?.rows_affected() > 0)
            })
        })
        .await
}

/// Devices of a product.
pub(crate) async fn device_count(store: &Store, product_key: &str) -> Result<i64, StoreError> {
    let query = sql::query_scalar("SELECT COUNT(*) FROM devices WHERE product_key = $1").bind(product_key.to_owned());
    Ok(query.fetch_one(store.readers()).await?)
}
