//! The kinds of values that keys have: how each is checked, taken over and written down.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Config;

/// A value as it was written, before any key has looked at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `true` or `false`.
    Switch(bool),
    /// A whole number.
    Number(u64),
    /// A string.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
    /// Anything else, in words.
    Other(String),
}

impl Value {
    /// The value in words, for errors.
    fn describe(&self) -> String {
        match self {
            Self::Switch(on) => on.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("{text:?}"),
            Self::List(items) => format!("{items:?}"),
            Self::Other(what) => what.clone(),
        }
    }
}

/// The unit of a duration, named at the end of its key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    /// `_s`
    Seconds,
    /// `_ms`
    Milliseconds,
}

/// Where a key's value lives in the [`Config`], and what values it takes.
pub(super) enum Field {
    /// On or off.
    Switch(fn(&mut Config) -> &mut bool),
    /// A number of things or bytes.
    Size(RangeInclusive<u64>, fn(&mut Config) -> &mut usize),
    /// A small number.
    Count(RangeInclusive<u64>, fn(&mut Config) -> &mut u32),
    /// A time.
    Time(Unit, RangeInclusive<u64>, fn(&mut Config) -> &mut Duration),
    /// A number of bytes that two parts of the server have to agree on.
    Both(RangeInclusive<u64>, fn(&mut Config) -> [&mut usize; 2]),
    /// A text with rules of its own: what is expected, reader, writer.
    Text(&'static str, fn(&Config) -> String, fn(&mut Config, &str) -> Result<(), String>),
    /// A list of such texts.
    List(&'static str, fn(&Config) -> Vec<String>, fn(&mut Config, &[String]) -> Result<(), String>),
}

impl Field {
    /// Takes a value over.
    ///
    /// # Errors
    /// What is wrong with it, to be read after the key's name.
    pub(super) fn set(&self, config: &mut Config, value: &Value) -> Result<(), String> {
        let refused = || format!("must be {}, not {}", self.expects(), value.describe());
        match (self, value) {
            (Self::Switch(at), Value::Switch(on)) => *at(config) = *on,
            (Self::Size(range, at), Value::Number(number)) if range.contains(number) => {
                *at(config) = usize::try_from(*number).map_err(|_| refused())?;
            }
            (Self::Both(range, at), Value::Number(number)) if range.contains(number) => {
                let number = usize::try_from(*number).map_err(|_| refused())?;
                at(config).into_iter().for_each(|place| *place = number);
            }
            (Self::Count(range, at), Value::Number(number)) if range.contains(number) => {
                *at(config) = u32::try_from(*number).map_err(|_| refused())?;
            }
            (Self::Time(unit, range, at), Value::Number(number)) if range.contains(number) => {
                *at(config) = match unit {
                    Unit::Seconds => Duration::from_secs(*number),
                    Unit::Milliseconds => Duration::from_millis(*number),
                };
            }
            (Self::Text(_, _, set), Value::Text(text)) => {
                set(config, text).map_err(|why| format!("is wrong: {why}"))?;
            }
            (Self::List(_, _, set), Value::List(items)) => {
                set(config, items).map_err(|why| format!("is wrong: {why}"))?;
            }
            _ => return Err(refused()),
        }
        Ok(())
    }

    /// The value in a configuration, as TOML.
    pub(super) fn show(&self, config: &Config) -> String {
        // The accessors are for writing; a copy costs nothing here.
        let mut config = config.clone();
        match self {
            Self::Switch(at) => at(&mut config).to_string(),
            Self::Size(_, at) => at(&mut config).to_string(),
            Self::Count(_, at) => at(&mut config).to_string(),
            Self::Both(_, at) => at(&mut config)[0].to_string(),
            Self::Time(Unit::Seconds, _, at) => at(&mut config).as_secs().to_string(),
            Self::Time(Unit::Milliseconds, _, at) => at(&mut config).as_millis().to_string(),
            Self::Text(_, get, _) => quoted(&get(&config)),
            Self::List(_, get, _) => {
                let items: Vec<_> = get(&config).iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    /// Which values are allowed, in words.
    pub(super) fn expects(&self) -> String {
        match self {
            Self::Switch(_) => "true or false".to_owned(),
            Self::Size(range, _) | Self::Both(range, _) | Self::Count(range, _) => {
                format!("a number from {} to {}", range.start(), range.end())
            }
            Self::Time(Unit::Seconds, range, _) => {
                format!("seconds from {} to {}", range.start(), range.end())
            }
            Self::Time(Unit::Milliseconds, range, _) => {
                format!("milliseconds from {} to {}", range.start(), range.end())
            }
            Self::Text(expected, ..) => format!("a string: {expected}"),
            Self::List(expected, ..) => format!("a list of strings: {expected}"),
        }
    }

    /// Reads a value out of an environment variable, where everything is text.
    pub(super) fn read(&self, text: &str) -> Value {
        let other = || Value::Other(format!("{text:?}"));
        match self {
            Self::Switch(_) => text.parse().map_or_else(|_| other(), Value::Switch),
            Self::Size(..) | Self::Both(..) | Self::Count(..) | Self::Time(..) => {
                text.parse().map_or_else(|_| other(), Value::Number)
            }
            Self::Text(..) => Value::Text(text.to_owned()),
            Self::List(..) => Value::List(
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect(),
            ),
        }
    }
}

/// A string as a TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
