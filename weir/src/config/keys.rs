//! Every setting: its name, what it means, its default. What is written here is what `weir config show` prints.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use backends::Secret;
use booking_core::line::state::MAX_LANES;

use super::{
    Source,
    value::{EndpointAt, EndpointSecret, Issuer, LogFormat, MailServer, Shape, StoreUrl, Value},
};

/// A setting as the file, the environment and the documentation know it.
pub(crate) struct Key {
    /// Its section.
    pub(crate) section: &'static str,
    /// Its name in the section.
    pub(crate) name: &'static str,
    /// What it means, one line each.
    pub(crate) doc: &'static [&'static str],
    /// How TOML writes it.
    pub(crate) shape: Shape,
    /// What its value must be.
    pub(crate) what: &'static str,
    show: fn(&Config) -> String,
    set: fn(&mut Config, &str) -> Result<(), String>,
}

impl Key {
    /// `section.name`
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("WEIR_{}__{}", self.section, self.name).to_ascii_uppercase()
    }

    /// Its value as TOML.
    pub(crate) fn show(&self, config: &Config) -> String {
        let value = (self.show)(config);
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self.shape {
            Shape::Text => quoted(&value),
            Shape::Integer | Shape::Boolean => value,
            Shape::List => {
                let items: Vec<_> = value.split(',').filter(|item| !item.is_empty()).map(quoted).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }
}

macro_rules! settings {
    ($(
        $(#[doc = $about:literal])*
        $section:ident: $group:ident {
            $($(#[doc = $doc:literal])* $name:ident: $kind:ty = $default:literal,)*
        }
    )*) => {
        /// The effective configuration.
        #[derive(Debug, Clone)]
        pub(crate) struct Config {
            $($(#[doc = $about])* pub(crate) $section: $group,)*
            sources: BTreeMap<String, Source>,
        }

        $(
            $(#[doc = $about])*
            #[derive(Debug, Clone)]
            pub(crate) struct $group {
                $($(#[doc = $doc])* pub(crate) $name: $kind,)*
            }
        )*

        impl Default for Config {
            fn default() -> Self {
                Self {
                    $($section: $group {
                        $($name: <$kind as Value>::parse($default).expect("a test parses every default"),)*
                    },)*
                    sources: BTreeMap::new(),
                }
            }
        }

        /// The sections, in the order they are shown in.
        pub(crate) const SECTIONS: &[&str] = &[$(stringify!($section)),*];

        /// What each section is about.
        pub(crate) const ABOUT: &[&[&str]] = &[$(&[$($about),*]),*];

        /// Every setting.
        pub(crate) const KEYS: &[Key] = &[$($(Key {
            section: stringify!($section),
            name: stringify!($name),
            doc: &[$($doc),*],
            shape: <$kind as Value>::SHAPE,
            what: <$kind as Value>::WHAT,
            show: |config| Value::show(&config.$section.$name),
            set: |config, text| {
                config.$section.$name = <$kind as Value>::parse(text)
                    .ok_or_else(|| format!("{} must be {}", stringify!($name), <$kind as Value>::WHAT))?;
                Ok(())
            },
        },)*)*];
    };
}

settings! {
    /// The data folder: what one process on one machine keeps.
    data: Data {
        /// The folder. Made where it is missing; readable by its owner only.
        folder: PathBuf = "weir-data",
    }

    /// What stands behind each port. The scheme names the backend; a relative path is inside the data folder. Roles that
    /// run beside others need the servers, not the files.
    stores: Stores {
        /// The log: joins, the line's state, commands. `sqlite:FILE`, or `kafka://host:port,host:port`.
        log: StoreUrl = "sqlite:log.db",
        /// The desk: who is in. `sqlite:FILE`, or `redis://user:password@host:port,host:port` (a cluster).
        desk: StoreUrl = "sqlite:desk.db",
        /// The hold table, a copy that is rebuilt from the ledger. `memory:`, or `redis://…` as for the desk.
        holds: StoreUrl = "memory:",
        /// The ledger: bookings and whose seats they are. `sqlite:FILE`, or `postgres://user:password@host:port/database`;
        /// several of these between commas are a primary and its standbys.
        ledger: StoreUrl = "sqlite:ledger.db",
        /// The catalog: venues and events. `sqlite:FILE`, `postgres://…` as for the ledger, or
        /// `cassandra://user:password@host:port,host:port/KEYSPACE`, Cassandra 4 or newer, whose changes Debezium's
        /// connector carries into `kafka.catalog_topic`. `scylla:` instead is ScyllaDB; what carries its changes has to
        /// write the same records.
        catalog: StoreUrl = "sqlite:catalog.db",
        /// Guests' refresh tokens. `sqlite:FILE`, or `postgres://…` as for the ledger.
        accounts: StoreUrl = "sqlite:accounts.db",
        /// The payment provider. `stripe:`; or, for trying out, `sandbox:FILE` or `sandbox:postgres://…`, which makes
        /// payments that end as whoever makes them asks.
        payments: StoreUrl = "sandbox:payments.db",
        /// Buyers' addresses, and the letters to them that wait; only where `mail.server` is set. `sqlite:FILE`, or
        /// `postgres://…` as for the ledger.
        mail: StoreUrl = "sqlite:mail.db",
        /// The index that events are searched in, a copy that is made of the catalog's changes: `tantivy:FOLDER`, for one
        /// process with a catalog of its own, or `elasticsearch://user:password@host:port,host:port/INDEX`
        /// (`elasticsearch+tls:` with TLS), versions 7.10 to 9 or OpenSearch, kept by `weir search-indexer`: INDEX is an
        /// alias, and the indices and aliases behind it are named `INDEX.…`. Processes beside others without it list
        /// events and search nothing.
        search: StoreUrl = "tantivy:search",
        /// The lanes of a line that is made from now on, 1 to 1,024; a line keeps the lanes it was made with.
        line_lanes: u16 = "3",
        /// The most appends to the log that wait for a commit, 1 to 10,000,000; one more is answered with 503.
        max_waiting_appends: usize = "65536",
    }

    /// The log's brokers, where it is `kafka:`.
    kafka: Kafka {
        /// What the names of topics and groups begin with: letters, digits, `.`, `_` and `-`.
        topic_prefix: String = "weir.",
        /// The topic by which changes of the catalog come, where a connector writes them: Debezium's calls it
        /// `PREFIX.KEYSPACE.events`. It is made here, with `kafka.lanes` lanes, where it is missing. Empty: Weir's own.
        catalog_topic: String = "",
        /// On how many brokers each entry is stored, 1 to 15; for topics made from now on.
        replication: u16 = "3",
        /// How many of them must have an entry before it is acknowledged, 1 to `replication`; for topics made from now
        /// on. With fewer of them up, joins and holds are answered with 503.
        min_insync: u16 = "2",
        /// The lanes of commands, bookings and replies that are made from now on, 1 to 256: as many workers can share
        /// them.
        lanes: u16 = "12",
        /// This worker's name among the workers, its own and the same after every start: then a restart moves no lanes.
        /// Empty: a worker that stops gives its lanes away at once.
        member: String = "",
        /// How long an append waits for its acknowledgement, 100 to 120,000 ms.
        append_timeout_ms: u32 = "5000",
    }

    /// The Redis cluster of the desk and the hold table, where they are `redis:`.
    redis: Redis {
        /// What every key begins with; no braces.
        key_prefix: String = "weir:",
        /// Connections to each node, 1 to 64.
        connections: u16 = "4",
        /// How many replicas should have a change of the desk before it is answered, 0 to 8; without them it goes on
        /// after 100 ms.
        wait_for_replicas: u16 = "1",
    }

    /// The database of the ledger, the catalog and the accounts, where they are `postgres:`.
    postgres: Postgres {
        /// The schema: lower-case letters, digits and `_`.
        schema: String = "weir",
        /// The most connections of this process, 1 to 1,000.
        connections: u16 = "16",
        /// How long one statement may take, 100 to 600,000 ms.
        statement_timeout_ms: u64 = "5000",
        /// Whether a start brings the schema to what this version needs; without it, `weir migrate` does.
        migrate: bool = "true",
    }

    /// The keyspace of the catalog, where it is `cassandra:` or `scylla:`.
    scylla: Scylla {
        /// How many nodes of each datacenter have a row, 1 to 15, where the keyspace is made from now on.
        replication: u16 = "3",
        /// Whether a start makes a keyspace and tables that are missing; without it, `weir migrate` does. Nodes don't like
        /// the same table to be made by two processes at once.
        migrate: bool = "true",
        /// How long one request may take, 100 to 60,000 ms.
        timeout_ms: u64 = "2000",
    }

    /// The payment provider Stripe, where `stores.payments` is `stripe:`. Whoever makes the payment intents sets
    /// `capture_method` to `manual`; the intent's id is the transaction's.
    stripe: Stripe {
        /// The secret key, or a restricted one that may write payment intents and refunds. A gateway needs none.
        secret_key: Secret = "",
        /// A file with the secret key in it, instead.
        secret_key_file: Option<PathBuf> = "",
        /// The signing secrets of the webhook endpoint that sends `payment_intent.amount_capturable_updated` to
        /// `/v1/payments/notices`, at most 8: two while one takes the other's place. Only a gateway needs them. Empty:
        /// notices are answered with 404.
        webhook_secrets: Vec<Secret> = "",
        /// Where the API is; another address than Stripe's only in tests.
        api_base: String = "https://api.stripe.com",
        /// How long one try of a request may take, 100 to 60,000 ms.
        try_timeout_ms: u64 = "4000",
        /// How long all of one answer may take, 100 to 120,000 ms: less than `worker.payment_timeout_ms`.
        give_up_after_ms: u64 = "9000",
        /// The most tries of one request, 1 to 10.
        tries: u32 = "5",
        /// Requests under way at once, 1 to 1,000; the others wait.
        requests_in_flight: u16 = "32",
    }

    /// Letters to buyers about their bookings, in the language `gateway.default_language`, with links to
    /// `gateway.public_url`. Workers send them; a gateway only asks buyers for their addresses where they are sent.
    mail: Mail {
        /// The SMTP server that takes letters over: `smtps://host` (TLS; port 465), `smtp://host` (TLS after STARTTLS;
        /// port 587), or `smtp+plain://host` (no secrecy, so only on this machine; port 25); `:port` where it is another.
        /// Empty: no letters are sent, and nobody's address is kept.
        server: Option<MailServer> = "",
        /// Who logs in. Empty: nobody does.
        user: String = "",
        /// With what.
        password: Secret = "",
        /// A file with the password in it, instead.
        password_file: Option<PathBuf> = "",
        /// Whom letters come from: `tickets@example.org` or `Box office <tickets@example.org>`.
        from: String = "",
        /// How long one answer of the server may take, 100 to 120,000 ms.
        timeout_ms: u64 = "10000",
    }

    /// Endpoints outside that are told when a booking is confirmed, cancelled in part or whole, moved or in another
    /// hall, each webhook signed by Standard Webhooks. Workers tell them; a gateway shows what became of it.
    webhooks: Webhooks {
        /// Who is told, 16 at most: a name of 1 to 32 letters, digits, `-` or `_`, and an `https:` address, as in
        /// `"shop https://shop.example/weir"`. A new name is told what happens from then on.
        endpoints: Vec<EndpointAt> = "",
        /// What webhooks are signed with: the name, and `whsec_` with 24 to 64 bytes in base 64, as in
        /// `"shop whsec_…"`. Two of one name sign both, while the one takes the other's place.
        secrets: Vec<EndpointSecret> = "",
        /// A file with secrets, one in a line, instead.
        secrets_file: Option<PathBuf> = "",
        /// Networks that are not public where endpoints may be all the same, such as `10.1.0.0/16`, 16 at most. Only there
        /// may an address be `http:`.
        allow: Vec<String> = "",
    }

    /// The edge: where visitors and operators connect, and what it holds them to.
    gateway: Gateway {
        /// Where visitors connect; port 0 takes a free one.
        listen: SocketAddr = "127.0.0.1:8080",
        /// Where `/live`, `/ready` and `/metrics` are served; never public.
        admin_listen: SocketAddr = "127.0.0.1:8081",
        /// This gateway's name among the gateways, by which answers find it: 1 to 64 letters, digits, `-` or `_`.
        /// Empty makes one up at each start.
        name: String = "",
        /// Visitors' address of this site, such as `https://tickets.example.org`, and the `iss` of every token.
        public_url: String = "http://localhost:8080",
        /// Whether cookies are sent over HTTPS only; set it wherever `public_url` is `https:`.
        secure_cookies: bool = "false",
        /// Whether anybody may become a guest.
        guests: bool = "true",
        /// Whether payments of the sandbox can be made; only with the payment provider `sandbox:`.
        sandbox: bool = "true",
        /// The language of pages for whoever asks for none that is there.
        default_language: String = "en",
        /// A folder whose `templates/`, `static/` and `locales/` replace what is built in. Empty: none.
        pages_folder: Option<PathBuf> = "",
        /// Issuers outside whose access tokens are accepted, at most 16. Each is its `iss`, what `aud` must hold, and
        /// where its JWK set is: `"https://id.example weir https://id.example/jwks.json"`.
        issuers: Vec<Issuer> = "",
        /// How many proxies of yours stand in front and add to `X-Forwarded-For`, 0 to 8. With 0 the header is not
        /// believed and the peer's own address counts.
        trusted_proxies: u8 = "0",
        /// Connections open at once, 16 to 1,000,000; one more is closed at once.
        max_connections: usize = "65536",
        /// How long the headers of a request may take, 100 to 120,000 ms.
        header_timeout_ms: u64 = "10000",
        /// How long the body of a request may take, 100 to 120,000 ms.
        body_timeout_ms: u64 = "10000",
        /// How long a connection may stay open without a request, 1 to 3,600 s.
        idle_timeout_seconds: u64 = "75",
        /// How long open requests may go on once Weir stops, 0 to 600 s.
        drain_seconds: u64 = "10",
        /// All headers of a request together, 8,192 to 1,048,576 bytes.
        max_header_bytes: usize = "16384",
        /// Headers of a request, 8 to 1,000.
        max_headers: usize = "100",
        /// The body of a request, 1,024 to 1,048,576 bytes.
        max_body_bytes: usize = "65536",
        /// The body of a request that adds a venue or names seats of one, 1,024 to 1,000,000 bytes.
        max_venue_bytes: usize = "1000000",
        /// Requests a minute and user, polls and pages together, 1 to 1,000,000,000.
        requests_per_minute: u32 = "100",
        /// Attempts to reserve seats a minute and user, 1 to 1,000,000,000.
        reserves_per_minute: u32 = "5",
        /// Guests made a minute and address (IPv6: a /64), 1 to 1,000,000,000.
        guests_per_minute: u32 = "30",
        /// Requests a minute and address of whoever shows no valid token, 1 to 1,000,000,000.
        address_requests_per_minute: u32 = "600",
        /// Users and addresses remembered by each rate limit, 1,000 to 100,000,000 (some 64 bytes each).
        max_limited_keys: usize = "2000000",
        /// How long an access token lives, 60 to 86,400 s.
        access_token_seconds: u32 = "900",
        /// How long a refresh token lives, 600 to 31,536,000 s.
        refresh_token_seconds: u32 = "2592000",
        /// How long a request waits for a worker's answer before it is told to ask later, 50 to 30,000 ms.
        reply_wait_ms: u64 = "1500",
        /// After how long a worker discards a command that nobody waits for any more, 1,000 to 120,000 ms.
        command_deadline_ms: u64 = "15000",
        /// Commands waiting for an answer at once, 16 to 1,000,000; one more is refused with 503.
        max_waiting_commands: usize = "50000",
    }

    /// The workers: the line's keeper, the hold pool, the finaliser, expiry, the outbox, the courier, the webhooks.
    worker: Worker {
        /// This worker's name, 1 to 64 characters; the state log tells whose decisions it holds. Each start adds a few
        /// digits of its own.
        name: String = "worker",
        /// How long a read of the log waits for something to come, 0 to 10,000 ms; also the longest that stopping
        /// waits for an idle part.
        patience_ms: u64 = "250",
        /// How often the line's keeper decides, 10 to 1,000 ms.
        tick_ms: u64 = "100",
        /// How many links a new line's seed chain has, 1,024 to 1,048,576: one is spent on each batch, and when they
        /// are spent no batch closes any more.
        chain_length: u32 = "1048576",
        /// Entries of an open batch kept at hand, 0 to 16,777,216 (32 bytes each); those beyond are read again from
        /// the log when the batch closes.
        max_open_entries: usize = "4194304",
        /// Hold and release commands taken from one lane at once, 1 to 4,096.
        hold_batch: usize = "512",
        /// Hold and release commands being worked on at once, over all lanes, 1 to 65,536.
        holds_in_flight: usize = "4096",
        /// Hold and release commands a second, over all lanes, 1 to 1,000,000.
        holds_per_second: u32 = "10000",
        /// Confirmations of one lane being worked on at once, 1 to 4,096.
        confirms_in_flight: usize = "1024",
        /// How long the payment provider may take to answer, 100 to 120,000 ms; after that the outcome is unknown.
        payment_timeout_ms: u64 = "10000",
        /// How old a payment without an end must be before it is settled without its buyer, 1,000 to 3,600,000 ms.
        settle_after_ms: u64 = "60000",
        /// How often payments without an end are looked for, 100 to 600,000 ms.
        settle_every_ms: u64 = "10000",
        /// How old a payment or refund must be that still can't be settled to be left to a person, 1,000 to
        /// 604,800,000 ms.
        stuck_after_ms: u64 = "3600000",
        /// How often holds that ran out are marked, 10 to 60,000 ms.
        expire_every_ms: u64 = "500",
        /// Holds marked at once, 1 to 4,096.
        expire_batch: usize = "512",
        /// How often ledger, hold tables, payments and outbox are compared, 1,000 to 86,400,000 ms.
        reconcile_every_ms: u64 = "600000",
        /// How often the outbox is looked at, 10 to 60,000 ms.
        outbox_every_ms: u64 = "200",
        /// Outbox rows published at once, 1 to 4,096.
        outbox_batch: usize = "1024",
        /// How often letters to send are looked for, 10 to 60,000 ms.
        mail_every_ms: u64 = "500",
        /// Letters on their way at once, each on a connection of its own, 1 to 256: as many may come twice where a
        /// worker dies.
        mail_at_once: usize = "16",
        /// How long a letter is tried to be sent, 60,000 to 604,800,000 ms.
        mail_give_up_after_ms: u64 = "259200000",
        /// How long buyers' addresses are kept, and which letters they got, 1 to 3,650 days.
        mail_keep_days: u32 = "400",
        /// How often it is looked whether there is a webhook to send, 10 to 60,000 ms.
        webhooks_every_ms: u64 = "250",
        /// How long a webhook is tried to be delivered, 60,000 to 604,800,000 ms.
        webhooks_give_up_after_ms: u64 = "259200000",
        /// The first pause after a failure, 1 to 10,000 ms; each further one doubles it.
        first_pause_ms: u64 = "50",
        /// The longest pause after failures, 1 to 60,000 ms.
        longest_pause_ms: u64 = "5000",
    }

    /// The indexer: what changes in the catalog goes into the index that events are searched in.
    indexer: Indexer {
        /// How long a read of the log waits for something to come, 0 to 10,000 ms; also the longest that stopping
        /// waits for an idle part.
        patience_ms: u64 = "250",
        /// Change records applied at once, 1 to 4,096.
        batch: usize = "256",
        /// How often the catalog is asked for its changes, 10 to 60,000 ms.
        changes_every_ms: u64 = "100",
        /// How often it is noted how many seats are left of an event, 100 to 60,000 ms.
        seats_every_ms: u64 = "1000",
        /// The first pause after a failure, 1 to 10,000 ms; each further one doubles it.
        first_pause_ms: u64 = "50",
        /// The longest pause after failures, 1 to 60,000 ms.
        longest_pause_ms: u64 = "5000",
    }

    /// How Weir writes about itself, on the standard error stream.
    tracing: Tracing {
        /// What to write: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,queue_worker=debug`.
        level: String = "info,scylla=warn",
        /// `text` for people, `json` for collectors.
        format: LogFormat = "text",
    }
}

impl Config {
    /// Sets the key `path` from `text`.
    ///
    /// # Errors
    /// What the value must be, in one line.
    pub(crate) fn set(&mut self, path: &str, text: &str, source: Source) -> Result<(), String> {
        let key = KEYS.iter().find(|key| key.path() == path).expect("only keys of the table are set");
        (key.set)(self, text)?;
        self.sources.insert(path.to_owned(), source);
        Ok(())
    }

    /// Where the value of `key` comes from.
    pub(crate) fn source(&self, key: &Key) -> Source {
        self.sources.get(&key.path()).cloned().unwrap_or_default()
    }

    /// Looks at what one key alone can't show to be wrong.
    ///
    /// # Errors
    /// In one line, what and what to do.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.gateway_settings().check().map_err(|error| format!("gateway.{error}"))?;
        self.worker_settings().check().map_err(|error| format!("worker.{error}"))?;
        self.indexer_settings().check().map_err(|error| format!("indexer.{error}"))?;
        let (stores, kafka, redis, postgres) = (&self.stores, &self.kafka, &self.redis, &self.postgres);
        let (stripe, payment_timeout) = (&self.stripe, self.worker.payment_timeout_ms);
        let limits = [
            ("stores.line_lanes", u64::from(stores.line_lanes), 1, u64::from(MAX_LANES)),
            ("stores.max_waiting_appends", stores.max_waiting_appends as u64, 1, 10_000_000),
            ("kafka.replication", kafka.replication.into(), 1, 15),
            ("kafka.min_insync", kafka.min_insync.into(), 1, kafka.replication.into()),
            ("kafka.lanes", kafka.lanes.into(), 1, 256),
            ("kafka.append_timeout_ms", kafka.append_timeout_ms.into(), 100, 120_000),
            ("redis.connections", redis.connections.into(), 1, 64),
            ("scylla.replication", self.scylla.replication.into(), 1, 15),
            ("scylla.timeout_ms", self.scylla.timeout_ms, 100, 60_000),
            ("redis.wait_for_replicas", redis.wait_for_replicas.into(), 0, 8),
            ("postgres.connections", postgres.connections.into(), 1, 1_000),
            ("postgres.statement_timeout_ms", postgres.statement_timeout_ms, 100, 600_000),
            ("stripe.try_timeout_ms", stripe.try_timeout_ms, 100, 60_000),
            ("stripe.give_up_after_ms", stripe.give_up_after_ms, 100, 120_000),
            ("stripe.tries", stripe.tries.into(), 1, 10),
            ("stripe.requests_in_flight", stripe.requests_in_flight.into(), 1, 1_000),
            ("mail.timeout_ms", self.mail.timeout_ms, 100, 120_000),
        ];
        if stores.payments.scheme() == "stripe" && stripe.give_up_after_ms >= payment_timeout {
            let gives_up = stripe.give_up_after_ms;
            return Err(format!(
                "stripe.give_up_after_ms is {gives_up}; it must be less than worker.payment_timeout_ms, {payment_timeout}"
            ));
        }
        match limits.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value)) {
            Some((name, value, least, most)) => Err(format!("{name} is {value}; it must be {least} to {most}")),
            None => Ok(()),
        }
    }

    /// The configuration as TOML that can be read back, each value with where it comes from; `documented`: each with
    /// what it means and its variable, too.
    pub(crate) fn to_toml(&self, documented: bool) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        for (section, about) in SECTIONS.iter().zip(ABOUT) {
            if !out.is_empty() {
                out.push('\n');
            }
            if documented {
                for line in *about {
                    let _ = writeln!(out, "#{line}");
                }
            }
            let _ = writeln!(out, "[{section}]");
            for key in KEYS.iter().filter(|key| key.section == *section) {
                if documented {
                    let _ = writeln!(out);
                    for line in key.doc {
                        let _ = writeln!(out, "#{line}");
                    }
                    let _ = writeln!(out, "# {} ({})", key.variable(), key.what);
                }
                let _ = writeln!(out, "{} = {} # {}", key.name, key.show(self), self.source(key));
            }
        }
        out
    }
}
