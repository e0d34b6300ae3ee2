//! Talks to a running server: `cargo run -p client --example hello -- 127.0.0.1:6379`.
//!
//! Run against our own server by `tests/hello.rs`.

use client::{Client, Timeouts};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:6379".to_string());
    let mut client = Client::connect_tcp(&address, Timeouts::all(Duration::from_secs(5)))?;
    client.command_ok(&["SET", "greeting", "hello"])?;
    let greeting = client.command(&["GET", "greeting"])?;
    println!("{}", greeting.as_str().unwrap_or("no greeting"));

    // Several commands at once, one trip.
    let replies = client.pipeline(&[vec!["INCR", "visits"], vec!["PEXPIRE", "visits", "60000"]])?;
    println!("{replies:?}");
    Ok(())
}
