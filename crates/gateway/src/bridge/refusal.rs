//! What a bridge client is told when the hub says no.

use hub::Refusal;

/// The words of an `ERROR`'s `Message`, or of a notice in a conversation.
pub(super) fn words(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotLoggedIn => "register first".to_owned(),
        Refusal::LoggedInAlready { name } => format!("this connection is the conversation of {name}"),
        Refusal::NoSuchUser { name } => format!("nobody here is called {name}"),
        Refusal::Busy { name } => format!("{name} is talking to somebody else"),
        Refusal::NoSuchRoom { .. }
        | Refusal::RoomTaken { .. }
        | Refusal::NotAMember { .. }
        | Refusal::MemberAlready { .. }
        | Refusal::TooManyRooms { .. }
        | Refusal::InviteOnly
        | Refusal::WrongKey
        | Refusal::Banned
        | Refusal::NeedsAccount
        | Refusal::RankTooLow { .. }
        | Refusal::NoPrivilege { .. }
        | Refusal::KeyMalformed { .. }
        | Refusal::KeyNotSet { .. }
        | Refusal::NotYours { .. }
        | Refusal::WrongPassword
        | Refusal::MaskMalformed { .. }
        | Refusal::ListFull { .. }
        | Refusal::SettingMalformed { .. }
        | Refusal::NoSuchMessage
        | Refusal::NotYourMessage
        | Refusal::CannotSpeak { .. }
        | Refusal::TooSoon { .. }
        | Refusal::NameTaken { .. }
        | Refusal::NameRegistered { .. }
        | Refusal::NameMalformed { .. }
        | Refusal::RoomMalformed { .. }
        | Refusal::RoomFull { .. }
        | Refusal::NotInRoom
        | Refusal::TextEmpty
        | Refusal::TextTooLong { .. }
        | Refusal::TooFast { .. }
        | Refusal::TooManyWaiting
        | Refusal::NoHistory
        | Refusal::NotKept
        | Refusal::AccountExists { .. }
        | Refusal::RegistrationClosed
        | Refusal::InvitationNeeded
        | Refusal::NoSuchInvitation
        | Refusal::NoAccount
        | Refusal::NameShared
        | Refusal::TooManyAttempts { .. }
        | Refusal::PasswordUnfit { .. }
        | Refusal::ServerFull { .. } => refusal.to_string(),
    }
}
