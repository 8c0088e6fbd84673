//! The stream of events: server-sent events (WHATWG HTML, "Server-sent events").

use std::io::{BufRead as _, BufReader, Read as _};

use model::wire::ControlPlaneEvent;

use super::{ApiClient, ApiClientError};

/// The longest line of the stream, in bytes. An event is identifiers and numbers.
const MAX_LINE_BYTES: u64 = 64 * 1024;

impl ApiClient {
    /// Calls `heard` with each event until the stream ends.
    pub(crate) fn for_each_event_of_stream(
        &self,
        mut heard: impl FnMut(ControlPlaneEvent),
    ) -> Result<(), ApiClientError> {
        let request = self.agent.get(self.url("/api/v1/events")).header("Accept", "text/event-stream");
        let response = self.check_status(self.authorize(request).call())?;
        let mut reader = BufReader::new(response.into_body().into_reader());
        loop {
            let mut line = String::new();
            let read = (&mut reader).take(MAX_LINE_BYTES).read_line(&mut line);
            let read = read.map_err(|error| ApiClientError::from_ureq_error(&self.base, &error.into()))?;
            if read == 0 {
                return Ok(());
            }
            // Comments keep the connection alive; other fields are of no use here.
            let Some(data) = line.trim_end().strip_prefix("data:") else { continue };
            match serde_json::from_str(data.trim_start()) {
                Ok(event) => heard(event),
                Err(error) => {
                    return Err(ApiClientError::InvalidResponse {
                        url: self.base.clone(),
                        why: format!("an event is not understood: {error}"),
                    });
                }
            }
        }
    }
}
