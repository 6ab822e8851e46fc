//! What `stats` and `diff` say that a patch with deltas would weigh, next to the patch.

use crate::packages::releases::Vendor;
use crate::support::package::report;

use super::images::{few, product};

#[test]
fn an_estimate_is_near_what_a_patch_weighs() {
    let mut estimates = Vec::new();
    for (product, version) in [(product(), 2), (few(), 3)] {
        let vendor = Vendor::of(&product.releases, &["--delta"]);
        let [base, tree] = [version - 1, version].map(|version| vendor.tree(version));
        let package = vendor.path("patch.tar");
        let packed = vendor.pack_tree(&[], &[&base], &tree, &package);
        let bytes = |list: &str| packed[list]["bytes"].as_u64().unwrap();
        let real = bytes("carries") + bytes("deltas");
        let stats = report([
            "stats".as_ref(),
            tree.as_os_str(),
            "--base".as_ref(),
            base.as_os_str(),
            "--delta".as_ref(),
        ]);
        let diff = report(["diff".as_ref(), base.as_os_str(), tree.as_os_str(), "--delta".as_ref()]);
        let about = stats["base"]["about_as_deltas"].as_u64().unwrap();
        assert_eq!(diff["patch"]["about_as_deltas"], about, "{diff:#}");
        estimates.push((about, real));
        // Without being asked, no layer is read.
        let plain = report(["stats".as_ref(), tree.as_os_str(), "--base".as_ref(), base.as_os_str()]);
        assert_eq!(plain["base"].get("about_as_deltas"), None::<&serde_json::Value>);
        let whole = plain["base"]["new"]["bytes"].as_u64().unwrap();
        assert!(real < whole && about < whole, "{about} and {real} of {whole}");
    }
    println!("estimates and what they are of, in bytes: {estimates:?}");
    assert!(estimates.iter().all(|(about, real)| about / 2 <= *real && real / 2 <= *about), "{estimates:?}");
}
