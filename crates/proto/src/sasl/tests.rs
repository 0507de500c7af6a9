use proptest::prelude::*;

use super::*;

/// All arguments; the last has to complete the message, none before it.
fn collect(payload: &mut Payload, arguments: &[String]) -> Vec<u8> {
    let (last, before) = arguments.split_last().unwrap();
    for argument in before {
        assert_eq!(payload.push(argument), Ok(None));
    }
    payload.push(last).unwrap().unwrap()
}

#[test]
fn messages_are_cut_where_the_specification_says() {
    let lengths = |bytes: usize| chunks(&vec![b'x'; bytes]).map(|chunk| chunk.len()).collect::<Vec<_>>();
    assert_eq!(chunks(b"").collect::<Vec<_>>(), ["+"]);
    assert_eq!(chunks(b"jilles\0jilles\0sesame").collect::<Vec<_>>(), ["amlsbGVzAGppbGxlcwBzZXNhbWU="]);
    assert_eq!(lengths(297), [396]);
    // 298 and 299 bytes fill the chunk with padding: full is full.
    for full in [298, 299, 300] {
        assert_eq!(lengths(full), [400, 1]);
    }
    assert_eq!(lengths(301), [400, 4]);
    assert_eq!(lengths(600), [400, 400, 1]);
    assert_eq!(chunks(&[0; 600]).last().unwrap(), "+");
}

#[test]
fn a_message_begins_after_another() {
    let mut payload = Payload::default();
    assert_eq!(payload.push("+"), Ok(Some(vec![])));
    assert_eq!(payload.push("aGk="), Ok(Some(b"hi".to_vec())));
    let long = vec![7; 900];
    assert_eq!(collect(&mut payload, &chunks(&long).collect::<Vec<_>>()), long);
    assert_eq!(payload.bytes.capacity(), 0);
    assert_eq!(payload.push("aGk="), Ok(Some(b"hi".to_vec())));
}

#[test]
fn limits() {
    let mut payload = Payload::new(300);
    let full = "A".repeat(400);
    assert_eq!(payload.push(&full), Ok(None));
    assert_eq!(payload.push("+"), Ok(Some(vec![0; 300])));
    assert_eq!(payload.push(&full), Ok(None));
    let too_long = Err(SaslError::TooLong { what: "SASL message", limit: 300 });
    assert_eq!(payload.push("AA=="), too_long);
    assert_eq!(payload.bytes.capacity(), 0);
    assert_eq!(payload.push(&full), Ok(None));
    assert_eq!(payload.push(&full), too_long);
    let argument = Err(SaslError::TooLong { what: "AUTHENTICATE argument", limit: 400 });
    assert_eq!(payload.push(&"A".repeat(401)), argument);
    // By default 8 KiB, however many full chunks come.
    let mut payload = Payload::default();
    let taken =
        std::iter::repeat_with(|| payload.push(&full)).take_while(|pushed| *pushed == Ok(None)).count();
    assert_eq!(taken, 8 * 1024 / 300);
}

#[test]
fn what_is_not_base64() {
    let mut payload = Payload::default();
    let not_base64 = Err(SaslError::NotBase64 { what: "AUTHENTICATE argument" });
    for argument in ["a", "aGk", "aGk=aGk=", "a Gk=", "++", "aGl=", "=", "a-_=", "é", "**", "*aaa"] {
        assert_eq!(payload.push(argument), not_base64, "{argument}");
    }
    // Padding ends a message, and a full chunk that has it can only be followed by `+`.
    let padded = format!("{}AA==", "A".repeat(396));
    assert_eq!(payload.push(&padded), Ok(None));
    assert_eq!(payload.push("aGk="), not_base64);
    assert_eq!(payload.push("aGk="), Ok(Some(b"hi".to_vec())));
    assert_eq!(payload.push(&padded), Ok(None));
    assert_eq!(payload.push("+"), Ok(Some(vec![0; 298])));
    assert_eq!(payload.push("aGk="), Ok(Some(b"hi".to_vec())));
}

#[test]
fn an_abort_forgets_what_came_before() {
    let mut payload = Payload::default();
    assert_eq!(payload.push(&"A".repeat(400)), Ok(None));
    assert_eq!(payload.push("*"), Err(SaslError::Aborted));
    assert_eq!(payload.bytes.capacity(), 0);
    assert_eq!(payload.push("aGk="), Ok(Some(b"hi".to_vec())));
}

