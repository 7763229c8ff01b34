//! An installation of Weir on the real servers.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{Weir, binary, data, folder};

/// The real servers, and an installation of its own on them: names that nobody else uses.
pub(crate) struct Cluster {
    name: String,
    settings: Vec<String>,
    data: PathBuf,
    _folder: tempfile::TempDir,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let folder = folder();
        let name = format!("t{}", hex::encode(rand::random::<[u8; 6]>()));
        let redis = variable("REDIS").replace("redis://", "");
        let mut settings = vec![
            format!("stores.log=kafka://{}", variable("KAFKA")),
            format!("stores.desk=redis://{redis}"),
            format!("stores.holds=redis://{redis}"),
            format!("kafka.topic_prefix={name}."),
            "kafka.lanes=3".to_owned(),
            format!("redis.key_prefix={name}:"),
            format!("postgres.schema={name}"),
        ];
        settings.extend(on_postgres(&format!("{},{}", variable("POSTGRES"), variable("POSTGRES_STANDBY"))));
        Self { name, settings, data: data(&folder), _folder: folder }
    }

    /// Its schema's name, and the prefix of all its names.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where the gateways' keys are.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn gateway(&self) -> Weir {
        self.launch("gateway", &[], &[])
    }

    pub(crate) fn worker(&self) -> Weir {
        self.launch("queue-worker", &[], &[])
    }

    /// Starts `role`; of a setting that is given twice the later one counts.
    pub(crate) fn launch(&self, role: &str, settings: &[String], variables: &[(&str, &str)]) -> Weir {
        let settings: Vec<&str> = self.settings.iter().chain(settings).map(String::as_str).collect();
        Weir::launch(Some(role), &self.data, &settings, variables)
    }

    /// Runs one of the executable's commands with these settings.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).arg("--data").arg(&self.data);
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command
    }
}

/// What `scripts/servers env` says of the servers.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(format!("WEIR_TEST_{name}"))
        .expect("start the servers: `scripts/servers up`, then `eval \"$(scripts/servers env)\"`")
}

/// The settings of what is on Postgres: at `urls`.
pub(crate) fn on_postgres(urls: &str) -> [String; 5] {
    [("ledger", ""), ("catalog", ""), ("accounts", ""), ("mail", ""), ("payments", "sandbox:")]
        .map(|(store, scheme)| format!("stores.{store}={scheme}{urls}"))
}
