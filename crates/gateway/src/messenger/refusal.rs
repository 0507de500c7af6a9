//! The hub's no, in this protocol's four errors.

use hub::Refusal;
use proto::messenger::ErrorCode;

/// The answer to a SEND that is refused. A REGISTER has one answer to every refusal, because one is all that every
/// client understands: [`ErrorCode::MalformedUsername`].
pub(super) fn of_send(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::NotLoggedIn => ErrorCode::NoUserRegistered,
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
        | Refusal::NotInRoom
        | Refusal::NoSuchUser { .. }
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
        // These are not for a SEND; whatever comes, the client waits for an answer.
        | Refusal::NameTaken { .. }
        | Refusal::NameRegistered { .. }
        | Refusal::NameMalformed { .. }
        | Refusal::RoomMalformed { .. }
        | Refusal::RoomFull { .. }
        | Refusal::LoggedInAlready { .. }
        | Refusal::ServerFull { .. } => ErrorCode::UnableToSend,
    }
}
