//! Platforms as people ask for them.

use std::fmt;
use std::str::FromStr;

use crate::manifest::Platform;

/// A platform that is wanted: `os/architecture`, whatever the variant, or `os/architecture/variant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted(Platform);

impl Wanted {
    /// Whether an image for this platform is one.
    #[must_use]
    pub fn takes(&self, platform: &Platform) -> bool {
        let platform = normal(platform);
        (&self.0.os, &self.0.architecture) == (&platform.os, &platform.architecture)
            && (self.0.variant.is_empty() || self.0.variant == platform.variant)
    }
}

/// The spelling that containerd gives a platform (containerd/platforms, `database.go`): the variant that a processor
/// has when nothing is said is left out, but that of arm, which is v7.
fn normal(platform: &Platform) -> Platform {
    let Platform { os, architecture, variant } = platform;
    let os = os.to_lowercase();
    let os = if os == "macos" { "darwin".to_owned() } else { os };
    let (architecture, variant) = match (&*architecture.to_lowercase(), &*variant.to_lowercase()) {
        ("i386" | "i686" | "x86", _) => ("386", String::new()),
        ("x86_64" | "x86-64" | "amd64", variant) => {
            ("amd64", if variant == "v1" { String::new() } else { variant.to_owned() })
        }
        ("aarch64" | "arm64", "8" | "v8" | "") => ("arm64", String::new()),
        ("aarch64" | "arm64", variant) => ("arm64", variant.to_owned()),
        ("armhf", _) => ("arm", "v7".to_owned()),
        ("armel", _) => ("arm", "v6".to_owned()),
        ("arm", "" | "7") => ("arm", "v7".to_owned()),
        ("arm", "5") => ("arm", "v5".to_owned()),
        ("arm", "6") => ("arm", "v6".to_owned()),
        ("arm", "8") => ("arm", "v8".to_owned()),
        (other, variant) => {
            return Platform { os: os.into(), architecture: other.into(), variant: variant.into() };
        }
    };
    Platform { os: os.into(), architecture: architecture.into(), variant: variant.into() }
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_word = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(is_word) {
            return Err(format!(
                "{text:?} is no platform: expected os/architecture[/variant], such as linux/arm64"
            ));
        }
        let platform: Platform = match text.parse() {
            Ok(platform) => platform,
            Err(never) => match never {},
        };
        let normal = normal(&platform);
        // What was not said is not asked for.
        let says_variant = parts.len() == 3 || matches!(parts[1], "armhf" | "armel");
        Ok(Self(if says_variant { normal } else { Platform { variant: "".into(), ..normal } }))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_taken_as_containerd_takes_them() {
        let takes = |wanted: &str, platform: &str| {
            wanted.parse::<Wanted>().unwrap().takes(&platform.parse::<Platform>().unwrap())
        };
        for (wanted, platform) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/amd64", "linux/amd64/v3"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/arm64", "linux/arm64/v8"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/aarch64", "linux/arm64/v9"),
            ("linux/arm", "linux/arm/v6"),
            ("linux/arm/v7", "linux/arm"),
            ("linux/armhf", "linux/arm/v7"),
            ("Linux/AMD64", "linux/amd64"),
        ] {
            assert!(takes(wanted, platform), "{wanted} does not take {platform}");
        }
        for (wanted, platform) in [
            ("linux/amd64", "linux/arm64"),
            ("linux/amd64/v3", "linux/amd64"),
            ("linux/arm/v6", "linux/arm/v7"),
            ("linux/arm64", "windows/arm64"),
            ("linux/arm", "linux/arm64"),
        ] {
            assert!(!takes(wanted, platform), "{wanted} takes {platform}");
        }
        for wrong in ["", "linux", "linux/", "linux/a b", "linux/arm/v7/x", "/amd64"] {
            assert!(wrong.parse::<Wanted>().is_err(), "{wrong:?} was read");
        }
    }
}
