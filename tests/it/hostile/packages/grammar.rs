//! Documents that are no bills of materials: names and digests outside the grammar, fields that are none, numbers
//! that are none, and what is no document at all. Their digest is right, in a tar and in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::writer::{Package, head, sums};
use super::{Sites, run};

/// The bill of one image with one layer, and what follows it in its tar.
struct Honest {
    json: String,
    rest: Vec<u8>,
    sites: Sites,
}

impl Honest {
    fn new() -> Self {
        let package = Package::small();
        let tar = package.settled();
        let json = package.json();
        let rest = tar[head(&json).len()..].to_vec();
        Self { json: String::from_utf8(json).unwrap(), rest, sites: Sites::new() }
    }

    /// Has another document refused, as a tar and as a folder; `found` tells that it was for what is wrong.
    fn refuse(&self, json: impl AsRef<[u8]>, found: &str) {
        let json = json.as_ref();
        assert_ne!(json, self.json.as_bytes(), "nothing was edited");
        let package = self.sites.package([head(json), self.rest.clone()].concat());
        self.sites.refuse(&package).expect("damaged-package", &package, found);
        let folder = self.folder(json);
        self.sites.refuse(&folder).expect("damaged-package", &folder, found);
    }

    /// A package that is a folder, with this bill.
    fn folder(&self, json: &[u8]) -> PathBuf {
        let folder = self.sites.packages().join("folder");
        let _ = fs::create_dir(&folder);
        fs::write(folder.join("bundle.json"), json).unwrap();
        fs::write(folder.join("bundle.json.sha256"), sums(json)).unwrap();
        folder
    }

    /// Has the bill refused with another text in the place of this one.
    fn refuse_with(&self, old: &str, new: &str, found: &str) {
        assert!(self.json.contains(old), "{old} is not in {}", self.json);
        self.refuse(self.json.replacen(old, new, 1), found);
    }
}

#[test]
fn names_are_held_to_the_grammar() {
    let honest = Honest::new();
    let long = "a/".repeat(5_000) + "a:1";
    let long_tag = format!("a:{}", "1".repeat(10_000));
    let name = "\"name\": \"zone-base:1.0\"";
    let names = [
        "../x:1",
        "../../../../tmp/x:1",
        "x/../../y:1",
        "/absolute:1",
        "/:1",
        "A:1",
        "x/Y:1",
        "x//y:1",
        "x/:1",
        "x/_layers:1",
        "_manifests:1",
        ".:1",
        "..:1",
        "x:",
        ":1",
        "x",
        "",
        "x:..",
        "x:.",
        "x:1/../../../y",
        "x:1/current/link",
        "x: 1",
        "x\\n:1",
        "x\\u0000:1",
        "x:1\\u0000",
        "\\u001b[2J:1",
        "x:\\u202e1",
        "größe:1",
        "host:5000/x:1",
        "x@sha256:../../y",
        "x@sha256:0",
        "x@1",
        &long,
        &long_tag,
    ];
    for text in names {
        honest.refuse_with(name, &format!("\"name\": \"{text}\""), " at line ");
    }
    println!("names outside the grammar: {}, all refused", names.len());
    for (text, found) in
        [("7", "expected a string"), ("null", "expected a string"), ("[]", "expected a string")]
    {
        honest.refuse_with(name, &format!("\"name\": {text}"), found);
    }
}

#[test]
fn digests_are_held_to_the_grammar() {
    let honest = Honest::new();
    let at = honest.json.find("sha256:").unwrap();
    let real = &honest.json[at..at + 71];
    let hex = &real["sha256:".len()..];
    let long = format!("sha256:{}", "0".repeat(10_000));
    for text in [
        "sha256:../../x",
        "sha256:",
        "sha256",
        "",
        hex,
        &format!("sha256:{}", &hex[1..]),
        &format!("sha256:{hex}0"),
        &format!("sha256:{}", hex.to_uppercase()),
        &format!("SHA256:{hex}"),
        &format!("md5:{hex}"),
        &format!("sha512:{hex}"),
        &format!("../../sha256:{hex}"),
        &format!("sha256:{}/..", &hex[3..]),
        &format!("sha256:{}\\u0000", &hex[1..]),
        &format!("sha256:{}é", &hex[2..]),
        &format!("sha256/{hex}"),
        &format!("sha256-{hex}"),
        &long,
    ] {
        // In every place that has one, one at a time.
        for (place, (number, _)) in honest.json.match_indices("sha256:").enumerate() {
            if place % 5 == 0 || text == "sha256:../../x" {
                let mut json = honest.json.clone();
                json.replace_range(number..number + 71, text);
                honest.refuse(json, " at line ");
            }
        }
    }
}

#[test]
fn fields_are_those_of_the_format_and_no_others() {
    let honest = Honest::new();
    let more = "\"more\": 1,";
    for field in
        ["\"schema\"", "\"images\": [", "\"files\"", "\"name\"", "\"digest\"", "\"kind\"", "\"size\""]
    {
        let (old, new) = match field {
            "\"images\": [" => (field.to_owned(), format!("{more} {field}")),
            _ => (format!("{field}:"), format!("{more} {field}:")),
        };
        honest.refuse_with(&old, &new, "unknown field");
    }
    for field in ["created_by", "totals", "form", "manifests", "carries", "relies_on", "platforms"] {
        honest.refuse_with(&format!("\"{field}\""), "\"other\"", "");
    }
    for (old, new) in [
        ("\"form\": \"tar\"", "\"form\": \"zip\""),
        ("\"form\": \"tar\"", "\"form\": null"),
        ("\"kind\": \"", "\"kind\": \"not-"),
        ("\"relies_on\": []", "\"relies_on\": {}"),
        ("\"relies_on\": []", "\"relies_on\": null"),
        ("\"images\": [", "\"images\": [[],"),
        ("\"images\": [", "\"images\": [7,"),
    ] {
        honest.refuse_with(old, new, " at line ");
    }
    // As another program would write it: the same, but not the same bytes.
    let compact: serde_json::Value = serde_json::from_str(&honest.json).unwrap();
    let package = honest.sites.package([head(compact.to_string().as_bytes()), honest.rest.clone()].concat());
    honest.sites.refuse(&package).expect("damaged-package", &package, "");
}

