//! What the server says of itself at start: Redis's lines in Redis's order, because supervisors and
//! test tools wait for them. The block drawn for people holds the line ` PID: n`, and `Server
//! initialized` follows it; the reference suite looks for the two together.
//! Tests: `tests/runbook_r1_one_server.rs`.

use config::Config;
use runtime::log::{Level, Logger};

/// The first lines. `configured` is whether a file or options were given.
pub fn log_start(logger: &Logger, configured: bool) {
    let pid = std::process::id();
    logger.log(
        Level::Notice,
        'C',
        format_args!("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo"),
    );
    logger.log(
        Level::Notice,
        'C',
        format_args!(
            "Redis version={}, bits=64, commit=00000000, modified=0, pid={pid}, just started (Redan {})",
            config::REDIS_VERSION,
            crate::REDAN_VERSION
        ),
    );
    if configured {
        logger.log(Level::Notice, 'C', format_args!("Configuration loaded"));
    } else {
        logger.log(
            Level::Warning,
            'C',
            format_args!(
                "Warning: no config file specified, using the default config. In order to specify a config file use redan server /path/to/redis.conf"
            ),
        );
    }
    logger.log(
        Level::Notice,
        'M',
        format_args!("monotonic clock: POSIX clock_gettime"),
    );
}

/// Name, mode, port and process id: drawn for people on a terminal or when `always-show-logo` asks
/// for it, one line elsewhere.
pub fn log_mode(logger: &Logger, config: &Config, on_terminal: bool) {
    let drawn = (on_terminal && !config.syslog_enabled) || config.always_show_logo;
    if !drawn {
        logger.log(
            Level::Notice,
            'M',
            format_args!("Running mode=standalone, port={}.", config.port),
        );
        return;
    }
    if !logger.is_enabled(Level::Notice) {
        return;
    }
    logger.raw(&format!(
        "\n        /\\\n       /  \\       Redan {} (Redis {}) 64 bit\n      /    \\\n     /  /\\  \\     Running in standalone mode\n    /  /  \\  \\    Port: {}\n   /__/    \\__\\   PID: {}\n\n",
        crate::REDAN_VERSION,
        config::REDIS_VERSION,
        config.port,
        std::process::id()
    ));
}
