//! Signatures in the format of minisign, in a file beside the signed file.

use std::ffi::OsStr;

use data_encoding::BASE64;
use hotbay_access::{AccessError, CheckedFolder};
use hotbay_config::key_line;
use minisign_verify::{Error, PublicKey, StreamVerifier};

use crate::Refusal;

/// The suffix of the name of a signature file.
const EXTENSION: &str = ".minisig";

/// The size of the largest signature file. A signature has four lines.
const MAX_BYTES: u64 = 16 << 10;

/// A public key whose signatures are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    key: PublicKey,
    id: String,
}

/// The error for a text that is not a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("isn't a minisign public key")]
pub struct KeyError;

impl Key {
    /// Parses a key: the line that begins with `RW`, or the whole file that `minisign -G` writes.
    ///
    /// # Errors
    /// If the text is not a minisign public key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let line = key_line(text).ok_or(KeyError)?;
        let key = PublicKey::from_base64(line).map_err(|_| KeyError)?;
        let id = id_of(line).ok_or(KeyError)?;
        Ok(Self { key, id })
    }

    /// Returns the key's id, as minisign shows it.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Reads the id of a key or of a signature: the eight bytes after the two bytes of the algorithm.
fn id_of(line: &str) -> Option<String> {
    let bytes = BASE64.decode(line.as_bytes()).ok()?;
    let id = bytes.get(2..10)?.try_into().ok()?;
    Some(format!("{:016X}", u64::from_le_bytes(id)))
}

/// The signature of a file.
pub(crate) struct Signature {
    signature: minisign_verify::Signature,
    key: String,
}

/// Whether a file has a signature that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignatureStatus {
    /// The file has no signature.
    Missing,
    /// The signature was made with a key that is not trusted, so it cannot be verified.
    UnknownKey { key: String },
    /// The signature was made with a trusted key, and the file is what was signed.
    Valid { key: String, comment: String },
}

/// Reads the content of a file piece by piece, and verifies its signature at the end.
pub(crate) struct SignatureVerifier<'s> {
    signature: Option<&'s Signature>,
    /// One verifier for each trusted key with the id that the signature names.
    verifiers: Vec<StreamVerifier<'s>>,
}

impl Signature {
    /// Reads the signature beside a file of this folder. Returns `None` if there is none.
    pub(crate) fn beside(folder: &CheckedFolder, file: &OsStr) -> Result<Option<Self>, Refusal> {
        let mut name = file.to_owned();
        name.push(EXTENSION);
        let found = folder.open(&name, MAX_BYTES).and_then(|source| source.read_to_end());
        let broken = |what: &dyn std::fmt::Display| {
            Refusal::BadSignature(format!("{} {what}", name.display()))
        };
        let text = match found {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| broken(&"is not text"))?,
            Err(AccessError::Missing) => return Ok(None),
            Err(refusal) => return Err(broken(&refusal)),
        };
        let decoded = minisign_verify::Signature::decode(&text);
        let signature = decoded.map_err(|_| broken(&"is not a minisign signature"))?;
        let key = text.lines().nth(1).and_then(id_of);
        let key = key.ok_or_else(|| broken(&"names no key"))?;
        Ok(Some(Self { signature, key }))
    }
}

impl<'s> SignatureVerifier<'s> {
    /// Prepares to verify a file with this signature against these keys.
    pub(crate) fn new(signature: Option<&'s Signature>, keys: &'s [Key]) -> Result<Self, Refusal> {
        let mut verifier = Self { signature, verifiers: Vec::new() };
        let Some(found) = signature else { return Ok(verifier) };
        for key in keys {
            match key.key.verify_stream(&found.signature) {
                Ok(stream) => verifier.verifiers.push(stream),
                Err(Error::UnexpectedKeyId) => {}
                Err(Error::UnsupportedLegacyMode) => {
                    let text = "it is of minisign's old kind, which is not read here; sign the \
                                file again, without `-l`";
                    return Err(Refusal::BadSignature(text.to_owned()));
                }
                Err(error) => return Err(Refusal::BadSignature(error.to_string())),
            }
        }
        Ok(verifier)
    }

    /// Adds the next piece of the file.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.verifiers.iter_mut().for_each(|verifier| verifier.update(piece));
    }

    /// Verifies the signature. Call this after the last piece of the file.
    pub(crate) fn finish(mut self) -> Result<SignatureStatus, Refusal> {
        let Some(found) = self.signature else { return Ok(SignatureStatus::Missing) };
        let key = found.key.clone();
        if self.verifiers.is_empty() {
            return Ok(SignatureStatus::UnknownKey { key });
        }
        if self.verifiers.iter_mut().any(|verifier| verifier.finalize().is_ok()) {
            let comment = found.signature.trusted_comment().to_owned();
            return Ok(SignatureStatus::Valid { key, comment });
        }
        let text = format!("the file or its signature was changed after key {key} signed it");
        Err(Refusal::BadSignature(text))
    }
}
