//! How a layout names its images: two annotations, and what programs put into them.
//!
//! `io.containerd.image.name` has the whole name (containerd, docker, hauler). `org.opencontainers.image.ref.name`
//! has what its writer was told: skopeo any text, docker and regctl the tag alone, zarf the whole name. Text with a
//! slash or a colon is a whole name; anything else is a tag, and the repository has to come from elsewhere.

use serde_json::{Map, Value};

use crate::reference::{Reference, Spelled, Tag};

const IMAGE_NAME: &str = "io.containerd.image.name";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What the annotation gets by which most programs choose images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefName {
    /// The whole name: as many repositories as there are.
    Whole,
    /// The tag alone, for layouts of one repository.
    Tag,
}

/// What annotations say of an image's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// All of it.
    Whole(Reference),
    /// The tag alone, or not even that.
    Bare(Option<Tag>),
    /// Text that names no image; why.
    Invalid(String),
}

impl Name {
    /// Reads what a descriptor says; a name without tag and digest is that of a `latest` image.
    pub(super) fn of(annotations: Option<&Map<String, Value>>) -> Self {
        let text = |key: &str| annotations?.get(key)?.as_str().filter(|text| !text.is_empty());
        match (text(IMAGE_NAME), text(REF_NAME)) {
            (Some(name), _) => Self::whole(name),
            (None, Some(name)) if name.contains(['/', ':']) => Self::whole(name),
            (None, Some(tag)) => match tag.parse() {
                Ok(tag) => Self::Bare(Some(tag)),
                Err(error) => Self::Invalid(format!("{error}")),
            },
            (None, None) => Self::Bare(None),
        }
    }

    fn whole(text: &str) -> Self {
        match text.parse::<Spelled>() {
            Ok(spelled) => Self::Whole(spelled.reference()),
            Err(error) => Self::Invalid(error),
        }
    }
}

/// The annotations of an image's descriptor.
pub(super) fn annotations(image: &Reference, ref_name: RefName) -> Value {
    let whole = image.to_string();
    let tag = whole.rsplit_once(':').filter(|_| image.is_tagged()).map(|(_, tag)| tag);
    let ref_name = match ref_name {
        RefName::Tag => tag.unwrap_or(&whole),
        RefName::Whole => &whole,
    };
    serde_json::json!({ IMAGE_NAME: whole, REF_NAME: ref_name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_programs_names_are_read() {
        let read = |image: Option<&str>, reference: Option<&str>| {
            let pairs = [(IMAGE_NAME, image), (REF_NAME, reference)];
            let pairs = pairs.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.into())));
            match Name::of(Some(&pairs.collect())) {
                Name::Whole(reference) => reference.to_string(),
                Name::Bare(tag) => format!("bare {}", tag.map_or_else(String::new, |tag| tag.to_string())),
                Name::Invalid(_) => "invalid".to_owned(),
            }
        };
        for (image, reference, name) in [
            (Some("docker.io/library/x:1"), Some("1"), "docker.io/library/x:1"),
            (Some("index.docker.io/library/x:1"), Some("library/x:1"), "docker.io/library/x:1"),
            (None, Some("library/x:1"), "library/x:1"),
            (None, Some("x:1"), "x:1"),
            (None, Some("localhost:5000/x"), "localhost:5000/x:latest"),
            (None, Some("1.0"), "bare 1.0"),
            (None, Some(""), "bare "),
            (None, None, "bare "),
            (None, Some("A b"), "invalid"),
            (Some("UPPER/x:1"), None, "invalid"),
        ] {
            assert_eq!(read(image, reference), name, "{image:?} {reference:?}");
        }
        assert_eq!(Name::of(None), Name::Bare(None));
    }
}
