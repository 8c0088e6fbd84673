//! The CPU time of a running process.

use std::{fs, path::PathBuf, time::Duration};

use crate::chore_failure::{ChoreFailure, io_failure_maker_for_path};

/// The length of the steps in which the kernel counts the time of whole processes.
const STEP: Duration = Duration::from_millis(10);

/// A reading of a process's CPU time: the kernel counts whole processes in steps, and threads in nanoseconds until
/// they end.
#[derive(Clone, Copy)]
pub(crate) struct CpuTimeReading {
    process: Duration,
    threads: Duration,
}

impl CpuTimeReading {
    /// Reads the clock of the process `id`.
    pub(crate) fn read_process_cpu_time(id: u32) -> Result<CpuTimeReading, ChoreFailure> {
        let folder = PathBuf::from(format!("/proc/{id}"));
        let path = folder.join("stat");
        let stat = fs::read_to_string(&path).map_err(io_failure_maker_for_path("read", &path))?;
        // The program's name, in parentheses, may hold spaces. User and system time are the fields 14 and 15.
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let steps: u32 =
            after_name.split(' ').skip(11).take(2).filter_map(|steps| steps.parse::<u32>().ok()).sum();
        let tasks = folder.join("task");
        let mut threads = Duration::ZERO;
        for task in fs::read_dir(&tasks).map_err(io_failure_maker_for_path("list", &tasks))?.flatten() {
            // A thread may end while this reads.
            let schedule = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let nanoseconds = schedule.split(' ').next().and_then(|number| number.parse().ok());
            threads += Duration::from_nanos(nanoseconds.unwrap_or_default());
        }
        Ok(CpuTimeReading { process: STEP * steps, threads })
    }

    /// The time since an earlier reading: that of the threads, unless so much is missing from it that one has ended.
    pub(crate) fn elapsed_since(self, earlier: CpuTimeReading) -> Duration {
        let process = self.process.saturating_sub(earlier.process);
        match self.threads.checked_sub(earlier.threads) {
            Some(threads) if threads + 2 * STEP >= process => threads,
            _ => process,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(process: u64, threads: u64) -> CpuTimeReading {
        CpuTimeReading { process: Duration::from_millis(process), threads: Duration::from_millis(threads) }
    }

    #[test]
    fn time_of_threads_counts_unless_one_has_ended() {
        let earlier = clock(100, 100);
        assert_eq!(clock(110, 103).elapsed_since(earlier), Duration::from_millis(3));
        assert_eq!(clock(200, 150).elapsed_since(earlier), Duration::from_millis(100));
        assert_eq!(clock(110, 40).elapsed_since(earlier), Duration::from_millis(10));
    }

    #[test]
    fn own_process_has_a_clock() {
        let clock = CpuTimeReading::read_process_cpu_time(std::process::id()).unwrap();
        assert!(clock.threads > Duration::ZERO);
    }
}
