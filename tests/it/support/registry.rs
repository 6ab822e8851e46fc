//! The real registry, started over a folder and asked over loopback HTTP.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;
use ureq::http::Response;

use super::program::{program, run};

/// The media type of a docker image.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// The media type of a docker image for several platforms.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The media type of an OCI image.
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an OCI image for several platforms.
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A running registry; dropping it ends its process.
pub(crate) struct Registry {
    process: Child,
    address: String,
    agent: Agent,
    _configuration: TempDir,
}

/// A manifest as the registry serves it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

/// What the registry's garbage collection would delete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbage {
    pub(crate) marked_blobs: usize,
    pub(crate) deletable_blobs: usize,
    pub(crate) deletable_manifests: usize,
}

impl Registry {
    /// Serves the storage in `<root>/docker/`, on a free port of 127.0.0.1.
    pub(crate) fn start(root: &Path) -> Self {
        Self::start_with(&json!({ "filesystem": { "rootdirectory": root }, "delete": { "enabled": true } }))
    }

    /// The same, refusing to change anything.
    pub(crate) fn start_readonly(root: &Path) -> Self {
        let maintenance = json!({ "readonly": { "enabled": true } });
        Self::start_with(&json!({ "filesystem": { "rootdirectory": root }, "maintenance": maintenance }))
    }

    fn start_with(storage: &Value) -> Self {
        let folder = super::scratch();
        // Port 0 lets the system choose, so two registries never reach for the same one.
        let http = json!({ "addr": "127.0.0.1:0", "secret": "none" });
        let configuration =
            json!({ "version": "0.1", "log": { "level": "info" }, "storage": storage, "http": http });
        let (config, log) = (folder.path().join("config.yml"), folder.path().join("log"));
        // Every JSON document is a YAML document.
        fs::write(&config, configuration.to_string()).unwrap();
        let output = File::create(&log).unwrap();
        let process = Command::new(program("docker-registry"))
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut registry = Self { process, address: String::new(), agent: agent(), _configuration: folder };
        registry.wait_until_it_answers(&log);
        registry
    }

    /// It writes the port that it was given to its log.
    fn wait_until_it_answers(&mut self, log: &Path) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let text = fs::read_to_string(log).unwrap();
            if let Some(address) = listening_on(&text) {
                self.address = address;
                self.get("", &[]).expect(200);
                return;
            }
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "the registry does not start:\n{text}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The names of its repositories, sorted.
    pub(crate) fn catalog(&self) -> Vec<String> {
        names(&self.get("_catalog?n=1000", &[]).expect(200).json()["repositories"])
    }

    /// The tags of a repository, sorted; none when the registry does not know the repository.
    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        let reply = self.get(&format!("{repository}/tags/list"), &[]);
        if reply.status == 404 { Vec::new() } else { names(&reply.expect(200).json()["tags"]) }
    }

    /// The manifest that a tag or a digest names.
    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Served {
        // Without all of them the registry rewrites the manifest, or denies that it is there.
        let accept = [DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX].map(|kind| ("accept", kind));
        let reply = self.get(&format!("{repository}/manifests/{reference}"), &accept).expect(200);
        Served {
            media_type: reply.header("content-type"),
            digest: reply.header("docker-content-digest"),
            bytes: reply.body,
        }
    }

    /// The bytes of a layer, a configuration or any other blob.
    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Vec<u8> {
        self.get(&format!("{repository}/blobs/{digest}"), &[]).expect(200).body
    }

    /// How many bytes a blob has, without fetching them.
    pub(crate) fn blob_size(&self, repository: &str, digest: &str) -> u64 {
        let url = self.url(&format!("{repository}/blobs/{digest}"));
        Reply::of(&url, self.agent.head(&url).call()).expect(200).header("content-length").parse().unwrap()
    }

    /// Stores a manifest, whose children and blobs have to be there, and returns its digest.
    pub(crate) fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> String {
        let url = self.url(&format!("{repository}/manifests/{reference}"));
        let reply = self.agent.put(&url).header("content-type", media_type).send(bytes);
        Reply::of(&url, reply).expect(201).header("docker-content-digest")
    }

    /// Stores a blob and returns its digest.
    pub(crate) fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let upload = self.start_upload(repository).expect("the registry takes uploads");
        let digest = super::sha256(bytes);
        let url = format!("{upload}&digest={digest}");
        let reply = self.agent.put(&url).header("content-type", "application/octet-stream").send(bytes);
        Reply::of(&url, reply).expect(201);
        digest
    }

    /// Starts an upload and returns where to continue it, or the status with which it was refused.
    pub(crate) fn start_upload(&self, repository: &str) -> Result<String, u16> {
        let url = self.url(&format!("{repository}/blobs/uploads/"));
        let reply = Reply::of(&url, self.agent.post(&url).send_empty());
        if reply.status == 202 { Ok(reply.header("location")) } else { Err(reply.status) }
    }

    /// Lets a repository serve a blob that another one has.
    pub(crate) fn mount_blob(&self, repository: &str, digest: &str, from: &str) {
        let url = self.url(&format!("{repository}/blobs/uploads/?mount={digest}&from={from}"));
        Reply::of(&url, self.agent.post(&url).send_empty()).expect(201);
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let url = self.url(path);
        let request =
            headers.iter().fold(self.agent.get(&url), |request, (name, value)| request.header(*name, *value));
        Reply::of(&url, request.call())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/v2/{path}", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks the registry's garbage collection what it would delete from `<root>/docker/`.
pub(crate) fn garbage(root: &Path) -> Garbage {
    let folder = super::scratch();
    let config = folder.path().join("config.yml");
    let configuration = json!({ "version": "0.1", "storage": { "filesystem": { "rootdirectory": root } } });
    fs::write(&config, configuration.to_string()).unwrap();
    let arguments = ["garbage-collect".as_ref(), "--dry-run".as_ref(), config.as_os_str()];
    let output = run(&program("docker-registry"), arguments);
    // "4 blobs marked, 0 blobs and 0 manifests eligible for deletion"
    let summary = output.lines().find(|line| line.ends_with("eligible for deletion"));
    let summary = summary.unwrap_or_else(|| panic!("garbage collection says nothing:\n{output}"));
    let counts: Vec<usize> = summary.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [marked_blobs, deletable_blobs, deletable_manifests] = counts[..] else { panic!("{summary}") };
    Garbage { marked_blobs, deletable_blobs, deletable_manifests }
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .new_agent()
}

fn listening_on(log: &str) -> Option<String> {
    const HOST: &str = "127.0.0.1:";
    let (_, rest) = log.split_once(&format!("listening on {HOST}"))?;
    // The line may not be complete yet.
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    Some(format!("{HOST}{}", &rest[..end]))
}

fn names(list: &Value) -> Vec<String> {
    // A repository without tags has null.
    let list = list.as_array().into_iter().flatten();
    let mut names: Vec<_> = list.map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// An answer that was read to its end.
struct Reply {
    url: String,
    status: u16,
    headers: ureq::http::HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn of(url: &str, response: Result<Response<ureq::Body>, ureq::Error>) -> Self {
        let mut response = response.unwrap_or_else(|e| panic!("{url}: {e}"));
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec().unwrap();
        Self {
            url: url.to_owned(),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        }
    }

    fn expect(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{}: {body}", self.url);
        self
    }

    fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("{}: no header {name}", self.url));
        value.to_str().unwrap().to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}
