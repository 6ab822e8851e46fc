//! Tars with members that no package has, or with its own written otherwise: none is unpacked.

use std::fs;

use super::Sites;
use super::writer::{BLOCK, Found, file, header, members, packed, seal};
use crate::support::bundle::bundle;
use crate::support::forge::{oci, tree, write};
use crate::support::scratch;

/// Members that a hostile tar may have, each whole.
fn odd_members(victim: &str) -> Vec<(String, Vec<u8>)> {
    let linked = |kind: u8, name: &str, target: &str| {
        let mut header = header(name, kind, 0);
        header[157..157 + target.len()].copy_from_slice(target.as_bytes());
        seal(&mut header);
        header
    };
    let device = |kind: u8| {
        let mut header = header("device", kind, 0);
        header[329..336].copy_from_slice(b"0000001");
        header[337..344].copy_from_slice(b"0000005");
        seal(&mut header);
        header
    };
    let typed = |kind: u8, name: &str, bytes: &[u8]| {
        let mut member = file(name, bytes);
        member[156] = kind;
        seal(&mut member[..BLOCK]);
        member
    };
    let mut negative = file("negative", b"");
    negative[124..136].fill(0xff);
    seal(&mut negative[..BLOCK]);
    let mut wrong_sum = file("sum", b"");
    wrong_sum[150] ^= 1;
    let storage = "docker/registry/v2";
    let tag = format!("{storage}/repositories/evil/_manifests/tags/1/current/link");
    let data = format!("{storage}/blobs/sha256/00/{}/data", "0".repeat(64));
    let odd = [
        ("absolute", file(victim, b"x")),
        ("upwards", file("../../../victim", b"x")),
        ("upwards in storage", file(&format!("{storage}/../../../victim"), b"x")),
        ("symbolic link out", linked(b'2', &format!("{storage}/repositories/evil"), "/tmp")),
        ("symbolic link in a blob's place", linked(b'2', &data, victim)),
        ("hard link out", linked(b'1', &data, victim)),
        ("character device", device(b'3')),
        ("block device", device(b'4')),
        ("pipe", typed(b'6', "pipe", b"")),
        ("contiguous file", typed(b'7', "contiguous", b"x")),
        ("old regular file", typed(0, "old", b"x")),
        ("sparse file", typed(b'S', "sparse", b"x")),
        ("file of several volumes", typed(b'M', "continued", b"x")),
        ("volume's name", typed(b'V', "volume", b"")),
        ("dump folder", typed(b'D', "dump", b"x\0")),
        ("extended header", typed(b'x', "pax", b"19 path=../victim\n")),
        ("extended header with a size", typed(b'x', "pax", b"27 size=9999999999999999999\n")),
        ("global extended header", typed(b'g', "pax", b"19 path=../victim\n")),
        ("long name", typed(b'L', "././@LongLink", b"../victim\0")),
        ("long link", typed(b'K', "././@LongLink", b"/etc/passwd\0")),
        ("another bill", file("bundle.json", b"{}")),
        ("another digest", file("bundle.json.sha256", b"x")),
        ("a tag", file(&tag, b"sha256:0")),
        ("a blob", file(&data, b"x")),
        ("a folder", header(&format!("{storage}/repositories/evil"), b'5', 0)),
        ("a file of eight gigabytes", header("huge", b'0', 0o77_777_777_777)),
        ("a file of sixteen exbibytes", header("huge", b'0', u64::MAX)),
        ("a file of negative length", negative),
        ("a wrong checksum", wrong_sum),
        ("an empty block", vec![0; BLOCK]),
        ("two empty blocks", vec![0; 2 * BLOCK]),
        ("garbage", vec![0xa5; BLOCK]),
        ("an empty name", file("", b"")),
    ];
    odd.into_iter().map(|(what, member)| (what.to_owned(), member)).collect()
}

