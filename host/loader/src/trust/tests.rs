use std::{fs, io::Cursor, path::PathBuf};

use hotbay_access::CheckedFolder;
use minisign::KeyPair;

use super::*;

/// The SHA-256 of "content".
const HASH: &str = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";

/// A file of the content "content", in a folder of its own.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        scene.write("a.so", "content");
        scene
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What becomes of the file.
    fn judged(&self, trust: &Trust) -> Result<Verdict, Refusal> {
        let name = OsStr::new("a.so");
        let folder = CheckedFolder::of(&self.path("a.so"))?;
        let signature = Signature::beside(&folder, name)?;
        let mut examiner = SignatureVerifier::new(signature.as_ref(), &trust.keys)?;
        let content = fs::read(self.path("a.so")).unwrap();
        content.chunks(3).for_each(|piece| examiner.update(piece));
        trust.judge(name, HASH, examiner.finish()?)
    }

    fn code(&self, trust: &Trust) -> &'static str {
        match self.judged(trust) {
            Ok(Verdict { doubt: None, .. }) => "loads",
            Ok(Verdict { doubt: Some(_), .. }) => "loads with a doubt",
            Err(refusal) => refusal.code().as_str(),
        }
    }

    /// What becomes of it in each mode, from `off` to `enforce`.
    fn codes(&self, trust: &Trust) -> [&'static str; 3] {
        let modes = [TrustMode::Off, TrustMode::Warn, TrustMode::Enforce];
        modes.map(|mode| self.code(&Trust { mode, ..trust.clone() }))
    }
}

fn pinned(file: &str, hash: &str) -> Trust {
    let pins = Pin::new(Some(file.to_owned()), hash).into_iter().collect();
    Trust { pins, ..Trust::default() }
}

/// Somebody with a key.
struct Signer(KeyPair);

impl Signer {
    fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().unwrap())
    }

    fn trusted(&self) -> Trust {
        let key = Key::parse(&self.0.pk.to_base64()).unwrap();
        Trust { keys: vec![key], ..Trust::default() }
    }

    fn sign(&self, content: &str) -> String {
        let content = Cursor::new(content.as_bytes());
        let comments = (Some("build 7"), Some("signature from minisign secret key"));
        minisign::sign(Some(&self.0.pk), &self.0.sk, content, comments.0, comments.1)
            .unwrap()
            .into_string()
    }
}

#[test]
fn what_nobody_vouches_for_loads_unless_trust_is_enforced() {
    let expected = ["loads", "loads with a doubt", "untrusted"];
    assert_eq!(Scene::new().codes(&Trust::default()), expected);
}

#[test]
fn a_pin_vouches_for_the_content_under_whatever_name() {
    assert_eq!(Scene::new().codes(&pinned("a.so", HASH)), ["loads"; 3]);
    assert_eq!(Scene::new().codes(&pinned("b.so", &HASH.to_uppercase())), ["loads"; 3]);
    let nameless = Pin::new(None, HASH).into_iter().collect();
    assert_eq!(Scene::new().codes(&Trust { pins: nameless, ..Trust::default() }), ["loads"; 3]);
}

#[test]
fn another_build_than_the_pinned_one_is_told_apart_from_one_that_nobody_knows() {
    let trust = pinned("a.so", &"0".repeat(64));
    let expected = ["loads", "loads with a doubt", "pin-mismatch"];
    assert_eq!(Scene::new().codes(&trust), expected);
    let refusal = Scene::new().judged(&Trust { mode: TrustMode::Enforce, ..trust }).unwrap_err();
    assert!(refusal.to_string().contains(&format!("its SHA-256 is {HASH}, the pin says 0000")));
}

