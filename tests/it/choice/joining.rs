//! Images of several platforms from several sources, under one name.

use serde_json::json;

use super::*;
use crate::support::registry::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX};

const JOIN: &str = "--merge-platforms";

#[test]
fn images_of_several_platforms_become_one_list() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let [amd64, arm64, arm] = ["amd64", "arm64/v8", "arm/v7"].map(|it| image("app", &format!("linux/{it}")));
    write_tree(&named([("team/app:1", amd64.clone()), ("team/same:1", amd64.clone())]), &path("a"));
    write_tree(&named([("team/app:1", arm64.clone()), ("team/same:1", amd64.clone())]), &path("b"));
    // A list of one, with what attests it.
    let (attested, about) = attestation(&arm);
    let other = list(OCI_INDEX, &[entry(&arm, "linux/arm/v7"), about.clone()], &[&arm, &attested]);
    write_tree(&named([("team/app:1", other.clone())]), &path("c"));

    let sources = [&*path("a"), &path("b"), &path("c"), &path("site/docker")];
    let refused = run("to-registry", &[], &sources).expect(4);
    assert_eq!(findings(&refused), [("name-conflict".to_owned(), vec!["team/app:1".to_owned()])]);
    refused.expect_said(&[JOIN]);
    assert!(!path("site").exists());

    let entries =
        [entry(&amd64, "linux/amd64"), entry(&arm, "linux/arm/v7"), entry(&arm64, "linux/arm64/v8"), about];
    let joined = made(&list(OCI_INDEX, &entries, &[&amd64, &arm, &arm64, &attested]));
    let ended = run("to-registry", &[JOIN], &sources).expect(0);
    let from = [amd64.digest(), arm64.digest(), other.digest()];
    assert_eq!(
        ended.summary["remade"],
        json!([{ "image": "team/app:1", "from": from, "to": joined.digest() }])
    );
    let expected = named([("team/app:1", joined), ("team/same:1", amd64.clone())]);
    assert_holds(&expected, &path("site/docker"));
    let registry = Registry::start_readonly(&path("site"));
    for (architecture, image) in [("amd64", &amd64), ("arm64", &arm64)] {
        assert_pulls(&registry, "team/app:1", architecture, image);
    }

    // The order of the sources does not matter, and neither do names that meet only at the destination.
    let turned = [&*path("c"), &path("b"), &path("a"), &path("turned/docker")];
    run("to-registry", &[JOIN], &turned).expect(0);
    assert_holds(&expected, &path("turned/docker"));
    write_tree(&named([("quay.io/app:1", arm64.clone())]), &path("d"));
    write_tree(&named([("team/app:1", amd64.clone())]), &path("e"));
    let options = [JOIN, "--rename", "app=team/app"];
    let met = run("to-dir", &options, &[&path("d"), &path("e"), &path("met")]).expect(0);
    let entries = [entry(&amd64, "linux/amd64"), entry(&arm64, "linux/arm64/v8")];
    let list = made(&list(OCI_INDEX, &entries, &[&amd64, &arm64]));
    assert_same_files(&forge::tree(&named([("team/app:1", list)])), &files(&path("met")));
    assert_eq!(met.summary["remade"][0]["image"], "team/app:1");
}

#[test]
fn docker_images_become_a_docker_list() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let docker = |architecture: &str| {
        let config = json!({ "os": "windows", "architecture": architecture, "os.version": "10.0.1" });
        let config = Blob::new("application/vnd.docker.container.image.v1+json", config.to_string());
        forge::single(DOCKER_MANIFEST, &config, &[forge::docker_layer(architecture)])
    };
    let (amd64, arm64) = (docker("amd64"), docker("arm64"));
    write_tree(&named([("app:1", amd64.clone())]), &path("a"));
    write_tree(&named([("app:1", arm64.clone())]), &path("b"));
    run("to-registry", &[JOIN], &[&path("a"), &path("b"), &path("docker")]).expect(0);
    let entries =
        [&amd64, &arm64].into_iter().zip(["windows/amd64", "windows/arm64"]).map(|(image, platform)| {
            let mut entry = entry(image, platform);
            // One version of Windows does not run what was made for another.
            entry["platform"]["os.version"] = json!("10.0.1");
            entry
        });
    let joined = made(&list(DOCKER_LIST, &entries.collect::<Vec<_>>(), &[&amd64, &arm64]));
    assert_holds(&named([("app:1", joined)]), &path("docker"));
}

#[test]
fn two_images_for_one_platform_or_for_none_are_refused() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let helm = Blob::new("application/vnd.cncf.helm.config.v1+json", "{}");
    let chart = |name: &str| forge::artifact(&helm, &[forge::layer(name)]);
    write_tree(&named([("app:1", image("one", "linux/amd64")), ("chart:1", chart("one"))]), &path("a"));
    write_tree(&named([("app:1", image("two", "linux/amd64")), ("chart:1", chart("two"))]), &path("b"));
    let ended = run("to-registry", &[JOIN], &[&path("a"), &path("b"), &path("docker")]).expect(4);
    let refused = [("cannot-join", "chart:1"), ("name-conflict", "app:1")];
    assert_eq!(findings(&ended), refused.map(|(kind, image)| (kind.to_owned(), vec![image.to_owned()])));
    ended.expect_said(&["linux", "amd64", "does not say what it runs on"]);
    assert!(!path("docker").exists());
    assert_eq!(image("one", "linux/amd64").media_type, SINGLE);
}
