//! Real images: built by umoci, made docker images by skopeo where wanted, and pushed into a registry.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::layer::Layer;
use super::program::{program, run};
use super::registry::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Registry};
use super::skopeo::{self, skopeo};

/// An image in a registry: its name, and what it must keep on every trip.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) digest: String,
    /// The digests of the platforms of a list, and of its attestations; none for a single image.
    pub(crate) children: Vec<String>,
}

/// Which of the two families of media types an image is written in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Family {
    /// Docker schema 2.
    Docker,
    /// The OCI image specification.
    Oci,
}

/// The folder in which images are built, gone when the value is dropped.
pub(crate) struct Workshop {
    folder: TempDir,
}

/// A built image that no registry has yet; it lies in its workshop.
pub(crate) struct Built<'workshop> {
    workshop: &'workshop Workshop,
    folder_name: String,
    media_type: &'static str,
    architecture: String,
    /// Its digest in any registry that it is pushed to.
    pub(crate) digest: String,
    /// Its manifest.
    pub(crate) bytes: Vec<u8>,
}

impl Workshop {
    /// Starts with nothing built.
    pub(crate) fn new() -> Self {
        Self { folder: super::scratch() }
    }

    /// Builds a Linux image; the same arguments give the same digest, on any day and in any workshop.
    ///
    /// A workshop builds a name only once for each architecture.
    pub(crate) fn build(
        &self,
        name: &str,
        family: Family,
        architecture: &str,
        layers: &[Layer],
    ) -> Built<'_> {
        const CREATED: &str = "2024-01-01T00:00:00Z";
        let umoci = |arguments: &[&str]| run(&program("umoci"), arguments);
        let folder_name = format!("{name}-{architecture}");
        let path = |end: &str| self.folder.path().join(format!("{folder_name}{end}"));
        let (folder, layout, tar) = (path(""), path(".oci"), path(".tar"));

        umoci(&["init", "--layout", layout.to_str().unwrap()]);
        let image = format!("{}:latest", layout.display());
        umoci(&["new", "--image", &image]);
        for layer in layers {
            fs::write(&tar, layer.tar()).unwrap();
            let by = format!("COPY {} /", layer.name);
            let history = ["--history.created", CREATED, "--history.created_by", &by];
            umoci(
                &[&["raw", "add-layer", "--image", &image], &history[..], &[tar.to_str().unwrap()]].concat(),
            );
        }
        let command = format!("/usr/bin/{name}");
        let platform = ["--os", "linux", "--architecture", architecture, "--created", CREATED];
        let history = ["--history.created", CREATED, "--history.created_by", "CMD"];
        umoci(
            &[&["config", "--image", &image, "--config.cmd", &command], &platform[..], &history[..]].concat(),
        );

        let (format, media_type) = match family {
            Family::Docker => ("v2s2", DOCKER_MANIFEST),
            Family::Oci => ("oci", OCI_MANIFEST),
        };
        skopeo(["copy", "--format", format, &format!("oci:{image}"), &format!("dir:{}", folder.display())]);
        let bytes = fs::read(folder.join("manifest.json")).unwrap();
        let digest = super::sha256(&bytes);
        Built {
            workshop: self,
            folder_name,
            media_type,
            architecture: architecture.to_owned(),
            digest,
            bytes,
        }
    }
}

impl Built<'_> {
    /// Pushes it under a tag.
    pub(crate) fn push(&self, registry: &Registry, repository: &str, tag: &str) -> Image {
        self.push_as(registry, &format!("{repository}:{tag}"));
        let (repository, tag) = (repository.to_owned(), tag.to_owned());
        Image { repository, tag, digest: self.digest.clone(), children: Vec::new() }
    }

    /// Pushes it without a tag, as the children of lists are.
    pub(crate) fn push_untagged(&self, registry: &Registry, repository: &str) {
        self.push_as(registry, &format!("{repository}@{}", self.digest));
    }

    fn push_as(&self, registry: &Registry, name: &str) {
        let destination = format!("docker://{}/{name}", registry.address());
        let folder = self.workshop.folder.path().join(&self.folder_name);
        skopeo::copy(&format!("dir:{}", folder.display()), &destination);
    }

    /// How a list points at it.
    fn descriptor(&self) -> Value {
        json!({
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.bytes.len(),
            "platform": { "architecture": self.architecture, "os": "linux" },
        })
    }
}

