//! File systems that do not give events for all changes.

use std::path::Path;

/// The types of network file systems in `statfs(2)`, and their names.
const NETWORKS: [(i64, &str); 8] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9P"),
    (0x6573_5546, "FUSE"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
];

/// Returns why events of this folder are not reliable, or `None` if they are.
pub(super) fn reason(folder: &Path) -> Option<String> {
    let kind = rustix::fs::statfs(folder).ok()?.f_type & 0xffff_ffff;
    let (_, name) = NETWORKS.iter().find(|(number, _)| *number == kind)?;
    let folder = folder.display();
    Some(format!("{folder} is on {name}, where changes made elsewhere give no events"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_file_system_gives_events() {
        assert_eq!(reason(Path::new("/proc")), None);
    }
}
