//! The hub's no, in words for a person: the protocol has only one refusal of its own, `SET_USR_CONFLICT`.

use hub::Refusal;

/// What a named client is told. While a name is still being set there are no words but `SET_USR_CONFLICT` for a
/// name that is taken, and `DISCONNECT` for everything else.
pub(super) fn words(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NoSuchUser { .. }
        | Refusal::Busy { .. }
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
        | Refusal::NotInRoom
        | Refusal::CannotSpeak { .. }
        | Refusal::TooSoon { .. }
        | Refusal::NotLoggedIn => format!("not sent: {refusal}"),
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
        | Refusal::NameTaken { .. }
        | Refusal::NameRegistered { .. }
        | Refusal::NameMalformed { .. }
        | Refusal::RoomMalformed { .. }
        | Refusal::RoomFull { .. }
        | Refusal::LoggedInAlready { .. }
        | Refusal::ServerFull { .. } => refusal.to_string(),
    }
}
