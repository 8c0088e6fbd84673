//! Sending package files: streamed from the disk, whatever their size.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use model::wire;

use super::{ApiClient, response};
use crate::{command_error::CommandError, terminal_output::ProgressBar};

/// A reader that advances a progress bar.
struct ProgressReader<'a, R> {
    inner: R,
    bar: &'a ProgressBar,
}

impl<R: Read> Read for ProgressReader<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.bar.advance_by(read as u64);
        Ok(read)
    }
}

impl ApiClient {
    /// Sends one package file; it is not visible in a channel yet.
    pub(crate) fn upload_package(
        &self,
        path: &Path,
        name: &str,
        bar: &ProgressBar,
    ) -> Result<wire::UploadedPackage, CommandError> {
        let file = File::open(path).map_err(|error| CommandError::cannot_read_file_error(path, &error))?;
        let size = file.metadata().map_err(|error| CommandError::cannot_read_file_error(path, &error))?.len();
        let mut reader = ProgressReader { inner: file.take(size), bar };
        let request = self
            .authorize(self.agent.put(self.url(&format!("/api/v1/packages/{name}"))))
            .header("Content-Type", "application/x-rpm")
            .header("Content-Length", size.to_string());
        let sent = request.send(ureq::SendBody::from_reader(&mut reader));
        let mut answer = self.check_status(sent)?;
        Ok(response::read_response_json(&self.base, &mut answer)?)
    }
}
