//! INFO commandstats, errorstats, latencystats: what was called and how it went.

use super::Text;
use crate::ctx::Ctx;
use commands::CommandId;

pub(super) fn command_stats(ctx: &mut Ctx<'_>, text: &mut Text) {
    text.heading("Commandstats");
    for id in CommandId::ALL {
        let stats = ctx.engine.stats.commands[id as usize];
        if stats.calls == 0 && stats.failed == 0 && stats.rejected == 0 {
            continue;
        }
        let us = stats.nanoseconds as f64 / 1000.0;
        let per_call = if stats.calls == 0 {
            0.0
        } else {
            us / stats.calls as f64
        };
        text.field(
            &format!("cmdstat_{}", id.full_name()),
            format_args!(
                "calls={},usec={},usec_per_call={per_call:.2},rejected_calls={},failed_calls={}",
                stats.calls,
                stats.nanoseconds / 1000,
                stats.rejected,
                stats.failed
            ),
        );
    }
}

pub(super) fn error_stats(ctx: &mut Ctx<'_>, text: &mut Text) {
    text.heading("Errorstats");
    for (code, count) in &ctx.engine.stats.errors {
        // A code may come from outside (DEBUG ERROR): it must not break a line or end a name.
        let code: String = String::from_utf8_lossy(code)
            .chars()
            .map(|c| {
                if matches!(c, '#' | ':' | '\n' | '\r') {
                    '_'
                } else {
                    c
                }
            })
            .collect();
        text.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

pub(super) fn latency_stats(ctx: &mut Ctx<'_>, text: &mut Text) {
    text.heading("Latencystats");
    let percentiles = &ctx.engine.config.latency_tracking_info_percentiles;
    if !ctx.engine.config.latency_tracking {
        return;
    }
    for id in CommandId::ALL {
        let Some(histogram) = &ctx.engine.stats.latencies[id as usize] else {
            continue;
        };
        let values: Vec<String> = percentiles
            .iter()
            .map(|&percentile| {
                format!(
                    "p{percentile}={:.3}",
                    histogram.percentile_ns(percentile) as f64 / 1000.0
                )
            })
            .collect();
        text.field(
            &format!("latency_percentiles_usec_{}", id.full_name()),
            values.join(","),
        );
    }
}
