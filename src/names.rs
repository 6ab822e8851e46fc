//! Which names the images get at the destination.
//!
//! In this order: an image that has no repository gets one, the registry's host is left out or kept, the first
//! fitting rule replaces the beginning of the name, and a project comes in front.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use anyhow::{Result, bail};
use smallvec::SmallVec;

use crate::catalog::{Catalog, Image, Resolve, gather, gather_with};
use crate::finding::{Finding, Kind};
use crate::layout::{Layout, Tree};
use crate::reference::{Host, Identifier, Reference, Repository, Tag};

/// What becomes of the registry host in front of an image's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostRule {
    /// It is left out.
    Strip,
    /// It stays, where the target's names can hold it.
    Keep,
}

/// How images are named.
#[derive(Debug, Clone)]
pub struct Naming {
    /// What becomes of hosts.
    pub hosts: HostRule,
    /// What takes the place of how names begin; the first that fits counts.
    pub renames: Vec<Rename>,
    /// What comes in front of every name.
    pub prefix: Option<Repository>,
    /// What images are called that have no repository.
    pub bare: Option<Bare>,
}

/// A beginning of names, and what takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    from: String,
    to: String,
}

/// The name of images that have no repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bare {
    repository: Repository,
    /// The tag of one that has not even that.
    tag: Option<Tag>,
}

impl FromStr for Rename {
    type Err = String;

    /// Reads `FROM=TO`; TO may be empty.
    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = |name: &str| name.trim_end_matches('/').to_owned();
        match text.split_once('=') {
            Some((from, to)) if !trimmed(from).is_empty() => {
                Ok(Self { from: trimmed(from), to: trimmed(to) })
            }
            _ => Err("expected FROM=TO, such as library=mirror/library".to_owned()),
        }
    }
}

impl FromStr for Bare {
    type Err = String;

    /// Reads `NAME` or `NAME:TAG`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (repository, tag) = text.rsplit_once(':').map_or((text, None), |(name, tag)| (name, Some(tag)));
        let tag = tag.map(str::parse).transpose().map_err(|error| format!("{error}"))?;
        Ok(Self { repository: repository.parse().map_err(|error| format!("{error}"))?, tag })
    }
}

impl Rename {
    /// The name with its beginning replaced, if it begins so: whole parts only.
    fn apply(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix(&self.from)?;
        match (rest.strip_prefix('/'), &*self.to) {
            (Some(rest), "") => Some(rest.to_owned()),
            (Some(rest), to) => Some(format!("{to}/{rest}")),
            (None, to) => rest.is_empty().then(|| to.to_owned()),
        }
    }
}

/// Names the images of a tree that have no repository, or refuses them.
///
/// What lies in folders below the tree's root has the names of the folders behind that of the rule.
pub fn name_bare(tree: &mut Tree, rule: Option<&Bare>) {
    let images = std::mem::take(&mut tree.scan.catalog.images);
    let bare = tree.scan.findings.iter().filter(|finding| finding.kind == Kind::BareTag);
    let places: BTreeMap<Reference, &Path> =
        bare.flat_map(|it| it.images.iter().map(|image| (image.clone(), it.file.as_path()))).collect();
    let mut invalid = Vec::new();
    let mut named: Vec<(Reference, Image)> = Vec::new();
    for (reference, image) in images {
        let name = match (places.get(&reference), rule) {
            (None, _) => Some(reference),
            (Some(_), None) => None,
            (Some(place), Some(rule)) => {
                let below = place.strip_prefix(&tree.root).ok().filter(|below| !below.as_os_str().is_empty());
                let repository = match below {
                    Some(below) => format!("{}/{}", rule.repository, below.display()).parse(),
                    None => Ok(rule.repository.clone()),
                };
                let identifier = match (&reference.identifier, &rule.tag) {
                    (Identifier::Digest(_), Some(tag)) => Identifier::Tag(tag.clone()),
                    _ => reference.identifier.clone(),
                };
                match repository {
                    Ok(repository) => Some(Reference { host: None, repository, identifier }),
                    Err(error) => {
                        let finding = Finding::at(Kind::InvalidName, *place);
                        invalid.push(finding.found(error).breaks(&reference));
                        None
                    }
                }
            }
        };
        named.extend(name.map(|name| (name, image)));
    }
    let (images, conflicts) = gather(named);
    tree.scan.catalog.images = images;
    match rule {
        Some(_) => tree.scan.findings.retain(|finding| finding.kind != Kind::BareTag),
        None => {
            for finding in tree.scan.findings.iter_mut().filter(|finding| finding.kind == Kind::BareTag) {
                *finding = Finding {
                    images: finding.images.clone(),
                    ..Finding::at(Kind::NoRepository, &finding.file)
                };
            }
        }
    }
    tree.scan.findings.extend(invalid);
    tree.scan.findings.extend(conflicts);
}