/// Pushes images of every kind that a release has, and returns every tag.
///
/// Layers are shared between images, an image has two tags or lies in two repositories, a repository's name
/// has one to three parts, and a tag uses every character that tags may have.
pub(crate) fn push_standard_set(workshop: &Workshop, registry: &Registry) -> Vec<Image> {
    use Family::{Docker, Oci};
    let layer = |name, bytes| Layer { name, bytes };
    let (base, runtime) = (layer("base", 1_000_000), layer("runtime", 300_000));

    let plain = workshop.build("base", Docker, "amd64", &[base]);
    let web = workshop.build("web", Docker, "amd64", &[base, runtime, layer("web", 60_000)]);
    let web_odd = workshop.build("web-odd", Docker, "amd64", &[base, runtime, layer("web-odd", 10_000)]);
    let worker = workshop.build("worker", Oci, "amd64", &[base, layer("worker", 120_000)]);
    let deep = workshop.build("deep", Oci, "amd64", &[base, runtime, layer("deep", 20_000)]);
    vec![
        plain.push(registry, "base", "3.19"),
        plain.push(registry, "base", "latest"),
        plain.push(registry, "mirror/base", "3.19"),
        web.push(registry, "shop/web", "1.0"),
        web_odd.push(registry, "shop/web", "_x.Y-1"),
        worker.push(registry, "shop/worker", "1.0"),
        deep.push(registry, "ns/sub/deep", "v1.0"),
        push_list(registry, "platform/list", "2.0", DOCKER_LIST, &platforms(workshop, "list", Docker), None),
        push_attested_index(registry, "platform/index", "2.0", &platforms(workshop, "index", Oci)),
    ]
}

/// Builds one image for each of two platforms: one layer is its own, one is shared by both.
fn platforms<'a>(workshop: &'a Workshop, name: &str, family: Family) -> [Built<'a>; 2] {
    let data = Layer { name: "data", bytes: 200_000 };
    [("amd64", "binaries-amd64"), ("arm64", "binaries-arm64")].map(|(architecture, name_of_layer)| {
        let own = Layer { name: name_of_layer, bytes: 80_000 };
        workshop.build(name, family, architecture, &[data, own])
    })
}

/// Pushes an OCI index as BuildKit writes it: the first platform's attestation is a child like the platforms.
fn push_attested_index(registry: &Registry, repository: &str, tag: &str, platforms: &[Built<'_>]) -> Image {
    const IN_TOTO: &str = "application/vnd.in-toto+json";
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{ "name": "index", "digest": { "sha256": platforms[0].digest.trim_start_matches("sha256:") } }],
        "predicate": {},
    });
    let statement = statement.to_string().into_bytes();
    let statement_digest = registry.put_blob(repository, &statement);
    let diff_ids = [&statement_digest];
    let configuration = json!({
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let configuration = configuration.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": registry.put_blob(repository, &configuration),
            "size": configuration.len(),
        },
        "layers": [{
            "mediaType": IN_TOTO,
            "digest": statement_digest,
            "size": statement.len(),
            "annotations": { "in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2" },
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let digest = super::sha256(&manifest);
    registry.put_manifest(repository, &digest, OCI_MANIFEST, &manifest);
    let attestation = json!({
        "mediaType": OCI_MANIFEST,
        "digest": digest,
        "size": manifest.len(),
        "annotations": {
            "vnd.docker.reference.digest": platforms[0].digest,
            "vnd.docker.reference.type": "attestation-manifest",
        },
        "platform": { "architecture": "unknown", "os": "unknown" },
    });
    push_list(registry, repository, tag, OCI_INDEX, platforms, Some(attestation))
}

/// Pushes a list of platforms after its children; more children have to be in the registry already.
fn push_list(
    registry: &Registry,
    repository: &str,
    tag: &str,
    media_type: &str,
    platforms: &[Built<'_>],
    attestation: Option<Value>,
) -> Image {
    for platform in platforms {
        platform.push_untagged(registry, repository);
    }
    let descriptors: Vec<Value> = platforms.iter().map(Built::descriptor).chain(attestation).collect();
    let list = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": descriptors });
    let children = descriptors.iter().map(|child| child["digest"].as_str().unwrap().to_owned()).collect();
    let digest = registry.put_manifest(repository, tag, media_type, list.to_string().as_bytes());
    Image { repository: repository.to_owned(), tag: tag.to_owned(), digest, children }
}
