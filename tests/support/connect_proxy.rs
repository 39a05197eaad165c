//! A proxy as companies have them: it alone reaches the server, by CONNECT.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// A proxy that leads every connection to one port of this machine, or refuses all.
pub(crate) struct ConnectProxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl ConnectProxy {
    /// Leads to the server at this port; `None` refuses.
    pub(crate) fn start(server: Option<u16>) -> Self {
        let runtime = Runtime::new().expect("a runtime can be built");
        let listener =
            runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, server, log.clone()));
            }
        });
        Self { port, asked, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://user:proxy-password@127.0.0.1:{}", self.port)
    }

    /// As messages show it: without the password.
    pub(crate) fn shown(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The hosts and ports that it was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(
    client: TcpStream,
    server: Option<u16>,
    log: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    log.lock().unwrap_or_else(PoisonError::into_inner).push(target.to_owned());
    let Some(server) = server.filter(|_| method == "CONNECT") else {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    };
    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}