/// Under which names a source had what has these names now, in their order; nearly always one.
pub type Sources = BTreeMap<Reference, SmallVec<[Reference; 1]>>;

/// What naming did.
pub struct Named {
    /// The images under their names.
    pub catalog: Catalog,
    /// What is wrong with the names.
    pub findings: Vec<Finding>,
    /// Under which names the source had each.
    pub sources: Sources,
}

/// Names all images as they will be called in the target layout; what becomes of two different ones that would get
/// one name, `resolve` says.
///
/// # Errors
/// When a rule fits no image: it was meant to.
pub fn rename(mut catalog: Catalog, naming: &Naming, target: &dyn Layout, resolve: Resolve) -> Result<Named> {
    let mut findings = Vec::new();
    let mut named = Vec::with_capacity(catalog.images.len());
    let mut sources = Sources::new();
    let mut used = BTreeSet::new();
    for (source, image) in std::mem::take(&mut catalog.images) {
        match naming.name(&source, target, &mut used) {
            Ok((name, is_host_dropped)) => {
                if is_host_dropped {
                    findings
                        .push(Finding::at(Kind::HostDropped, &image.origin).found(&source).breaks(&source));
                }
                sources.entry(name.clone()).or_default().push(source);
                named.push((name, image));
            }
            Err(error) => {
                findings.push(Finding::at(Kind::InvalidNewName, &image.origin).found(error).breaks(&source));
            }
        }
    }
    let idle = naming.renames.iter().enumerate().filter(|(number, _)| !used.contains(number));
    let idle: Vec<_> = idle.map(|(_, rename)| format!("{}={}", rename.from, rename.to)).collect();
    if !idle.is_empty() {
        bail!(
            "--rename fits no image: {}\n  hint: FROM is how the repository begins, with its host or without, in whole parts",
            idle.join(", ")
        );
    }
    let (images, conflicts) = gather_with(named, |name, images| resolve(&mut catalog, name, images));
    findings.extend(conflicts);
    let sources = sources.into_iter().filter(|(name, _)| images.contains_key(name)).collect();
    Ok(Named { catalog: Catalog { images, ..catalog }, findings, sources })
}

impl Naming {
    /// The name that an image gets, and whether its host could not be kept; notes the rule that fitted.
    fn name(
        &self,
        source: &Reference,
        target: &dyn Layout,
        used: &mut BTreeSet<usize>,
    ) -> Result<(Reference, bool), String> {
        let path = source.repository.as_str();
        let whole = source.host.as_ref().map(|host| format!("{host}/{path}"));
        let fitting = self.renames.iter().enumerate().find_map(|(number, rename)| {
            let with_host = whole.as_ref().and_then(|whole| rename.apply(whole)).map(|name| (name, false));
            let renamed = with_host.or_else(|| Some((rename.apply(path)?, true)))?;
            Some((number, renamed))
        });
        let (path, host) = match fitting {
            // What the host was part of has its place taken, too.
            Some((number, (path, keeps_host))) => {
                used.insert(number);
                (path, source.host.as_ref().filter(|_| keeps_host))
            }
            None => (path.to_owned(), source.host.as_ref()),
        };
        let repository: Repository = path.parse().map_err(|error| format!("{error}"))?;
        let name = Reference { host: host.cloned(), repository, identifier: source.identifier.clone() };
        let (name, is_host_dropped) = match (self.hosts, &name.host) {
            (HostRule::Strip, _) => (name.without_host(), false),
            (HostRule::Keep, None) => (name, false),
            (HostRule::Keep, Some(host)) => {
                // A project stands in front of all, so what is behind it is a path.
                let kept =
                    if self.prefix.is_some() { within_path(host, &name) } else { target.with_host(&name) };
                let is_dropped = kept.is_none();
                (kept.unwrap_or_else(|| name.without_host()), is_dropped)
            }
        };
        let repository = match &self.prefix {
            None => name.repository,
            Some(prefix) => {
                format!("{prefix}/{}", name.repository).parse().map_err(|error| format!("{error}"))?
            }
        };
        Ok((Reference { repository, ..name }, is_host_dropped))
    }
}

