//! What a child may do to the host, played by shell scripts. What a library may do
//! inside of it, the end-to-end tests show.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
    time::Instant,
};

use hotbay_plugin_api::abi::API_VERSION;

use super::*;

/// A program for the child to be, which gets the request on its standard input.
struct Script {
    folder: tempfile::TempDir,
}

impl Script {
    /// The lines begin with the nonce in `$nonce`, in a session of their own as a probe
    /// is when it loads something.
    fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        let text = format!(
            "#!/usr/bin/setsid /bin/sh\nPATH=/usr/bin:/bin\nread -r request\n\
             nonce=$(echo \"$request\" | sed 's/.*nonce\":\"\\([0-9a-f]*\\).*/\\1/')\n\
             cd {}\n{lines}\n",
            folder.path().display()
        );
        // Written by another process: a child that starts at this moment would inherit
        // the open file from this one, and then it can't be executed.
        let write = ["-c", "cat > \"$0\" && chmod 700 \"$0\""];
        let mut shell = Command::new("/bin/sh");
        let mut shell = shell.args(write).arg(&path).stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
        Self { folder }
    }

    fn run(&self, limit: Duration) -> Result<Probed, Refusal> {
        let probe = Probe::new(Some(self.folder.path().join("script")), limit, 1 << 30);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(probe.run(Path::new("/staged.so"), &descriptor(), &[]))
    }

    /// Waits until the process whose number stands in a file of the script's is gone.
    fn expect_gone(&self, file: &str) {
        let began = Instant::now();
        let process = self.left_behind(file).unwrap();
        let status = || fs::read_to_string(format!("/proc/{}/status", process.trim()));
        // One that nobody waits for stays as a zombie.
        while status().is_ok_and(|status| !status.contains("State:\tZ")) {
            assert!(began.elapsed() < LONG, "{file} {process} lives");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn left_behind(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.path().join(name)).ok()
    }
}

fn descriptor() -> Descriptor {
    Descriptor {
        name: "good".to_owned(),
        package: "good".to_owned(),
        version: "1.0.0".to_owned(),
        rustc: String::new(),
        target: String::new(),
        api_version: 1,
        aborts_on_panic: false,
    }
}

const LONG: Duration = Duration::from_secs(20);
const MANIFEST: &str = r#"{\\\"name\\\":\\\"good\\\",\\\"version\\\":\\\"1.0.0\\\",\\\"description\\\":\\\"\\\",\\\"tasks\\\":[],\\\"components\\\":[]}"#;

/// Prints a good answer.
fn answers() -> String {
    format!(
        r#"printf '%s' "$nonce{{\"good\":{{\"manifest\":\"{MANIFEST}\",\"unconfined\":null}}}}$nonce""#
    )
}

#[test]
fn an_answer_behind_the_nonce_counts() {
    assert_eq!(Script::new(&answers()).run(LONG).unwrap().manifest.name, "good");
}

#[test]
fn a_child_that_ends_before_it_loads_anything_blames_nobody() {
    for lines in [
        answers().replace("$nonce", ""),
        answers().replace("$nonce", "0123456789abcdef0123456789abcdef"),
        format!("echo hello; {}", answers()),
        "exit 0".to_owned(),
        "exit 127".to_owned(),
        "kill -SEGV $$".to_owned(),
    ] {
        let refusal = Script::new(&lines).run(LONG).unwrap_err();
        assert_eq!(refusal.code().as_str(), "no-probe", "{lines}");
        assert!(refusal.to_string().contains("before it loaded anything"), "{refusal}");
    }
}

#[test]
fn a_child_that_ends_without_a_proper_answer_has_crashed() {
    let begins = "printf '%s' \"$nonce\"";
    for lines in [format!("{}; {}", answers(), answers()), format!("{begins}; exit 0")] {
        let refusal = Script::new(&lines).run(LONG).unwrap_err();
        assert_eq!(refusal.code().as_str(), "probe-crashed", "{lines}");
        assert!(refusal.to_string().contains("exit status: 0 and without an answer"), "{refusal}");
    }
    for signal in ["SEGV", "ABRT", "BUS", "ILL", "FPE", "SYS", "TRAP"] {
        let refusal = Script::new(&format!("{begins}; kill -{signal} $$")).run(LONG).unwrap_err();
        assert_eq!(refusal.code().as_str(), "probe-crashed", "{signal}");
    }
}

