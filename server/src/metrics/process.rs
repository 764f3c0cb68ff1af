//! What the system says of this process, by the names that every Prometheus client uses. On Linux; elsewhere there
//! is none of it.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(usage) = std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| Usage::read(&stat))
        else {
            return Ok(());
        };
        let cpu = ConstCounter::new(usage.cpu_seconds);
        let descriptor = encoder.encode_descriptor(
            "process_cpu",
            "User and system time that the process has spent",
            Some(&Unit::Seconds),
            cpu.metric_type(),
        )?;
        cpu.encode(descriptor)?;
        let memory = ConstGauge::new(usage.resident_bytes);
        let descriptor = encoder.encode_descriptor(
            "process_resident_memory",
            "Memory that the process occupies",
            Some(&Unit::Bytes),
            memory.metric_type(),
        )?;
        memory.encode(descriptor)?;
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            let files = ConstGauge::new(i64::try_from(files.count()).unwrap_or(i64::MAX));
            let descriptor = encoder.encode_descriptor(
                "process_open_fds",
                "File descriptors that are open",
                None,
                files.metric_type(),
            )?;
            files.encode(descriptor)?;
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq)]
struct Usage {
    cpu_seconds: f64,
    resident_bytes: i64,
}

impl Usage {
    /// Reads `/proc/self/stat` (`proc_pid_stat(5)`). The second field, the program's name, may hold anything.
    #[expect(clippy::cast_precision_loss, reason = "ticks stay below 2^52 for a million years")]
    fn read(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // Field 3 of the manual is the first here.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let ticks = number(14)? + number(15)?;
        let pages = i64::try_from(number(24)?).ok()?;
        Some(Self {
            cpu_seconds: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
            resident_bytes: pages.checked_mul(i64::try_from(rustix::param::page_size()).ok()?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_line_is_read() {
        let line = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 9 0 100 1000 3 18446744073709551615 1";
        let usage = Usage::read(line).unwrap();
        // Linux has a hundred ticks a second everywhere.
        assert!((usage.cpu_seconds - 2.0).abs() < 1e-9, "{usage:?}");
        assert_eq!(usage.resident_bytes, 3 * i64::try_from(rustix::param::page_size()).unwrap());
        assert_eq!(Usage::read("42 (x"), None);
    }
}
