//! What can be ordered, and its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

/// `polylogue admin`.
#[derive(Debug, Args)]
pub(crate) struct Admin {
    /// The folder of the server that is meant; else the one that `serve` would take
    #[arg(long, value_name = "DIR", global = true, conflicts_with = "socket")]
    pub(crate) data: Option<PathBuf>,
    /// The socket of the server that is meant
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) socket: Option<PathBuf>,
    /// The server's configuration file, which may name both
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Print what the server answers, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) order: Order,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// How the server is
    Status,
    /// Who is here, from where; or end somebody
    Sessions {
        /// What to do with them; nothing: list them.
        #[command(subcommand)]
        order: Option<SessionOrder>,
    },
    /// The rooms; or one of them
    Rooms {
        /// What to do with them; nothing: list them.
        #[command(subcommand)]
        order: Option<RoomOrder>,
    },
    /// The accounts
    Accounts {
        /// What to do with them; nothing: list them.
        #[command(subcommand)]
        order: Option<AccountOrder>,
    },
    /// Links that let somebody make an account, and come into a room
    Invitations {
        /// What to do with them; nothing: list them.
        #[command(subcommand)]
        order: Option<InvitationOrder>,
    },
    /// From where nobody may come
    Bans {
        /// What to do with them; nothing: list them.
        #[command(subcommand)]
        order: Option<BanOrder>,
    },
    /// Tell everybody something, whatever their protocol
    Broadcast {
        /// What
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Take no newcomers, tell everybody, and end when all have left or the time is over
    Drain {
        /// How long to wait: 90, 90s, 5m or 1h
        #[arg(long = "for", value_name = "TIME", value_parser = time, default_value = "60")]
        patience: Duration,
        /// What to tell everybody, instead of how long there is
        text: Vec<String>,
        /// Go on after all
        #[arg(long, conflicts_with_all = ["patience", "text"])]
        cancel: bool,
    },
    /// Look for what was said in rooms
    Search {
        /// Words that all have to be in it
        text: Vec<String>,
        /// Only in this room
        #[arg(long)]
        room: Option<String>,
        /// Only of whoever has, or had, this name
        #[arg(long, value_name = "NAME")]
        from: Option<String>,
        /// Where in time to look.
        #[command(flatten)]
        window: Window,
    },
}

/// `polylogue admin sessions …`.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionOrder {
    /// End somebody
    End {
        /// Whom
        name: String,
        /// Why; everybody concerned is told
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// `polylogue admin rooms …`.
#[derive(Debug, Subcommand)]
pub(crate) enum RoomOrder {
    /// Who is in a room, and what is set on it
    Show {
        /// Which
        room: String,
    },
    /// Put everybody out of a room
    Close {
        /// Which
        room: String,
        /// Why; everybody is told
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// What was said in a room
    History {
        /// Which
        room: String,
        /// Which part.
        #[command(flatten)]
        window: Window,
    },
}

/// `polylogue admin accounts …`.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountOrder {
    /// Make an account: asks for a password, or reads it from the standard input
    Add {
        /// Its name
        name: String,
    },
    /// Give an account another password; certificates and passwords for single programs go
    Password {
        /// Which
        name: String,
    },
    /// End an account: its name is anybody's
    Remove {
        /// Which
        name: String,
    },
    /// Print all that was said while logged in to an account, and its conversations: a line of JSON each
    Export {
        /// Which; also one that is gone
        name: String,
    },
    /// Erase all that was said while logged in to an account
    Erase {
        /// Which; also one that is gone
        name: String,
    },
}

/// `polylogue admin invitations …`.
#[derive(Debug, Subcommand)]
pub(crate) enum InvitationOrder {
    /// Make one, and print the link, which is told only now
    Create {
        /// The room that it opens, whoever else may come in there
        #[arg(long)]
        room: Option<String>,
        /// How often it can be used; else once
        #[arg(long, value_name = "COUNT")]
        uses: Option<u32>,
        /// For how long: 90, 90s, 5m, 1h or 7d; else for ever
        #[arg(long = "for", value_name = "TIME", value_parser = time)]
        lasts: Option<Duration>,
    },
    /// List those that are still good
    List,
    /// Take one back; who has used it keeps what it gave
    Revoke {
        /// Its id, or the link's last part
        id: String,
    },
}

/// `polylogue admin bans …`.
#[derive(Debug, Subcommand)]
pub(crate) enum BanOrder {
    /// Keep an address or a network out, and end who is here from there
    Add {
        /// 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32
        net: String,
        /// Why; who comes from there is told
        #[arg(long, default_value = "")]
        reason: String,
        /// For how long: 90, 90s, 5m, 1h or 7d; else for ever
        #[arg(long = "for", value_name = "TIME", value_parser = time)]
        lasts: Option<Duration>,
    },
    /// Let them come again
    Remove {
        /// As it is listed
        net: String,
    },
}

/// Which part of what was said.
#[derive(Debug, Args)]
pub(crate) struct Window {
    /// After this: a message's id, or a time like 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long)]
    pub(crate) after: Option<String>,
    /// Before this
    #[arg(long)]
    pub(crate) before: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
}

/// A time as people write it: a number of seconds, or with a unit.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time: write 90, 90s, 5m, 1h or 7d");
    let (number, unit_s) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 60 * 60),
        Some((at, 'd')) => (&text[..at], 24 * 60 * 60),
        _ => (text, 1),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit_s).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("5m", 300), ("1h", 3600), ("7d", 604_800), ("0", 0)]
        {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for no in ["", "s", "1w", "-1", "1.5h", "99999999999999999999d", "ä"] {
            assert!(time(no).is_err(), "{no}");
        }
    }
}
