//! The hub's no, in this protocol's one word for it.

use hub::Refusal;
use proto::muca::ServerFrame;

/// The answer to a JOIN that is refused. A refused SEND has none: the protocol has no error for it, and a MSG of
/// the server's own would have a FROM that is in no LIST, which kills clients.
pub(super) fn answer(refusal: &Refusal) -> ServerFrame {
    match refusal {
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
        | Refusal::LoggedInAlready { .. }
        | Refusal::ServerFull { .. }
        // These are not for a JOIN, but whatever comes, the client waits for an ACK.
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
        | Refusal::TooManyWaiting => ServerFrame::Ack { okay: false },
    }
}
