//! The page at `/account` and at `/invite/…`: forms that work without a script.

use std::fmt::Write as _;

use hub::Admission;
use hyper::StatusCode;

use super::page::{begin, escape, host_is_fine};

/// Who sees the page, and how it came.
#[derive(Debug)]
pub(super) struct Visit {
    /// The request's Host header, not believed but escaped.
    pub(super) host: String,
    /// Whether it came by TLS.
    pub(super) secure: bool,
    /// Whether it came from this machine.
    pub(super) is_local: bool,
    /// Whether TLS is to be had.
    pub(super) offers_tls: bool,
    /// Whether accounts are kept here.
    pub(super) keeps: bool,
    /// Who can make one.
    pub(super) admission: Admission,
    /// The name that was written into the form.
    pub(super) name: String,
    /// An invitation's token, if there is one that is good.
    pub(super) invitation: String,
    /// The room that it is for.
    pub(super) room: Option<String>,
}

/// What has become of what was asked for.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: StatusCode,
    /// When to try again, in seconds.
    pub(super) retry_s: Option<u64>,
    text: String,
}

impl Told {
    pub(super) fn good(text: String) -> Self {
        Self { status: StatusCode::OK, retry_s: None, text }
    }

    pub(super) fn bad(status: StatusCode, text: String) -> Self {
        Self { status, retry_s: None, text }
    }

    pub(super) fn again_in(self, wait_s: u64) -> Self {
        Self { retry_s: Some(wait_s), ..self }
    }
}

