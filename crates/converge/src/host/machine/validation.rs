//! The new content of a file is tried by a program before it replaces the old.

use std::{
    fs::File,
    io::{self, Write as _},
    os::{fd::AsRawFd as _, unix::fs::symlink},
    path::Path,
    process,
};

use model::resource::ExecResourceBody;
use rustix::fs::{MemfdFlags, memfd_create};
use tempfile::TempDir;

use super::exec::CommandRunner;
use crate::host::HostError;

/// Seconds that a program may take to try a file.
const TIME_LIMIT_SECONDS: u64 = 60;

/// Runs the program that a file names in `validate` on its new content; an error unless it succeeds. What the program
/// wrote is in the error.
///
/// The content lies in memory, under the file's own name in a folder of the user who runs punch: it is on no disk when
/// the run is killed, and nobody else can change it.
pub(super) fn validate_new_content(
    runner: &CommandRunner<'_>,
    path: &str,
    content: &[u8],
    validate: &[String],
) -> Result<(), HostError> {
    let shown = validate.join(" ");
    let candidate = CandidateInMemory::new(path, content)
        .map_err(|error| HostError::from_io_error("cannot prepare the validation of", path, &error))?;
    let words: Vec<String> = validate
        .iter()
        .enumerate()
        .map(|(number, word)| match number {
            0 => word.clone(),
            _ => word.replacen('%', &candidate.path, 1),
        })
        .collect();
    let limits = ExecResourceBody { timeout: TIME_LIMIT_SECONDS, ..ExecResourceBody::default() };
    runner.run_to_success(&words, &limits).map_err(|error| {
        let because = match error {
            HostError::Missing { program, .. } => format!(
                "there is no program `{program}` on this host; let the file `require` what brings it (`package:NAME`)"
            ),
            HostError::Command { message, .. } => message.replace(&candidate.path, path),
            error => error.to_string(),
        };
        HostError::Other(format!(
            "its new content does not pass `{shown}`, and the old content stays: {because}"
        ))
    })
}

/// Content that has a path as long as this lives, and is in no file system.
struct CandidateInMemory {
    path: String,
    _memory: File,
    _folder: TempDir,
}

impl CandidateInMemory {
    fn new(path: &str, content: &[u8]) -> io::Result<Self> {
        let mut memory = File::from(memfd_create("candidate", MemfdFlags::CLOEXEC)?);
        memory.write_all(content)?;
        // Programs go by endings (`.service`), so the name is kept.
        let name = Path::new(path).file_name().unwrap_or_default();
        let folder = tempfile::Builder::new().prefix("punch-validate-").tempdir_in("/run").or_else(|_| {
            // Without root's rights there is no room in /run.
            tempfile::Builder::new().prefix("punch-validate-").tempdir()
        })?;
        let link = folder.path().join(name);
        symlink(format!("/proc/{}/fd/{}", process::id(), memory.as_raw_fd()), &link)?;
        let path = link.to_string_lossy().into_owned();
        Ok(Self { path, _memory: memory, _folder: folder })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{host::machine::account_database::AccountDatabase, host_root::HostRoot};

    fn validated(content: &str, words: &[&str]) -> Result<(), String> {
        let root = HostRoot::open_existing_root(Path::new("/")).unwrap();
        let accounts = AccountDatabase::read_passwd_and_group(&root, true);
        let runner = CommandRunner { root: &root, accounts: &accounts, prefix: None };
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        validate_new_content(&runner, "/etc/shop/shop.service", content.as_bytes(), &words)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn content_that_the_program_accepts_passes() {
        assert_eq!(validated("port=80\n", &["grep", "-q", "^port=80$", "%"]), Ok(()));
        assert_eq!(validated("", &["test", "!", "-s", "%"]), Ok(()));
    }

    #[test]
    fn program_reads_the_content_under_the_name_of_the_file() {
        let script = "case $1 in */shop.service) exec cmp --silent - \"$1\";; esac; exit 9";
        let script = format!("printf 'a\\nb' | {{ {script}; }}");
        assert_eq!(validated("a\nb", &["/bin/sh", "-c", &script, "sh", "%"]), Ok(()));
    }

    #[test]
    fn refused_content_is_an_error_with_the_words_of_the_program_and_the_path_of_the_file() {
        let error =
            validated("x", &["sh", "-c", "echo \"$0:1: unknown keyword\" >&2; exit 1", "%"]).unwrap_err();
        assert!(
            error.contains("and the old content stays: /etc/shop/shop.service:1: unknown keyword"),
            "{error}"
        );
    }

    #[test]
    fn program_that_is_not_there_is_named() {
        let error = validated("x", &["no-such-validator", "%"]).unwrap_err();
        assert!(error.contains("there is no program `no-such-validator` on this host"), "{error}");
    }

    #[test]
    fn nothing_is_left_of_a_validation() {
        let candidate = CandidateInMemory::new("/etc/shop/shop.conf", b"secret").unwrap();
        let folder = Path::new(&candidate.path).parent().unwrap().to_owned();
        assert_eq!(std::fs::read(&candidate.path).unwrap(), b"secret");
        assert!(candidate._memory.metadata().is_ok_and(|memory| memory.len() == 6));
        drop(candidate);
        assert!(!folder.exists());
    }
}
