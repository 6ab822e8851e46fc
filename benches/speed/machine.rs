//! On what machine the figures came about.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// How many threads run at once.
pub(crate) fn cores() -> Result<usize> {
    Ok(std::thread::available_parallelism().context("the number of cores")?.get())
}

/// Processor, cores, memory, the file system of a folder and the kernel, in one line.
pub(crate) fn line(folder: &Path) -> Result<String> {
    let processor = read("/proc/cpuinfo")?;
    let model = field(&processor, "model name").unwrap_or("a processor without a name");
    // Other processors call them other names; then nothing is said.
    let sha = match field(&processor, "flags").map(|flags| flags.split(' ').any(|flag| flag == "sha_ni")) {
        Some(true) => " with SHA instructions",
        Some(false) => " without SHA instructions",
        None => "",
    };
    let memory = read("/proc/meminfo")?;
    let memory_kib = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()).unwrap_or("0");
    Ok(format!(
        "Machine: {model}{sha}, {} cores, {:.1} GiB of memory, {} is on {}, Linux {}",
        cores()?,
        memory_kib.parse::<f64>().context("the size of memory")? / f64::from(1 << 20),
        folder.display(),
        file_system(folder)?,
        read("/proc/sys/kernel/osrelease")?.trim()
    ))
}

/// The type of the file system that a folder is on, and whether each freed block is told to the disk.
fn file_system(folder: &Path) -> Result<String> {
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    // `36 35 98:0 / /mount/point options… - type device options`, and what is mounted later covers what was before.
    let mounts = read("/proc/self/mountinfo")?;
    let covering = mounts.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        let is_told = line.split([' ', ',']).any(|option| option == "discard");
        folder.starts_with(point).then_some((point.len(), kind.split(' ').next()?, is_told))
    });
    let (_, kind, is_told) = covering.max_by_key(|(length, ..)| *length).context("no file system")?;
    Ok(if is_told { format!("{kind} with discard") } else { kind.to_owned() })
}

/// The value of the first line `name : value`.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.to_owned())
}
