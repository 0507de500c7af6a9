//! Which crate may use which.

use serde_json::Value;

use crate::sh::{self, Outcome, cargo};

/// A crate of ours, and what it may use of ours.
struct Arrow {
    from: &'static str,
    to: &'static [&'static str],
    /// No sockets, clocks, threads or random order, so that every run replays.
    pure: bool,
}

/// What tests may also use: what plays transcripts, and a real store.
const FOR_TESTS: &[&str] = &["polylogue-transcript", "polylogue-store"];

/// The map in ARCHITECTURE.md.
const ARROWS: &[Arrow] = &[
    Arrow { from: "polylogue-proto", to: &[], pure: true },
    Arrow { from: "polylogue-hub", to: &[], pure: true },
    Arrow { from: "polylogue-transcript", to: &[], pure: false },
    Arrow { from: "polylogue-gateway", to: &["polylogue-proto", "polylogue-hub"], pure: true },
    Arrow { from: "polylogue-store", to: &["polylogue-hub"], pure: false },
    Arrow {
        from: "polylogue-server",
        to: &["polylogue-proto", "polylogue-hub", "polylogue-gateway", "polylogue-store"],
        pure: false,
    },
    // The configuration is made of the settings of all of them.
    Arrow {
        from: "polylogue",
        to: &[
            "polylogue-proto",
            "polylogue-hub",
            "polylogue-gateway",
            "polylogue-store",
            "polylogue-server",
            "polylogue-transcript",
        ],
        pure: false,
    },
    Arrow {
        from: "polylogue-benches",
        to: &["polylogue-proto", "polylogue-hub", "polylogue-gateway", "polylogue-store", "polylogue-server"],
        pure: false,
    },
    // What it is there to be compared with.
    Arrow { from: "polylogue-floor", to: &[], pure: false },
    Arrow { from: "xtask", to: &[], pure: false },
];

/// What a pure crate has no use for.
const IMPURE: &[&str] =
    &["tokio", "mio", "async-std", "smol", "socket2", "rustix", "libc", "rand", "getrandom"];

/// Checks what the manifests say.
pub(super) fn check(complaints: &mut Vec<String>) -> Outcome {
    let metadata = sh::read(&mut cargo(["metadata", "--format-version", "1", "--no-deps", "--offline"]))
        .or_else(|_| sh::read(&mut cargo(["metadata", "--format-version", "1", "--no-deps"])))?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    for package in list(&metadata["packages"]) {
        let name = text(&package["name"]);
        let Some(arrow) = ARROWS.iter().find(|arrow| arrow.from == name) else {
            complaints.push(format!("{name}: a new crate needs a line in xtask/src/tidy/arrows.rs"));
            continue;
        };
        complaints.extend(list(&package["dependencies"]).filter_map(|used| complaint(arrow, used)));
    }
    Ok(())
}

fn complaint(arrow: &Arrow, used: &Value) -> Option<String> {
    let (from, to) = (arrow.from, text(&used["name"]));
    let for_tests = used["kind"] == "dev";
    let ours = used.get("path").is_some_and(Value::is_string);
    if ours && !arrow.to.contains(&to) && !(for_tests && FOR_TESTS.contains(&to)) {
        return Some(format!("{from} uses {to}: the map in ARCHITECTURE.md has no such arrow"));
    }
    (arrow.pure && !for_tests && IMPURE.contains(&to))
        .then(|| format!("{from} uses {to}: it is pure, what it does must be the same each time"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_arrow_against_the_map_is_a_complaint() {
        let hub = ARROWS.iter().find(|arrow| arrow.from == "polylogue-hub").unwrap();
        let ours = |kind: Value, name| json!({ "name": name, "kind": kind, "path": "/somewhere" });
        assert!(complaint(hub, &ours(Value::Null, "polylogue-gateway")).is_some());
        assert!(complaint(hub, &ours(json!("dev"), "polylogue-gateway")).is_some());
        assert!(complaint(hub, &ours(json!("dev"), "polylogue-transcript")).is_none());
        assert!(complaint(hub, &json!({ "name": "tokio", "kind": null })).is_some());
        assert!(complaint(hub, &json!({ "name": "indexmap", "kind": null })).is_none());
    }
}
