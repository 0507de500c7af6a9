//! What the server's process has used, as the kernel counts it (proc(5)).

use std::fs;
use std::time::Instant;

use crate::failure::Failure;

/// How far two times in hundredths of a second may be from what they are told as.
const ROUNDED_S: f64 = 0.02;

/// A process that is watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pid: u32,
}

/// What it has used until some moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    at: Instant,
    /// Seconds of processor time in the program and in the kernel, in hundredths.
    user_s: f64,
    system_s: f64,
    /// Both together, to the nanosecond, if the kernel tells.
    cpu_s: Option<f64>,
    /// Seconds that all processors of the machine were busy, with whatever.
    machine_s: f64,
    /// Resident memory, in bytes.
    pub(crate) resident: u64,
}

/// What was used between two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// Seconds of processor time in the program and in the kernel: together as exactly as is known.
    pub(crate) user_s: f64,
    pub(crate) system_s: f64,
    pub(crate) machine_s: f64,
    pub(crate) seconds: f64,
    pub(crate) resident_before: u64,
    pub(crate) resident_after: u64,
}

impl Process {
    /// The process with this number.
    ///
    /// # Errors
    /// If there is none, or it can't be looked at.
    pub(crate) fn new(pid: u32) -> Result<Self, Failure> {
        let process = Self { pid };
        process.used()?;
        Ok(process)
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn used(self) -> Result<Used, Failure> {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.pid);
            fs::read_to_string(&path).map_err(|error| {
                Failure::run(format!("{path}: {error}"), "--pid takes the number of the server's process")
            })
        };
        let (stat, statm) = (read("stat")?, read("statm")?);
        // The name, in parentheses, may have spaces in it; what follows it begins with the third field.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let ticks =
            |field: usize| fields.split(' ').nth(field - 3).and_then(|ticks| ticks.parse::<f64>().ok());
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        let (Some(user), Some(system), Some(pages)) = (ticks(14), ticks(15), pages) else {
            return Err(Failure::run(format!("/proc/{}/stat can't be read", self.pid), "only Linux has it"));
        };
        // It has ended, and nobody has asked what became of it.
        if pages == 0 {
            return Err(Failure::run(format!("process {} has ended", self.pid), "start the server again"));
        }
        let second = rustix::param::clock_ticks_per_second() as f64;
        Ok(Used {
            at: Instant::now(),
            user_s: user / second,
            system_s: system / second,
            cpu_s: self.cpu_s(),
            machine_s: machine_ticks() / second,
            resident: pages * rustix::param::page_size() as u64,
        })
    }

    /// The processor time of all its threads.
    fn cpu_s(self) -> Option<f64> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?;
        let ns = threads.map(|thread| {
            let told = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            told.split(' ').next()?.parse::<f64>().ok()
        });
        ns.sum::<Option<f64>>().map(|ns| ns / 1e9)
    }
}

/// How long the processors of the machine were not idle, all together.
fn machine_ticks() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().into_iter().flat_map(|line| line.split_whitespace().skip(1));
    let ticks: Vec<f64> = fields.map_while(|ticks| ticks.parse().ok()).collect();
    // user, nice, system, idle, waiting for a disk, two kinds of interrupts, stolen; guests are in the first two.
    ticks.iter().enumerate().filter(|(field, _)| !matches!(field, 3 | 4 | 8..)).map(|(_, ticks)| ticks).sum()
}

impl Used {
    /// What was used since.
    pub(crate) fn until(self, end: Self) -> Spent {
        let (user_s, system_s) = (end.user_s - self.user_s, end.system_s - self.system_s);
        let both = user_s + system_s;
        let told = end.cpu_s.zip(self.cpu_s).map(|(end, begin)| end - begin);
        // Less than the hundredths allow: a thread has ended, and took what it had used along.
        let cpu_s = told.filter(|cpu| *cpu > both - ROUNDED_S).unwrap_or(both);
        let in_program = if both > 0.0 { user_s / both } else { 0.0 };
        Spent {
            user_s: cpu_s * in_program,
            system_s: cpu_s * (1.0 - in_program),
            machine_s: end.machine_s - self.machine_s,
            seconds: end.at.duration_since(self.at).as_secs_f64(),
            resident_before: self.resident,
            resident_after: end.resident,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(hundredths: u32, cpu_s: Option<f64>) -> Used {
        let (user_s, system_s) = (f64::from(hundredths) * 0.01, f64::from(hundredths) * 0.03);
        Used { at: Instant::now(), user_s, system_s, cpu_s, machine_s: 0.0, resident: 0 }
    }

    #[test]
    fn time_is_told_as_exactly_as_it_is_known() {
        for (begin, end, spent) in [
            (Some(5.0), Some(5.043), 0.043),
            // The kernel doesn't tell.
            (None, Some(5.0), 0.04),
            // A thread has ended.
            (Some(5.0), Some(4.2), 0.04),
        ] {
            let Spent { user_s, system_s, .. } = used(0, begin).until(used(1, end));
            assert!((user_s + system_s - spent).abs() < 1e-9, "{user_s} and {system_s} for {spent}");
            assert!((system_s - 3.0 * user_s).abs() < 1e-9, "{user_s} and {system_s}");
        }
    }

    #[test]
    fn what_this_process_uses_is_seen() {
        let process = Process::new(std::process::id()).unwrap();
        let begin = process.used().unwrap();
        loop {
            let Spent { user_s, system_s, .. } = begin.until(process.used().unwrap());
            // To look is work enough.
            if user_s + system_s > 0.0 {
                break;
            }
        }
    }
}
