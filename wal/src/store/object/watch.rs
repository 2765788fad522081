//! Where the requests of the stores that we build pass by.

use std::future::Future;
use std::pin::Pin;

use futures_util::StreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    ReqwestConnector,
};

use super::seen::{Said, of_answer, transport};
use super::trace::Trace;

/// More of the body of an error is not looked at.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Makes clients that write on the traces of what they send.
#[derive(Debug, Default)]
pub(super) struct Watching(ReqwestConnector);

impl HttpConnector for Watching {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Watched(self.0.connect(options)?)))
    }
}

#[derive(Debug)]
struct Watched(HttpClient);

impl HttpService for Watched {
    // As the attribute of the trait's own crate would write it.
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let Some(trace) = request.extensions().get::<Trace>().cloned() else {
                return self.0.execute(request).await;
            };
            trace.send();
            let answered = match self.0.execute(request).await {
                Ok(answered) => answered,
                Err(error) => {
                    trace.say(Said::Transport(transport(&error)));
                    return Err(error);
                }
            };
            if answered.status().is_success() {
                return Ok(answered);
            }
            Ok(read_failure(answered, &trace).await)
        })
    }
}

/// Reads the body of a failure and gives it on as it is.
async fn read_failure(answered: HttpResponse, trace: &Trace) -> HttpResponse {
    let (parts, body) = answered.into_parts();
    // Also if the body does not come whole: the status stands.
    trace.say(of_answer(parts.status.as_u16(), ""));
    let mut bytes = Vec::new();
    let mut stream = body.bytes_stream();
    while let Some(Ok(chunk)) = stream.next().await {
        bytes.extend_from_slice(&chunk[..chunk.len().min(BODY_BYTES_MAX - bytes.len())]);
        if bytes.len() == BODY_BYTES_MAX {
            break;
        }
    }
    let said = of_answer(parts.status.as_u16(), &String::from_utf8_lossy(&bytes));
    trace.say(said);
    HttpResponse::from_parts(parts, HttpResponseBody::from(bytes))
}
