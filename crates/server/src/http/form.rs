//! Forms as browsers send them, and only those that were filled in on this server's own page.

use std::collections::BTreeMap;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hub::Secret;
use hyper::body::Incoming;
use hyper::{HeaderMap, header};
use percent_encoding::percent_decode_str;

/// How much a form may have.
const FORM_BYTES_MAX: usize = 8 * 1024;

/// A form that was filled in. It has passwords in it, so it isn't shown.
pub(super) struct Form(BTreeMap<String, String>);

/// What is wrong with a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It was sent from another site's page.
    CrossSite,
    /// It is no form.
    NotAForm,
    /// It is too long.
    TooLong,
    /// It can't be read.
    Malformed,
}

impl Form {
    /// What was written into a field; nothing if there is no such field.
    pub(super) fn field(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The same of what must not be shown.
    pub(super) fn secret(&self, name: &str) -> Secret {
        Secret::new(self.field(name))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.entry(decoded(name)?).or_insert(decoded(value)?);
        }
        Some(Self(fields))
    }
}

/// What `+` and `%XX` stand for; nothing if that isn't UTF-8.
pub(super) fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(Into::into)
}

/// Reads a form that was sent to `host`.
pub(super) async fn read(headers: &HeaderMap, host: &str, body: Incoming) -> Result<Form, Trouble> {
    if is_cross_site(headers, host) {
        return Err(Trouble::CrossSite);
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Trouble::NotAForm);
    }
    let bytes = match Limited::new(body, FORM_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Trouble::TooLong),
        Err(_) => return Err(Trouble::Malformed),
    };
    std::str::from_utf8(&bytes).ok().and_then(Form::parse).ok_or(Trouble::Malformed)
}

/// Whether another site's page sent a request. Every browser says where a form comes from, in one of these two
/// headers at least; what says neither is no browser, and nobody's but its user's.
fn is_cross_site(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    // Only told where nobody can listen, and then of what the browser itself has in its address bar.
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN.as_str()) else { return false };
    let own = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    own.is_none_or(|own| !own.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_browsers_write_them() {
        let form = Form::parse("name=Ana+B&password=%C3%A4%2B%26%3D&name=x&&empty=&bare").unwrap();
        assert_eq!(form.field("name"), "Ana B");
        assert_eq!(form.secret("password").reveal(), "ä+&=");
        assert_eq!((form.field("empty"), form.field("bare"), form.field("missing")), ("", "", ""));
        assert!(Form::parse("name=%FF").is_none());
    }

    #[test]
    fn what_another_site_sends_is_told_from_what_this_one_does() {
        let is_cross = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            is_cross_site(&headers, "chat.example.org:5050")
        };
        for own in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://chat.example.org:5050")],
            &[("origin", "https://CHAT.example.org:5050")],
            // A proxy may give itself as the host; the browser knows better.
            &[("sec-fetch-site", "same-origin"), ("origin", "https://proxy.example.org")],
            &[],
        ] {
            assert!(!is_cross(own), "{own:?}");
        }
        for others in [
            &[("sec-fetch-site", "cross-site")][..],
            // Another site of the same owner, or another port of the same host.
            &[("sec-fetch-site", "same-site"), ("origin", "http://chat.example.org:5050")],
            &[("origin", "http://chat.example.org")],
            &[("origin", "http://chat.example.org:5050.evil.example")],
            &[("origin", "null")],
            &[("origin", "chat.example.org:5050")],
        ] {
            assert!(is_cross(others), "{others:?}");
        }
    }
}
