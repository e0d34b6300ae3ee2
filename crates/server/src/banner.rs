//! What the server says of itself at start.

use config::Config;
use runtime::log::{Level, Logger};

/// The start lines every supervisor's and test's log pattern knows.
pub fn log_start(logger: &Logger, config: &Config, has_config: bool) {
    let pid = std::process::id();
    let log = |level, text: String| logger.log(level, 'C', format_args!("{text}"));
    log(Level::Notice, "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo".into());
    log(
        Level::Notice,
        format!(
            "Redis version={}, bits=64, commit=00000000, modified=0, pid={pid}, just started (Redan {})",
            config::REDIS_VERSION,
            crate::REDAN_VERSION
        ),
    );
    if has_config {
        log(Level::Notice, "Configuration loaded".into());
    } else {
        log(
            Level::Warning,
            "Warning: no config file specified, using the default config. In order to specify a config file use redan server /path/to/redis.conf".into(),
        );
    }
    let _ = config;
}

/// The block with name, mode, port and process id. With the logo it is drawn for people; in a log
/// file or under a supervisor it is one line, unless `always-show-logo` asks for more.
pub fn log_mode(logger: &Logger, config: &Config, on_terminal: bool) {
    let pid = std::process::id();
    if !(on_terminal || config.always_show_logo) {
        logger.log(Level::Notice, 'M', format_args!("Running mode=standalone, port={}.", config.port));
        return;
    }
    logger.raw(&format!(
        "\n        /\\\n       /  \\       Redan {} (Redis {}) 64 bit\n      /    \\\n     /  /\\  \\     Running in standalone mode\n    /  /  \\  \\    Port: {}\n   /__/    \\__\\   PID: {pid}\n\n",
        crate::REDAN_VERSION,
        config::REDIS_VERSION,
        config.port
    ));
}
