//! SQL statements with parameters.
//!
//! PostgreSQL rejects U+0000 in a TEXT value, and devices and operators may send it in any text. This module is the one place
//! that replaces it with U+FFFD, for both databases alike, so that a message with such a character is kept and answered as
//! any other, and reads find what was written. Every parameter of a statement is bound here: sqlx's own `bind` is a
//! disallowed method (`clippy.toml`).

use std::borrow::Cow;

use sqlx::any::{AnyArguments, AnyQueryResult, AnyRow};
use sqlx::query::{Query as SqlxQuery, QueryAs, QueryScalar};
use sqlx::{Any, Encode, Error, Executor, FromRow, SqlSafeStr, Type};

/// Returns the text as the database keeps it: U+FFFD for U+0000. For comparisons with what is in the database; parameters are
/// converted by [`Query::bind`].
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// A value that a statement takes as a parameter.
pub(crate) trait Parameter {
    /// The value as it is bound.
    type Stored: for<'q> Encode<'q, Any> + Type<Any> + 'static;

    /// Converts it.
    fn stored(self) -> Self::Stored;
}

impl Parameter for i64 {
    type Stored = Self;

    fn stored(self) -> Self {
        self
    }
}

impl Parameter for &str {
    type Stored = String;

    fn stored(self) -> String {
        storable(self).into_owned()
    }
}

impl Parameter for String {
    type Stored = Self;

    fn stored(self) -> Self {
        match storable(&self) {
            Cow::Owned(replaced) => replaced,
            Cow::Borrowed(_) => self,
        }
    }
}

impl<P: Parameter> Parameter for Option<P>
where
    Option<P::Stored>: for<'q> Encode<'q, Any> + Type<Any>,
{
    type Stored = Option<P::Stored>;

    fn stored(self) -> Self::Stored {
        self.map(P::stored)
    }
}

/// A statement that returns no rows.
#[must_use = "a statement does nothing until it is executed"]
pub(crate) struct Query(SqlxQuery<'static, Any, AnyArguments>);

/// A statement whose rows are read as `T`.
#[must_use = "a statement does nothing until it is executed"]
pub(crate) struct Rows<T>(QueryAs<'static, Any, T, AnyArguments>);

/// A statement whose rows have one column, read as `T`.
#[must_use = "a statement does nothing until it is executed"]
pub(crate) struct Scalars<T>(QueryScalar<'static, Any, T, AnyArguments>);

/// Begins a statement that returns no rows.
pub(crate) fn query(sql: impl SqlSafeStr) -> Query {
    Query(sqlx::query(sql))
}

/// Begins a statement whose rows are read as `T`.
pub(crate) fn query_as<T: for<'r> FromRow<'r, AnyRow>>(sql: impl SqlSafeStr) -> Rows<T> {
    Rows(sqlx::query_as(sql))
}

/// Begins a statement whose rows have one column, read as `T`.
pub(crate) fn query_scalar<T>(sql: impl SqlSafeStr) -> Scalars<T>
where
    (T,): for<'r> FromRow<'r, AnyRow>,
{
    Scalars(sqlx::query_scalar(sql))
}

impl Query {
    /// Adds the next parameter.
    #[expect(clippy::disallowed_methods, reason = "the value is converted")]
    pub(crate) fn bind(self, value: impl Parameter) -> Self {
        Self(self.0.bind(value.stored()))
    }

    /// Executes the statement.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn execute<'c>(
        self,
        executor: impl Executor<'c, Database = Any>,
    ) -> Result<AnyQueryResult, Error> {
        self.0.execute(executor).await
    }
}

macro_rules! fetching {
    ($name:ident where $($bounds:tt)+) => {
        impl<T: Send + Unpin> $name<T>
        where
            $($bounds)+
        {
            /// Adds the next parameter.
            #[expect(clippy::disallowed_methods, reason = "the value is converted")]
            pub(crate) fn bind(self, value: impl Parameter) -> Self {
                Self(self.0.bind(value.stored()))
            }

            /// Returns all rows.
            ///
            /// # Errors
            /// Those of the database.
            pub(crate) async fn fetch_all<'c>(self, executor: impl Executor<'c, Database = Any>) -> Result<Vec<T>, Error> {
                self.0.fetch_all(executor).await
            }

            /// Returns the first row.
            ///
            /// # Errors
            /// Those of the database; there is no row.
            pub(crate) async fn fetch_one<'c>(self, executor: impl Executor<'c, Database = Any>) -> Result<T, Error> {
                self.0.fetch_one(executor).await
            }

            /// Returns the first row, if there is one.
            ///
            /// # Errors
            /// Those of the database.
            pub(crate) async fn fetch_optional<'c>(
                self,
                executor: impl Executor<'c, Database = Any>,
            ) -> Result<Option<T>, Error> {
                self.0.fetch_optional(executor).await
            }
        }
    };
}

fetching!(Rows where T: for<'r> FromRow<'r, AnyRow>);
fetching!(Scalars where (T,): for<'r> FromRow<'r, AnyRow>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_u_0000_is_replaced() {
        assert_eq!("\0a\0".stored(), "\u{fffd}a\u{fffd}");
        assert_eq!("a\0".to_owned().stored(), "a\u{fffd}");
        assert_eq!(Some("\0").stored().as_deref(), Some("\u{fffd}"));
        assert_eq!(None::<&str>.stored(), None);
        assert_eq!("a\u{1}\u{fffd}\u{10ffff}".stored(), "a\u{1}\u{fffd}\u{10ffff}");
    }
}