#[test]
fn a_child_that_another_process_killed_has_not_crashed() {
    // Those that a shell ignores in the background, or under `nohup`, are left out.
    for signal in ["KILL", "TERM", "USR1"] {
        let lines = format!("printf '%s' \"$nonce\"; kill -{signal} $$");
        let refusal = Script::new(&lines).run(LONG).unwrap_err();
        assert_eq!(refusal.code().as_str(), "probe-killed", "{signal}");
    }
    let later = Script::new(&format!("{}; kill -KILL $$", answers())).run(LONG).unwrap_err();
    assert!(later.to_string().contains("SIGKILL, as when memory is short"), "{later}");
}

#[test]
fn an_answer_without_its_last_word_does_not_count_either() {
    let answer = answers().replace("}$nonce", "}");
    let refusal = Script::new(&answer).run(LONG).unwrap_err();
    assert_eq!(refusal.code().as_str(), "probe-crashed");
    assert!(refusal.to_string().ends_with("when it was unloaded)"), "{refusal}");
}

#[test]
fn a_crash_after_the_answer_counts_as_one() {
    let refusal = Script::new(&format!("{}; kill -SEGV $$", answers())).run(LONG).unwrap_err();
    assert!(
        refusal.to_string().contains("invalid memory access, when it was unloaded"),
        "{refusal}"
    );
}

#[test]
fn a_grandchild_that_holds_the_pipe_does_not_hold_the_host() {
    let script = Script::new(&format!("sleep 1000 & echo $! > grandchild; {}", answers()));
    let began = Instant::now();
    assert!(script.run(LONG).is_ok());
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    script.expect_gone("grandchild");
}

#[test]
fn a_child_that_hangs_costs_the_limit_and_takes_its_kin_along() {
    let script = Script::new("sleep 1000 & echo $! > grandchild; sleep 1000");
    let began = Instant::now();
    let refusal = script.run(Duration::from_millis(500)).unwrap_err();
    assert_eq!(refusal.code().as_str(), "probe-timeout");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    script.expect_gone("grandchild");
}

#[test]
fn a_child_that_never_stops_talking_is_cut_short() {
    let refusal = Script::new("exec yes").run(LONG).unwrap_err();
    assert_eq!(refusal.to_string(), "has a broken manifest (it is larger than a megabyte)");
}

#[test]
fn nothing_of_the_environment_and_the_folder_reaches_the_child() {
    let script = Script::new(&format!("env > environment; echo $OLDPWD > folder; {}", answers()));
    script.run(LONG).unwrap();
    let ours = ["LD_LIBRARY_PATH=", "PATH=/usr/bin:/bin", "PWD=", "OLDPWD=", "_="];
    for line in script.left_behind("environment").unwrap().lines() {
        assert!(ours.iter().any(|it| line.starts_with(it)), "{line} was inherited");
    }
    assert_eq!(script.left_behind("folder").unwrap(), "/\n");
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_any_more_ends_soon() {
    let script = Script::new("echo $$ > child; exec sleep 1000");
    let probe = Probe::new(Some(script.folder.path().join("script")), LONG, 1 << 30);
    let descriptor = descriptor();
    let run = probe.run(Path::new("/staged.so"), &descriptor, &[]);
    let began = Instant::now();
    let started = async {
        while script.left_behind("child").is_none_or(|child| !child.ends_with('\n')) {
            assert!(began.elapsed() < LONG, "the child does not start");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ended = run => panic!("it waits for the child: {ended:?}"),
        () = started => {}
    }
    script.expect_gone("child");
    assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
}

#[test]
fn a_program_passes_the_handshake_if_it_answers_for_this_api_version() {
    let shake_hands = |version: u32| {
        let answer =
            format!(r#"printf '%s' "$nonce{{\"ready\":{{\"api_version\":{version}}}}}$nonce""#);
        let script = Script::new(&answer);
        Probe::new(Some(script.folder.path().join("script")), LONG, 1 << 30).handshake()
    };
    shake_hands(API_VERSION).unwrap();
    let error = shake_hands(API_VERSION + 1).unwrap_err();
    assert!(matches!(error, ProbeError::ApiVersion { .. }), "{error}");
}
