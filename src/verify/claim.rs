//! Claims: which files say that they hold a digest.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;

use smallvec::SmallVec;

use crate::catalog::Files;
use crate::digest::Digest;
use crate::disk::File;

/// A digest that has to be at the destination, and the files that claim to hold it.
#[derive(Debug)]
pub struct Claim<'c> {
    /// The digest.
    pub digest: Digest,
    /// The sizes that manifests say it has, in bytes; usually one.
    pub sizes: Sizes,
    /// Files that lie where they have to be.
    pub placed: Files,
    /// Files of the source.
    pub sources: Cow<'c, [File]>,
    /// Whether the source's files are to be copied: then they are hashed while they are.
    pub is_copied: bool,
}

/// Sizes in bytes, each once.
pub type Sizes = SmallVec<[u64; 2]>;

/// Claims, each about another digest, in the order of the digests.
#[derive(Debug)]
pub struct Claims<'c>(Vec<Claim<'c>>);

impl<'c> Claim<'c> {
    /// One that no file raises yet.
    #[must_use]
    pub fn of(digest: Digest) -> Self {
        Self {
            digest,
            sizes: Sizes::new(),
            placed: Files::new(),
            sources: Cow::Borrowed(&[]),
            is_copied: false,
        }
    }

    /// The same, raised by files of the source.
    #[must_use]
    pub fn by(self, sources: &'c [File]) -> Self {
        Self { sources: Cow::Borrowed(sources), ..self }
    }

    /// The same, raised by files that lie where they have to be.
    #[must_use]
    pub fn by_placed(self, placed: impl IntoIterator<Item = File>) -> Self {
        Self { placed: placed.into_iter().collect(), ..self }
    }

    /// Takes in a size that a manifest says.
    pub fn says(&mut self, size: Option<u64>) {
        if let Some(size) = size.filter(|size| !self.sizes.contains(size)) {
            self.sizes.push(size);
            self.sizes.sort_unstable();
        }
    }

    /// How many bytes it has, as its manifests say.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.sizes.last().copied().unwrap_or_default()
    }
}

impl<'c> Claims<'c> {
    /// One about each digest, which no file raises yet.
    #[must_use]
    pub fn about(digests: impl Iterator<Item = Digest> + Clone) -> Self {
        let mut all = Vec::with_capacity(digests.clone().count());
        all.extend(digests);
        all.sort_unstable();
        all.dedup();
        let mut claims = Vec::with_capacity(all.len());
        claims.extend(all.into_iter().map(Claim::of));
        Self(claims)
    }

    /// Adds claims about other digests.
    pub fn add(&mut self, others: BTreeMap<Digest, Claim<'c>>) {
        if !others.is_empty() {
            self.0.extend(others.into_values());
            self.0.sort_unstable_by_key(|claim| claim.digest);
        }
    }

    /// The claim about a digest.
    pub fn get_mut(&mut self, digest: &Digest) -> Option<&mut Claim<'c>> {
        let found = self.0.binary_search_by(|claim| claim.digest.cmp(digest)).ok()?;
        Some(&mut self.0[found])
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Claim<'c>> {
        self.0.iter_mut()
    }
}

impl<'c> Deref for Claims<'c> {
    type Target = [Claim<'c>];

    fn deref(&self) -> &[Claim<'c>] {
        &self.0
    }
}
