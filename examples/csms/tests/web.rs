//! The page's files as a browser gets them.

mod support;

use reqwest::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use reqwest::{Client, StatusCode, redirect};
use support::Csms;

type Failure = Box<dyn std::error::Error>;

#[tokio::test]
async fn the_page_is_in_the_program_and_may_load_nothing_else() -> Result<(), Failure> {
    let data = tempfile::tempdir()?;
    let csms = Csms::start_in(data.path(), &[]).await;
    let client = Client::builder().redirect(redirect::Policy::none()).build()?;
    for from in ["/", "/web"] {
        let answer = client.get(format!("{}{from}", csms.http)).send().await?;
        assert!(answer.status().is_redirection(), "{from}");
        assert_eq!(answer.headers().get(LOCATION).ok_or("no Location")?, "/web/");
    }

    let page = client.get(format!("{}/web/", csms.http)).send().await?;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers().get(CONTENT_TYPE).ok_or("no type")?, "text/html; charset=utf-8");
    let policy = page.headers().get(CONTENT_SECURITY_POLICY).ok_or("no policy")?.to_str()?;
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let text = page.text().await?;
    assert!(!text.contains("://") && !text.contains("style="), "{text}");

    for (path, kind) in [("main.js", "text/javascript"), ("css/theme.css", "text/css"), ("icon.svg", "image/svg+xml")] {
        let answer = client.get(format!("{}/web/{path}", csms.http)).send().await?;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert!(answer.headers().get(CONTENT_TYPE).ok_or("no type")?.to_str()?.starts_with(kind), "{path}");
    }
    for path in ["none.js", "../Cargo.toml", "%2e%2e/Cargo.toml", "..%2fCargo.toml", "css/"] {
        let answer = client.get(format!("{}/web/{path}", csms.http)).send().await?;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    csms.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_browser_keeps_files_until_they_change() -> Result<(), Failure> {
    let data = tempfile::tempdir()?;
    let csms = Csms::start_in(data.path(), &[]).await;
    let client = Client::new();
    let url = format!("{}/web/main.js", csms.http);
    let first = client.get(&url).send().await?;
    assert_eq!(first.headers().get(CACHE_CONTROL).ok_or("no Cache-Control")?, "no-cache");
    let tag = first.headers().get(ETAG).ok_or("no ETag")?.clone();
    let same = client.get(&url).header(IF_NONE_MATCH, &tag).send().await?;
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    let other = client.get(&url).header(IF_NONE_MATCH, "\"other\"").send().await?;
    assert_eq!(other.status(), StatusCode::OK);
    assert!(!other.bytes().await?.is_empty());
    csms.stop().await;
    Ok(())
}
