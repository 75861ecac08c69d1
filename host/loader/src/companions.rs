//! The libraries that a plugin brings along, where trust is enforced.
//!
//! A pin or a signature vouches for the plugin's file alone. But before the folders of the system,
//! the dynamic linker looks for what the plugin needs in the folders that the plugin names
//! (`DT_RPATH`, `DT_RUNPATH`) and in those of `LD_LIBRARY_PATH`. So no other user may be able to put
//! a library there. What a library opens by itself later is not judged.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use hotbay_access::{AccessError, CheckedFolder};

use crate::{Refusal, elf::links_of};

/// Refuses a library if another user could change what it is linked with.
pub(crate) fn check(library: &Path) -> Result<(), Refusal> {
    let environment = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    check_with(library, &environment)
}

fn check_with(library: &Path, environment: &str) -> Result<(), Refusal> {
    let mut folders = Vec::new();
    if !environment.is_empty() {
        add(&mut folders, environment, library)?;
    }
    let (mut left, mut seen) = (vec![library.to_owned()], BTreeSet::new());
    while let Some(library) = left.pop() {
        let links = links_of(&library);
        for path in &links.paths {
            add(&mut folders, path, &library)?;
        }
        for name in links.needed {
            // The paths of a library may count for what it is linked with, too.
            let mut places = folders.iter().map(|folder| folder.join(&name));
            let found = match name.contains('/') {
                true => Some(PathBuf::from(&name)),
                false => places.find(|place| place.exists()),
            };
            let Some(found) = found.filter(|found| seen.insert(found.clone())) else { continue };
            check_file(&found).map_err(|refusal| unsafe_place(&found, refusal))?;
            left.push(found);
        }
    }
    Ok(())
}

/// Checks the folders of a search path, and adds them.
fn add(folders: &mut Vec<PathBuf>, path: &str, library: &Path) -> Result<(), Refusal> {
    let origin = library.parent().unwrap_or(Path::new("/")).display().to_string();
    for folder in path.split([':', ';']) {
        let folder = folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
        // No name stands for the current folder.
        let folder = PathBuf::from(if folder.is_empty() { "." } else { &folder });
        if folder.to_string_lossy().contains('$') {
            // What `$LIB` and `$PLATFORM` stand for is known to the dynamic linker alone.
            let source =
                io::Error::other("of what is replaced in it, only `$ORIGIN` is known here");
            return Err(unsafe_place(&folder, AccessError::Unreadable(source)));
        }
        CheckedFolder::check_way(&folder).map_err(|refusal| unsafe_place(&folder, refusal))?;
        folders.push(folder);
    }
    Ok(())
}

fn check_file(path: &Path) -> Result<(), AccessError> {
    let (folder, name) = CheckedFolder::behind_links(path)?;
    folder.open(&name, u64::MAX).map(drop)
}

fn unsafe_place(place: &Path, source: AccessError) -> Refusal {
    Refusal::Companion { place: place.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
        process::Command,
    };

    use super::*;

    fn compile(arguments: &[&str], folder: &Path) {
        let compiled = Command::new("cc").args(arguments).current_dir(folder).status().unwrap();
        assert!(compiled.success());
    }

    #[test]
    fn what_a_library_is_a_filter_for_is_judged_as_well_and_so_is_a_folder_that_is_not_known() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::write(at("dep.c"), "int dep(void) { return 1; }\n").unwrap();
        compile(&["-shared", "-fPIC", "-o", "libdep.so", "dep.c"], home.path());
        fs::set_permissions(at("libdep.so"), Permissions::from_mode(0o666)).unwrap();
        for filter in ["-F", "-f"] {
            let filter = format!("-Wl,{filter},{}", at("libdep.so").display());
            compile(&["-shared", "-fPIC", "-o", "main.so", "dep.c", &filter], home.path());
            let refused = check_with(&at("main.so"), "").unwrap_err().to_string();
            assert!(refused.contains("libdep.so: can be written by others"), "{refused}");
        }
        compile(
            &["-shared", "-o", "main.so", "dep.c", "-fPIC", "-Wl,-rpath,/opt/$LIB"],
            home.path(),
        );
        let refused = check_with(&at("main.so"), "").unwrap_err().to_string();
        assert!(refused.contains("/opt/$LIB: cannot be read (of what"), "{refused}");
    }

    #[test]
    fn a_library_is_refused_if_others_could_change_what_it_is_linked_with() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::create_dir(at("lib")).unwrap();
        fs::write(at("dep.c"), "int dep(void) { return 1; }\n").unwrap();
        fs::write(at("main.c"), "int dep(void); int it(void) { return dep(); }\n").unwrap();
        compile(&["-shared", "-fPIC", "-o", "lib/libdep.so", "dep.c"], home.path());
        let path = format!("-Wl,-rpath,{}", at("lib").display());
        compile(
            &["-shared", "-fPIC", "-o", "main.so", "main.c", "-Llib", "-ldep", &path],
            home.path(),
        );
        let mode =
            |name, mode| fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
        let said = |environment: &str| {
            check_with(&at("main.so"), environment).map_err(|it| it.to_string())
        };
        said("").unwrap();
        mode("lib", 0o1777);
        let refused = said("").unwrap_err();
        assert!(refused.contains("lib: can be written by others"), "{refused}");
        mode("lib", 0o755);
        mode("lib/libdep.so", 0o666);
        let refused = said("").unwrap_err();
        assert!(refused.contains("libdep.so: can be written by others"), "{refused}");
        mode("lib/libdep.so", 0o644);
        said(&format!("/usr/lib:{}", home.path().display())).unwrap();
        let refused = said("/tmp").unwrap_err();
        assert!(refused.contains("/tmp: can be written by others"), "{refused}");
    }
}
