//! s3s-fs as a server: it checks whether a name is taken, and stores later, so that of puts that meet many win. A probe
//! that passes it is no probe.

use std::env;
use std::error::Error;
use std::net::Ipv4Addr;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [folder, port, key, secret] = &words[..] else { return Err("racy FOLDER PORT KEY SECRET".into()) };
    let files = FileSystem::new(folder).map_err(|error| format!("{error:?}"))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(key.clone(), secret.clone()));
    let service = service.build();
    let port = port.parse()?;
    Runtime::new()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let server = Builder::new(TokioExecutor::new());
        loop {
            let (client, _) = listener.accept().await?;
            let connection = server.serve_connection(TokioIo::new(client), service.clone()).into_owned();
            tokio::spawn(async move {
                // A connection that ends badly has told the client all there is to tell.
                let _ = connection.await;
            });
        }
    })
}
