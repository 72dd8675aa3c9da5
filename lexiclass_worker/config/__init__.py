"""Settings of a worker, and the environment that they and child processes come from."""

from lexiclass_worker.config.environment import (
    environment_of_children,
    environment_secrets,
    export_environment,
    open_telemetry_variables,
    pretrained_cache,
    set_process_variable,
)
from lexiclass_worker.config.settings import (
    ENV_FILE,
    ConfigurationError,
    Settings,
    Variable,
    given_variables,
    list_variables,
    load_settings,
    load_settings_as_they_are,
    make_settings,
    redactor_at_hand,
    shown,
    unknown_variables,
    unverified_connections,
)

__all__ = [
    "ENV_FILE",
    "ConfigurationError",
    "Settings",
    "Variable",
    "environment_of_children",
    "environment_secrets",
    "export_environment",
    "given_variables",
    "list_variables",
    "load_settings",
    "load_settings_as_they_are",
    "make_settings",
    "open_telemetry_variables",
    "pretrained_cache",
    "redactor_at_hand",
    "set_process_variable",
    "shown",
    "unknown_variables",
    "unverified_connections",
]