/// Has tars refused, each with what was done to it.
fn expect_refused(sites: &Sites, tars: impl IntoIterator<Item = (String, Vec<u8>)>) -> usize {
    let mut complaints = Vec::new();
    let mut count = 0;
    for (what, tar) in tars {
        count += 1;
        let is_recognised = tar.starts_with(b"bundle.json\0");
        let package = sites.package(tar);
        let faults = match is_recognised {
            true => {
                let refusal = sites.refuse(&package);
                vec![refusal.apply, refusal.verify]
            }
            false => vec![sites.refuse_to_apply(&package)],
        };
        for fault in faults {
            if fault.kind != "damaged-package" || fault.file != package {
                complaints.push(format!("{what}: {fault:?}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    count
}

#[test]
fn a_tar_with_a_member_more_is_refused_wherever_it_is() {
    let sites = Sites::new();
    let victim = sites.packages().join("victim");
    fs::write(&victim, "untouched").unwrap();
    let tar = packed(&["--include", "zone-base:*"]);
    let members = members(&tar);
    let first_folder = members.iter().find(|member| member.name.ends_with("/_layers")).unwrap();
    let places = [
        ("in front", 0),
        ("behind the bill", members[1].at),
        ("before the content", members[2].at),
        ("among the content", members[3].at),
        ("before the folders", first_folder.at),
        ("at the end", members.last().unwrap().end()),
        ("behind the end", tar.len()),
    ];
    let mut count = 0;
    // An absolute path has to fit into a header.
    let name: String =
        victim.to_str().unwrap().chars().rev().take(90).collect::<Vec<_>>().iter().rev().collect();
    for (what, odd) in odd_members(&format!("/{}", name.trim_start_matches('/'))) {
        let tars = places.iter().map(|(place, at)| {
            let mut tar = tar.clone();
            tar.splice(at..at, odd.clone());
            (format!("{what} {place}"), tar)
        });
        // All kinds at one place, and all places for one kind.
        let tars = tars
            .enumerate()
            .filter(|(number, _)| what == "a tag" || *number == 3 || (*number + count) % 5 == 0);
        let tars: Vec<_> = tars.map(|(_, tar)| tar).collect();
        count += expect_refused(&sites, tars);
    }
    sites.expect_received(15);
    println!("tars with a member more: {count}, all refused");
    assert!(count >= 70, "{count}");
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
}

/// A tar of these stretches of another.
fn pieces(tar: &[u8], stretches: &[std::ops::Range<usize>]) -> Vec<u8> {
    stretches.iter().flat_map(|stretch| &tar[stretch.clone()]).copied().collect()
}

#[test]
fn a_tar_without_a_member_or_in_another_order_is_refused() {
    let sites = Sites::new();
    let tar = packed(&["--include", "zone-base:*"]);
    let members = members(&tar);
    let range = |member: &Found| member.at..member.end();
    let mut tars = Vec::new();
    for (number, member) in members.iter().enumerate() {
        tars.push((
            format!("without {}", member.name),
            pieces(&tar, &[0..member.at, member.end()..tar.len()]),
        ));
        tars.push((format!("{} twice", member.name), {
            pieces(&tar, &[0..member.end(), range(member), member.end()..tar.len()])
        }));
        let Some(next) = members.get(number + 1) else { continue };
        tars.push((format!("{} behind the next", member.name), {
            pieces(&tar, &[0..member.at, range(next), range(member), next.end()..tar.len()])
        }));
        // Each header in front of the other's content.
        let (one, other) = (range(member), range(next));
        let (one_header, other_header) = (one.start..one.start + BLOCK, other.start..other.start + BLOCK);
        let (one_content, other_content) = (one_header.end..one.end, other_header.end..other.end);
        let swapped =
            [0..one.start, other_header, one_content, one_header, other_content, other.end..tar.len()];
        tars.push((format!("{} with the next one's header", member.name), pieces(&tar, &swapped)));
    }
    tars.push(("no end".to_owned(), tar[..tar.len() - 2 * BLOCK].to_vec()));
    let count = expect_refused(&sites, tars);
    println!("tars without a member, or in another order: {count}, all refused");
    assert!(count >= 45, "{count}");
}

#[test]
fn a_header_that_says_anything_else_is_refused() {
    let sites = Sites::new();
    let tar = packed(&["--include", "zone-base:*"]);
    let members = members(&tar);
    let layer = members.iter().max_by_key(|member| member.size).unwrap();
    let folder = members.iter().find(|member| member.name.ends_with("/_layers")).unwrap();
    let link = members.last().unwrap();
    let fields: [(&str, usize, &[u8]); 26] = [
        ("another name", 0, b"x"),
        ("an absolute name", 0, b"/etc/passwd\0"),
        ("a name that goes up", 0, b"../../victim\0"),
        ("everybody's to write", 100, b"0000666"),
        ("set user id", 100, b"0004755"),
        ("another user", 108, b"0001000"),
        ("another group", 116, b"0001000"),
        ("a shorter size", 124, b"00000000001"),
        ("a huge size", 124, b"77777777777"),
        ("a size in base 256", 124, b"\x80\0\0\0\0\0\0\0\0\0\x01\0"),
        ("a huge size in base 256", 124, b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("a negative size", 124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("a size with a sign", 124, b"-0000000001"),
        ("a size that is none", 124, b"xxxxxxxxxxx"),
        ("no size", 124, b"\0\0\0\0\0\0\0\0\0\0\0\0"),
        ("a size with spaces", 124, b"          1"),
        ("another time", 136, b"00000000000"),
        ("a symbolic link", 156, b"2/etc/passwd\0"),
        ("a hard link", 156, b"1/etc/passwd\0"),
        ("a device", 156, b"3"),
        ("a pipe", 156, b"6"),
        ("a sparse file", 156, b"S"),
        ("another format", 257, b"ustar  \0"),
        ("an old format", 257, b"\0\0\0\0\0\0\0\0"),
        ("a user's name", 265, b"root"),
        ("a prefix", 345, b"../../.."),
    ];
    let mut tars = Vec::new();
    for member in [&members[0], &members[1], layer, folder, link] {
        for (what, at, bytes) in fields {
            let mut tar = tar.clone();
            let header = &mut tar[member.at..][..BLOCK];
            header[at..at + bytes.len()].copy_from_slice(bytes);
            seal(header);
            tars.push((format!("{what}: {}", member.name), tar));
        }
        for (what, at) in [("a wrong checksum", 150), ("no end of the checksum", 154), ("spare bytes", 505)] {
            let mut tar = tar.clone();
            tar[member.at + at] ^= 1;
            tars.push((format!("{what}: {}", member.name), tar));
        }
    }
    let honest = tars.iter().filter(|(_, edited)| *edited == tar).count();
    // A layer's type is that of all files.
    assert_eq!(honest, 0, "nothing was edited");
    let count = expect_refused(&sites, tars);
    sites.expect_received(30);
    println!("headers that say anything else: {count}, all refused");
    assert!(count >= 140, "{count}");
}

#[test]
fn a_long_name_is_what_the_bill_says() {
    let sites = Sites::new();
    let folder = scratch();
    let repository = format!("{0}/{0}/{0}", "a".repeat(70));
    let images = tree(&[(format!("{repository}:1"), oci("long"))]);
    write(&images, folder.path());
    let path = folder.path().join("package.tar");
    bundle().args(["pack", "-q"]).arg(folder.path()).arg(&path).assert().success();
    let tar = fs::read(&path).unwrap();
    bundle().args(["apply", "-q"]).arg(&path).arg(folder.path().join("site")).assert().success();

    let members = members(&tar);
    let long: Vec<_> = members.iter().filter(|member| member.name == "././@LongLink").collect();
    let mut tars = Vec::new();
    for member in [long[0], long[long.len() / 2], long[long.len() - 1]] {
        let mut edit = |what: &str, edit: &dyn Fn(&mut [u8], &mut [u8])| {
            let mut tar = tar.clone();
            let (header, rest) = tar[member.at..].split_at_mut(BLOCK);
            edit(header, rest);
            seal(header);
            tars.push((format!("{what} at {}", member.at), tar));
        };
        let declare = |size: usize| {
            move |header: &mut [u8], _: &mut [u8]| {
                header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
            }
        };
        edit("declared shorter", &declare(member.size - 10));
        edit("declared longer", &declare(member.size + 10));
        edit("declared much longer", &declare(member.size + (1 << 30)));
        edit("declared as nothing", &declare(0));
        edit("longer than declared", &|_, rest| rest[member.size - 1] = b'x');
        edit("with more behind its end", &|_, rest| rest[member.size] = b'x');
        edit("going up", &|_, rest| rest[..12].copy_from_slice(b"../../victim"));
        edit("ended early", &|_, rest| rest[20] = 0);
        edit("of a link", &|header, _| header[156] = b'K');
        edit("in base 256", &|header, _| header[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\0\0\0\x01\0"));
        edit("cut in its second header", &|_, rest| rest[member.size.next_multiple_of(BLOCK)] = b'x');
    }
    let count = expect_refused(&sites, tars);
    println!("long names that are not what the bill says: {count}, all refused");
    assert_eq!(count, 33);
}