#[test]
fn numbers_are_whole_and_not_negative() {
    let honest = Honest::new();
    let at = honest.json.find("\"size\": ").unwrap();
    let size: String = honest.json[at..].chars().take_while(|c| *c != ',' && *c != '\n').collect();
    let huge = "9".repeat(10_000);
    for number in [
        "-1",
        "-0.0",
        "1.5",
        "1e3",
        "1e400",
        "18446744073709551616",
        "\"1\"",
        "null",
        "true",
        "NaN",
        "0x10",
        &huge,
    ] {
        honest.refuse_with(&size, &format!("\"size\": {number}"), " at line ");
    }
    let at = honest.json.find("\"offset\": ").unwrap();
    let offset: String = honest.json[at..].chars().take_while(|c| *c != '\n').collect();
    for number in ["-1", "1.5", "18446744073709551616", "\"1\"", &huge] {
        honest.refuse_with(&offset, &format!("\"offset\": {number}"), " at line ");
    }
}

#[test]
fn what_is_no_document_is_no_bill() {
    const DEPTH: usize = 100_000;
    let honest = Honest::new();
    let json = honest.json.as_bytes();
    let not_text = honest.json.replacen("bundle 0", "bundle \u{1}", 1).into_bytes();
    let not_text: Vec<u8> = not_text.into_iter().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
    let nested = |open: &str, close: &str| open.repeat(DEPTH) + &close.repeat(DEPTH);
    let schema = "\"schema\": \"bundle.package/1\"";
    let within = |deep: &str| honest.json.replacen(schema, &format!("{schema}, \"more\": {deep}"), 1);
    for document in [
        b"".to_vec(),
        b"\0".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        b"\"bundle.package/1\"".to_vec(),
        format!("{{{schema}}}").into_bytes(),
        not_text,
        [b"\xef\xbb\xbf", json].concat(),
        [b"\xff\xfe", json].concat(),
        [json, b"x"].concat(),
        [json, json].concat(),
        [json, b"\0"].concat(),
        json[..json.len() / 2].to_vec(),
        json[..json.len() - 2].to_vec(),
        nested("[", "]").into_bytes(),
        nested("{\"a\":", "}").into_bytes(),
        "[".repeat(DEPTH).into_bytes(),
        within(&nested("[", "]")).into_bytes(),
        within(&"{\"schema\":".repeat(DEPTH)).into_bytes(),
        honest.json.replacen("\"platforms\": [", &format!("\"platforms\": [{}", "[".repeat(DEPTH)), 1).into(),
        vec![b' '; 1 << 20],
    ] {
        honest.refuse(document, "");
    }
}

#[test]
fn a_digest_of_the_bill_is_written_in_one_way() {
    let honest = Honest::new();
    let json = honest.json.as_bytes();
    let right = sums(json);
    let bill = |sums: &str| {
        let file = super::writer::file;
        [file("bundle.json", json), file("bundle.json.sha256", sums.as_bytes())].concat()
    };
    let folder = honest.folder(json);
    for wrong in [
        "",
        "\n",
        right.trim_end(),
        &right.replace("  ", " "),
        &right.replace("  ", " *"),
        &right.to_uppercase(),
        &format!("{right}\n"),
        &format!("{right}{right}"),
        &format!("\u{feff}{right}"),
        &right.replace("bundle.json", "./bundle.json"),
        &right.replace("bundle.json", "other.json"),
        &sums(b"another"),
        &"0".repeat(100_000),
    ] {
        let package = honest.sites.package([bill(wrong), honest.rest.clone()].concat());
        honest.sites.refuse(&package).expect(
            "damaged-package",
            &package,
            "is not what bundle.json.sha256 says",
        );
        fs::write(folder.join("bundle.json.sha256"), wrong).unwrap();
        honest.sites.refuse(&folder).expect(
            "damaged-package",
            &folder,
            "is not what bundle.json.sha256 says",
        );
    }
}

#[test]
fn a_person_reads_no_terminal_codes_that_somebody_put_into_a_package() {
    let honest = Honest::new();
    let mut package = Package::small();
    package.bill.name = Some("\u{1b}]0;title\u{7}\u{202e}".to_owned());
    package.bill.created_by = "\u{1b}[31m".to_owned();
    package.bill.images[0].platforms = vec!["\u{1b}[2J".to_owned()];
    package.bill.manifests[0].platform = Some("\u{1b}[2J\u{202e}/amd64".to_owned());
    let tar = honest.sites.package(package.located().tar());
    let site = honest.sites.packages().join("site");
    let paths: [&[&Path]; 3] =
        [&[Path::new("stats"), &tar], &[Path::new("verify"), &tar], &[Path::new("apply"), &tar, &site]];
    for arguments in paths {
        let said = run(arguments);
        assert_eq!(said.code, 0, "{}", said.stderr);
        for text in [said.stdout, said.stderr] {
            assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
        }
    }
}