/// The name with its host as a part of its path, if that can be.
fn within_path(host: &Host, name: &Reference) -> Option<Reference> {
    let repository = format!("{host}/{}", name.repository).parse().ok()?;
    Some(Reference { host: None, repository, identifier: name.identifier.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Dir, Registry};
    use crate::reference::Spelled;

    fn name(hosts: HostRule, renames: &[&str], prefix: Option<&str>, image: &str) -> String {
        let renames = renames.iter().map(|text| text.parse().unwrap()).collect();
        let naming = Naming { hosts, renames, prefix: prefix.map(|it| it.parse().unwrap()), bare: None };
        let source = image.parse::<Spelled>().unwrap().reference();
        match naming.name(&source, &Registry, &mut BTreeSet::new()) {
            Ok((name, is_dropped)) => format!("{name}{}", if is_dropped { " dropped" } else { "" }),
            Err(error) => error,
        }
    }

    #[test]
    fn names_follow_from_the_rules() {
        use HostRule::{Keep, Strip};
        for (hosts, renames, prefix, image, expected) in [
            (Strip, &[][..], None, "quay.io/a/b:1", "a/b:1"),
            (Keep, &[], None, "quay.io/a/b:1", "quay.io/a/b:1"),
            (Keep, &[], None, "h:5000/a/b:1", "a/b:1 dropped"),
            (Strip, &[], Some("shop"), "quay.io/a/b:1", "shop/a/b:1"),
            (Keep, &[], Some("shop"), "quay.io/a/b:1", "shop/quay.io/a/b:1"),
            (Keep, &[], Some("shop"), "h:5000/a/b:1", "shop/a/b:1 dropped"),
            (Strip, &["a=x/y"], None, "quay.io/a/b:1", "x/y/b:1"),
            (Strip, &["quay.io/a=x"], None, "quay.io/a/b:1", "x/b:1"),
            (Keep, &["quay.io/a=x"], None, "quay.io/a/b:1", "x/b:1"),
            (Keep, &["quay.io=mirror/quay"], Some("p"), "quay.io/a/b:1", "p/mirror/quay/a/b:1"),
            (Strip, &["a/=", "a=z"], None, "a/b:1", "b:1"),
            (Strip, &["a/b=z"], None, "a/b:1", "z:1"),
            (Strip, &["a/b=z"], None, "a/bc:1", "a/bc:1"),
            (Strip, &["library/=", "x=y"], None, "docker.io/library/alpine:3", "alpine:3"),
        ] {
            assert_eq!(name(hosts, renames, prefix, image), expected, "{hosts:?} {renames:?} {image}");
        }
        assert!(name(Strip, &["a=A"], None, "a/b:1").contains("not a valid repository"));
        assert!(name(Strip, &["a/b="], None, "a/b:1").contains("not a valid repository"));
        for wrong in ["a", "=a", "/=a", ""] {
            assert!(wrong.parse::<Rename>().is_err(), "{wrong:?} was read");
        }
    }

    #[test]
    fn a_tree_can_keep_every_host() {
        let naming = Naming { hosts: HostRule::Keep, renames: Vec::new(), prefix: None, bare: None };
        let source = "h:5000/a/b:1".parse::<Spelled>().unwrap().reference();
        let (name, is_dropped) = naming.name(&source, &Dir, &mut BTreeSet::new()).unwrap();
        assert_eq!((name.to_string().as_str(), is_dropped), ("h:5000/a/b:1", false));
    }
}
