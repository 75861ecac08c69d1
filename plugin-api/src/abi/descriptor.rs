//! What stands in a library's ELF section, readable without running its code.

/// The section that holds the [`Descriptor`].
pub const DESCRIPTOR_SECTION: &str = ".hotbay.plugin";

/// A library's entry symbol is this, followed by the plugin's package name.
///
/// The name is part of the symbol so that one program can link many plugins.
pub const ENTRY_PREFIX: &str = "hotbay_plugin_entry_";

/// The version of this ABI. A host loads plugins of its own API version only.
pub const API_VERSION: u32 = 3;

const MAGIC: [u8; 8] = *b"HOTBAY\x00\x01";
const TEXT: usize = 64;

/// The bit in the first byte of the flags that says that a panic ends the process.
const ABORTS_ON_PANIC: u8 = 1;

/// The identity of a library, as plain bytes of fixed size and layout.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    magic: [u8; 8],
    api_version: [u8; 4],
    /// Flags as single bits. An SDK that did not know a flag left its bit zero.
    flags: [u8; 4],
    package: [u8; TEXT],
    name: [u8; TEXT],
    version: [u8; TEXT],
    rustc: [u8; TEXT],
    target: [u8; TEXT],
}

/// A descriptor's content, read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptorText {
    /// The API version that the plugin was built for.
    pub api_version: u32,
    /// The package that it was built from; the entry symbol ends in it.
    pub package: String,
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The compiler that built it.
    pub rustc: String,
    /// The target it was built for.
    pub target: String,
    /// The plugin is built with `panic = "abort"`: a panic of it ends its host.
    pub aborts_on_panic: bool,
}

impl Descriptor {
    /// The descriptor of a plugin built with this crate; texts past 63 bytes are cut.
    pub const fn new(package: &str, name: &str, version: &str) -> Self {
        Self {
            magic: MAGIC,
            api_version: API_VERSION.to_le_bytes(),
            // The whole of a library is built with one panic strategy.
            flags: [if cfg!(panic = "abort") { ABORTS_ON_PANIC } else { 0 }, 0, 0, 0],
            package: text(package),
            name: text(name),
            version: text(version),
            rustc: text(env!("HOTBAY_RUSTC")),
            target: text(env!("HOTBAY_TARGET")),
        }
    }
}

impl DescriptorText {
    /// Reads the content of the section; `None` if it is not a descriptor.
    pub fn parse(section: &[u8]) -> Option<Self> {
        let rest = section.strip_prefix(&MAGIC)?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let aborts_on_panic = rest.first()? & ABORTS_ON_PANIC != 0;
        let texts = rest.get(4..4 + 5 * TEXT)?;
        let mut texts = texts.chunks_exact(TEXT).map(|raw| {
            let end = raw.iter().position(|&byte| byte == 0).unwrap_or(TEXT);
            String::from_utf8_lossy(&raw[..end]).into_owned()
        });
        Some(Self {
            api_version: u32::from_le_bytes(*version),
            package: texts.next()?,
            name: texts.next()?,
            version: texts.next()?,
            rustc: texts.next()?,
            target: texts.next()?,
            aborts_on_panic,
        })
    }
}

const fn text(from: &str) -> [u8; TEXT] {
    let bytes = from.as_bytes();
    let mut into = [0; TEXT];
    let mut at = 0;
    // One zero always remains, so a reader finds the end.
    while at < bytes.len() && at < TEXT - 1 {
        into[at] = bytes[at];
        at += 1;
    }
    into
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_says_if_a_panic_ends_the_process_and_an_older_one_says_nothing() {
        let descriptor = Descriptor::new("package", "name", "1.2.3");
        let bytes = |flags: u8| {
            let texts = [descriptor.package, descriptor.name, descriptor.version];
            let more = [descriptor.rustc, descriptor.target];
            let head = [&descriptor.magic[..], &descriptor.api_version, &[flags, 0, 0, 0]];
            let texts = texts.iter().chain(&more).map(|text| &text[..]);
            head.into_iter().chain(texts).collect::<Vec<_>>().concat()
        };
        let old = DescriptorText::parse(&bytes(0)).unwrap();
        assert_eq!((old.name.as_str(), old.aborts_on_panic), ("name", false));
        assert!(DescriptorText::parse(&bytes(ABORTS_ON_PANIC)).unwrap().aborts_on_panic);
    }
}
