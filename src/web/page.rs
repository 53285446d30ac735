//! The ingest port's page: what was counted so far, for a first look. Dashboards are Grafana's business.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::Web;
use crate::receiver::{AnswerBody, Fallback};
use crate::store::StoreError;

const PAGE: &str = include_str!("page.html");
/// The page's own script and style, and its own data.
const POLICY: &str =
    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'";
const TOP_EPISODES: u32 = 20;

/// Answers whatever is not the receiver's.
pub fn page(web: Arc<Web>) -> Fallback {
    Arc::new(move |request| {
        let web = Arc::clone(&web);
        Box::pin(async move { answer(&web, &request).await })
    })
}

async fn answer(web: &Web, request: &Request<()>) -> Response<AnswerBody> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/" | "/api/now" if !is_read => {
            let error = json!({"error": "method_not_allowed", "message": "only GET, HEAD may be used here"});
            let mut answer = json_answer(StatusCode::METHOD_NOT_ALLOWED, &error);
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            answer
        }
        "/" => {
            let mut answer = answer_with(StatusCode::OK, "text/html; charset=utf-8", PAGE.into());
            answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            answer
        }
        "/api/now" => match now(web).await {
            Ok(now) => json_answer(StatusCode::OK, &now),
            Err(error) => {
                tracing::warn!(%error, "the page's sums could not be read");
                json_answer(StatusCode::SERVICE_UNAVAILABLE, &json!({"error": "the store does not answer"}))
            }
        },
        _ => json_answer(
            StatusCode::NOT_FOUND,
            &json!({"error": "not_found", "message": "nothing is here: is it the path in `http.path`?"}),
        ),
    }
}

async fn now(web: &Web) -> Result<Value, StoreError> {
    let totals = web.store.totals(None).await?;
    let top = web.store.top_episodes(None, TOP_EPISODES).await?;
    let fates = web.store.fates(None).await?;
    Ok(json!({
        "totals": {
            "downloads": totals.downloads,
            "requests": totals.requests,
            "delivered_bytes": totals.delivered_bytes,
            "body_bytes": totals.body_bytes,
        },
        "episodes": top.iter().map(|it| json!({
            "show": it.show, "episode": it.slug, "title": it.title, "downloads": it.downloads,
        })).collect::<Vec<_>>(),
        "fates": fates.iter().map(|it| json!({
            "fate": it.fate, "reason": it.reason, "requests": it.requests, "body_bytes": it.body_bytes,
        })).collect::<Vec<_>>(),
    }))
}

fn json_answer(status: StatusCode, value: &Value) -> Response<AnswerBody> {
    answer_with(status, "application/json", value.to_string().into())
}

fn answer_with(status: StatusCode, kind: &'static str, body: Bytes) -> Response<AnswerBody> {
    let mut answer = Response::new(Full::new(body).boxed_unsync());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