#[test]
fn a_signature_with_a_listed_key_vouches_even_if_another_build_is_pinned() {
    let (scene, signer) = (Scene::new(), Signer::new());
    scene.write("a.so.minisig", &signer.sign("content"));
    let trust = Trust { pins: pinned("a.so", &"0".repeat(64)).pins, ..signer.trusted() };
    assert_eq!(scene.codes(&trust), ["loads"; 3]);
    let TrustedBy::Signature { key, comment } = scene.judged(&trust).unwrap().trusted_by else {
        panic!("the signature vouches");
    };
    assert_eq!((key.as_str(), comment.as_str()), (trust.keys[0].id(), "build 7"));
}

#[test]
fn a_broken_signature_is_refused_in_every_mode_even_of_a_pinned_file() {
    let (scene, signer) = (Scene::new(), Signer::new());
    let trust = Trust { pins: pinned("a.so", HASH).pins, ..signer.trusted() };
    let good = signer.sign("content");
    let comment_changed = good.replace("build 7", "build 8");
    for broken in [signer.sign("other content"), comment_changed, "nonsense".into(), "".into()] {
        scene.write("a.so.minisig", &broken);
        assert_eq!(scene.codes(&trust), ["bad-signature"; 3], "{broken}");
    }
    fs::remove_file(scene.path("a.so.minisig")).unwrap();
    fs::create_dir(scene.path("a.so.minisig")).unwrap();
    assert_eq!(scene.codes(&trust), ["bad-signature"; 3]);
}

#[test]
fn what_can_not_be_read_as_a_signature_is_refused_without_any_key() {
    let scene = Scene::new();
    scene.write("a.so.minisig", "nonsense");
    let refusal = scene.judged(&Trust::default()).unwrap_err();
    let text = "carries a broken signature (a.so.minisig is not a minisign signature)";
    assert_eq!(refusal.to_string(), text);
}

#[test]
fn a_signature_with_a_key_that_is_not_listed_counts_as_none_and_is_named() {
    let (scene, signer) = (Scene::new(), Signer::new());
    scene.write("a.so.minisig", &Signer::new().sign("content"));
    let expected = ["loads", "loads with a doubt", "unknown-key"];
    assert_eq!(scene.codes(&signer.trusted()), expected);
    let trust = Trust { pins: pinned("a.so", HASH).pins, ..signer.trusted() };
    assert_eq!(scene.codes(&trust), ["loads"; 3]);
}

#[test]
fn a_key_is_read_from_its_line_or_its_file() {
    let signer = Signer::new();
    let line = signer.0.pk.to_base64();
    let file = signer.0.pk.to_box().unwrap().into_string();
    assert_eq!(Key::parse(&line), Key::parse(&file));
    assert!(file.contains(Key::parse(&line).unwrap().id()), "{file}");
    for wrong in ["", "RWQ", "a\nb", "a\nb\nc", &line[1..]] {
        assert_eq!(Key::parse(wrong), Err(KeyError), "{wrong}");
    }
}

#[test]
fn pins_are_read_as_sha256sum_writes_them() {
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let text = format!("# ours\n\n{a}  plugins/a.so\n{b} *b c.so\r\n");
    let pins = Pins::parse(&text).unwrap();
    assert_eq!(
        (pins.hash_of("a.so"), pins.hash_of("b c.so")),
        (Some(a.as_str()), Some(b.as_str()))
    );
    for wrong in ["a.so", "abc  a.so", &format!("{a} a.so"), &format!("{a}g  a.so"), &a] {
        let error = Pins::parse(&format!("\n{wrong}\n")).unwrap_err();
        assert_eq!(error.line, Some(2), "{wrong}");
    }
}

#[test]
fn pins_that_others_can_write_are_none() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    scene.write("hotbay.pins", "");
    let path = scene.path("hotbay.pins");
    assert_eq!(Pins::load(&path).unwrap(), Some(Pins::default()));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let error = Pins::load(&path).unwrap_err();
    assert!(error.to_string().contains("can be written by others"), "{error}");
    assert_eq!(Pins::load(&scene.path("none")).unwrap(), None);
}
