//! The example in `examples/hello.rs` does what it says, against our server.

use std::path::PathBuf;
use std::process::Command;
use testkit::{Options, Server};

/// Cargo builds examples before it runs the tests of a package, beside the test programs' directory.
/// Without them (`cargo test --test hello`) it is built now.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test program knows its own path");
    let profile = own
        .ancestors()
        .nth(2)
        .expect("<target>/<profile>/deps/<test>");
    let path = profile.join("examples").join(name);
    if !path.is_file() {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "-p", "client", "--example", name])
            .status();
        assert!(built.expect("cargo runs").success());
    }
    path
}

#[test]
fn the_example_greets() {
    let server = Server::start(&Options::redan());
    let address = format!("127.0.0.1:{}", server.port());
    let output = Command::new(example("hello"))
        .arg(address)
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "hello\n[Integer(1), Integer(1)]\n"
    );
}
