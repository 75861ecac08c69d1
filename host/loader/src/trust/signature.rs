//! Signatures as minisign makes them, beside the file that is signed.

use std::ffi::OsStr;

use data_encoding::BASE64;
use minisign_verify::{Error, PublicKey, StreamVerifier};

use crate::{Refusal, access::Folder};

/// What comes behind the name of the file that is signed.
const EXTENSION: &str = ".minisig";

/// A signature has four lines.
const CAP: u64 = 16 << 10;

/// A key whose signatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    key: PublicKey,
    id: String,
}

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("isn't a minisign public key")]
pub struct KeyError;

impl Key {
    /// Reads a key: the line that begins with `RW`, or the whole file that `minisign -G` writes.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let line = match (lines.next(), lines.next(), lines.next()) {
            (Some(line), None, None) => line,
            (Some(comment), Some(line), None) if comment.starts_with("untrusted comment:") => line,
            _ => return Err(KeyError),
        };
        let key = PublicKey::from_base64(line).map_err(|_| KeyError)?;
        let id = id_of(line).ok_or(KeyError)?;
        Ok(Self { key, id })
    }

    /// The key's id, as minisign shows it.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The id that a key and its signatures have: eight bytes behind two that say which kind it is.
fn id_of(line: &str) -> Option<String> {
    let bytes = BASE64.decode(line.as_bytes()).ok()?;
    let id = bytes.get(2..10)?.try_into().ok()?;
    Some(format!("{:016X}", u64::from_le_bytes(id)))
}

/// A signature that was found beside a file.
pub(crate) struct Signature {
    signature: minisign_verify::Signature,
    key: String,
}

/// How a file is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signed {
    /// It isn't.
    Not,
    /// With a key that is not listed.
    ByAnother { key: String },
    /// With a key that is listed, and the content is what was signed.
    Well { key: String, comment: String },
}

/// Follows the content of a file, to hold it against a signature at the end.
pub(crate) struct Examiner<'s> {
    signature: Option<&'s Signature>,
    keys: Vec<StreamVerifier<'s>>,
}

impl Signature {
    /// The signature beside a file of this folder, if there is one.
    pub(crate) fn beside(folder: &Folder, file: &OsStr) -> Result<Option<Self>, Refusal> {
        let mut name = file.to_owned();
        name.push(EXTENSION);
        let found = folder.open(&name, CAP).and_then(|source| source.whole());
        let broken = |what: &dyn std::fmt::Display| {
            Refusal::BadSignature(format!("{} {what}", name.display()))
        };
        let text = match found {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| broken(&"is not text"))?,
            Err(Refusal::Missing) => return Ok(None),
            Err(refusal) => return Err(broken(&refusal)),
        };
        let decoded = minisign_verify::Signature::decode(&text);
        let signature = decoded.map_err(|_| broken(&"is not a minisign signature"))?;
        let key = text.lines().nth(1).and_then(id_of);
        let key = key.ok_or_else(|| broken(&"names no key"))?;
        Ok(Some(Self { signature, key }))
    }
}

impl<'s> Examiner<'s> {
    /// For a file with this signature, where these keys count.
    pub(crate) fn new(signature: Option<&'s Signature>, keys: &'s [Key]) -> Result<Self, Refusal> {
        let mut examiner = Self { signature, keys: Vec::new() };
        let Some(found) = signature else { return Ok(examiner) };
        for key in keys {
            match key.key.verify_stream(&found.signature) {
                Ok(verifier) => examiner.keys.push(verifier),
                Err(Error::UnexpectedKeyId) => {}
                Err(Error::UnsupportedLegacyMode) => {
                    let text = "it is of minisign's old kind, which is not read here; sign the \
                                file again, without `-l`";
                    return Err(Refusal::BadSignature(text.to_owned()));
                }
                Err(error) => return Err(Refusal::BadSignature(error.to_string())),
            }
        }
        Ok(examiner)
    }

    /// The next piece of the file.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.keys.iter_mut().for_each(|key| key.update(piece));
    }

    /// How the file is signed, now that all of it is known.
    pub(crate) fn finish(mut self) -> Result<Signed, Refusal> {
        let Some(found) = self.signature else { return Ok(Signed::Not) };
        let key = found.key.clone();
        if self.keys.is_empty() {
            return Ok(Signed::ByAnother { key });
        }
        if self.keys.iter_mut().any(|verifier| verifier.finalize().is_ok()) {
            let comment = found.signature.trusted_comment().to_owned();
            return Ok(Signed::Well { key, comment });
        }
        let text = format!("the file or its signature was changed after key {key} signed it");
        Err(Refusal::BadSignature(text))
    }
}
