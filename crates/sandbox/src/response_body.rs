//! Response bodies that a fault truncates or pads.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::http::Delivery;

const SPACES: &[u8] = &[b' '; 64 * 1_024];

/// A body that may break off halfway or be padded with spaces.
#[derive(Debug)]
pub(super) struct ResponseBody {
    content: Option<Bytes>,
    padding: usize,
    truncation: Option<Truncation>,
    announced_length: u64,
}

/// The two steps in which a truncated body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truncation {
    /// The first half has to reach the client first: on an error hyper discards what it has not sent yet.
    AfterFlush,
    Now,
}

impl ResponseBody {
    pub(super) fn new(body: Vec<u8>, delivery: Delivery) -> Self {
        let padding = match delivery {
            Delivery::Padded(padding) => padding,
            _ => 0,
        };
        let announced_length = (body.len() + padding) as u64;
        let mut content = Bytes::from(body);
        let truncation = (delivery == Delivery::Truncated).then_some(Truncation::AfterFlush);
        if truncation.is_some() {
            content.truncate(content.len() / 2);
        }
        let content = Some(content).filter(|content| !content.is_empty());
        Self { content, padding, truncation, announced_length }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(content) = self.content.take() {
            return Poll::Ready(Some(Ok(Frame::data(content))));
        }
        if self.padding > 0 {
            let chunk = self.padding.min(SPACES.len());
            self.padding -= chunk;
            let spaces = Bytes::from_static(SPACES).slice(..chunk);
            return Poll::Ready(Some(Ok(Frame::data(spaces))));
        }
        match self.truncation.take() {
            Some(Truncation::AfterFlush) => {
                self.truncation = Some(Truncation::Now);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Truncation::Now) => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none() && self.padding == 0 && self.truncation.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced_length)
    }
}
