//! The process as the operating system sees it, by the names that every exporter uses. From `/proc`, hence on Linux
//! only; what cannot be read is not shown.

use super::definition::Page;
use super::families::BUILD;

/// Writes what is known of this process.
pub fn write(page: &mut Page<'_>) -> std::fmt::Result {
    page.family(&BUILD, |samples| samples.add(&[env!("CARGO_PKG_VERSION")], 1))?;
    #[cfg(target_os = "linux")]
    linux::write(page)?;
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::process::{LimitValue, Process, Stat};
    use procfs::{ProcResult, boot_time_secs, page_size, ticks_per_second};

    use crate::metrics::definition::Page;
    use crate::metrics::families::{
        PROCESS_CPU, PROCESS_MAX_FDS, PROCESS_OPEN_FDS, PROCESS_RESIDENT, PROCESS_START, PROCESS_THREADS,
        PROCESS_VIRTUAL,
    };

    struct Seen {
        stat: Stat,
        open_fds: u64,
        max_fds: LimitValue,
        booted_at: u64,
    }

    fn look() -> ProcResult<Seen> {
        let process = Process::myself()?;
        Ok(Seen {
            stat: process.stat()?,
            open_fds: process.fd_count()? as u64,
            max_fds: process.limits()?.max_open_files.soft_limit,
            booted_at: boot_time_secs()?,
        })
    }

    pub fn write(page: &mut Page<'_>) -> std::fmt::Result {
        let Seen { stat, open_fds, max_fds, booted_at } = match look() {
            Ok(seen) => seen,
            Err(error) => {
                tracing::debug!(%error, "/proc cannot be read");
                return Ok(());
            }
        };
        let ticks = ticks_per_second() as f64;
        page.single(&PROCESS_CPU, (stat.utime + stat.stime) as f64 / ticks)?;
        page.single(&PROCESS_RESIDENT, stat.rss * page_size())?;
        page.single(&PROCESS_VIRTUAL, stat.vsize)?;
        page.single(&PROCESS_OPEN_FDS, open_fds)?;
        page.single(
            &PROCESS_MAX_FDS,
            match max_fds {
                LimitValue::Value(most) => most as f64,
                LimitValue::Unlimited => f64::INFINITY,
            },
        )?;
        page.single(&PROCESS_THREADS, u64::try_from(stat.num_threads).unwrap_or(0))?;
        page.single(&PROCESS_START, booted_at as f64 + stat.starttime as f64 / ticks)
    }
}