#[test]
fn debug_shows_no_secrets() {
    let mut payload = Payload::default();
    payload.push(&BASE64.encode(b"hunter2!".repeat(38)).split_off(6)[..400]).unwrap();
    assert_eq!(format!("{payload:?}"), "Payload { bytes: 300, .. }");
    assert_eq!(format!("{:?}", Password::new("hunter2")), "Password(…)");
}

#[test]
fn errors_have_their_value_for_e() {
    let values = [
        (SaslError::NotBase64 { what: "proof" }, "e=invalid-encoding"),
        (SaslError::NotUtf8 { what: "x" }, "e=invalid-encoding"),
        (SaslError::Extension, "e=extensions-not-supported"),
        (SaslError::Proof, "e=invalid-proof"),
        (SaslError::ChannelBindingDiffers, "e=channel-bindings-dont-match"),
        (SaslError::ChannelBinding, "e=channel-binding-not-supported"),
        (SaslError::UserName, "e=invalid-username-encoding"),
        (SaslError::Nonce, "e=other-error"),
        (SaslError::NotAllowed, "e=other-error"),
        (SaslError::Refused(ServerError::UnknownUser), "e=unknown-user"),
    ];
    for (error, message) in values {
        assert_eq!(String::from_utf8(error.server_error().message()).unwrap(), message);
    }
    assert_eq!(ServerError::parse("no-resources"), ServerError::NoResources);
    assert_eq!(ServerError::parse("unknown-user"), ServerError::UnknownUser);
    assert_eq!(ServerError::parse("of-the-future"), ServerError::Other);
}

#[test]
fn what_was_interesting_before() {
    for data in [
        b"".as_slice(),
        b"\x01+\n+\n*\nAA==\nAAAA\n",
        b"\x01n,,n=user,r=abc\0\0c=biws,r=abcours,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"\x01y,a=a=2Cb=3D,n=a=2Cb=3D,r=abc,x=y\0\0c=eSxhPWE9MkNiPTNELA==,r=abcours,p=,",
        b"\x01n,,n==,r=a",
        b"\x01r=abc,s=,i=1\0\0v=",
        b"\x01r=abc,s=c2FsdA==,i=4,x=y\0\0v=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=,m=1",
        b"\x01r=abc,s=c2FsdA==,i=99999999999\0\0e=invalid-proof",
        b"\x01r=abc,s=c2FsdA==,i=4\0\0e=",
    ] {
        fuzz::fuzz(data);
        fuzz::fuzz(&[data, &[b'A'; 900]].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn messages_survive_the_wire(messages in proptest::collection::vec(
        proptest::collection::vec(any::<u8>(), 0..1300), 1..4,
    )) {
        let mut payload = Payload::default();
        for message in messages {
            let arguments: Vec<_> = chunks(&message).collect();
            prop_assert!(arguments.iter().all(|argument| argument.len() <= 400));
            prop_assert_eq!(collect(&mut payload, &arguments), message);
        }
    }

    #[test]
    fn any_bytes_are_survived(data in proptest::collection::vec(any::<u8>(), 0..1000)) {
        fuzz::fuzz(&data);
    }

    #[test]
    fn anything_like_scram_is_survived(
        seed: u8,
        first in "[ny](,|,a=bob,)([nrampx]=[a-c=2CD3é]{0,5},?){0,4}",
        last in "([crpxm]=[a-zA-Z=+]{0,44},?){0,4}",
    ) {
        fuzz::fuzz(&[&[seed], first.as_bytes(), b"\0\0", last.as_bytes()].concat());
    }

    #[test]
    fn anything_like_a_challenge_is_survived(
        challenge in "r=a[bc,]{0,2},s=(AAAA|c2FsdA==|A),i=[0-5]{1,2}(,[mx]=y)?",
        last in "[ve]=[a-zA-Z=+]{0,44}(,[mx]=y)?",
    ) {
        fuzz::fuzz(&[b"\0", challenge.as_bytes(), b"\0\0", last.as_bytes()].concat());
    }
}
