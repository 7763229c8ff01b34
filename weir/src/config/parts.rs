//! The configuration in the words of each part.

use backends::sqlite::LogSettings;

use super::{Config, value::Issuer};

impl Config {
    /// What the workers are told.
    pub(crate) fn worker_settings(&self) -> queue_worker::Settings {
        let set = self.worker.clone();
        queue_worker::Settings {
            name: set.name,
            patience_ms: set.patience_ms,
            tick_ms: set.tick_ms,
            chain_length: set.chain_length,
            max_open_entries: set.max_open_entries,
            hold_batch: set.hold_batch,
            holds_in_flight: set.holds_in_flight,
            holds_per_second: set.holds_per_second,
            confirms_in_flight: set.confirms_in_flight,
            payment_timeout_ms: set.payment_timeout_ms,
            settle_after_ms: set.settle_after_ms,
            settle_every_ms: set.settle_every_ms,
            stuck_after_ms: set.stuck_after_ms,
            expire_every_ms: set.expire_every_ms,
            expire_batch: set.expire_batch,
            reconcile_every_ms: set.reconcile_every_ms,
            outbox_every_ms: set.outbox_every_ms,
            outbox_batch: set.outbox_batch,
            mail_every_ms: set.mail_every_ms,
            mail_at_once: set.mail_at_once,
            mail_give_up_after_ms: set.mail_give_up_after_ms,
            mail_keep_days: set.mail_keep_days,
            webhooks_every_ms: set.webhooks_every_ms,
            webhooks_give_up_after_ms: set.webhooks_give_up_after_ms,
            first_pause_ms: set.first_pause_ms,
            longest_pause_ms: set.longest_pause_ms,
        }
    }

    /// What the indexer is told.
    pub(crate) fn indexer_settings(&self) -> search_indexer::Settings {
        let set = self.indexer.clone();
        search_indexer::Settings {
            patience_ms: set.patience_ms,
            batch: set.batch,
            changes_every_ms: set.changes_every_ms,
            seats_every_ms: set.seats_every_ms,
            first_pause_ms: set.first_pause_ms,
            longest_pause_ms: set.longest_pause_ms,
        }
    }

    /// What the embedded log is told.
    pub(crate) fn log_settings(&self) -> LogSettings {
        LogSettings { line_lanes: self.stores.line_lanes, max_waiting: self.stores.max_waiting_appends }
    }

    /// What the gateway is told.
    pub(crate) fn gateway_settings(&self) -> gateway::Settings {
        let set = self.gateway.clone();
        gateway::Settings {
            listen: set.listen,
            admin_listen: set.admin_listen,
            name: set.name,
            public_url: set.public_url,
            secure_cookies: set.secure_cookies,
            guests: set.guests,
            sandbox: set.sandbox,
            mail: self.mail.server.is_some(),
            webhooks: self.webhooks.endpoints.iter().map(|endpoint| endpoint.name.clone()).collect(),
            default_language: set.default_language,
            pages_folder: set.pages_folder,
            issuers: set.issuers.into_iter().map(outside).collect(),
            trusted_proxies: set.trusted_proxies,
            max_connections: set.max_connections,
            header_timeout_ms: set.header_timeout_ms,
            body_timeout_ms: set.body_timeout_ms,
            idle_timeout_seconds: set.idle_timeout_seconds,
            drain_seconds: set.drain_seconds,
            max_header_bytes: set.max_header_bytes,
            max_headers: set.max_headers,
            max_body_bytes: set.max_body_bytes,
            max_venue_bytes: set.max_venue_bytes,
            requests_per_minute: set.requests_per_minute,
            reserves_per_minute: set.reserves_per_minute,
            guests_per_minute: set.guests_per_minute,
            address_requests_per_minute: set.address_requests_per_minute,
            max_limited_keys: set.max_limited_keys,
            access_token_seconds: set.access_token_seconds,
            refresh_token_seconds: set.refresh_token_seconds,
            reply_wait_ms: set.reply_wait_ms,
            command_deadline_ms: set.command_deadline_ms,
            max_waiting_commands: set.max_waiting_commands,
        }
    }
}

fn outside(Issuer { issuer, audience, jwks }: Issuer) -> gateway::OutsideIssuer {
    gateway::OutsideIssuer { issuer, audience, jwks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_defaults_are_the_parts_own() {
        assert_eq!(Config::default().gateway_settings(), gateway::Settings::default());
        assert_eq!(Config::default().worker_settings(), queue_worker::Settings::default());
        assert_eq!(Config::default().indexer_settings(), search_indexer::Settings::default());
        assert_eq!(Config::default().log_settings(), LogSettings::default());
    }
}
