//! What is counted while operations run: time, CPU, and what the device did.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::Result;
use crate::case::Figures;
use crate::memory::Watch;
use headwater_benches::measure::device::{Counts, Device};
use headwater_benches::measure::histogram::Histogram;

/// What is counted while operations run.
pub(crate) struct Window {
    device: Device,
    before: Option<Counts>,
    cpu: Duration,
    began: Instant,
}

impl Window {
    /// From now on.
    pub(crate) fn open(dir: &Path) -> Result<Window> {
        let device = Device::of(dir)?;
        let before = device.counts();
        Ok(Window { device, before, cpu: cpu(), began: Instant::now() })
    }

    /// Until now.
    pub(crate) fn close(self) -> Figures {
        let seconds = self.began.elapsed().as_secs_f64();
        let cpu_seconds = cpu().saturating_sub(self.cpu).as_secs_f64();
        let counts = self.device.counts().zip(self.before).map(|(after, before)| after.since(before));
        Figures {
            seconds,
            cpu_seconds,
            // A device that can force single writes to its medium is not asked to flush for them.
            flushes: counts.map(|counts| counts.flushes).filter(|_| !self.device.forces_unit_access()),
            device_written_bytes: counts.map(|counts| counts.written_bytes),
            device_read_bytes: counts.map(|counts| counts.read_bytes),
            ..Figures::default()
        }
    }
}

/// What this process has used so far, all threads together.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// With how long operations took.
pub(crate) fn timed(figures: Figures, latencies: &Histogram) -> Figures {
    let quantile = |share| latencies.quantile_us(share);
    Figures { p50_us: quantile(0.5), p99_us: quantile(0.99), p999_us: quantile(0.999), ..figures }
}

/// With what was in memory at most.
pub(crate) fn remembered(figures: Figures, watch: Watch) -> Figures {
    let peak = watch.end();
    Figures { resident_peak_bytes: peak.resident, anonymous_peak_bytes: peak.anonymous, ..figures }
}