/// The page.
pub(super) fn page(visit: &Visit, told: Option<&Told>) -> String {
    let mut page = begin("Polylogue: accounts");
    if let Some(Told { status, text, .. }) = told {
        let (class, role) = if status.is_success() { ("good", "status") } else { ("bad", "alert") };
        // Writing to a string can't fail.
        let _ = writeln!(page, r#"<p class="{class}" role="{role}">{}</p>"#, escape(text));
    }
    if !visit.keeps {
        page.push_str("<p>This server keeps nothing, so there are no accounts.</p>\n");
        return page + END;
    }
    warn(&mut page, visit);
    if !visit.invitation.is_empty() {
        let whereto = match &visit.room {
            Some(room) => format!("You are invited into the room <b>{}</b>.", escape(room)),
            None => "You are invited.".to_owned(),
        };
        let _ = writeln!(page, "<p>{whereto}</p>");
    }
    make_form(&mut page, visit);
    if visit.invitation.is_empty() {
        let fields = [
            name_field(visit, "password-name"),
            field("password", "Your password", "current-password", "old"),
            field("new", "The new password", "new-password", "new"),
        ];
        form(&mut page, "Another password", "/account/password", &fields, "Change the password");
    } else if visit.room.is_some() {
        let fields = [
            name_field(visit, "own-name"),
            field("password", "Your password", "current-password", "own"),
            hidden(visit),
        ];
        form(&mut page, "You have an account already?", "/invite", &fields, "Use the invitation");
    }
    page + END
}

const END: &str = "<p><a href=\"/\">How to join</a></p>\n";

/// Says what an account is, or why there is none to be had.
fn make_form(page: &mut String, visit: &Visit) {
    let by_hand = match (visit.admission, visit.invitation.is_empty()) {
        (Admission::Closed, true) => {
            page.push_str("<p>Only whoever runs this server makes accounts here.</p>\n");
            return;
        }
        (Admission::Closed, false) => return,
        (Admission::Invited, true) => {
            r#"<p><label for="invitation">The invitation: a link that somebody gave you</label>
<input id="invitation" name="invitation" maxlength="300" required></p>"#
                .to_owned()
        }
        (Admission::Open | Admission::Invited, _) => hidden(visit),
    };
    page.push_str(
        "<p>With an account a name is yours, in every protocol, and you see what you missed.</p>\n",
    );
    let fields = [
        name_field(visit, "name"),
        field("password", "A password, of 6 characters or more", "new-password", "password"),
        by_hand,
    ];
    form(page, "Make an account", "/account", &fields, "Make it");
}

/// Who may read along, if anybody.
fn warn(page: &mut String, visit: &Visit) {
    if visit.secure || visit.is_local {
        return;
    }
    page.push_str("<p class=\"bad\">This page came unencrypted: anybody on the way can read the password.");
    if visit.offers_tls && host_is_fine(&visit.host) {
        let path = match visit.invitation.as_str() {
            "" => "/account".to_owned(),
            token => format!("/invite/{token}"),
        };
        let address = escape(&format!("https://{}{path}", visit.host));
        let _ = write!(page, " <a href=\"{address}\">Use it encrypted</a>.");
    }
    page.push_str("</p>\n");
}

fn form(page: &mut String, title: &str, action: &str, fields: &[String], button: &str) {
    let _ = write!(
        page,
        "<h2>{title}</h2>\n<form method=\"post\" action=\"{action}\">\n{}\n<p><button>{button}</button></p>\n</form>\n",
        fields.join("\n")
    );
}

fn name_field(visit: &Visit, id: &str) -> String {
    let name = escape(&visit.name);
    format!(
        "<p><label for=\"{id}\">Name</label>\n<input id=\"{id}\" name=\"name\" value=\"{name}\" maxlength=\"64\" \
         autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" required></p>"
    )
}

/// A field for a password. Nothing that was written into one is ever sent back.
fn field(name: &str, label: &str, kind: &str, id: &str) -> String {
    format!(
        "<p><label for=\"{id}\">{label}</label>\n<input id=\"{id}\" name=\"{name}\" type=\"password\" \
         maxlength=\"300\" autocomplete=\"{kind}\" required></p>"
    )
}

fn hidden(visit: &Visit) -> String {
    match visit.invitation.as_str() {
        "" => String::new(),
        token => format!("<input type=\"hidden\" name=\"invitation\" value=\"{}\">", escape(token)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit() -> Visit {
        Visit {
            host: "chat.example.org:5050".to_owned(),
            secure: false,
            is_local: false,
            offers_tls: false,
            keeps: true,
            admission: Admission::Open,
            name: String::new(),
            invitation: String::new(),
            room: None,
        }
    }

    #[test]
    fn who_can_be_overheard_is_told() {
        let warning = "anybody on the way can read the password";
        let link = "href=\"https://chat.example.org:5050/account\"";
        let plain = page(&visit(), None);
        assert!(plain.contains(warning) && !plain.contains(link), "{plain}");
        let offered = page(&Visit { offers_tls: true, ..visit() }, None);
        assert!(offered.contains(warning) && offered.contains(link), "{offered}");
        for safe in [Visit { secure: true, ..visit() }, Visit { is_local: true, ..visit() }] {
            assert!(!page(&safe, None).contains(warning));
        }
        let forged = Visit { offers_tls: true, host: "x\"><script>".to_owned(), ..visit() };
        assert!(!page(&forged, None).contains("https://"));
    }

    #[test]
    fn nothing_is_shown_that_is_not_escaped() {
        let evil = "\"><script>alert(1)</script>";
        let told = Told::bad(StatusCode::BAD_REQUEST, evil.to_owned());
        let visit = Visit {
            host: evil.to_owned(),
            offers_tls: true,
            name: evil.to_owned(),
            invitation: evil.to_owned(),
            room: Some(evil.to_owned()),
            ..visit()
        };
        let page = page(&visit, Some(&told));
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
        assert!(!page.contains("value=\"\">"), "{page}");
    }

    #[test]
    fn only_what_can_be_done_is_offered() {
        let offers = |visit: &Visit| {
            let page = page(visit, None);
            let has = |part: &str| page.contains(part);
            (has("action=\"/account\""), has("action=\"/account/password\""), has("action=\"/invite\""))
        };
        let invited = |admission| Visit {
            admission,
            invitation: "token".to_owned(),
            room: Some("den".to_owned()),
            ..visit()
        };
        assert_eq!(offers(&visit()), (true, true, false));
        assert_eq!(offers(&Visit { admission: Admission::Closed, ..visit() }), (false, true, false));
        assert_eq!(offers(&invited(Admission::Open)), (true, false, true));
        assert_eq!(offers(&invited(Admission::Closed)), (false, false, true));
        assert_eq!(offers(&Visit { keeps: false, ..visit() }), (false, false, false));
        let by_invitation = page(&Visit { admission: Admission::Invited, ..visit() }, None);
        assert!(by_invitation.contains("name=\"invitation\" maxlength"));
    }
}
