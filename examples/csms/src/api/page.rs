//! Pages of lists.

use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

const DEFAULT: i64 = 50;
const MOST: i64 = 500;

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many items at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<i64>,
    /// `nextCursor` of the page before; absent for the first page.
    #[param(max_length = 1000)]
    cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// For the next page; `null` on the last one.
    pub next_cursor: Option<String>,
    /// How many there are on all pages; `null` where counting them is too much work.
    pub total: Option<i64>,
}

impl Paging {
    /// How many items at most.
    ///
    /// # Errors
    /// Outside of 1 to 500.
    pub fn limit(&self) -> Result<i64, Problem> {
        match self.limit.unwrap_or(DEFAULT) {
            limit @ 1..=MOST => Ok(limit),
            _ => Err(Problem::bad_request("`limit` is from 1 to 500")),
        }
    }

    /// After which key; `None`: from the beginning.
    ///
    /// # Errors
    /// A cursor that was none.
    pub fn after<K: FromStr>(&self) -> Result<Option<K>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok();
        let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|key| key.parse().ok());
        key.map(Some).ok_or_else(|| Problem::bad_request("`cursor` is no cursor of this list"))
    }

    /// The page, from one row more than it has.
    ///
    /// # Errors
    /// Those of [`Paging::limit`].
    pub fn page<T>(
        &self,
        mut items: Vec<T>,
        total: Option<i64>,
        key: impl Fn(&T) -> String,
    ) -> Result<Page<T>, Problem> {
        let limit = usize::try_from(self.limit()?).unwrap_or(usize::MAX);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let last = if has_more { items.last() } else { None };
        let next_cursor = last.map(|last| cursor(&key(last)));
        Ok(Page { items, next_cursor, total })
    }

    /// The page of a list by time, whose items may share one: the cursor is a time and how many of it were shown already.
    ///
    /// # Errors
    /// Those of [`Paging::limit`].
    pub fn page_by_time<T>(&self, items: Vec<T>, begin: At, time: impl Fn(&T) -> i64) -> Result<Page<T>, Problem> {
        let mut page = self.page(items, None, |last| time(last).to_string())?;
        if let (Some(last), Some(_)) = (page.items.last(), &page.next_cursor) {
            let last = time(last);
            let shown = page.items.iter().rev().take_while(|item| time(item) == last).count();
            let before = if begin.time == Some(last) { begin.skip } else { 0 };
            let skip = before + i64::try_from(shown).unwrap_or(0);
            page.next_cursor = Some(cursor(&format!("{last},{skip}")));
        }
        Ok(page)
    }
}

fn cursor(key: &str) -> String {
    BASE64URL_NOPAD.encode(key.as_bytes())
}

/// Where a page of a list by time begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At {
    /// `None`: at the beginning.
    pub time: Option<i64>,
    /// How many of that time were shown already.
    pub skip: i64,
}

impl FromStr for At {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (time, skip) = text.split_once(',').ok_or(())?;
        let skip = skip.parse().ok().filter(|skip| *skip >= 0).ok_or(())?;
        Ok(Self { time: Some(time.parse().map_err(|_| ())?), skip })
    }
}

#[cfg(test)]
mod tests {
    use super::{At, Paging};

    fn page(cursor: Option<String>) -> (Vec<(i64, char)>, Option<String>) {
        let all = [(1, 'a'), (1, 'b'), (1, 'c'), (1, 'd'), (1, 'e'), (2, 'f')];
        let paging = Paging { limit: Some(2), cursor };
        let begin: At = paging.after().unwrap().unwrap_or_default();
        let from = all.into_iter().filter(|(time, _)| begin.time.is_none_or(|begin| *time >= begin));
        let rows = from.skip(usize::try_from(begin.skip).unwrap()).take(3).collect();
        let page = paging.page_by_time(rows, begin, |(time, _)| *time).unwrap();
        (page.items, page.next_cursor)
    }

    #[test]
    fn a_list_by_time_shows_each_item_once_although_many_share_a_time() {
        let (mut seen, mut cursor) = page(None);
        while let Some(next) = cursor {
            let (items, next) = page(Some(next));
            seen.extend(items);
            cursor = next;
        }
        assert_eq!(seen.into_iter().map(|(_, name)| name).collect::<String>(), "abcdef");
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for cursor in ["!", "MQ", "eA"] {
            let paging = Paging { limit: None, cursor: Some(cursor.to_owned()) };
            assert!(paging.after::<At>().is_err(), "{cursor}");
        }
    }
}
