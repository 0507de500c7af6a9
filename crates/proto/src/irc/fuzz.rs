//! What must hold for any bytes, for the fuzzer and for the tests that replay what it found.

use super::server::{Decoder, LineError, check};
use super::{Line, PARAMS_MAX, Writer, tags};

/// The first byte says how the rest is cut; the rest are a client's bytes.
///
/// # Panics
/// If something doesn't hold.
pub fn fuzz(data: &[u8]) {
    let Some((seed, bytes)) = data.split_first() else { return };
    let whole = lines(&mut Decoder::default(), bytes);
    let mut cut = Decoder::default();
    let mut pieced = Vec::new();
    let (mut state, mut rest) = (usize::from(*seed), bytes);
    while !rest.is_empty() {
        state = (state * 37 + 11) % 251;
        let (piece, after) = rest.split_at((state % 64 + 1).min(rest.len()));
        pieced.extend(lines(&mut cut, piece));
        assert!(cut.backlog() < 8 * 1024, "what waits is bounded");
        rest = after;
    }
    assert_eq!(whole, pieced, "lines don't depend on how bytes are cut");
    for line in whole.iter().flatten() {
        one_line(line);
    }
    let _ = check(bytes);
}

fn lines(decoder: &mut Decoder, bytes: &[u8]) -> Vec<Result<String, LineError>> {
    decoder.feed(bytes);
    std::iter::from_fn(|| decoder.next_line().map(|line| line.map(str::to_owned))).collect()
}

/// A line that is taken apart and written again means the same.
fn one_line(text: &str) {
    let Ok(Some(line)) = Line::parse(text) else { return };
    assert!(line.params.len() <= PARAMS_MAX);
    for (key, value) in line.tags.iter() {
        let plain = tags::unescape(value);
        let mut escaped = Vec::new();
        tags::escape_into(&plain, &mut escaped);
        let escaped = String::from_utf8_lossy(&escaped).into_owned();
        assert_eq!(tags::unescape(&escaped), plain, "a value comes back");
        assert!(!key.contains(';'));
    }
    let mut out = Vec::new();
    let mut again = Writer::new(&mut out).raw_tags(line.tags.as_str());
    if let Some(source) = line.source {
        again = again.source(source);
    }
    again = again.command(line.command);
    match line.params.split_last() {
        Some((last, others)) => {
            others.iter().fold(again, |again, param| again.param(param)).trailing(last);
        }
        None => again.end(),
    }
    let written = String::from_utf8_lossy(&out).into_owned();
    assert!(written.ends_with("\r\n"));
    let written = written.trim_end_matches(['\r', '\n']);
    // A colon before the last parameter may make it longer than a line, and then it is cut.
    if text.len() <= 500 {
        let Ok(Some(read)) = Line::parse(written) else { panic!("{written:?} is a line") };
        assert_eq!(read.command, line.command);
        assert_eq!(*read.params, *line.params);
        assert_eq!(read.tags, line.tags);
    }
}

#[cfg(test)]
mod tests {
    use super::fuzz;

    #[test]
    fn what_was_interesting_before() {
        for data in [
            b"\x07@a=b;c :x!y@z PRIVMSG #a :b c\r\nPING\r\n".as_slice(),
            b"\x00:\r\n@\r\n@a\r\n: \r\n@ : \r\n",
            b"\x01@a=\\:\\s\\\\\\r\\n\\x\\ X  a   b :\r\n",
            b"\x02\xff\xfe\n\0\n\r\r\n",
        ] {
            fuzz(data);
            fuzz(&[data, &[b'x'; 6000], b"\nPING :x\n"].concat());
        }
    }
}
