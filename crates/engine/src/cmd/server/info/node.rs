//! INFO server, replication, cpu, modules, cluster: what process this is, and what it is to others.

use super::Text;
use crate::ctx::Ctx;

pub(super) fn server(ctx: &mut Ctx<'_>, text: &mut Text) {
    let process = ctx.host.process();
    let now_us = ctx.engine.now_us();
    let uptime_s = (now_us / 1000 - ctx.engine.started_ms).max(0) / 1000;
    let config = &ctx.engine.config;
    text.heading("Server");
    text.words(&[
        ("redis_version", config::REDIS_VERSION),
        ("redan_version", env!("CARGO_PKG_VERSION")),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", "0"),
        ("redis_build_id", &process.build_id),
        ("redis_mode", "standalone"),
        ("os", &process.os),
        ("arch_bits", "64"),
        ("monotonic_clock", "POSIX clock_gettime"),
        ("multiplexing_api", process.multiplexing_api),
        ("atomicvar_api", "rust-core"),
        // No GCC; what Redis says when another compiler built it.
        ("gcc_version", "0.0.0"),
    ]);
    text.field("process_id", process.pid);
    text.words(&[
        ("process_supervised", process.supervised),
        ("run_id", &process.run_id),
    ]);
    text.numbers(&[
        ("tcp_port", process.tcp_port.into()),
        ("server_time_usec", now_us.into()),
        ("uptime_in_seconds", uptime_s.into()),
        ("uptime_in_days", (uptime_s / 86_400).into()),
        ("hz", config.hz.into()),
        ("configured_hz", config.hz.into()),
        ("lru_clock", ((now_us / 1_000_000) & 0xff_ffff).into()),
    ]);
    text.words(&[
        ("executable", &process.executable),
        ("config_file", &process.config_file),
    ]);
    text.field("io_threads_active", 0);
    if let Some(left_ms) = process.shutdown_in_ms {
        text.field("shutdown_in_milliseconds", left_ms);
    }
    for (index, listener) in process.listeners.iter().enumerate() {
        let mut line = format!("name={}", listener.name);
        for bind in &listener.binds {
            line += &format!(",bind={bind}");
        }
        if listener.port > 0 {
            line += &format!(",port={}", listener.port);
        }
        text.field(&format!("listener{index}"), line);
    }
}

pub(super) fn replication(ctx: &mut Ctx<'_>, text: &mut Text) {
    text.heading("Replication");
    text.lines(&ctx.host.replication_info(ctx.engine).section);
}

pub(super) fn cpu(ctx: &mut Ctx<'_>, text: &mut Text) {
    let process = ctx.host.process();
    text.heading("CPU");
    for (name, us) in [
        ("used_cpu_sys", process.cpu_sys_us),
        ("used_cpu_user", process.cpu_user_us),
        ("used_cpu_sys_children", process.cpu_sys_children_us),
        ("used_cpu_user_children", process.cpu_user_children_us),
        ("used_cpu_sys_main_thread", process.cpu_sys_main_us),
        ("used_cpu_user_main_thread", process.cpu_user_main_us),
    ] {
        text.field(
            name,
            format_args!("{}.{:06}", us / 1_000_000, us % 1_000_000),
        );
    }
}

pub(super) fn modules(_ctx: &mut Ctx<'_>, text: &mut Text) {
    text.heading("Modules");
}

pub(super) fn cluster(_ctx: &mut Ctx<'_>, text: &mut Text) {
    text.heading("Cluster");
    text.field("cluster_enabled", 0);
}
