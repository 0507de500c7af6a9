use proptest::prelude::*;

use super::*;
use crate::sasl::{Password, ServerError};

// RFC 7677, 3.
const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const CHALLENGE: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const VERIFIER: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

fn rfc_keys() -> ScramKeys {
    ScramKeys::derive("pencil", base64("W22ZaJ0SNY7soEsUEjb6gQ==", "salt").unwrap().try_into().unwrap(), 4096)
}

fn shown(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// What the server says to the RFC's client, with a client-final-message of one's own.
fn rfc_server(client_final: &str) -> Result<String, SaslError> {
    let (_, expected) = ClientFirst::parse(FIRST.as_bytes()).unwrap().challenge(SERVER_NONCE, rfc_keys());
    expected.verify(client_final.as_bytes()).map(shown)
}

/// What the RFC's client says to a server of one's own.
fn rfc_client(challenge: &str, server_final: &str) -> Result<(), SaslError> {
    let client = Client::new("user", Password::new("pencil"), CLIENT_NONCE);
    let (_, expected) = client.on_challenge(challenge.as_bytes())?;
    expected.verify_server_final(server_final.as_bytes())
}

/// The whole conversation, few iterations.
fn converse(name: &str, password: &str, keys: ScramKeys) -> Result<(), SaslError> {
    let client = Client::new(name, Password::new(password), "client").with_iterations(1..=u32::MAX);
    let first = ClientFirst::parse(&client.first())?;
    assert_eq!((first.name(), first.client_nonce()), (name, "client"));
    let (challenge, client_expected) = first.challenge("server", keys);
    let (client_final, server_expected) = client.on_challenge(&challenge)?;
    let server_final = client_expected.verify(&client_final)?;
    server_expected.verify_server_final(&server_final)
}

#[test]
fn the_servers_side_of_the_rfc() {
    let first = ClientFirst::parse(FIRST.as_bytes()).unwrap();
    assert_eq!((first.name(), first.client_nonce()), ("user", CLIENT_NONCE));
    let (challenge, expected) = first.challenge(SERVER_NONCE, rfc_keys());
    assert_eq!(shown(challenge), CHALLENGE);
    assert_eq!(expected.verify(FINAL.as_bytes()).map(shown).as_deref(), Ok(VERIFIER));
}

#[test]
fn the_clients_side_of_the_rfc() {
    let client = Client::new("user", Password::new("pencil"), CLIENT_NONCE);
    assert_eq!(shown(client.first()), FIRST);
    let (client_final, expected) = client.on_challenge(CHALLENGE.as_bytes()).unwrap();
    assert_eq!(shown(client_final), FINAL);
    assert_eq!(expected.verify_server_final(VERIFIER.as_bytes()), Ok(()));
}

#[test]
fn who_does_not_know_the_password_is_refused() {
    let keys = ScramKeys::derive("pencil", [1; 16], 3);
    assert_eq!(converse("user", "pencil", keys.clone()), Ok(()));
    for wrong in ["Pencil", "pencil ", "", "pencilpencil"] {
        assert_eq!(converse("user", wrong, keys.clone()), Err(SaslError::Proof), "{wrong}");
    }
    let fake = ScramKeys::fake(&[9; 32], "nobody", 3);
    assert_eq!(converse("nobody", "pencil", fake), Err(SaslError::Proof));
}

#[test]
fn who_only_stole_the_keys_is_refused() {
    // The stored key as client key: what a thief of the keys has.
    let keys = rfc_keys();
    let without_proof = FINAL.rsplit_once(',').unwrap().0;
    let signed = format!("{},{CHALLENGE},{without_proof}", &FIRST[3..]);
    let signature = keys::hmac(&keys.stored_key, &[signed.as_bytes()]);
    let proof = BASE64.encode(keys::xor(&keys.stored_key, &signature));
    assert_eq!(rfc_server(&format!("{without_proof},p={proof}")), Err(SaslError::Proof));
}

#[test]
fn a_server_that_does_not_know_the_keys_is_found_out() {
    let keys = ScramKeys { server_key: [0; 32], ..ScramKeys::derive("pencil", [1; 16], 3) };
    assert_eq!(converse("user", "pencil", keys), Err(SaslError::ServerSignature));
    let other = VERIFIER.replace("v=6", "v=7");
    assert_eq!(rfc_client(CHALLENGE, &other), Err(SaslError::ServerSignature));
}

#[test]
fn first_messages_that_are_taken() {
    for (message, name) in [
        ("n,,n=user,r=x", "user"),
        ("y,,n=user,r=x", "user"),
        ("n,a=user,n=user,r=x", "user"),
        ("n,a=us=2Cer=3D,n=us=2Cer=3D,r=x", "us,er="),
        ("n,,n==3D2C=2C,r=x", "=2C,"),
        ("n,,n=zoë,r=x,z=unknown extension=,y=1", "zoë"),
    ] {
        let first = ClientFirst::parse(message.as_bytes()).unwrap();
        assert_eq!((first.name(), first.client_nonce()), (name, "x"), "{message}");
    }
}

#[test]
fn first_messages_that_are_refused() {
    let malformed = SaslError::Malformed { what: CLIENT_FIRST };
    for (message, error) in [
        ("", malformed),
        ("n", malformed),
        ("n,", malformed),
        ("n,,", malformed),
        ("x,,n=user,r=x", malformed),
        ("N,,n=user,r=x", malformed),
        (",,n=user,r=x", malformed),
        ("p=tls-unique,,n=user,r=x", SaslError::ChannelBinding),
        ("n,user,n=user,r=x", malformed),
        ("n,a=,n=user,r=x", SaslError::NotAllowed),
        ("n,a=admin,n=user,r=x", SaslError::NotAllowed),
        ("n,a=User,n=user,r=x", SaslError::NotAllowed),
        ("n,a=us=2cer,n=user,r=x", SaslError::UserName),
        ("n,,n=,r=x", SaslError::Empty { what: "user name" }),
        ("n,,n=us=er,r=x", SaslError::UserName),
        ("n,,n=user=,r=x", SaslError::UserName),
        ("n,,n=user=2c,r=x", SaslError::UserName),
        ("n,,n=user", malformed),
        ("n,,n=user,r=", malformed),
        ("n,,n=user,r=a b", malformed),
        ("n,,n=user,r=é", malformed),
        ("n,,r=x,n=user", malformed),
        ("n,,N=user,r=x", malformed),
        ("n,,m=ext,n=user,r=x", SaslError::Extension),
        ("n,,n=user,m=ext,r=x", SaslError::Extension),
        ("n,,n=user,r=x,m=ext", SaslError::Extension),
        ("n,,n=user,r=x,z=1,m=ext", SaslError::Extension),
        ("n,,n=user,r=x,r=y", malformed),
        ("n,,n=user,r=x,", malformed),
        ("n,,n=user,r=x,z", malformed),
        ("n,,n=user,r=x,z=", malformed),
        ("n,,n=user,r=x,1=1", malformed),
        ("n,,n=user,r=x,zz=1", malformed),
        ("n,,n=us\0er,r=x", malformed),
    ] {
        assert_eq!(ClientFirst::parse(message.as_bytes()), Err(error), "{message}");
    }
    assert_eq!(ClientFirst::parse(b"n,,n=\xff,r=x"), Err(SaslError::NotUtf8 { what: CLIENT_FIRST }));
}

#[test]
fn final_messages_that_are_refused() {
    let malformed = SaslError::Malformed { what: CLIENT_FINAL };
    let nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    for (message, error) in [
        (String::new(), malformed),
        (proof.to_owned(), malformed),
        (format!("c=biws,{nonce}"), malformed),
        (format!("c=biws,{proof}"), malformed),
        (format!("{nonce},c=biws,{proof}"), malformed),
        (format!("c=biws,{nonce},{proof},"), malformed),
        (format!("c=biws,{nonce},{proof},z=1"), malformed),
        (format!("c=biws,{nonce},{proof},{proof}"), malformed),
        (format!("c=biws,{nonce},p=AAAA"), SaslError::Malformed { what: "proof" }),
        (format!("c=biws,{nonce},p="), SaslError::Malformed { what: "proof" }),
        (format!("c=biws,{nonce},p=é"), SaslError::NotBase64 { what: "proof" }),
        (format!("c=biws,{nonce},{}", proof.trim_end_matches('=')), SaslError::NotBase64 { what: "proof" }),
        (format!("c=biws,{nonce},{}", proof.replace("dH", "eH")), SaslError::Proof),
        (format!("c=biws,{nonce},z=1,{proof}"), SaslError::Proof),
        // "y,," and "p=tls-unique,,": not how the first message began.
        (format!("c=eSws,{nonce},{proof}"), SaslError::ChannelBindingDiffers),
        (format!("c=cD10bHMtdW5pcXVlLCw=,{nonce},{proof}"), SaslError::ChannelBindingDiffers),
        (format!("c=,{nonce},{proof}"), SaslError::ChannelBindingDiffers),
        (format!("c=biws,{nonce}x,{proof}"), SaslError::Nonce),
        (format!("c=biws,r={CLIENT_NONCE},{proof}"), SaslError::Nonce),
        (format!("c=biws,r=,{proof}"), SaslError::Nonce),
        (format!("m=1,c=biws,{nonce},{proof}"), SaslError::Extension),
        (format!("c=biws,{nonce},m=1,{proof}"), SaslError::Extension),
        (format!("c=biws,{nonce},{proof},m=1"), malformed),
        (format!("c=biws,{nonce},\0,{proof}"), malformed),
    ] {
        assert_eq!(rfc_server(&message), Err(error), "{message}");
    }
}

#[test]
fn a_binding_header_has_to_come_back_as_it_was() {
    // A client that can bind says y; with its c= changed to n's, somebody was in between.
    for (first, good) in [("y,,n=user,r=x", "y,,"), ("n,a=user,n=user,r=x", "n,a=user,")] {
        let challenged = || ClientFirst::parse(first.as_bytes()).unwrap().challenge("s", rfc_keys()).1;
        let proof = BASE64.encode([0; 32]);
        let message = format!("c={},r=xs,p={proof}", BASE64.encode(good));
        assert_eq!(challenged().verify(message.as_bytes()), Err(SaslError::Proof));
        let message = format!("c=biws,r=xs,p={proof}");
        assert_eq!(challenged().verify(message.as_bytes()), Err(SaslError::ChannelBindingDiffers));
    }
}

#[test]
fn challenges_that_a_client_refuses() {
    let malformed = SaslError::Malformed { what: SERVER_FIRST };
    let count = |count| SaslError::Iterations { count };
    let nonce = format!("r={CLIENT_NONCE}x");
    for (challenge, error) in [
        (String::new(), malformed),
        (format!("{nonce},s=c2FsdA=="), malformed),
        (format!("{nonce},i=4096,s=c2FsdA=="), malformed),
        (format!("m=1,{nonce},s=c2FsdA==,i=4096"), SaslError::Extension),
        (format!("{nonce},s=c2FsdA==,i=4096,m=1"), SaslError::Extension),
        (format!("{nonce},s=c2FsdA,i=4096"), SaslError::NotBase64 { what: "salt" }),
        (format!("{nonce},s=c2FsdA==,i="), malformed),
        (format!("{nonce},s=c2FsdA==,i=+4096"), malformed),
        (format!("{nonce},s=c2FsdA==,i=04096"), malformed),
        (format!("{nonce},s=c2FsdA==,i=0"), malformed),
        (format!("{nonce},s=c2FsdA==,i=99999999999"), malformed),
        (format!("{nonce},s=c2FsdA==,i=4095"), count(4095)),
        (format!("{nonce},s=c2FsdA==,i=1000001"), count(1_000_001)),
        // The client's nonce alone, another, none.
        (format!("r={CLIENT_NONCE},s=c2FsdA==,i=4096"), SaslError::Nonce),
        ("r=x,s=c2FsdA==,i=4096".to_owned(), SaslError::Nonce),
        ("r=,s=c2FsdA==,i=4096".to_owned(), SaslError::Nonce),
    ] {
        assert_eq!(rfc_client(&challenge, VERIFIER), Err(error), "{challenge}");
    }
}

#[test]
fn last_words_that_a_client_refuses() {
    let malformed = SaslError::Malformed { what: SERVER_FINAL };
    assert_eq!(rfc_client(CHALLENGE, &format!("{VERIFIER},z=1")), Ok(()));
    for (server_final, error) in [
        (String::new(), malformed),
        ("v=".to_owned(), SaslError::Malformed { what: "signature" }),
        ("v=%".to_owned(), SaslError::NotBase64 { what: "signature" }),
        (format!("{VERIFIER},m=1"), SaslError::Extension),
        (format!("{VERIFIER},"), malformed),
        ("e=invalid-proof".to_owned(), SaslError::Refused(ServerError::InvalidProof)),
        ("e=unheard-of,z=1".to_owned(), SaslError::Refused(ServerError::Other)),
    ] {
        assert_eq!(rfc_client(CHALLENGE, &server_final), Err(error), "{server_final}");
    }
}

#[test]
fn the_iteration_count_is_the_accounts() {
    for iterations in [4096, 10_000, u32::MAX] {
        let keys = ScramKeys { iterations, ..ScramKeys::fake(&[0; 32], "bob", 1) };
        let (challenge, _) = ClientFirst::parse(b"n,,n=bob,r=x").unwrap().challenge("s", keys);
        assert!(shown(challenge).ends_with(&format!(",i={iterations}")));
    }
    // A client that made fewer rounds than it was told has made another key.
    let keys = ScramKeys { iterations: 4, ..ScramKeys::derive("pencil", [1; 16], 3) };
    assert_eq!(converse("user", "pencil", keys), Err(SaslError::Proof));
}

#[test]
fn prepared_alike_on_both_sides() {
    let keys = || ScramKeys::derive("I\u{ad}X", [1; 16], 2);
    assert_eq!(converse("user", "IX", keys()), Ok(()));
    assert_eq!(converse("user", "\u{2168}", keys()), Ok(()));
    assert_eq!(converse("user", "ix", keys()), Err(SaslError::Proof));
    // Nothing is left of a soft hyphen; that must not make the empty password right.
    assert_eq!(converse("user", "", ScramKeys::derive("\u{ad}", [1; 16], 2)), Err(SaslError::Proof));
}

#[test]
fn nonces_are_what_a_nonce_can_be() {
    assert!(is_nonce(&nonce(&[0xff; 18])) && is_nonce(&nonce(&[0; 18])));
    assert_eq!(nonce(&[0; 18]).len(), 24);
}

#[test]
#[should_panic(expected = "without a comma")]
fn a_servers_nonce_has_no_comma() {
    let _ = ClientFirst::parse(b"n,,n=bob,r=x").unwrap().challenge("a,b", rfc_keys());
}

#[test]
fn debug_shows_no_secrets() {
    let client = Client::new("user", Password::new("pencil"), "x");
    assert!(!format!("{client:?}").contains("pencil"));
    let keys = ScramKeys { stored_key: [77; 32], server_key: [99; 32], ..rfc_keys() };
    let (_, expected) = ClientFirst::parse(FIRST.as_bytes()).unwrap().challenge(SERVER_NONCE, keys);
    let shown = format!("{expected:?}");
    assert!(!shown.contains("77, 77") && !shown.contains("99, 99"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn names_survive_their_escapes(name in "\\PC{0,20}", signs in "[=,2CD3]{0,8}") {
        let name = name + &signs;
        let escaped = escape(&name);
        prop_assert!(!escaped.contains(','));
        prop_assert_eq!(unescape(&escaped).unwrap(), name);
    }

    #[test]
    fn any_password_opens_what_it_closed(
        name in "\\PC{1,20}",
        password in any::<String>(),
        other in any::<String>(),
        salt: [u8; 16],
        iterations in 1..20_u32,
    ) {
        let keys = || ScramKeys::derive(&password, salt, iterations);
        prop_assert_eq!(converse(&name, &password, keys()), Ok(()));
        if keys() != ScramKeys::derive(&other, salt, iterations) {
            prop_assert_eq!(converse(&name, &other, keys()), Err(SaslError::Proof));
        }
    }

    #[test]
    fn fakes_open_to_no_password(name in "\\PC{1,20}", password in any::<String>(), secret: [u8; 32]) {
        let keys = ScramKeys::fake(&secret, &name, 2);
        prop_assert_eq!(converse(&name, &password, keys), Err(SaslError::Proof));
    }
}
