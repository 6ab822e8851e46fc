//! The real registry, started over a folder.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tempfile::TempDir;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// What it says once it takes connections, in front of its port.
const LISTENING: &str = "listening on 127.0.0.1:";

/// A running registry; dropping it ends its process.
pub(crate) struct Registry {
    process: Child,
    /// Its `host:port`.
    pub(crate) address: String,
    _configuration: TempDir,
}

impl Registry {
    /// Serves the storage in `root/docker`, on a free port of 127.0.0.1; returns when it takes connections.
    pub(crate) fn start(root: &Path) -> Result<Self> {
        let folder = TempDir::new()?;
        // Port 0 lets the system choose. The port is told at the level `info`; a line for every request is not.
        let configuration = json!({
            "version": "0.1",
            "log": { "level": "info", "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": root } },
            "http": { "addr": "127.0.0.1:0", "secret": "none" },
        });
        let (config, log) = (folder.path().join("config.yml"), folder.path().join("log"));
        fs::write(&config, configuration.to_string())?; // every JSON document is a YAML document
        let output = File::create(&log)?;
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("cannot run docker-registry")?;
        let mut registry = Self { process, address: String::new(), _configuration: folder };
        registry.wait_until_it_listens(&log)?;
        Ok(registry)
    }

    fn wait_until_it_listens(&mut self, log: &Path) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(log)?;
            if let Some(port) = port_in(&text) {
                self.address = format!("127.0.0.1:{port}");
                return Ok(());
            }
            let is_running = self.process.try_wait()?.is_none();
            ensure!(is_running && Instant::now() < deadline, "docker-registry does not start:\n{text}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn port_in(log: &str) -> Option<&str> {
    let (_, rest) = log.split_once(LISTENING)?;
    // The line may not be complete yet.
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    Some(&rest[..end])
}
