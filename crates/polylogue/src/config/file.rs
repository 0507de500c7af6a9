//! A TOML file into a [`Config`]. Every error names the file, the line and the key.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::field::Value;
use super::keys::{self, Key, SECTIONS};
use super::problem::nearest;
use super::{Config, Problem};

/// Takes over what `text` says. What is wrong is added to `problems`; the rest is taken over all the same, so
/// that all errors are found in one go.
pub(super) fn read(path: &Path, text: &str, config: &mut Config, problems: &mut Vec<Problem>) {
    let reader = Reader { path, text };
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            problems.push(Problem {
                place: reader.place(offset),
                what: format!("not TOML: {}", error.message()),
                hint: "`polylogue config` prints a complete file to start from".to_owned(),
            });
            return;
        }
    };
    let mut sections: Vec<_> = table.get_ref().iter().collect();
    sections.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in sections {
        match value.get_ref() {
            DeValue::Table(table) if SECTIONS.iter().any(|section| section.name == name.get_ref()) => {
                reader.section(name.get_ref(), table, config, problems);
            }
            _ => problems.push(reader.unknown_section(name)),
        }
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn section(&self, section: &str, table: &DeTable<'_>, config: &mut Config, problems: &mut Vec<Problem>) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let Some(key) = Key::find(section, name.get_ref()) else {
                problems.push(self.unknown_key(section, name));
                continue;
            };
            if let Err(what) = key.field.set(config, &value_of(value.get_ref())) {
                problems.push(Problem {
                    place: self.place(value.span().start),
                    what: format!("{key} {what}"),
                    hint: format!("the default is {}", key.field.show(&Config::default())),
                });
            }
        }
    }

    fn unknown_section(&self, name: &Spanned<std::borrow::Cow<'_, str>>) -> Problem {
        let wanted = name.get_ref();
        let hint = if let Some(key) = keys::all().find(|key| key.name == *wanted) {
            format!("it belongs under [{}]", key.section)
        } else if let Some(section) = nearest(wanted, SECTIONS.iter().map(|section| section.name)) {
            format!("the nearest section is [{section}]")
        } else {
            format!("there are {}", super::keys::sections_in_words())
        };
        Problem {
            place: self.place(name.span().start),
            what: format!("unknown section or key {wanted}"),
            hint,
        }
    }

    fn unknown_key(&self, section: &str, name: &Spanned<std::borrow::Cow<'_, str>>) -> Problem {
        let wanted = format!("{section}.{}", name.get_ref());
        Problem {
            place: self.place(name.span().start),
            what: format!("unknown key {wanted}"),
            hint: super::keys::hint_for(&wanted),
        }
    }

    /// `FILE:LINE`.
    fn place(&self, offset: usize) -> String {
        let before = self.text.as_bytes().iter().take(offset);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}", self.path.display())
    }
}

fn value_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::Boolean(on) => Value::Switch(*on),
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Other(number.to_string()),
        },
        DeValue::Float(number) => Value::Other(number.as_str().to_owned()),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
            texts.map_or_else(|| Value::Other("a list of other things".to_owned()), Value::List)
        }
        DeValue::Datetime(_) => Value::Other("a date".to_owned()),
        DeValue::Table(_) => Value::Other("a table".to_owned()),
    }
}
