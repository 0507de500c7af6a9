//! A TCP connection, read by lines and by lengths.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::stream::PATIENCE;

/// A connection on which nothing takes longer than our patience.
pub(crate) struct Wire {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

/// Connects.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = connect(address);
        Self { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    /// Sends with one write.
    pub(crate) fn send(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes())
    }

    /// The next line, without its end. Half a line is none.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let Some(whole) = line.strip_suffix('\n') else { return Err(ErrorKind::UnexpectedEof.into()) };
        line.truncate(whole.trim_end_matches('\r').len());
        Ok(line)
    }

    /// The next so many bytes.
    pub(crate) fn exactly(&mut self, length: usize) -> io::Result<String> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }

    /// Reads one line, which must be this.
    #[track_caller]
    pub(crate) fn expect(&mut self, wanted: &str) {
        assert_eq!(self.line().unwrap(), wanted);
    }
}
