//! What an embedder sees whose program does not serve the probe. This test program is one: it never
//! calls `serve_probe`.

use std::path::{Path, PathBuf};

use hotbay_loader::{Loader, LoaderConfig, LoaderError, ProbeError};
use hotbay_store::quarantine::Quarantine;

/// Creates a loader with a quarantine, which must fail, and checks that nothing is in quarantine.
fn refused(probe_program: Option<PathBuf>) -> (ProbeError, String) {
    let state = tempfile::tempdir().expect("a temporary folder can be created");
    let quarantine = Quarantine::open(state.path());
    let quarantine = Some(quarantine);
    let config = LoaderConfig { probe_program, quarantine, ..LoaderConfig::default() };
    let error = Loader::new(config).expect_err("the program is refused");
    assert_eq!(Quarantine::open(state.path()).entries(), []);
    assert!(!Quarantine::open(state.path()).file().exists());
    let text = error.to_string();
    let LoaderError::Probe(error) = error else { panic!("{error}") };
    (error, text)
}

#[test]
fn a_program_that_does_not_serve_the_probe_is_told_so_before_a_plugin_is_blamed() {
    let (error, text) = refused(None);
    assert!(matches!(error, ProbeError::NotServed), "{error:?}");
    assert!(text.contains("call `hotbay::loader::serve_probe` first thing in `main`"), "{text}");
}

#[test]
fn a_program_that_runs_its_own_main_as_the_probe_is_named_before_a_plugin_is_blamed() {
    let programs = [std::env::current_exe().unwrap(), "/bin/true".into(), "/bin/cat".into()];
    for program in programs {
        let (error, text) = refused(Some(program.clone()));
        assert!(matches!(error, ProbeError::NoAnswer { .. }), "{error:?}");
        assert!(text.contains(&format!("{} does not answer", program.display())), "{text}");
        assert!(text.contains("serve_probe"), "{text}");
    }
}

#[test]
fn a_probe_program_that_is_not_there_is_named_before_a_plugin_is_blamed() {
    let (error, text) = refused(Some(Path::new("/nowhere/hotbay").to_owned()));
    assert!(matches!(error, ProbeError::Start { .. }), "{error:?}");
    assert!(text.contains("/nowhere/hotbay: No such file"), "{text}");
}
