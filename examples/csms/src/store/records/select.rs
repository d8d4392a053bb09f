//! A SELECT with conditions that are there only if a filter is given.

use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, FromRow};

use super::columns::Time;
use crate::store::{StoreError, sql};

/// A parameter.
#[derive(Debug, Clone)]
pub enum Bound {
    /// TEXT.
    Text(String),
    /// BIGINT.
    Number(i64),
}

impl From<String> for Bound {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Bound {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Bound {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Time> for Bound {
    fn from(time: Time) -> Self {
        Self::Number(time.0)
    }
}

/// Conditions, all of which must hold.
#[derive(Debug, Clone, Default)]
pub struct Select {
    conditions: String,
    bound: Vec<Bound>,
}

impl Select {
    /// Without a condition.
    pub fn all() -> Self {
        Self::default()
    }

    /// With one more condition, in which `?` stands for `value`, everywhere.
    pub fn and(mut self, condition: &'static str, value: impl Into<Bound>) -> Self {
        self.bound.push(value.into());
        let condition = condition.replace('?', &format!("${}", self.bound.len()));
        self.with(&condition)
    }

    /// [`Select::and`], if there is a value.
    pub fn and_if(self, condition: &'static str, value: Option<impl Into<Bound>>) -> Self {
        match value {
            Some(value) => self.and(condition, value),
            None => self,
        }
    }

    /// With a condition that has no value, if it is asked for.
    pub fn and_fixed(self, condition: Option<&'static str>) -> Self {
        match condition {
            Some(condition) => self.with(condition),
            None => self,
        }
    }

    /// With the condition that the column has one of these values.
    pub fn and_one_of(mut self, column: &'static str, values: impl IntoIterator<Item = impl Into<Bound>>) -> Self {
        let mut list = String::new();
        for value in values {
            self.bound.push(value.into());
            list.push_str(if list.is_empty() { "" } else { ", " });
            list.push_str(&format!("${}", self.bound.len()));
        }
        if list.is_empty() { self.with("1 = 0") } else { self.with(&format!("{column} IN ({list})")) }
    }

    fn with(mut self, condition: &str) -> Self {
        self.conditions.push_str(if self.conditions.is_empty() { " WHERE " } else { " AND " });
        self.conditions.push('(');
        self.conditions.push_str(condition);
        self.conditions.push(')');
        self
    }

    /// The rows, in that order, from the `skip`th on.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn rows<T>(
        &self,
        readers: &AnyPool,
        what: &'static str,
        order: &'static str,
        limit: i64,
        skip: i64,
    ) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let (limit_at, skip_at) = (self.bound.len() + 1, self.bound.len() + 2);
        let sql = format!("{what}{} ORDER BY {order} LIMIT ${limit_at} OFFSET ${skip_at}", self.conditions);
        // Made of text in this program alone; what came from outside is bound.
        let query = sql::query_as::<T>(AssertSqlSafe(sql));
        let query = self.bound.iter().fold(query, |query, bound| match bound.clone() {
            Bound::Text(text) => query.bind(text),
            Bound::Number(number) => query.bind(number),
        });
        Ok(query.bind(limit).bind(skip).fetch_all(readers).await?)
    }

    /// How many rows there are in that table.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn count(&self, readers: &AnyPool, table: &'static str) -> Result<i64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM {table}{}", self.conditions);
        let query = sql::query_scalar::<i64>(AssertSqlSafe(sql));
        let query = self.bound.iter().fold(query, |query, bound| match bound.clone() {
            Bound::Text(text) => query.bind(text),
            Bound::Number(number) => query.bind(number),
        });
        Ok(query.fetch_one(readers).await?)
    }
}

/// A pattern for `LIKE ? ESCAPE '\'` that finds `text` anywhere, to be compared with what `LOWER` gives.
pub fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
