//! What a rooms client is told when the hub says no.

use hub::Refusal;
use proto::rooms::Code;

/// The answer to a first message that is refused.
pub(super) fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::NameTaken { .. } | Refusal::NameRegistered { .. } | Refusal::WrongPassword => Code::Taken,
        // The protocol has one code for everything else.
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
        | Refusal::MaskMalformed { .. }
        | Refusal::ListFull { .. }
        | Refusal::SettingMalformed { .. }
        | Refusal::NoSuchMessage
        | Refusal::NotYourMessage
        | Refusal::CannotSpeak { .. }
        | Refusal::TooSoon { .. }
        | Refusal::NameMalformed { .. }
        | Refusal::RoomMalformed { .. }
        | Refusal::RoomFull { .. }
        | Refusal::ServerFull { .. }
        | Refusal::LoggedInAlready { .. }
        | Refusal::NotLoggedIn
        | Refusal::NotInRoom
        | Refusal::NoSuchUser { .. }
        | Refusal::Busy { .. }
        | Refusal::TextEmpty
        | Refusal::TextTooLong { .. }
        | Refusal::TooFast { .. }
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
        | Refusal::TooManyWaiting => Code::Invalid,
    }
}

/// The words of a notice about a message that is refused. The protocol has none of its own.
pub(super) fn words(refusal: &Refusal) -> String {
    refusal.to_string()
}
