//! `POLYLOGUE_SECTION__KEY` into a [`Config`].

use super::keys::{self, Key, hint_for};
use super::{Config, Problem};

const PREFIX: &str = "POLYLOGUE_";

/// Takes over what the variables say; those that don't begin with `POLYLOGUE_` are somebody else's.
pub(super) fn read(
    variables: impl Iterator<Item = (String, String)>,
    config: &mut Config,
    problems: &mut Vec<Problem>,
) {
    let mut variables: Vec<_> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    for (name, text) in variables {
        let place = format!("environment variable {name}");
        let Some(key) = keys::all().find(|key| variable(key) == name) else {
            let wanted = name.trim_start_matches(PREFIX).to_lowercase().replacen("__", ".", 1);
            let hint = hint_for(&wanted);
            problems.push(Problem { place, what: format!("unknown key {wanted}"), hint });
            continue;
        };
        if let Err(what) = key.field.set(config, &key.field.read(&text)) {
            let hint = format!("the default is {}", key.field.show(&Config::default()));
            problems.push(Problem { place, what: format!("{key} {what}"), hint });
        }
    }
}

/// The variable of a key.
pub(super) fn variable(key: &Key) -> String {
    format!("{PREFIX}{}__{}", key.section, key.name).to_uppercase()
}
